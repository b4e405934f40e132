"""What a caller's words tell: a right preview is not worked out again, and a wrong one leaves nothing behind."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.tool_need import Earlier, ToolNeed, ToolSet
from service.said import SPOKEN_LANGUAGE, Said, Told

pytestmark = pytest.mark.unit

AGENT = "What is your order number?"
TEXTS = (
    "",
    "four four one",
    "no that is not what i said",
    "can i talk to a human",
    "another question about my invoice",
    "where is my parcel it has not come",
)


class Need:
    """Judges by the tools called before, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = False

    def ready(self, agent: str, *, turn: int, earlier: Earlier) -> Earlier:
        return earlier

    def judge(self, text: str, ready: Earlier, tools: ToolSet | None) -> ToolNeed:
        self.asked.append(text)
        if self.fails:
            raise RuntimeError("broken")
        return ToolNeed(0.9 if ready.last else 0.1, 1.0)


def said(*, language: bool = False) -> tuple[Said, Need]:
    need: Any = Need()
    return Said(need, language=language), need


def test_what_a_right_preview_told_is_told_again_without_being_worked_out_again() -> None:
    words, need = said()
    previewed = words.preview("four four one", AGENT, 1)
    ended = words.turn_ended("four four one", AGENT, 1)
    assert need.asked == ["four four one"]
    assert ended == previewed


def test_what_is_asked_between_a_preview_and_the_end_of_its_turn_does_not_undo_it() -> None:
    words, need = said()
    words.preview("four four one", AGENT, 1)
    words.preview("", AGENT, 1)  # whether an engine may be needed, whatever is said
    words.turn_ended("four four one", AGENT, 1)
    assert need.asked == ["four four one", ""]


@pytest.mark.parametrize(
    ("text", "agent", "turn"),
    [("four four", AGENT, 1), ("four four one", "", 1), ("four four one", AGENT, 2)],
)
def test_other_words_another_question_or_another_turn_are_worked_out_anew(
    text: str, agent: str, turn: int
) -> None:
    words, need = said()
    words.preview("four four one", AGENT, 1)
    words.turn_ended(text, agent, turn)
    assert need.asked == ["four four one", text]


def test_a_tool_that_is_called_between_a_preview_and_the_end_of_its_turn_counts() -> None:
    words, _ = said()
    words.turn_ended("where is my parcel", "", 1)
    assert words.preview("and now", AGENT, 2).signals["turn.needs_tools"] is False
    words.tool_called("order_status")
    assert words.turn_ended("and now", AGENT, 2).signals["turn.needs_tools"] is True


def test_a_person_who_comes_between_a_preview_and_the_end_of_its_turn_counts() -> None:
    words, _ = said()
    words.turn_ended("can i talk to a human", "", 1)
    assert words.preview("hello", AGENT, 2).signals["call.asked_human"] is True
    words.person_came()
    assert words.turn_ended("hello", AGENT, 2).signals["call.asked_human"] is False


def test_what_failed_in_a_preview_is_tried_again() -> None:
    words, need = said()
    need.fails = True
    assert [part for part, _ in words.preview("four four one", AGENT, 1).failures] == ["tool_need"]
    need.fails = False
    told = words.turn_ended("four four one", AGENT, 1)
    assert told.failures == ()
    assert told.signals["turn.tool_p"] == 0.1


def told_of(call: Said, previewed: Callable[[int], list[str]], turns: list[str]) -> list[Told]:
    told = []
    for number, text in enumerate(turns, 1):
        for preview in previewed(number):
            call.preview(preview, AGENT, number)
        told.append(call.turn_ended(text, AGENT, number))
    return told


@given(
    turns=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4),
    previews=st.lists(st.lists(st.sampled_from(TEXTS), max_size=3), min_size=4, max_size=4),
)
def test_previews_right_or_wrong_leave_nothing_behind(turns: list[str], previews: list[list[str]]) -> None:
    with_previews = told_of(said()[0], lambda number: previews[number - 1], turns)
    without = told_of(said()[0], lambda number: [], turns)
    assert with_previews == without


def test_topic_and_language_know_the_turns_before() -> None:
    words, _ = said(language=True)
    words.turn_ended("guten tag ich habe eine frage zu meiner rechnung", "", 1)
    told = words.preview("ja", AGENT, 2)
    assert told.signals[SPOKEN_LANGUAGE] == "de"
    again, other = (
        words.preview(text, AGENT, 2).signals["turn.topic_change"]
        for text in ("die rechnung", "another question about a hotel")
    )
    assert again < other
