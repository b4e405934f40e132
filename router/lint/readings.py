"""Two readings of one signal in otherwise the same turn, no further apart than its noise puts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

from router.lint.answers import Answer
from router.lint.trials import Bench, Point, Trial, near

_ROUNDING = 1e-6
"""How much more than its noise two readings may lie apart for having been rounded, relative to it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What two turns that were decided show: the first by itself, and both together."""

    first: Callable[[Trial], bool]
    both: Callable[[Trial, Trial], bool]


class Readings:
    """Moves a signal, or the average of a derived signal before the turn, by no more than its noise."""

    def __init__(self, bench: Bench, name: str, noise: float) -> None:
        self.name = name
        self.noise = noise
        self._bench = bench
        self._derived = next((each for each in bench.content.derived if each.name == name), None)
        weight = 1.0 - self._derived.ewma if self._derived else 1.0
        self._step = noise / weight if weight else 0.0
        """The average before the turn has only this weight in the average after it."""

    def reading(self, point: Point) -> float:
        """What is moved."""
        if self._derived:
            return point.before.get(self.name, self._derived.unknown)
        return float(point.signals.get(self.name, self._bench.signal(self.name).unknown))

    def second(self, point: Point, reading: float) -> Point:
        """The point with another reading."""
        if self._derived:
            return replace(point, before={**point.before, self.name: reading})
        return replace(point, signals={**point.signals, self.name: reading})

    def seconds(self, point: Point) -> list[Point]:
        """Points that lie up to the whole noise away, as far as there are such readings; the farthest first."""
        spec = self._bench.signal(self.name)
        low, high = (-inf, inf) if self._derived else (spec.low, spec.high)
        steps = (-self._step, self._step, -self.noise, self.noise)
        readings = dict.fromkeys(round(self.reading(point) + step, 9) for step in steps)
        return [self.second(point, reading) for reading in readings if low <= reading <= high]

    def show(self, first: Trial, second: Trial, seen: Seen) -> bool:
        """Whether the two are seen to be as wanted, and no more than noise lies between them."""
        apart = abs(float(first.facts[self.name]) - float(second.facts[self.name]))
        return apart <= self.noise * (1 + _ROUNDING) and seen.first(first) and seen.both(first, second)

    def shown(self, first: Trial, second: Trial, seen: Seen) -> Answer:
        """The two as an answer; made simple, they lie as far apart as shows the same."""
        reading, other = self.reading(first.point), self.reading(second.point)

        def shows(point: Point) -> bool:
            trial = self._bench.run(point)
            return (
                self.reading(point) == reading
                and seen.first(trial)
                and self.show(trial, self._bench.run(self.second(point, other)), seen)
            )

        def simplify() -> tuple[Trial, Trial]:
            kept = self._bench.simplified(first.point, shows)
            for shorter in (*near(reading), reading):
                trial = self._bench.run(point := self.second(kept, shorter))
                for option in self.seconds(point):
                    if self.show(trial, end := self._bench.run(option), seen):
                        return trial, end
            return self._bench.run(kept), self._bench.run(self.second(kept, other))

        return Answer((first, second), simplify=simplify)
