"""What a caller gives away in a call is masked, across breaths, turns and speakers."""

import re

import pytest

from compliance.events import AgentSaid, CallerSaid, CallStarted, HumanSaid, ToolCalled
from compliance.redaction import REDACTION_FAILED, RedactionEngine, Redactor
from compliance.redaction.pieces import Found, Heard

pytestmark = pytest.mark.unit

DIGIT_WORDS = re.compile(
    r"\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple|won|for|ate|sex|tree|\d+)\b"
)


def texts(results):
    return [r.text for r in results]


def digits_left(results) -> list[str]:
    return [word for r in results for word in DIGIT_WORDS.findall(r.text)]


@pytest.mark.parametrize(
    "breaths",
    [
        ("my card number is four one one one two two three four nine eight seven six five five zero one",),
        ("my card number is four one one one two two three four", "nine eight seven six five five zero one"),
        ("four one one one two two three four", "nine eight seven six five five zero one"),
        (
            "my card number is",
            "four one one one",
            "two two three four",
            "nine eight seven six",
            "five five zero one",
        ),
        ("my card number is for one one one two two tree four", "nine ate seven sex five five zero won"),
        ("it's four one one one", "two two three four uh nine", "eight seven six five five", "oh one"),
        (
            "my card number is four one one one two sue two three four",
            "nine eight seven six five five",
            "zero one",
        ),
        ("4111 2234", "9876 5501"),
        ("four triple one double two three four", "nine eight seven six double five oh one"),
    ],
)
def test_a_card_number_is_masked_however_many_breaths_it_takes(converse, breaths) -> None:
    assert digits_left(converse(*breaths)) == []


@pytest.mark.parametrize(
    "breaths",
    [
        ("my phone number is five five five zero one four two seven seven eight",),
        ("my phone number is five five five zero one", "four two seven seven eight"),
        ("my phone number is five five five", "zero one four two", "seven seven eight"),
        ("you can call me back on triple five oh one four two", "seven seven eight"),
    ],
)
def test_a_phone_number_is_masked_however_many_breaths_it_takes(converse, breaths) -> None:
    assert digits_left(converse(*breaths)) == []


def test_an_interrupted_number_is_masked_around_the_interruption(converse) -> None:
    results = converse(
        "A: Can I have your card number?",
        "hang on let me get it",
        "it's four one one one two two",
        "A: mhm, go ahead",
        "three four nine eight",
        "A: I am listening.",
        "seven six five five",
        "oh one",
    )

    assert digits_left(results) == []


def test_a_number_goes_on_after_an_agent_who_spoke_too_early(converse) -> None:
    results = converse(
        "my phone number is five five five",
        "A: Let me look into that.",
        "zero one four two seven seven eight",
    )

    assert digits_left(results) == []


def test_the_agent_reading_a_number_back_is_masked(converse) -> None:
    results = converse(
        "my card number is four one one one two two three four",
        "nine eight seven six five five zero one",
        "A: So that is 4111 2234 9876 5501?",
        "A: Or ending in five five zero one.",
    )

    assert results[2].text == "So that is <CREDIT_CARD>?"
    assert digits_left(results[3:]) == []


@pytest.mark.parametrize(
    ("question", "answer", "label"),
    [
        ("And the security code on the back?", "one two three", "CVV"),
        ("What is your PIN?", "it's oh four one seven", "PIN"),
        ("What is your date of birth?", "march fourth nineteen eighty five", "DATE_OF_BIRTH"),
        ("When were you born?", "the fourth of march nineteen eighty five", "DATE_OF_BIRTH"),
        ("What is your name, please?", "john smith", "PERSON"),
        ("Could you spell that name?", "s m i t h", "PERSON"),
        ("Could you spell that name?", "G EO R GI n a TA y", "PERSON"),
        ("What year were you born?", "85", "DATE_OF_BIRTH"),
        ("And your address?", "one twenty three maple street springfield", "ADDRESS"),
        ("What's your postcode?", "g 2 6 5 w b", "ADDRESS"),
        ("What is your e-mail address?", "bob underscore jones", "EMAIL_ADDRESS"),
    ],
)
def test_the_answer_to_a_question_is_masked_as_what_was_asked(converse, question, answer, label) -> None:
    result = converse(f"A: {question}", answer)[1]

    assert result.entities == (label,)
    assert not digits_left([result])


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("What is your card number?", "i have two questions first"),
        ("What is your card number?", "hang on one second"),
        ("What is your name?", "why do you need that"),
        ("What is your e-mail?", "yes that is correct"),
        ("What is your address?", "it has not changed since last week"),
    ],
)
def test_a_reply_without_the_shape_of_an_answer_is_kept(converse, question, reply) -> None:
    assert converse(f"A: {question}", reply)[1].text == reply


