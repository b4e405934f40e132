"""Which turn each segment of the parallel transcript belongs to.

The record keeps every word once, in ``caller_said``; ``turn_ended`` has only times. Recogniser and VAD cut
the audio differently, so a segment belongs to the turn that it overlaps most, or lies very near.
"""

from __future__ import annotations

from collections.abc import Sequence

from compliance.events import CallerSaid, Event, TurnEnded

ALIGNMENT_MS = 500.0
"""How far outside a turn a segment of it may lie."""


def by_turn(events: Sequence[Event]) -> dict[int | None, tuple[CallerSaid, ...]]:
    """The segments of each turn by onset; under ``None`` those in no turn, such as words over the greeting."""
    turns = [event for event in events if isinstance(event, TurnEnded)]
    found: dict[int | None, list[CallerSaid]] = {}
    for segment in sorted(
        (event for event in events if isinstance(event, CallerSaid)), key=lambda one: one.start_ms
    ):
        nearest = max(turns, key=lambda turn: _overlap_ms(segment, turn), default=None)
        near = nearest is not None and _overlap_ms(segment, nearest) >= -ALIGNMENT_MS
        found.setdefault(nearest.turn if nearest is not None and near else None, []).append(segment)
    return {turn: tuple(segments) for turn, segments in found.items()}


def _overlap_ms(segment: CallerSaid, turn: TurnEnded) -> float:
    """How long the two share; negative is the gap between them."""
    return min(segment.end_ms, turn.end_ms) - max(segment.start_ms, turn.start_ms)
