"""Which recogniser is asked next, by what became of those before."""

from __future__ import annotations

import pytest
from livekit.agents import APIConnectionError, APIStatusError

from compliance.recognisers import (
    ALL_WELL,
    LEAST_ANSWER_MS,
    LEAST_CONNECT_MS,
    Persistence,
    Recognisers,
    RecogniserStalledError,
)
from tests.level_stt import LevelSTT

pytestmark = pytest.mark.unit

CUT, REFUSED, SILENT = APIConnectionError(), APIStatusError("no", status_code=401), RecogniserStalledError()


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