@pytest.mark.parametrize(
    "said",
    [
        "the order number is four four one seven nine two",
        "the order number is eight zero five three one six two",
        "can you change the delivery date two next thursday morning",
        "it was returned three weeks ago",
        "i paid two hundred and fifty pounds",
        "i waited 45 minutes and paid $1299.00 on 2026-11-02",
        "i ordered a washing machine and it was supposed to arrive on tuesday",
        "ok please send a new one on call me back tomorrow afternoon",
        "this is ridiculous i want my money back right now",
        "i'm stuck here and i'm getting concerned here",
        "change it from 10 to 21 for 800 pounds on 9/3/2026",
        "thank you goodbye",
    ],
)
def test_what_is_not_personal_stays_readable(converse, said) -> None:
    assert texts(converse(said)) == [said]


def test_an_order_number_stays_readable_in_two_breaths_and_when_read_back(converse) -> None:
    said = (
        "A: What is your order number?",
        "eight zero five three",
        "one six two",
        "A: Order 8053162 for 49.99 dollars ships on 2026-11-24, together with order 441792 and 441793.",
    )

    assert [r.entities for r in converse(*said)] == [()] * 4


def test_a_number_too_long_for_an_order_is_masked_all_the_same(converse) -> None:
    results = converse(
        "A: What is your order number?", "four one one one two two three four nine eight seven six"
    )

    assert digits_left(results) == []


def test_asked_for_an_order_and_a_phone_number_at_once_every_number_is_masked(converse) -> None:
    results = converse("A: Your order number or phone number, please?", "five five five zero one four")

    assert digits_left(results) == []


@pytest.mark.parametrize("question", [(), ("A: What is your new e-mail address?",)])
def test_a_spelled_email_is_masked_also_when_misheard(converse, question) -> None:
    results = converse(
        *question,
        "it is j o h m dot s m i t the age at gmail dot com",
        "no it is m as in mike h as in alpha e r as in romeo k as in kilo",
        "so m a r k dot s m i g h at gmail dot com",
        "yes that is correct",
    )[len(question) :]

    assert [re.sub("<[A-Z_]+>", "_", r.text) for r in results] == [
        "it is _",
        "no it is _",
        "so _",
        "yes that is correct",
    ]


def test_an_email_is_masked_when_it_is_cut_anywhere(converse) -> None:
    results = converse(
        "A: Your e-mail, please?", "it is j o h n", "dot s m i t h at gmail", "dot com", "A: mhm", "m q"
    )

    assert texts(results)[1:4] == ["it is <EMAIL_ADDRESS>", "<EMAIL_ADDRESS>", "<EMAIL_ADDRESS>"]
    assert results[-1].text == "<EMAIL_ADDRESS>"


def test_a_name_given_once_is_masked_whenever_it_is_said_again(converse) -> None:
    results = converse(
        "my name is maria lopez and i need help", "A: Thank you Maria, one moment.", "yes this is for lopez"
    )

    assert texts(results) == [
        "my name is <PERSON> and i need help",
        "Thank you <PERSON>, one moment.",
        "yes this is for <PERSON>",
    ]


def test_an_expectation_closes_when_the_agent_goes_on_to_something_else(converse) -> None:
    results = converse(
        "A: What is your card number?", "sorry", "A: No problem, we will do that later.", "room 412 was cold"
    )

    assert results[-1].text == "room 412 was cold"


def test_an_expectation_closes_after_four_utterances_that_do_not_answer_it(converse) -> None:
    results = converse("A: What is your card number?", *["i do not have it here"] * 4, "room 412 was cold")

    assert results[-1].text == "room 412 was cold"


