"""Which recogniser is asked next, by what became of those before."""

from __future__ import annotations

import pytest
from livekit.agents import APIConnectionError, APIStatusError

from compliance.heard import Recogniser
from compliance.recognisers import (
    ALL_WELL,
    LEAST_ANSWER_MS,
    LEAST_CONNECT_MS,
    BarredError,
    Persistence,
    Recognisers,
    RecogniserStalledError,
)
from tests.level_stt import LevelSTT

pytestmark = pytest.mark.unit

CUT, REFUSED, SILENT = APIConnectionError(), APIStatusError("no", status_code=401), RecogniserStalledError()
BARRED = BarredError("no", retryable=False)


class Gates:
    """Those of recognisers that are well; what is told of them is noted."""

    def __init__(self, *closed: Recogniser) -> None:
        self.closed = set(closed)
        self.asked_ones: list[Recogniser] = []
        self.failed_ones: list[Recogniser] = []

    def may_hear(self, recogniser: Recogniser) -> bool:
        return recogniser not in self.closed

    def may_ask(self, recogniser: Recogniser) -> bool:
        return True

    def asked(self, recogniser: Recogniser) -> None:
        self.asked_ones.append(recogniser)

    def worked(self, recogniser: Recogniser) -> None: ...

    def failed(self, recogniser: Recogniser, error: Exception) -> None:
        self.failed_ones.append(recogniser)


def two() -> tuple[LevelSTT, LevelSTT, Recognisers]:
    first, spare = LevelSTT(), LevelSTT()
    return first, spare, Recognisers([first, spare], ALL_WELL, Persistence())


def test_a_share_of_the_time_is_still_what_one_that_is_well_takes() -> None:
    usual = Persistence()
    assert usual.times(1.0) == usual
    assert usual.times(0.75).answer_within_ms == 3000
    least = usual.times(0.125)
    assert (least.connect_within_ms, least.answer_within_ms) == (LEAST_CONNECT_MS, LEAST_ANSWER_MS)
    assert Persistence(connect_within_ms=50, answer_within_ms=80).times(0.5).answer_within_ms == 80


def test_who_failed_longest_ago_is_asked_next() -> None:
    first, spare, recognisers = two()
    asked = []
    for _ in range(4):
        asked.append(recognisers.choose())
        recognisers.failed(CUT)
    assert asked == [first, spare, first, spare]


def test_waits_grow_once_all_have_failed_until_one_has_found_words() -> None:
    _, _, recognisers = two()
    waits = []
    for _ in range(5):
        recognisers.choose()
        recognisers.failed(CUT)
        waits.append(recognisers.wait_ms)
    assert waits == [100, 100, 200, 200, 400]
    assert recognisers.given_up
    recognisers.choose()
    recognisers.heard(again=False)
    assert not recognisers.given_up
    recognisers.failed(CUT)
    assert recognisers.wait_ms == 100


def test_who_refused_for_good_is_not_asked_again() -> None:
    _, spare, recognisers = two()
    recognisers.choose()
    recognisers.failed(REFUSED)
    for _ in range(2):
        assert recognisers.choose() is spare
        recognisers.failed(CUT)
    recognisers.choose()
    recognisers.failed(REFUSED)
    assert (recognisers.exhausted, recognisers.given_up) == (True, True)


def test_who_told_nothing_and_then_refuses_for_good_is_gone() -> None:
    _, spare, recognisers = two()
    for error in (SILENT, CUT, REFUSED):
        recognisers.choose()
        recognisers.failed(error)
    assert recognisers.choose() is spare
    recognisers.heard(again=True)
    assert recognisers.best is spare


def test_who_told_nothing_of_what_was_no_speech_is_preferred_as_before() -> None:
    first, spare, recognisers = two()
    recognisers.choose()
    recognisers.failed(SILENT)
    assert recognisers.choose() is spare
    recognisers.heard_nothing()
    assert recognisers.better
    assert recognisers.choose() is first


def test_one_that_may_not_hear_the_caller_is_passed_over_until_it_may() -> None:
    first, spare = LevelSTT(), LevelSTT()
    gates = Gates()
    recognisers = Recognisers([first, spare], gates, Persistence())
    assert recognisers.choose() is first
    gates.closed.add(first)
    assert recognisers.makes_way
    recognisers.failed(BARRED)
    assert recognisers.choose() is spare
    assert not recognisers.makes_way
    gates.closed.clear()
    assert recognisers.makes_way
    assert recognisers.choose() is first
    assert gates.failed_ones == []


def test_while_none_may_hear_the_caller_all_are_given_up_and_none_is_blamed() -> None:
    first, spare = LevelSTT(), LevelSTT()
    gates = Gates(first, spare)
    recognisers = Recognisers([first, spare], gates, Persistence())
    for _ in range(9):
        assert recognisers.choose() is first  # in vain; it says why
        recognisers.failed(BARRED)
        assert (recognisers.given_up, recognisers.exhausted) == (True, False)
    assert (gates.asked_ones, gates.failed_ones) == ([], [])
    gates.closed.clear()
    assert not recognisers.given_up
    assert recognisers.choose() is first
    assert gates.asked_ones == [first]


def test_where_one_may_not_hear_the_caller_and_another_refused_for_good_nobody_is_left_until_one_may() -> (
    None
):
    first, spare = LevelSTT(), LevelSTT()
    gates = Gates(first)
    recognisers = Recognisers([first, spare], gates, Persistence())
    assert recognisers.choose() is spare
    recognisers.failed(REFUSED)
    assert (recognisers.given_up, recognisers.exhausted, recognisers.refusal) == (True, False, REFUSED)
    gates.closed.clear()
    assert not recognisers.given_up
    assert recognisers.choose() is first


def test_waits_grow_with_the_rounds_of_those_that_may_hear_the_caller() -> None:
    first, spare = LevelSTT(), LevelSTT()
    recognisers = Recognisers([first, spare], Gates(first), Persistence())
    waits = []
    for _ in range(3):
        recognisers.choose()
        recognisers.failed(CUT)
        waits.append(recognisers.wait_ms)
    assert waits == [100, 200, 400]
