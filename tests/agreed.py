"""Consents that are as they are, whatever the caller says, and disclosures that are heard as a test has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from compliance.consent import Passage
from compliance.tap import Playout
from service.consents import CallConsents


class Agreed:
    """Implements :class:`service.facts.Consents`."""

    def __init__(self, *, voice_ai: bool = False, emotion: bool = True, recording: bool = False) -> None:
        self._signals = {
            "caller.consent_voice_ai": voice_ai,
            "caller.consent_emotion": emotion,
            "caller.consent_recording": recording,
        }

    def heard(self, text: str, turn: int, *, ended: bool) -> None: ...

    def signals(self) -> Mapping[str, bool]:
        return self._signals


PASSAGE_MS = 1_000.0


class Recited:
    """A recital whose passages take a second each."""

    def __init__(self, synthesised: int = 1_000) -> None:
        self._synthesised = synthesised

    def span_ms(self, number: int) -> tuple[float, float, bool]:
        return number * PASSAGE_MS, (number + 1) * PASSAGE_MS, number < self._synthesised


def heard(ms: float, *, start_ms: float = 500.0, of_ms: float = 60_000.0) -> Playout:
    """Agent audio of which the caller heard the first ``ms``."""
    return Playout(
        start_ms=start_ms,
        end_ms=start_ms + ms,
        first_sound_ms=start_ms,
        captured_ms=of_ms,
        heard_ms=ms,
        interrupted=ms < of_ms,
        transcript=None,
    )


def hears_out(consents: CallConsents, passages: Sequence[Passage], turn: int = 0) -> None:
    """The caller hears all of ``passages``."""
    recital: Any = Recited()
    consents.played(passages, recital, heard(len(passages) * PASSAGE_MS), turn)