def test_the_segments_of_a_call_are_redacted_as_one_conversation(redactor: Redactor) -> None:
    breaths = ("four one one one two two", "three four nine eight seven six", "five five zero one")
    asked = AgentSaid(
        call_id="c", at_ms=0, turn=1, engine="fast", generation=1, start_ms=0, end_ms=1,
        text="What is the number of your card?", interrupted=False,
    )  # fmt: skip
    segments = [
        CallerSaid(call_id="c", at_ms=1, start_ms=0, end_ms=1, text=text, confidence=1) for text in breaths
    ]

    assert redactor.redact_event(asked) == asked
    assert [redactor.redact_event(s).text for s in segments] == ["<CREDIT_CARD>"] * 3


@pytest.mark.parametrize(
    ("question", "answer", "masked"),
    [
        (("what is the card number", "whenever you're ready"), "four one one one", "<CREDIT_CARD>"),
        (("could you give me the security", "code from the back of it"), "it's eight oh eight", "it's <CVV>"),
        (("and which name", "is it booked under"), "that would be kim doe", "that would be <PERSON>"),
    ],
)
def test_what_a_person_asks_for_in_several_breaths_is_expected_of_the_caller(
    converse, question: tuple[str, ...], answer: str, masked: str
) -> None:
    results = converse(*(f"P: {part}" for part in question), answer)

    assert [result.text for result in results] == [*question, masked]


def test_a_caller_who_only_shows_that_they_listen_does_not_end_a_persons_question(converse) -> None:
    results = converse("P: what is the security code", "mhm", "P: it is on the back", "seven three nine")

    assert results[-1].text == "<CVV>"


def test_a_person_who_goes_on_to_something_else_expects_no_answer_any_more(converse) -> None:
    results = converse(
        "P: what is your card number?",
        "i do not have it here",
        "P: no problem we will do that later",
        "room 412 was cold",
    )

    assert results[-1].text == "room 412 was cold"


@pytest.mark.parametrize(
    "breaths",
    [
        ("so that was four one one one", "two two three four", "nine eight seven six", "five five zero one"),
        ("i have your card here", "four one one one two two three four", "nine eight seven six five five zero one"),
        ("your account number is", "uh one two", "three four five six"),
    ],
)  # fmt: skip
def test_a_number_that_a_person_reads_out_in_breaths_is_masked(converse, breaths: tuple[str, ...]) -> None:
    told = " ".join(result.text for result in converse(*(f"P: {breath}" for breath in breaths)))

    assert not set(told.split()) & {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}


def test_a_value_that_caller_and_person_say_in_turns_is_masked_on_both_sides(converse) -> None:
    results = converse(
        "four one one one", "P: four one one one yes", "two two three four", "P: two two three four",
        "nine eight seven six", "five five zero one", "P: ending in five five zero one",
    )  # fmt: skip

    assert [result.text for result in results] == [
        "<NUMBER>", "<NUMBER> yes", "<NUMBER>", "<NUMBER>", "<NUMBER>", "<NUMBER>", "ending in <NUMBER>",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "i see your order four four one seven nine two has shipped",
        "it takes five to seven days",
        "the refund is twenty four dollars fifty",
        "there are two options and room four one two is free at three thirty",
        "you can reach us on extension four one two",
    ],
)
def test_what_a_person_tells_and_what_identifies_nobody_stays(converse, text: str) -> None:
    assert converse(f"P: {text}")[0].text == text


def test_a_persons_words_are_redacted_as_an_event(redactor: Redactor) -> None:
    said = HumanSaid(
        call_id="c", at_ms=1, turn=2, engine="human", person="anna", start_ms=0, end_ms=1,
        text="your card number is four one one one two two three four", confidence=1,
    )  # fmt: skip

    kept, spans = redactor.redact(said)

    assert isinstance(kept, HumanSaid)
    assert (kept.text, kept.person) == ("your card number is <CREDIT_CARD>", "anna")
    assert [span.entity for span in spans["text"]] == ["CREDIT_CARD"]


def test_nothing_of_a_person_is_left_when_a_call_is_forgotten(redactor: Redactor) -> None:
    redactor.redact_spoken("what is the card number", speaker="person")
    redactor.forget()

    assert redactor.expected == ()
    redactor.redact_spoken("take your time", speaker="person")
    assert redactor.expected == ()


