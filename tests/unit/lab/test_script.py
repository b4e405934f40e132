"""The scripted model: stateless, deterministic, in the words that callers and recognisers use."""

import json
import re
from pathlib import Path

import pytest

import lab
from lab.script import Call, Message, Request, Rule, Say, Script, fields_of
from policies.document import DocumentError

pytestmark = pytest.mark.unit

CALLERS = Path(lab.__file__).parent / "callers"
TOOLS = frozenset({"order_lookup", "order_refund", "address_change", "delivery_change", "contact_change"})
ORDER = {"order_number": "441792", "item": "kettle", "status": "shipped", "delivery_date": "2026-11-20"}


@pytest.fixture(scope="module")
def script() -> Script:
    return Script.load()


def said(*texts: str, tools: frozenset[str] = TOOLS, engine: str = "chat") -> Request:
    """A conversation that begins with the agent and alternates."""
    messages = [Message("assistant" if i % 2 == 0 else "user", text) for i, text in enumerate(texts)]
    return Request(tuple(messages), tools, engine)  # type: ignore[arg-type]


def after(tool: str, output: str, *before: Message, engine: str = "chat") -> Request:
    call = Message("call", json.dumps({"order_number": "441792"}), tool)
    return Request((*before, call, Message("result", output, tool)), TOOLS, engine)  # type: ignore[arg-type]


def test_a_conversation_without_a_caller_gets_a_greeting(script: Script) -> None:
    request = Request((Message("system", "You answer the telephone."),))
    assert script.decide(request) == (
        "greeting",
        Say("Hello, thank you for calling. How can I help you?"),
    )


@pytest.mark.parametrize(
    "heard",
    [
        "the order number is four four one seven nine two",
        "Order number 441792.",
        "four four one seven nine two",
    ],
)
def test_an_order_number_in_words_or_figures_is_looked_up(script: Script, heard: str) -> None:
    reply = script.reply(said("What is your order number?", heard))
    assert reply == Call("order_lookup", {"order_number": "441792"})


def test_without_the_tool_the_number_is_read_back(script: Script) -> None:
    heard = "the order number is four four one seven nine two"
    reply = script.reply(said("What is your order number?", heard, tools=frozenset()))
    assert reply == Say("Thank you. I have order 4 4 1 7 9 2. Is that right?")


@pytest.mark.parametrize(
    "output",
    [
        json.dumps(ORDER),
        json.dumps([{"type": "text", "text": json.dumps(ORDER)}]),
        json.dumps({"type": "text", "text": json.dumps(ORDER), "annotations": None}),
    ],
)
def test_a_tool_result_is_read_in_every_form_it_comes_in(script: Script, output: str) -> None:
    reply = script.reply(after("order_lookup", output))
    assert reply == Say(
        "Thank you. I found order 4 4 1 7 9 2, your kettle. It is shipped, and the day of "
        "delivery is 2026-11-20. Is that the right one?"
    )


def test_missing_fields_are_talked_around(script: Script) -> None:
    reply = script.reply(after("order_lookup", "{}"))
    assert isinstance(reply, Say)
    assert "your parcel. It is on its way" in reply.text


@pytest.mark.parametrize(
    "output",
    [
        '{"error": "no order 441792"}',
        "Error: order 441792 not found",
        "There is no order 441792.",
        '{"found": false}',
    ],
)
def test_an_order_that_does_not_exist_is_asked_for_again(script: Script, output: str) -> None:
    assert script.decide(after("order_lookup", output))[0] == "no such order"


def test_a_delivery_is_moved_to_the_day_that_was_said(script: Script) -> None:
    asked = "can you change the delivery date two next thursday morning"
    request = said("Hello", "my order number is 441792", "Is that right?", asked)
    assert script.reply(request) == Call(
        "delivery_change", {"order_number": "441792", "date": "next thursday morning"}
    )


