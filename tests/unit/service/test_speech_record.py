"""Who spoke when, and what the caller said, as it goes on record."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.agents import AgentStateChangedEvent, UserStateChangedEvent

from compliance.clock import CallClock
from compliance.events import CallerSaid, Event, SpeechHeard
from compliance.heard import Segment
from compliance.tap import Lag, Playout
from service.speech_record import SpeechRecord

pytestmark = pytest.mark.unit


class Line:
    """Somebody of whom the tap has heard a sound at ``voiced_ms``. The clock stands at 5 s."""

    def __init__(self, voiced_ms: float | None = None) -> None:
        self.events: list[Event] = []
        caller: Any = SimpleNamespace(last_voiced_ms=voiced_ms)
        now_s = 0.0
        clock = CallClock(monotonic=lambda: now_s, wall=lambda: now_s)
        now_s = 5.0
        self.speech = SpeechRecord(caller, clock=clock, emit=self.events.append, call_id="c")

    def caller(self, state: Any, at_s: float) -> None:
        self.speech.user_state(UserStateChangedEvent(old_state="listening", new_state=state, created_at=at_s))

    def agent(self, state: Any) -> None:
        self.speech.agent_state(AgentStateChangedEvent(old_state="listening", new_state=state))

    def said(self, text: str) -> CallerSaid:
        self.speech.said(Segment(-5, 900, text, 1.2))
        event = self.events.pop()
        assert isinstance(event, CallerSaid)
        return event

    @property
    def heard(self) -> list[tuple[str, float, float]]:
        return [
            (event.speaker, event.start_ms, event.end_ms)
            for event in self.events
            if isinstance(event, SpeechHeard)
        ]


def cut(start_ms: float, *, heard_ms: float) -> Playout:
    """A stretch of 1.5 s of which so much was heard before the caller cut in."""
    return Playout(start_ms, start_ms + heard_ms, None, 1500, heard_ms, interrupted=True, transcript=None)


def test_a_caller_spoke_until_their_last_sound() -> None:
    line = Line(voiced_ms=2600)
    line.caller("speaking", 1.0)
    line.caller("listening", 3.0)
    assert line.heard == [("caller", pytest.approx(1000), 2600)]


def test_a_caller_of_whom_no_sound_is_known_spoke_until_the_detector_said_so() -> None:
    line = Line()
    line.caller("speaking", 1.0)
    line.caller("listening", 3.0)
    assert line.heard == [("caller", pytest.approx(1000), pytest.approx(3000))]


def test_who_never_began_to_speak_was_not_heard() -> None:
    line = Line(voiced_ms=100)
    line.caller("listening", 3.0)
    line.caller("away", 4.0)
    assert line.heard == []


def test_the_agent_was_heard_for_as_long_as_it_was_played() -> None:
    line = Line()
    line.speech.played(cut(1000, heard_ms=700))
    line.speech.played(cut(3000, heard_ms=0))
    assert line.heard == [("agent", 1000, 1700)]


def test_an_agent_whose_voice_stalled_was_not_heard_meanwhile() -> None:
    line = Line()
    line.speech.played(replace(cut(1000, heard_ms=700), lags=(Lag(500, 3000),)))
    assert line.heard == [("agent", 1000, 1500), ("agent", 4500, 4700)]


def test_words_say_whether_the_agent_was_speaking() -> None:
    line = Line()
    before = line.said("hello")
    line.agent("speaking")
    over = line.said("wait")
    line.agent("listening")
    after = line.said("thank you")
    assert [one.while_agent_spoke for one in (before, over, after)] == [False, True, False]


def test_what_a_recogniser_says_of_its_words_is_brought_within_bounds() -> None:
    said = Line().said("hello")
    assert (said.start_ms, said.end_ms, said.confidence, said.text) == (0, 900, 1, "hello")
