"""When what is owed is said: with the greeting, then after a reply that the caller heard out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from compliance.clock import CallClock
from compliance.consent import Disclosures
from compliance.events import Disclosed, Event
from policies import shipped
from service.consents import CallConsents
from service.disclosing import Disclosing
from tests.agreed import heard

pytestmark = pytest.mark.unit


class Handle:
    """A speech of a LiveKit session."""

    def __init__(self) -> None:
        self.interrupted = False
        self.listeners: list[Callable[[Any], None]] = []

    def add_done_callback(self, listener: Callable[[Any], None]) -> None:
        self.listeners.append(listener)

    def done(self, *, interrupted: bool = False) -> None:
        self.interrupted = interrupted
        for listener in self.listeners:
            listener(self)


class Line:
    """A session that says things, and a caller who hears them."""

    def __init__(self) -> None:
        self.user_state = "listening"
        self.said: list[str] = []
        self.closing = False
        self.last_words = "Your parcel arrives tomorrow."
        self.events: list[Event] = []
        self._handle = Handle()
        self._listener: Callable[[Any], None] = lambda event: None
        desk: Any = SimpleNamespace(turn=0)
        session: Any = self
        consents = CallConsents(
            Disclosures.load(shipped("disclosures.yaml")).of("other"),
            wanted=[],
            language="en",
            clock=CallClock(),
            emit=self.events.append,
            call_id="call",
        )
        self.disclosing = Disclosing(session, desk, consents, last_words=lambda: self.last_words)
        self.disclosing.greet("Hello.", "How can I help you?")

    def on(self, event: str, listener: Callable[[Any], None]) -> None:
        self._listener = listener

    def say(self, text: str, *, audio: Any) -> Handle:
        if self.closing:
            raise RuntimeError("the session is closing")
        self.said.append(text)
        self._handle = Handle()
        return self._handle

    def plays(self, ms: float) -> None:
        """The caller hears so much of what is being said; its passages take a second each."""
        recital: Any = self.disclosing._recital
        recital.begun, recital._ends_ms = True, [1000.0 * number for number in range(1, 4)]
        self.disclosing.played(heard(ms))
        self._handle.done(interrupted=ms < 3000)

    async def replies(self, *, interrupted: bool = False, source: str = "generate_reply") -> None:
        """An engine replies, and the caller hears it out or not."""
        handle = Handle()
        self._listener(SimpleNamespace(source=source, speech_handle=handle))
        handle.done(interrupted=interrupted)
        await asyncio.sleep(0)


async def test_the_call_begins_with_the_greeting_and_what_must_be_said() -> None:
    line = Line()
    assert line.said == ["Hello. You are speaking with an AI system. How can I help you?"]
    line.plays(3000)
    await line.replies()
    assert len(line.said) == 1
    [told] = [event for event in line.events if isinstance(event, Disclosed)]
    assert told.complete


async def test_what_was_cut_is_said_again_after_the_next_reply() -> None:
    line = Line()
    line.plays(1500)
    await line.replies(interrupted=True)
    assert len(line.said) == 1
    await line.replies()
    assert line.said[1:] == ["To be clear: you are speaking with an AI system."]


async def test_it_is_not_said_into_a_question_for_personal_data() -> None:
    line = Line()
    line.plays(1500)
    line.last_words = "What is your card number, please?"
    await line.replies()
    assert len(line.said) == 1
    line.last_words = "Thank you."
    await line.replies()
    assert len(line.said) == 2


async def test_it_is_not_said_over_the_caller_or_over_itself() -> None:
    line = Line()
    await line.replies()  # while the greeting is still being said
    line.plays(1500)
    line.user_state = "speaking"
    await line.replies()
    assert len(line.said) == 1


async def test_words_of_the_service_itself_are_no_reply() -> None:
    line = Line()
    line.plays(1500)
    await line.replies(source="say")
    assert len(line.said) == 1


async def test_a_call_that_is_over_says_nothing_more() -> None:
    line = Line()
    line.plays(1500)
    line.closing = True
    await line.replies()
    line.closing = False
    line.disclosing.stop()
    await line.replies()
    assert len(line.said) == 1
