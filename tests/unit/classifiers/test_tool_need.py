import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import ClassifierError, ToolNeedModel
from classifiers.tool_need import Earlier, Tool, ToolSet, write_folder
from classifiers.tool_need.features import words
from classifiers.tool_need.model import SHIPPED

pytestmark = pytest.mark.unit

MODEL = ToolNeedModel.load()
HELLO = "Hello, how can I help you?"


@pytest.mark.parametrize(
    ("user", "agent"),
    [
        ("hello where is the parcel i ordered", HELLO),
        ("I'd like a refund for my vacuum cleaner, please.", HELLO),
        ("could you move my delivery to wednesday morning", "Is there anything else?"),
        ("i need to change the address on my account", HELLO),
        ("my e-mail has changed", HELLO),
        ("i want to pay my invoice", HELLO),
        ("you took the money twice", HELLO),
        ("four four one nine two six", "What is your order number?"),
        ("it's 4 4 1 9 2 6", "May I have your order number?"),
        ("j a n e dot d o e at example dot com", "What is your new e-mail address?"),
        ("yes that's right", "So the order number is 4 4 1 9 2 6. Is that right?"),
        ("yes please", "Shall I go ahead with the refund?"),
    ],
)
def test_a_turn_that_touches_the_account_needs_a_tool(user: str, agent: str) -> None:
    assert MODEL.score(user, agent).probability > 0.5


@pytest.mark.parametrize(
    ("user", "agent"),
    [
        ("good morning", ""),
        ("when do you open on sunday", HELLO),
        ("thank you goodbye", "Your refund is on its way. Is there anything else?"),
        ("are you still there", ""),
        ("what is the difference between the family and the standard plan", HELLO),
        ("this is the worst service i have ever had", HELLO),
        ("i want to talk to a real person", HELLO),
        ("yes", "Are you still there?"),
        ("no thanks", "Is there anything else I can help you with?"),
    ],
)
def test_talk_needs_no_tool(user: str, agent: str) -> None:
    assert MODEL.score(user, agent).probability < 0.5


def test_the_same_yes_means_more_after_an_offer_to_act() -> None:
    offered = MODEL.score("yes", "Shall I cancel the order?").probability
    asked = MODEL.score("yes", "Can you hear me?").probability
    assert offered > 0.7 > 0.3 > asked


@pytest.mark.parametrize("text", ["", "   ", "?!...", "—"])
def test_nothing_said_is_the_base_rate_without_confidence(text: str) -> None:
    need = MODEL.score(text, "What is your order number?")
    assert (need.probability, need.confidence) == (MODEL.base_rate, 0.0)


def test_gibberish_has_no_confidence() -> None:
    assert MODEL.score("xqzw vrkl plmf").confidence == 0.0


def test_unknown_words_lower_the_confidence() -> None:
    assert MODEL.score("refund my order xqzw vrkl").confidence < MODEL.score("refund my order").confidence


@given(user=st.text(max_size=400), agent=st.text(max_size=400))
def test_any_text_gives_a_probability(user: str, agent: str) -> None:
    need = MODEL.score(user, agent)
    assert 0 <= need.probability <= 1
    assert 0 <= need.confidence <= 1
    assert MODEL.score(user, agent) == need


@given(st.text(alphabet="abcdefgh 0123456789", max_size=200))
def test_case_and_punctuation_do_not_matter(text: str) -> None:
    spaced = text.replace(" ", " , ")
    assert MODEL.score(f"{spaced.upper()}!") == MODEL.score(text)


def test_codes_and_addresses_are_signs_and_never_words() -> None:
    told = words("I am mia_li_3668, booking ZFA04Y, mia@example.com")
    assert told == ["i", "am", "<id>", "booking", "<code>", "<mail>"]


def test_of_earlier_turns_no_more_is_remembered_than_kinds_of_codes_and_the_last_words() -> None:
    earlier = Earlier().then("my number is 44179").then("and the mail is mia@example.com")
    assert earlier == Earlier(frozenset({"<nnn>", "<mail>"}), ("and", "the", "mail", "is", "<mail>"))


