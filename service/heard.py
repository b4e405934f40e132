"""How long the caller waited, measured on the recording of a call and on nothing else.

Tracks are int16 mono at 24 kHz, sample ``n`` at ``n / 24`` ms of the call, as :meth:`service.line.Line.recording`
gives them. Voice and silence are told apart as the tap does it, so the two agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compliance.tap import RATE_HZ
from compliance.voiced import SOUND_LEVEL, Samples, VoiceGate, first_sound

_FRAME_MS = 20
_FRAME = RATE_HZ * _FRAME_MS // 1000
_PER_MS = RATE_HZ / 1000

TURN_GAP_MS = 1200.0
"""A caller who is silent for longer than this has ended the turn; breaths in a long number are shorter."""
REPLY_GAP_MS = 200.0
"""Agent sound after a silence longer than this is a new onset."""


@dataclass(frozen=True)
class Span:
    """A stretch of sound: from its first sample to the end of its last, in milliseconds of the call."""

    start_ms: float
    end_ms: float


@dataclass(frozen=True)
class Answered:
    """A caller's turn, and when the caller heard the first sound of the reply to it, if there was one."""

    said: Span
    reply_at_ms: float | None

    @property
    def heard_latency_ms(self) -> float | None:
        """From the caller's last voiced sample to the first reply sample at the caller's ear."""
        return None if self.reply_at_ms is None else self.reply_at_ms - self.said.end_ms


def voiced_spans(track: Samples, *, join_ms: float = TURN_GAP_MS) -> tuple[Span, ...]:
    """Where somebody speaks: voiced stretches, with pauses shorter than ``join_ms`` within them."""
    gate = VoiceGate()
    found: list[Span] = []
    for start in range(0, len(track), _FRAME):
        frame = track[start : start + _FRAME]
        level = gate.level
        last = gate.last_voiced(frame, _FRAME_MS)
        if last is None:
            continue
        first = first_sound(frame, level) or 0
        found.append(Span((start + first) / _PER_MS, (start + last + 1) / _PER_MS))
    return _joined(found, join_ms)


def onsets_ms(track: Samples, *, gap_ms: float = REPLY_GAP_MS) -> tuple[float, ...]:
    """When sound begins: every sample above the level of silence that follows ``gap_ms`` of silence."""
    loud = np.flatnonzero((track > SOUND_LEVEL) | (track < -SOUND_LEVEL))
    if not loud.size:
        return ()
    begins = np.concatenate(([True], np.diff(loud) > gap_ms * _PER_MS))
    return tuple((loud[begins] / _PER_MS).tolist())


def heard_latencies(
    caller: Samples, agent: Samples, *, turns: Sequence[Span] | None = None
) -> tuple[Answered, ...]:
    """Every turn of the caller with the reply that was heard before the caller's next turn.

    Args:
        turns: where the turns are, when that is known; a turn then ends with its last voiced sample. A turn
            in which nothing is voiced has no reply. By default turns are found by the silence between them.
    """
    voiced = voiced_spans(caller, join_ms=0 if turns is not None else TURN_GAP_MS)
    said = voiced if turns is None else tuple(_within(voiced, turn) for turn in turns)
    onsets = onsets_ms(agent)
    answered = []
    for index, turn in enumerate(said):
        until_ms = said[index + 1].start_ms if index + 1 < len(said) else float("inf")
        reply = next((at_ms for at_ms in onsets if turn.end_ms <= at_ms < until_ms), None)
        silent = turn.end_ms <= turn.start_ms
        answered.append(Answered(turn, None if silent else reply))
    return tuple(answered)


def _joined(spans: Sequence[Span], join_ms: float) -> tuple[Span, ...]:
    joined: list[Span] = []
    for span in spans:
        if joined and span.start_ms - joined[-1].end_ms < max(join_ms, _FRAME_MS):
            joined[-1] = Span(joined[-1].start_ms, span.end_ms)
        else:
            joined.append(span)
    return tuple(joined)


def _within(voiced: Sequence[Span], turn: Span) -> Span:
    """The voiced part of a turn; empty, at its end, when nothing in it is voiced."""
    inside = [span for span in voiced if span.end_ms > turn.start_ms and span.start_ms < turn.end_ms]
    if not inside:
        return Span(turn.end_ms, turn.end_ms)
    return Span(max(turn.start_ms, inside[0].start_ms), min(turn.end_ms, inside[-1].end_ms))
