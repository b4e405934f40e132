"""What of a call waits to be redacted: bounded in number and size, whatever becomes of the redactor."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from compliance.errors import ComplianceError
from compliance.events import Event, redactable

WITHHELD = "[WITHHELD]"
"""Stands for a text that is not shown because it has not been redacted yet, or never will be."""

MOST_TEXTS = 500
"""Events with texts that may wait; a lively conversation makes one every three seconds."""
MOST_CHARS = 1 << 20
"""Characters in them."""
LONGEST_CHARS = 1 << 16
"""Characters of one event: more than an hour of speech, and no text that a redactor should spend its time on."""


class RedactionBacklogError(ComplianceError):
    """More waits to be redacted than is held in memory, or a text is too long: it is withheld."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """An event on its way to the record.

    Attributes:
        number: counts the events of the call, from 1.
        event: as it was recorded, raw; or with its texts withheld.
        chars: what it weighs while it waits; 0 when it has no text, or it was withheld.
        withheld: whether there was no room for its texts.
    """

    number: int
    event: Event
    chars: int = 0
    withheld: bool = False


class Intake:
    """Counts what waits. Threads may share it."""

    def __init__(
        self,
        *,
        most_texts: int = MOST_TEXTS,
        most_chars: int = MOST_CHARS,
        longest_chars: int = LONGEST_CHARS,
    ) -> None:
        self._most_texts = most_texts
        self._most_chars = most_chars
        self._longest_chars = longest_chars
        self._lock = threading.Lock()
        self._number = 0
        self._texts = 0
        self._chars = 0

    def admit(self, event: Event) -> Admitted:
        """``event`` with its number; without its texts when there is no room for them."""
        # One more character than it has, so that an event with an empty text counts as one with a text.
        chars = sum(1 + _chars(getattr(event, name), self._longest_chars) for name in redactable(event))
        with self._lock:
            self._number += 1
            if not chars:
                return Admitted(self._number, event)
            if (
                chars > self._longest_chars
                or self._texts >= self._most_texts
                or self._chars + chars > self._most_chars
            ):
                return Admitted(self._number, withheld(event), withheld=True)
            self._texts += 1
            self._chars += chars
            return Admitted(self._number, event, chars)

    def done(self, admitted: Admitted) -> None:
        """It waits no more."""
        if admitted.chars:
            with self._lock:
                self._texts -= 1
                self._chars -= admitted.chars


def withheld(event: Event, stand_in: str = WITHHELD) -> Event:
    """``event`` with ``stand_in`` for everything that may hold a caller's data."""
    return event.model_copy(update=dict.fromkeys(redactable(event), stand_in))


def _chars(value: Any, enough: int) -> int:
    """About how many characters a JSON value has; stops counting when it has ``enough``."""
    chars, left = 0, [value]
    while left and chars <= enough:
        one = left.pop()
        if isinstance(one, str):
            chars += len(one)
        elif isinstance(one, dict):
            left.extend(one.keys())
            left.extend(one.values())
        elif isinstance(one, list | tuple):
            left.extend(one)
        chars += 1
    return chars
