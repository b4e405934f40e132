"""How a call ends: the first reason counts, and a goodbye keeps nobody on the line."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.agents import CloseEvent, CloseReason

from service.ending import CALLER_LEFT, GOODBYE_S, Ending
from tests import virtual_time

pytestmark = pytest.mark.unit


class Line:
    """A line that is hung up, and a session whose speech takes ``takes_s``; ``closed``: it says nothing any more."""

    def __init__(self, *, takes_s: float = 2.0, closed: bool = False) -> None:
        self.hung_up = 0
        self.heard: list[str] = []
        self.ending = Ending(self._hang_up)
        self._takes_s = takes_s
        self._closed = closed
        self.session: Any = SimpleNamespace(interrupt=self._interrupt, say=self._say)

    def _hang_up(self) -> None:
        self.hung_up += 1

    def _interrupt(self, *, force: bool) -> None:
        if self._closed:
            raise RuntimeError("the session is closed")
        self.heard.append("silence" if force else "")

    def _say(self, words: str, *, allow_interruptions: bool) -> Any:
        assert not allow_interruptions
        self.heard.append(words)
        return SimpleNamespace(wait_for_playout=lambda: asyncio.sleep(self._takes_s))

    def goodbye_s(self) -> float:
        """Say goodbye; how long that took."""

        async def main() -> float:
            await self.ending.begin_with("Goodbye.", self.session, "it had to")
            await self.ending.begun()
            return asyncio.get_running_loop().time()

        return virtual_time.run(main())


def test_a_call_that_nobody_ended_was_ended_by_the_caller() -> None:
    line = Line()
    assert (line.ending.reason, line.hung_up) == (CALLER_LEFT, 0)


def test_the_first_reason_counts_and_the_line_is_let_go_once() -> None:
    line = Line()
    line.ending.begin("an error")
    line.ending.begin("another error")
    assert (line.ending.reason, line.hung_up) == ("an error", 1)


def test_a_goodbye_is_heard_to_its_end_before_the_line_is_let_go() -> None:
    line = Line()
    assert line.goodbye_s() == pytest.approx(2.0)
    assert line.heard == ["silence", "Goodbye."]
    assert (line.ending.reason, line.hung_up) == ("it had to", 1)


def test_a_goodbye_that_does_not_end_keeps_nobody_on_the_line() -> None:
    line = Line(takes_s=3600)
    assert line.goodbye_s() == pytest.approx(GOODBYE_S)
    assert line.hung_up == 1


def test_a_session_that_is_over_says_no_goodbye() -> None:
    line = Line(closed=True)
    assert line.goodbye_s() == 0.0
    assert (line.heard, line.hung_up) == ([], 1)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (CloseEvent(reason=CloseReason.PARTICIPANT_DISCONNECTED), CALLER_LEFT),
        (CloseEvent(reason=CloseReason.USER_INITIATED), "the service ended the call"),
    ],
)
def test_who_closed_the_session_ended_the_call(event: CloseEvent, reason: str) -> None:
    line = Line()
    line.ending.session_closed(event)
    assert line.ending.reason == reason


def test_an_error_that_closed_the_session_is_named_and_not_quoted() -> None:
    line = Line()
    error: Any = ValueError("what the caller said")
    line.ending.session_closed(CloseEvent.model_construct(reason=CloseReason.ERROR, error=error))
    assert line.ending.reason == "an error closed the session: ValueError"
