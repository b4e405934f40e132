"""Whether a caller is in the middle of reading something out."""

from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import ClassifierError
from classifiers.measures import auroc
from classifiers.words import reading_out
from classifiers.words.spoken import MAX_TOKENS, Role, spoken
from classifiers.words.training.moments import evi, invented
from classifiers.words.weights import read_weights
from lab.callers import recorded_calls

pytestmark = pytest.mark.unit

CORPORA = Path(__file__).parents[5] / "shared" / "data" / "redaction"
ORDER = "What is your order number?"


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("four four", ORDER),
        ("4 4 1", ORDER),
        ("four four one double", ORDER),
        ("four four one seven um", "What is the number on your card?"),
        ("my phone number is five five five zero one", ""),
        ("it is j o h n dot s m i t h", "What is your email address?"),
        ("j o h n at gmail dot", "What is your email address?"),
        ("m as in mike a as in", "Could you spell that?"),
        ("26th of April", "What is your date of birth?"),
        ("four four one seven nine two", "What is your eight digit order number?"),
        ("my card number is", ""),
        ("it's", ORDER),
    ],
)
def test_what_is_cut_off_goes_on(text: str, agent: str) -> None:
    assert reading_out(text, agent) > 0.5


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("", ORDER),
        ("  \n", ORDER),
        ("yes that's right", "Is that 4 4 1 7 9 2?"),
        ("four four one seven nine two thank you", ORDER),
        ("four four one seven nine two", "What is your six digit code?"),
        ("my card number is four one one one two two three four nine eight seven six five five zero one", ""),
        ("j o h n at gmail dot com", "What is your email address?"),
        ("26th of April 1978", "What is your date of birth?"),
        ("two", "For how many people?"),
        ("a table for two at seven", ""),
        ("i would like to change my delivery to friday", ""),
        ("where my order is", ""),
        ("i paid £27", ""),
    ],
)
def test_what_is_complete_or_no_read_out_does_not(text: str, agent: str) -> None:
    assert reading_out(text, agent) < 0.5


@pytest.mark.parametrize(("call", "turn"), [("02", 2), ("03", 2), ("03", 3), ("09", 2), ("09", 4)])
def test_a_recorded_caller_who_breathes_inside_a_number_has_not_finished(call: str, turn: int) -> None:
    said = next(
        t.text for c in recorded_calls() for t in c.turns if c.name[:2] == call and t.number == turn
    ).split()
    beginnings = list(accumulate(said, lambda a, b: f"{a} {b}"))
    first = next(
        i
        for i, word in enumerate(spoken(" ".join(said)))
        if word.role in (Role.DIGIT, Role.LETTER) and not word.doubtful
    )
    inside = [reading_out(text) for text in beginnings[first + 1 : -4]]
    assert sum(p > 0.5 for p in inside) >= 0.8 * len(inside)
    assert reading_out(beginnings[-1]) < 0.5


def test_real_callers_cut_off_are_told_from_those_who_finished() -> None:
    if not CORPORA.is_dir():
        pytest.skip("needs ../shared/data/redaction")
    held_out = [m for m in evi(CORPORA) if m.held_out][:1500]
    p = [reading_out(m.text, m.agent) for m in held_out]
    assert _auroc(p, [m.unfinished for m in held_out]) > 0.93


def test_invented_callers_cut_off_are_told_from_those_who_finished() -> None:
    made = list(invented(400, seed=99))
    assert _auroc([reading_out(m.text, m.agent) for m in made], [m.unfinished for m in made]) > 0.9


def _auroc(scores: list[float], positive: list[bool]) -> float:
    import numpy as np

    return auroc(np.array(scores), np.array(positive))


def test_words_are_heard_for_what_they_stand_for() -> None:
    assert [(s.text, s.role, s.symbols) for s in spoken("twenty one double seven @ x")] == [
        ("twenty", Role.DIGIT, 2),
        ("one", Role.DIGIT, 0),
        ("double", Role.REPEAT, 0),
        ("seven", Role.DIGIT, 2),
        ("@", Role.JOINT, 1),
        ("x", Role.LETTER, 1),
    ]


@given(
    st.text() | st.text("a1 double oh at .@as in£,:\u0664\u202e😀\x00", max_size=200), st.text(max_size=80)
)
def test_whatever_the_text_it_is_a_probability(text: str, agent: str) -> None:
    assert 0.0 <= reading_out(text, agent) <= 1.0


def test_a_megabyte_costs_no_more_than_its_end() -> None:
    assert len(spoken("one " * 250_000)) <= MAX_TOKENS


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"bias": "much"}', '{"bias": null}', "\x00"])
def test_broken_weights_are_one_clear_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "weights.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ClassifierError, match=r"weights\.json.*train"):
        read_weights(path)


def test_missing_weights_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="train it with"):
        read_weights(tmp_path / "none.json")
