"""What the caller waited for in a turn, and what the wait was spent on.

Points in time are marked as they pass; each stage runs from the point before it to its own. Stages that ran
ahead of time (a reply begun early) cost nothing, so the named waits always sum to the whole.
"""

from __future__ import annotations

from collections.abc import Mapping

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