def test_events_are_redacted_in_the_fields_that_hold_words_or_data(redactor: Redactor) -> None:
    started = CallStarted(
        call_id="c",
        at_ms=0,
        started_at="2026-11-21T10:00:00Z",
        source="lab:03",
        policy="p",
        policy_hash="5550142778",
    )
    tool = ToolCalled(
        call_id="c", at_ms=1, turn=1, engine="tool", name="find_order",
        arguments={"order_id": "8053162", "email": "m.lopez@example.com"},
        result={"customer": {"name": "Maria Lopez"}, "status": "shipped"}, failed=False, took_ms=1,
    )  # fmt: skip
    reply = AgentSaid(
        call_id="c", at_ms=2, turn=1, engine="tool", generation=1, start_ms=1, end_ms=2,
        text="Hi Maria, order 8053162 has shipped.", interrupted=False,
    )  # fmt: skip

    assert redactor.redact_event(started) == started
    kept = redactor.redact_event(tool)
    assert kept.arguments == {"order_id": "8053162", "email": "<EMAIL_ADDRESS>"}
    assert kept.result == {"customer": {"name": "<PERSON>"}, "status": "shipped"}
    assert redactor.redact_event(reply).text == "Hi <PERSON>, order 8053162 has shipped."


class RaisingEngine(RedactionEngine):
    def __init__(self) -> None:
        """Needs no Presidio."""

    def find(self, heard: Heard, asked: str = "") -> list[Found]:
        raise RuntimeError(f"could not read {heard.original}")


def test_an_error_withholds_the_text_and_is_counted(redactor: Redactor) -> None:
    failing = Redactor(RaisingEngine())

    result = failing.redact_spoken("my name is maria lopez", speaker="caller")

    assert (result.text, result.failed) == (REDACTION_FAILED, True)
    assert failing.redact_data({"email": "a@example.com", "note": "x"}) == REDACTION_FAILED
    assert (failing.failures, failing.last_failure) == (2, "RuntimeError")


def test_a_recogniser_that_raises_inside_presidio_withholds_the_text() -> None:
    from presidio_analyzer import LocalRecognizer

    class Broken(LocalRecognizer):
        def load(self) -> None: ...

        def analyze(self, text, entities, nlp_artifacts=None):
            raise ValueError(text)

    failing = Redactor(RedactionEngine(more=[Broken(supported_entities=["BROKEN"])]))

    assert failing.redact_spoken("hello", speaker="caller").text == REDACTION_FAILED


def test_data_that_is_not_json_is_withheld(redactor: Redactor) -> None:
    assert redactor.redact_data({"when": object()}) == REDACTION_FAILED


def test_nothing_is_remembered_after_the_call(redactor: Redactor) -> None:
    redactor.redact_spoken("my name is maria lopez", speaker="caller")
    redactor.forget()

    assert redactor.redact_spoken("thanks maria", speaker="agent").text == "thanks maria"


# -- what a call expects and knows --------------------------------------------------------------------------
@pytest.mark.parametrize("question", ["And the security code on the back?", "Please enter your PIN."])
def test_recording_is_suspended_while_a_code_is_expected_and_until_the_agent_goes_on(
    redactor: Redactor, question: str
) -> None:
    suspended = []
    for speaker, text in (
        ("agent", "Thank you."),
        ("agent", question),
        ("caller", "hang on"),
        ("agent", "mhm"),
        ("caller", "four oh"),
        ("caller", "two nine"),
        ("agent", "Thank you."),
        ("caller", "you're welcome"),
    ):
        redactor.redact_spoken(text, speaker=speaker)
        suspended.append(redactor.suspends_recording)

    assert suspended == [False, True, True, True, True, True, False, False]


def test_a_caller_who_announces_a_code_suspends_the_recording(redactor: Redactor) -> None:
    redactor.redact_spoken("okay and my pin is", speaker="caller")

    assert redactor.suspends_recording


def test_what_a_tool_needs_is_expected_without_a_question(redactor: Redactor) -> None:
    redactor.expect("CVV")

    assert redactor.suspends_recording
    assert redactor.redact_spoken("one two three", speaker="caller").text == "<CVV>"


