"""What the caller waited for in a turn, and what the wait was spent on.

Points in time are marked as they pass; each stage runs from the point before it to its own. Stages that ran
ahead of time (a reply begun early) cost nothing, so the named waits always sum to the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STAGES = ("transcription", "endpointing", "decision", "hand_off", "thinking", "voice", "playout")
"""In the order of a turn: last word recognised, turn judged over, engine decided, engine in charge, first token,
first synthesised audio, first sound at the caller's ear."""


def in_order(waits: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """``waits`` in the order of a turn: the ledger keeps objects with sorted keys."""
    known = {stage: place for place, stage in enumerate(STAGES)}
    return tuple(sorted(waits.items(), key=lambda wait: known.get(wait[0], len(STAGES))))


def waits(speech_end_ms: float, heard_at_ms: float, marks: Mapping[str, float]) -> dict[str, float]:
    """Split the wait between the caller's last sound and the reply's first into named stages.

    Args:
        speech_end_ms: the caller's last voiced sample, on the call's clock.
        heard_at_ms: the first reply sample at the caller's ear.
        marks: when each stage of :data:`STAGES` was done; a stage that did not happen is absent.

    Returns:
        Milliseconds by stage, in order, none negative; they sum to ``heard_at_ms - speech_end_ms``.
    """
    spent: dict[str, float] = {}
    reached = speech_end_ms
    for stage in STAGES[:-1]:
        if stage not in marks:
            continue
        done = min(max(marks[stage], reached), heard_at_ms)
        spent[stage] = done - reached
        reached = done
    spent["playout"] = heard_at_ms - reached
    return spent


@dataclass(frozen=True, slots=True)
class Heard:
    """What the caller waited for in one turn, in milliseconds: all of it, and by stage."""

    turn: int
    heard_ms: float
    waits: dict[str, float]


@dataclass(slots=True)
class TurnWait:
    """Follows the wait of the running turn. Times are milliseconds on the call's clock."""

    _turn: int = 0
    """The turn that waits for a sound; 0: none does."""
    _speech_end_ms: float = 0.0
    _marks: dict[str, float] = field(default_factory=dict)

    def turn_ended(self, turn: int, *, speech_end_ms: float, at_ms: float) -> None:
        """The turn was judged over at ``at_ms``; its last voiced sample was at ``speech_end_ms``."""
        self._turn, self._speech_end_ms = turn, speech_end_ms
        self.mark("endpointing", at_ms)

    def mark(self, stage: str, at_ms: float) -> None:
        """A stage of :data:`STAGES` is done. A time of 0 means that it did not happen."""
        if at_ms:
            self._marks[stage] = at_ms

    def sounded(self, at_ms: float, *, thinking_ms: float = 0, voice_ms: float = 0) -> Heard | None:
        """The agent's first sound reached the ear. ``None`` when no turn waited for it, which leaves no mark.

        Args:
            at_ms: when.
            thinking_ms: when the reply's first token came, 0 if it has none.
            voice_ms: when its first audio came, 0 if that is not known.
        """
        turn, self._turn = self._turn, 0
        if not turn:
            return None
        self.mark("thinking", thinking_ms)
        self.mark("voice", voice_ms)
        heard_ms = max(0.0, at_ms - self._speech_end_ms)
        spent = waits(self._speech_end_ms, self._speech_end_ms + heard_ms, self._marks)
        self._marks.clear()
        return Heard(turn, heard_ms, spent)
