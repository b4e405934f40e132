"""One side of a line as samples on a time axis: what was put where, what was cut, and what is to be heard."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

import numpy as np

from compliance.voiced import Samples, first_sound, last_sound


class _Clip(NamedTuple):
    start: int
    samples: Samples
    first_sound: int | None
    last_sound: int | None

    @property
    def end(self) -> int:
        return self.start + len(self.samples)


def _clip(start: int, samples: Samples) -> _Clip:
    first, last = first_sound(samples), last_sound(samples)
    return _Clip(
        start,
        samples,
        None if first is None else start + first,
        None if last is None else start + last,
    )


class Track:
    """Clips of int16 mono audio in order of time, silence between them. Positions count samples."""

    def __init__(self) -> None:
        self._clips: list[_Clip] = []

    @property
    def end(self) -> int:
        """The position after the last sample that was put."""
        return self._clips[-1].end if self._clips else 0

    def put(self, at: int, samples: Samples) -> int:
        """Append ``samples`` at position ``at``, or right after what is there; returns where they begin."""
        start = max(at, self.end)
        if len(samples):
            self._clips.append(_clip(start, samples))
        return start

    def cut(self, at: int) -> Samples:
        """Remove and return, without the silence between them, the samples from position ``at`` on."""
        removed: list[Samples] = []
        while self._clips and self._clips[-1].end > at:
            clip = self._clips.pop()
            kept = max(0, at - clip.start)
            removed.append(clip.samples[kept:])
            if kept:
                self._clips.append(_clip(clip.start, clip.samples[:kept]))
        return np.concatenate(removed[::-1]) if removed else np.empty(0, np.int16)

    def read(self, start: int, stop: int) -> Samples:
        """The samples of ``[start, stop)``; silence where nothing was put."""
        out = np.zeros(max(0, stop - start), np.int16)
        index = max(0, bisect_right(self._clips, start, key=lambda clip: clip.start) - 1)
        for clip in self._clips[index:]:
            if clip.start >= stop:
                break
            begin, end = max(start, clip.start), min(stop, clip.end)
            if begin < end:
                out[begin - start : end - start] = clip.samples[begin - clip.start : end - clip.start]
        return out

    def first_sound(self, since: int) -> int | None:
        """Position of the first sample from ``since`` on that is not silence, in the future too."""
        index = max(0, bisect_right(self._clips, since, key=lambda clip: clip.start) - 1)
        for clip in self._clips[index:]:
            if clip.last_sound is None or clip.last_sound < since:
                continue
            if clip.first_sound is not None and clip.first_sound >= since:
                return clip.first_sound
            inside = first_sound(clip.samples[since - clip.start :])
            return None if inside is None else since + inside
        return None

    def last_sound(self) -> int | None:
        """Position of the last sample that is not silence, in the future too."""
        for clip in reversed(self._clips):
            if clip.last_sound is not None:
                return clip.last_sound
        return None
