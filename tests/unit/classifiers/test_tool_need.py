import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import ClassifierError, ToolNeedModel
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
        ("weights.json", {"refund": "much"}, "'refund' weighs 'much'"),
        ("weights.json", {"refund": float("nan")}, "'refund' weighs nan"),
    ],
)
def test_a_wrong_value_is_named(folder: Path, name: str, change: dict[str, object], complaint: str) -> None:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**content, **change}))
    with pytest.raises(ClassifierError, match=complaint):
        ToolNeedModel.load(folder)