def test_an_upset_caller_hears_empathy_from_the_realtime_engine_only(script: Script) -> None:
    heard = "you charged me twice for the same order and i want my money back"
    realtime, chat = (script.reply(said("Hello", heard, engine=e)) for e in ("realtime", "chat"))
    assert isinstance(realtime, Say)
    assert isinstance(chat, Say)
    assert "angry" in realtime.text
    assert "angry" not in chat.text


def test_money_back_is_refunded_once_the_order_is_known(script: Script) -> None:
    history = ("What is your order number?", "it is order eight zero five three one six two", "And?")
    reply = script.reply(
        said(*history, "this is ridiculous i want my money back right now", engine="realtime")
    )
    assert isinstance(reply, Call)
    assert (reply.tool, reply.arguments["order_number"]) == ("order_refund", "8053162")


def test_a_card_number_is_never_taken_for_an_order_nor_read_back(script: Script) -> None:
    heard = "my card number is four one one one two two three four nine eight seven six five five zero one"
    reply = script.reply(said("Certainly. Please tell me your card number.", heard))
    assert isinstance(reply, Say)
    assert not any(c.isdigit() for c in reply.text)


def test_a_spelled_address_is_read_back_and_then_kept(script: Script) -> None:
    spelled_out = "it is j o h n dot s m i t h at gmail dot com"
    reply = script.reply(said("Please spell it.", spelled_out))
    assert reply == Say("I have j o h n dot s m i t h at gmail dot com. Is that correct?")
    assert isinstance(reply, Say)
    kept = script.reply(said("Please spell it.", spelled_out, reply.text, "yes that is correct m q"))
    assert kept == Call("contact_change", {"email": "john.smith@gmail.com"})


def test_numbers_given_in_two_breaths_are_taken_in_two_turns(script: Script) -> None:
    said_so_far = ["Certainly. Please tell me your card number."]
    for heard, rule in (
        ("my card number is four one one one two two three four", "card number"),
        ("nine eight seven six five five zero one", "the rest of the card number"),
        ("my phone number is five five five zero", "phone number"),
        ("one four two seven seven eight", "the rest of the phone number"),
        ("yes that's correct", "the payment"),
    ):
        name, reply = script.decide(said(*said_so_far, heard))
        assert (name, isinstance(reply, Say)) == (rule, True)
        said_so_far += [heard, getattr(reply, "text", "")]


CALLS = [
    (call, form)
    for call in sorted({turn["call"] for turn in json.loads((CALLERS / "manifest.json").read_text())})
    for form in ("text", "16k_mix80", "8k_mix80")
]


@pytest.mark.parametrize(("call", "form"), CALLS)
def test_every_recorded_caller_is_understood_as_spoken_and_as_recognised(
    script: Script, call: str, form: str
) -> None:
    messages: list[Message] = [Message("assistant", "Hello, how can I help you?")]
    for turn in json.loads((CALLERS / "manifest.json").read_text()):
        if turn["call"] != call or not turn["text"]:
            continue
        messages.append(Message("user", turn["asr"].get(form, turn["text"])))
        while True:
            name, reply = script.decide(Request(tuple(messages), TOOLS))
            assert name not in ("not understood", "greeting"), messages[-1].text
            if isinstance(reply, Say):
                break
            messages.append(Message("call", reply.arguments_json, reply.tool))
            messages.append(Message("result", json.dumps(ORDER), reply.tool))
        messages.append(Message("assistant", reply.text))


WISHES = (
    "just transfer me to an agent please",
    "hello can i adopt a real person please",
    "get me your supervisor",
)


@pytest.mark.parametrize("engine", ["chat", "realtime"])
@pytest.mark.parametrize("heard", WISHES)
def test_who_asks_for_a_person_is_promised_nobody_where_nobody_can_be_fetched(
    script: Script, heard: str, engine: str
) -> None:
    reply = script.reply(said("Hello", heard, engine=engine))
    assert isinstance(reply, Say)
    assert "automated assistant" in reply.text
    assert not re.search(r"transferring|will transfer|colleague|call you back", reply.text)


