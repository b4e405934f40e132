"""Who was answered: by an engine's reply or by a person, and by nothing else."""

from __future__ import annotations

import pytest

from compliance.events import (
    AgentSaid,
    CallbackAsked,
    Event,
    TransferAnswered,
    TransferAsked,
    TransferEnded,
    TransferFailed,
    TurnAnswered,
    TurnEnded,
)
from engines.people import TransferWords
from service.answered import NO_ANSWERS, Answers, is_answer
from service.heard import Span

pytestmark = pytest.mark.unit

SAID = (Span(1_000, 2_000), Span(8_000, 9_000))
HOURS = "We are open from nine until five."
WORDS = TransferWords()


def ended(turn: int, at_ms: float) -> TurnEnded:
    return TurnEnded(call_id="c", at_ms=at_ms, turn=turn, start_ms=at_ms - 1_300, end_ms=at_ms - 300)


def answered(turn: int, at_ms: float) -> TurnAnswered:
    return TurnAnswered(call_id="c", at_ms=at_ms, turn=turn, engine="fast", heard_ms=500, waits={})


def replied(turn: int, text: str, *, engine: str = "fast", interrupted: bool = False) -> AgentSaid:
    return AgentSaid(
        call_id="c",
        at_ms=5_000,
        turn=turn,
        engine=engine,
        generation=turn,
        start_ms=3_000,
        end_ms=5_000,
        text=text,
        interrupted=interrupted,
    )


def asked(turn: int, cause: str) -> TransferAsked:
    return TransferAsked.model_validate(
        {"call_id": "c", "at_ms": 2_500, "turn": turn, "engine": "human", "cause": cause, "reason": "so"}
    )


NOBODY = TransferFailed(
    call_id="c", at_ms=4_000, turn=1, engine="human", way="warm", to="room:a", error="nobody"
)
CAME = TransferAnswered(
    call_id="c", at_ms=4_000, turn=1, engine="human", way="warm", to="room:a", person="anna", waited_ms=9
)
LEFT = TransferEnded(
    call_id="c", at_ms=7_000, turn=1, engine="human", person="anna", by="person", duration_ms=9, spoke_ms=9
)
PROMISED = CallbackAsked(
    call_id="c", at_ms=6_000, turn=1, engine="human", number="five five five", best_time="today"
)


@pytest.mark.parametrize(
    "words",
    [*NO_ANSWERS, "", f"{NO_ANSWERS[0]} {NO_ANSWERS[3]}", *(f"{HOURS} {end}" for end in NO_ANSWERS[3:])],
)
def test_what_says_that_there_is_no_answer_is_none(words: str) -> None:
    assert not is_answer(words)


@pytest.mark.parametrize("words", [HOURS, f"{NO_ANSWERS[0]} {HOURS}", f"We are open {NO_ANSWERS[2]}"])
def test_what_says_more_is_one(words: str) -> None:
    assert is_answer(words)


@pytest.mark.parametrize(
    ("events", "both"),
    [
        ((ended(1, 2_300), answered(1, 2_800), ended(2, 9_300), answered(2, 9_800)), (True, True)),
        ((), (False, False)),
        ((ended(1, 2_300), answered(1, 2_800)), (True, False)),
        # What was said is not heard, whatever sounds there are.
        ((replied(0, NO_ANSWERS[3]), answered(0, 2_800)), (False, False)),
        # The answer to the first turn comes after the second was said, which nobody heard.
        ((ended(1, 2_300), answered(1, 9_500)), (False, False)),
        ((ended(1, 2_300), answered(1, 2_800), replied(1, NO_ANSWERS[4])), (False, False)),
        ((ended(1, 2_300), answered(1, 2_800), replied(1, HOURS)), (True, False)),
    ],
)
def test_what_a_caller_said_is_answered_before_they_speak_again_or_not(
    events: tuple[Event, ...], both: tuple[bool, bool]
) -> None:
    assert Answers(events).of_speech(SAID) == both


def test_a_person_who_has_the_call_answers_all_that_is_said_until_they_leave() -> None:
    there = (ended(1, 2_300), asked(1, "failure"), CAME)
    assert Answers(there).of_speech(SAID) == (True, True)
    assert Answers((*there, LEFT)).of_speech(SAID) == (True, False)


@pytest.mark.parametrize(
    ("events", "handed"),
    [
        ((CAME,), True),
        ((NOBODY, CAME), True),
        ((NOBODY, PROMISED), True),
        ((NOBODY,), False),
        ((), False),
    ],
)
@pytest.mark.parametrize("cause", ["policy", "tool", "failure"])
def test_a_turn_is_handed_to_whoever_comes_or_calls_back(
    events: tuple[Event, ...], cause: str, handed: bool
) -> None:
    wanted = (ended(1, 2_300), asked(1, cause), *events)
    assert Answers(wanted).of_turn(1) is handed
    assert Answers(wanted).of_speech(SAID[:1]) == (handed,)


@pytest.mark.parametrize("events", [(), (NOBODY, replied(1, WORDS.nobody))])
def test_who_is_told_that_a_person_is_fetched_or_that_none_came_has_no_answer_yet(
    events: tuple[Event, ...],
) -> None:
    told = (
        ended(1, 2_300),
        asked(1, "policy"),
        answered(1, 2_800),
        replied(1, WORDS.fetching, engine="human"),
    )
    assert not Answers((*told, *events)).of_turn(1)
    assert Answers((*told, *events)).of_speech(SAID[:1]) == (False,)


def test_a_reply_cut_before_its_first_word_was_still_heard() -> None:
    assert Answers((ended(1, 2_300), answered(1, 2_800))).of_turn(1)
    assert not Answers((ended(1, 2_300),)).of_turn(1)


def test_what_may_be_the_beginning_of_an_apology_is_an_answer_only_if_it_was_heard_as_one() -> None:
    thank = (ended(1, 2_300), replied(1, "Thank", interrupted=True))
    assert not Answers(thank).of_turn(1)
    assert Answers((*thank, answered(1, 2_800))).of_turn(1)
