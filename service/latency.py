"""What the caller waited for in a turn, and what the wait was spent on.

Points in time are marked as they pass; each stage runs from the point before it to its own. Stages that ran
ahead of time (a reply begun early) cost nothing, so the named waits always sum to the whole. What is known to have
happened *within* a stage is told apart from the rest of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MARKED = (
    "transcription",
    "endpointing",
    "decision",
    "failed_attempts",
    "hand_off",
    "thinking",
    "voice",
    "playout",
)
"""In the order of a turn: last word recognised, turn judged over, engine decided, last engine failed that was to answer
before, engine in charge, first token, first synthesised audio, first sound at the caller's ear."""
WITHIN: Mapping[str, tuple[str, ...]] = {
    "context_sync": ("hand_off", "thinking", "voice"),
    "network": ("thinking", "voice"),
}
"""What can be told apart within which stages: a realtime engine's conversation brought in step and acknowledged, and
the way to the provider and back."""
STAGES = (
    "transcription",
    "endpointing",
    "decision",
    "failed_attempts",
    "hand_off",
    "context_sync",
    "thinking",
    "voice",
    "network",
    "playout",
)
"""Everything that a wait can be spent on."""


@dataclass(frozen=True, slots=True)
class Trips:
    """Milliseconds to the provider of the model, and of the voice, and back; ``None``: not known, or there is none."""

    thinking_ms: float | None = None
    voice_ms: float | None = None


UNKNOWN = Trips()


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time within a stage that has a name of its own, one of :data:`WITHIN`; ms on the call's clock."""

    name: str
    from_ms: float
    to_ms: float


def in_order(waits: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """``waits`` in the order of a turn: the ledger keeps objects with sorted keys."""
    known = {stage: place for place, stage in enumerate(STAGES)}
    return tuple(sorted(waits.items(), key=lambda wait: known.get(wait[0], len(STAGES))))


def waits(
    speech_end_ms: float, heard_at_ms: float, marks: Mapping[str, float], spans: Iterable[Span] = ()
) -> dict[str, float]:
    """Split the wait between the caller's last sound and the reply's first into named stages.

    Args:
        speech_end_ms: the caller's last voiced sample, on the call's clock.
        heard_at_ms: the first reply sample at the caller's ear.
        marks: when each stage of :data:`MARKED` was done; a stage that did not happen is absent.
        spans: what happened within stages; counted once where they overlap, and only within the stages of
            :data:`WITHIN`. A name that takes no time of this wait is absent.

    Returns:
        Milliseconds by stage, in order, none negative; they sum to ``heard_at_ms - speech_end_ms``.
    """
    spent: dict[str, float] = {}
    reached = speech_end_ms
    for stage in MARKED:
        if stage not in marks and stage != "playout":
            continue
        done = heard_at_ms if stage == "playout" else min(max(marks[stage], reached), heard_at_ms)
        rest_ms = done - reached
        taken_until = reached
        for span in sorted(spans, key=lambda one: (one.from_ms, one.to_ms)):
            if stage not in WITHIN.get(span.name, ()):
                continue
            begin, end = max(span.from_ms, taken_until), min(span.to_ms, done)
            if end > begin:
                inside_ms = min(end - begin, rest_ms)
                spent[span.name] = spent.get(span.name, 0.0) + inside_ms
                rest_ms -= inside_ms
                taken_until = end
        spent[stage] = rest_ms
        reached = done
    return dict(in_order(spent))


@dataclass(frozen=True, slots=True)
class Heard:
    """What the caller waited for in one turn, in milliseconds: all of it, and by stage."""

    turn: int
    heard_ms: float
    waits: dict[str, float]
    told_of_delay_ms: float | None = None
    """After how long the caller was told that it takes longer, if they were."""


@dataclass(slots=True)
class TurnWait:
    """Follows the wait of the running turn. Times are milliseconds on the call's clock."""

    _turn: int = 0
    """The turn that waits for its answer; 0: none does."""
    _speech_end_ms: float = 0.0
    _sounded_ms: float | None = None
    """When anything was first heard in it."""
    _marks: dict[str, float] = field(default_factory=dict)
    _spans: list[Span] = field(default_factory=list)

    def turn_ended(self, turn: int, *, speech_end_ms: float, at_ms: float) -> None:
        """The turn was judged over at ``at_ms``; its last voiced sample was at ``speech_end_ms``."""
        self._turn, self._speech_end_ms, self._sounded_ms = turn, speech_end_ms, None
        self._spans.clear()
        self.mark("endpointing", at_ms)

    def mark(self, stage: str, at_ms: float) -> None:
        """A stage of :data:`MARKED` is done. A time of 0 means that it did not happen."""
        if at_ms:
            self._marks[stage] = at_ms

    def within(self, name: str, took_ms: float | None, *, until_ms: float) -> None:
        """Something of :data:`WITHIN` took ``took_ms`` until ``until_ms``; None, or a time of 0: that is not known."""
        if self._turn and took_ms and until_ms:
            self._spans.append(Span(name, until_ms - took_ms, until_ms))

    def sounded(self, at_ms: float) -> None:
        """Something was heard at ``at_ms``, be it the answer or not."""
        if self._sounded_ms is None:
            self._sounded_ms = at_ms

    def answered(
        self,
        at_ms: float,
        *,
        thinking_ms: float = 0,
        voice_ms: float = 0,
        trips: Trips = UNKNOWN,
    ) -> Heard | None:
        """The answer's first sound reached the ear. ``None`` when no turn waited for it, which leaves no mark.

        Args:
            at_ms: when.
            thinking_ms: when the reply's first token came, 0 if it has none.
            voice_ms: when its first audio came, 0 if that is not known.
            trips: how long the ways to the providers and back take.
        """
        turn = self._turn
        if not turn:
            return None
        self.mark("thinking", thinking_ms)
        self.mark("voice", voice_ms)
        self.within("network", trips.thinking_ms, until_ms=thinking_ms)
        self.within("network", trips.voice_ms, until_ms=voice_ms)
        self._turn = 0
        heard_ms = max(0.0, at_ms - self._speech_end_ms)
        spent = waits(self._speech_end_ms, self._speech_end_ms + heard_ms, self._marks, self._spans)
        self._marks.clear()
        told_ms = None
        if self._sounded_ms is not None and self._sounded_ms < at_ms:
            told_ms = max(0.0, self._sounded_ms - self._speech_end_ms)
        return Heard(turn, heard_ms, spent, told_ms)