def test_which_tools_were_called_is_remembered_and_which_of_them_just_now() -> None:
    first = Earlier().then("where is my order").having_called("find_order", "find customer")
    assert (first.last, first.times) == (("find_customer", "find_order"), 1)
    second = first.then("refund it").having_called("refund").having_called("send_mail")
    assert (second.last, second.times) == (("refund", "send_mail"), 2)
    assert second.called == {"find_order", "find_customer", "refund", "send_mail"}
    assert second.then("thank you").last == ()


@given(user=st.text(max_size=200), name=st.text(max_size=30), description=st.text(max_size=100))
def test_any_tool_may_be_active(user: str, name: str, description: str) -> None:
    need = MODEL.score(user, HELLO, ToolSet.of([Tool(name, description)]), turn=1)
    assert 0 <= need.probability <= 1


def test_a_tool_that_the_words_speak_of_makes_its_call_likelier() -> None:
    request = "i would like to water the garden"
    without = MODEL.score(request, HELLO, ToolSet.of([Tool("send_fax", "Sends a fax.")]))
    offered = MODEL.score(request, HELLO, ToolSet.of([Tool("waterGarden", "Starts watering the garden.")]))
    assert offered.probability > without.probability + 0.1


def test_no_tools_known_is_no_claim_about_tools() -> None:
    assert MODEL.score("refund me", HELLO, None) == MODEL.score("refund me", HELLO)


def test_an_answer_is_not_held_against_the_tools_it_does_not_name() -> None:
    tools = ToolSet.of([Tool("send_fax")])
    assert MODEL.score("yes please", "Shall I send it?", tools) == MODEL.score(
        "yes please", "Shall I send it?"
    )


def test_another_language_has_little_confidence() -> None:
    assert MODEL.score("wo bleibt denn meine bestellung", HELLO).confidence < 0.4


def test_a_folder_gives_back_what_was_written(tmp_path: Path) -> None:
    write_folder(MODEL, tmp_path)
    again = ToolNeedModel.load(tmp_path)
    assert again == MODEL
    assert again.provenance == MODEL.provenance


def test_the_shipped_model_says_what_taught_it_and_no_share_alike_corpus_did() -> None:
    assert set(MODEL.provenance.sources) == {
        "CLINC150",
        "BANKING77",
        "tau-bench",
        "Taskmaster-4",
        "own phrases",
    }


def test_digits_spoken_or_written_are_the_same_word() -> None:
    assert words("it is four four one seven") == words("It is 4417.") == ["it", "is", "<nnn>"]


def test_a_very_long_turn_is_judged_by_its_end() -> None:
    story = "so the other day i was at home and then " * 40
    assert MODEL.score(f"{story} please refund my order").probability > MODEL.score(story).probability


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped folder, to be broken."""
    copy = tmp_path / "model"
    shutil.copytree(SHIPPED, copy)
    return copy


@pytest.mark.parametrize("name", ["config.json", "weights.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ClassifierError, match=f"has no {name}"):
        ToolNeedModel.load(folder)


@pytest.mark.parametrize("name", ["config.json", "weights.json"])
@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe"])
def test_a_garbled_file_is_named(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ClassifierError, match=name.replace(".", r"\.")):
        ToolNeedModel.load(folder)


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("config.json", {"model_type": "bert"}, "model_type is 'bert'"),
        ("config.json", {"bias": None}, "bias is None"),
        ("config.json", {"base_rate": "half"}, "base_rate is 'half'"),
        ("config.json", {"version": 1}, "version is 1"),
        ("config.json", {"provenance": {"sources": 3}}, "provenance does not say"),
        ("weights.json", {"word": {"refund": "much"}}, "'refund' weighs 'much'"),
        ("weights.json", {"word": {"refund": float("nan")}}, "'refund' weighs nan"),
        ("weights.json", {"word": 3}, "'word' holds no weights by name"),
    ],
)
def test_a_wrong_value_is_named(folder: Path, name: str, change: dict[str, object], complaint: str) -> None:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**content, **change}))
    with pytest.raises(ClassifierError, match=complaint):
        ToolNeedModel.load(folder)