def test_what_a_tool_refused_is_expected_again_whatever_the_agent_asks(redactor: Redactor) -> None:
    refused = ToolCalled(
        call_id="c", at_ms=1, turn=1, engine="tool", name="verify", arguments={"policyNo": "x", "lastName": "smyth"},
        result="no such customer", failed=True, took_ms=1,
    )  # fmt: skip
    redactor.redact_event(refused)
    redactor.redact_spoken("I couldn't find that, could you repeat it?", speaker="agent")

    assert redactor.redact_spoken("s m y t h e", speaker="caller").entities == ("PERSON",)


def test_an_agent_who_asks_again_without_saying_what_for_expects_the_same(converse) -> None:
    results = converse(
        "A: What is your postcode?", "sorry", "A: I'm sorry, I didn't catch that. Once more?", "e 6 9 b b"
    )

    assert results[-1].entities == ("ADDRESS",)


def test_a_card_of_a_tools_result_is_masked_as_the_agent_reads_it(redactor: Redactor) -> None:
    redactor.redact_data({"customer": {"card_number": "4111111111111111", "since": 2019}})

    read = redactor.redact_spoken("the card forty one eleven eleven eleven", speaker="agent")
    assert read.text == "the card <CREDIT_CARD>"


def test_a_hidden_value_in_a_mask_of_a_tool_is_not_believed_to_be_a_mask(redactor: Redactor) -> None:
    assert "4111" not in str(redactor.redact_data({"note": "<CARD_4111111111111111>"}))


# -- long texts ---------------------------------------------------------------------------------------------
def test_a_long_text_is_redacted_as_if_it_were_said_in_breaths(redactor: Redactor) -> None:
    filler = "that is how it was. " * 400
    text = f"{filler}my card is four one one one {filler}write to ada@example.com"
    result = redactor.redact_spoken(text, speaker="caller")

    assert result.text == f"{filler}my card is <CREDIT_CARD> {filler}write to <EMAIL_ADDRESS>"
    assert [text[s.start : s.end] for s in result.spans] == ["four one one one", "ada@example.com"]


def test_no_text_is_read_at_once_that_is_longer_than_minutes_of_speech() -> None:
    lengths = []

    class Measuring(RedactionEngine):
        def __init__(self) -> None:
            """Needs no Presidio."""

        def find(self, heard: Heard, asked: str = "") -> list[Found]:
            lengths.append(len(heard.original))
            return []

    for text in ("4 " * 30_000, "x" * 30_000, ""):
        lengths.clear()
        Redactor(Measuring()).redact_spoken(text, speaker="agent")

        assert sum(lengths) == len(text)
        assert max(lengths) <= 2_000


def test_a_text_made_to_fill_the_memory_of_a_call_does_not() -> None:
    from compliance.redaction.memory import Memory

    memory = Memory()
    for number in range(10_000):
        memory.learn_number(f"{number:08}")
        memory.learn_words("qz" + "abcdefghij"[number % 10] * (3 + number // 10))

    assert max(len(memory.numbers), len(memory.words)) == 2_000
    assert memory.knows_number("00009999")


def test_a_question_that_only_goes_on_is_a_question(redactor: Redactor) -> None:
    redactor.redact_spoken("and the three digit security code on the back of the card", speaker="agent")
    assert redactor.redact_spoken("that is 1133", speaker="caller").text == "that is <CVV>"


def test_a_statement_about_a_code_asks_for_nothing(redactor: Redactor) -> None:
    redactor.redact_spoken("and the security code is never stored anywhere by us at all", speaker="agent")
    assert (
        redactor.redact_spoken("i have 3 more questions", speaker="caller").text == "i have 3 more questions"
    )


def test_a_time_of_day_is_no_number_however_its_o_is_written(redactor: Redactor) -> None:
    redactor.redact_spoken("what is your account number", speaker="agent")
    redactor.redact_spoken("one two three four five six seven eight", speaker="caller")
    for said in ("around three o clock", "around three o'clock", "around 3 oclock"):
        assert redactor.redact_spoken(said, speaker="caller").text == said
