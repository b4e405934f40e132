"""Stretches of a recording. Positions count samples from the moment the call was answered."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


class Stretches:
    """A set of positions: half-open stretches ``[start, stop)`` in order, none touching another."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def add(self, start: int, stop: int) -> None:
        """Adds a stretch; an empty one is nothing."""
        if stop <= start:
            return
        first = bisect_left(self._stops, start)
        last = bisect_right(self._starts, stop)
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]

    def first_from(self, position: int) -> int | None:
        """The first position of the set that is not before ``position``."""
        index = bisect_right(self._stops, position)
        return max(position, self._starts[index]) if index < len(self._stops) else None

    def mask(self, start: int, stop: int, *, around: int = 0) -> Mask:
        """Which of ``[start, stop)`` is in the set, each stretch taken to be wider by ``around`` on both sides."""
        found = np.zeros(max(0, stop - start), np.bool_)
        for index in range(bisect_left(self._stops, start - around), len(self._starts)):
            if self._starts[index] - around >= stop:
                break
            begin = max(0, self._starts[index] - around - start)
            found[begin : max(0, self._stops[index] + around - start)] = True
        return found

    def forget_before(self, position: int) -> None:
        """Drops the stretches that end before ``position``."""
        gone = bisect_left(self._stops, position)
        del self._starts[:gone], self._stops[:gone]


class Switch:
    """Something that is on or off, and when it changed. Off before the first change."""

    def __init__(self) -> None:
        self._changes: list[tuple[int, bool]] = []

    def turn(self, position: int, *, on: bool) -> None:
        """From ``position`` on it is so, whatever was said before of what comes after."""
        while self._changes and self._changes[-1][0] >= position:
            self._changes.pop()
        self._changes.append((position, on))

    def mask(self, start: int, stop: int) -> Mask:
        """Where in ``[start, stop)`` it is on."""
        found = np.zeros(max(0, stop - start), np.bool_)
        for position, on in self._changes:
            found[max(0, position - start) :] = on
        return found