@pytest.mark.parametrize("heard", WISHES)
def test_who_asks_for_a_person_is_passed_on_where_that_is_offered(script: Script, heard: str) -> None:
    request = said("Hello", heard, tools=TOOLS | {"transfer_to_human"})
    assert script.reply(request) == Call("transfer_to_human", {"reason": "the caller asks for a person"})


def test_who_cannot_be_passed_on_is_told_that_nobody_is_free(script: Script) -> None:
    told = "No colleague is free just now. Say so, and help as well as you can."
    name, reply = script.decide(after("transfer_to_human", told, Message("user", "a person please")))
    assert name == "nobody to pass the caller on to"
    assert isinstance(reply, Say)
    assert "none of my colleagues is free" in reply.text


def test_the_long_answer_is_long_enough_to_be_interrupted(script: Script) -> None:
    reply = script.reply(
        said("Hello", "can you explain the difference between the basic and the premium plan")
    )
    assert isinstance(reply, Say)
    assert len(reply.text.split()) > 60


def test_noise_is_asked_again(script: Script) -> None:
    assert script.decide(said("Hello", "faith"))[0] == "not understood"


def test_the_same_request_always_gets_the_same_reply(script: Script) -> None:
    request = said("Hello", "get me your supervisor", engine="realtime")
    assert script.reply(request) == Script.load().reply(request)


def test_no_tool_result_is_left_without_words(script: Script) -> None:
    for tool in (*TOOLS, "something_else"):
        for output in ("{}", "done", '{"error": "x"}', "[]", "null", "3", "", "[[["):
            assert isinstance(script.reply(after(tool, output)), Say)


def test_fields_of_anything_is_a_record() -> None:
    assert fields_of("Refunded 12.50") == {"text": "Refunded 12.50"}
    assert fields_of('[{"type": "text", "text": "plain"}]') == {"text": "plain"}
    assert fields_of("[1, 2]") == {"text": "1"}


def test_a_rule_with_several_conditions_needs_them_all() -> None:
    rule = Rule("r", Say("yes"), knows="order", tool="order_lookup")
    assert rule.answer(said("Hello", "order number 441792")) == Say("yes")
    assert rule.answer(said("Hello", "order number 441792", tools=frozenset())) is None
    assert rule.answer(said("Hello", "hello")) is None


def test_a_rule_may_call_several_tools_at_once(tmp_path: Path) -> None:
    path = tmp_path / "both.yaml"
    path.write_text(
        "rules:\n"
        "  - rule: both\n"
        "    when: {hears: order}\n"
        "    call: {tool: find, arguments: {of: '{order}'}, beside: [{tool: day, arguments: {of: '{order}'}}]}\n"
    )
    reply = Script.load(path).reply(said("Hello", "order number 441792"))
    assert isinstance(reply, Call)
    assert [(call.tool, call.arguments) for call in reply.all] == [
        ("find", {"of": "441792"}),
        ("day", {"of": "441792"}),
    ]


def test_what_tools_returned_side_by_side_is_known_side_by_side() -> None:
    results = (Message("result", '{"item": "kettle"}', "find"), Message("result", '{"day": "Monday"}', "day"))
    facts = Request((Message("user", "both"), *results)).facts
    assert (facts["result.item"], facts["result.day"]) == ("kettle", "Monday")
    later = Request((Message("user", "both"), results[0], Message("user", "again"), results[1])).facts
    assert "result.item" not in later


def test_every_problem_of_a_script_is_reported_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "rules:\n"
        "  - rule: both\n"
        "    say: hi\n"
        "    call: {tool: x}\n"
        "  - rule: pattern\n"
        "    when: {hears: '(', engin: chat}\n"
        "    say: hi\n"
        "  - say: nameless\n"
    )
    with pytest.raises(DocumentError) as caught:
        Script.load(path)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[1] for line in lines] == ["2", "6", "6", "8"]
    assert "give one of `say` and `call`" in lines[0]
    assert "not a regular expression" in lines[1]
    assert "did you mean 'engine'" in lines[2]
    assert "`rule` is missing" in lines[3]
