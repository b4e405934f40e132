"""What a person is told before they are given a caller, from the redacted record and nothing else.

Who called, what they asked, what was looked up for them, and why they are handed over; put together without a model.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from compliance.events import (
    CallerSaid,
    CallStarted,
    Decided,
    Event,
    ToolCalled,
    TransferAsked,
    TurnEnded,
)

LATEST = 3
"""Turns of the caller that are quoted."""
LONGEST_WORDS = 20
"""Words of one turn: the person is waiting, and so is the caller."""
_MASK = re.compile(r"<([A-Z][A-Z_]*)>")
_WITHHELD = re.compile(r"\[[A-Z_]+\]")
_TRANSPORTS = {"sip": "by telephone", "webrtc": "over the web", "in_process": "on a line of the service"}
_BECAUSE = {
    "policy": "the policy wanted a person",
    "tool": "the assistant passed the call on",
    "failure": "the assistant has technical problems",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What is told; every text of it is redacted."""

    caller: str
    said: tuple[str, ...]
    done: tuple[str, ...]
    why: str

    @property
    def text(self) -> str:
        """All of it, to be read aloud."""
        said = " ".join(f"“{words}”" for words in self.said)
        asked = f"They said: {said}" if said else "They have not said what it is about."
        done = f"So far: {', '.join(self.done)}." if self.done else ""
        return " ".join(
            part
            for part in (f"{self.caller}.", asked, done, f"You have the call because {self.why}.")
            if part
        )


class Briefing:
    """Follows one call by its redacted events.

    Args:
        queue: that the call came in on.
        transport: how the caller is connected, a value of ``call.transport``.
    """

    def __init__(self, *, queue: str, transport: str) -> None:
        how = _TRANSPORTS.get(transport, "")
        self._caller = f"A caller on the {queue} line, {how}" if how else f"A caller on the {queue} line"
        self._running: list[str] = []
        self._turns: deque[str] = deque(maxlen=LATEST)
        self._tools: dict[str, bool] = {}
        self._decision = ""
        self._why = ""

    def take(self, event: Event) -> None:
        """The next event of the record, redacted."""
        match event:
            case CallerSaid():
                self._running.append(event.text)
            case TurnEnded():
                self._end_turn()
            case ToolCalled():
                self._tools[event.name] = not event.failed
            case Decided():
                self._decision = event.reason
            case TransferAsked():
                asked_by_policy = self._decision if event.cause == "policy" else ""
                self._why = event.reason or asked_by_policy or _BECAUSE[event.cause]
            case CallStarted() | _:
                pass

    def summary(self) -> Summary:
        """What can be told now."""
        self._end_turn()
        done = tuple(
            f"{name.replace('_', ' ')} {'worked' if worked else 'failed'}"
            for name, worked in self._tools.items()
        )
        why = speakable(self._why).strip().rstrip(".") or "a person was wanted"
        return Summary(self._caller, tuple(self._turns), done, why)

    def _end_turn(self) -> None:
        words = speakable(" ".join(self._running)).split()
        self._running.clear()
        if words:
            self._turns.append(
                " ".join(words[:LONGEST_WORDS]) + (" and so on" if len(words) > LONGEST_WORDS else "")
            )


def speakable(text: str) -> str:
    """``text`` with its masks in words: ``<CREDIT_CARD>`` is "a credit card, withheld"."""
    named = _MASK.sub(lambda mask: f"a {mask[1].lower().replace('_', ' ')}, withheld,", text)
    return _WITHHELD.sub("something withheld", named)
