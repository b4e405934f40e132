"""Turns drawn at random near every threshold of a policy: for examples, never for verdicts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from router.checked import Call, Constant, Name, walk
from router.lint.openings import Openings
from router.lint.parts import sources
from router.lint.ranges import TEXT_LENGTH, Ranges
from router.lint.trials import Bench, Point, Trial
from router.signals import Kind, Scalar, Spec

_COUNT = 3_000
_SEED = 4711
_FREELY = 0.2
"""How often a number is drawn from its whole range instead of from near a threshold."""
_STEP = 0.01
_CONNECTIVES = ("_&&_", "_||_", "!_", "_?_:_")


@dataclass(frozen=True, slots=True)
class _Pool:
    """The values that one signal is drawn from."""

    values: tuple[Scalar, ...]
    low: float
    high: float
    kind: Kind

    def draw(self, chance: random.Random) -> Scalar:
        numeric = self.kind in (Kind.INT, Kind.DOUBLE)
        if numeric and self.high - self.low < float("inf") and chance.random() < _FREELY:
            drawn = chance.uniform(self.low, self.high)
            return round(drawn) if self.kind is Kind.INT else drawn
        return chance.choice(self.values)


class Samples:
    """The same turns each time, decided when they are first asked for."""

    def __init__(self, bench: Bench, openings: Openings) -> None:
        self._bench = bench
        self._openings = openings
        self._trials: list[Trial] = []
        self._drawn = self._draw()

    def find(self, seen: Callable[[Trial], bool]) -> Trial | None:
        """The first turn that was ``seen`` to be as wanted."""
        return next((trial for trial in self if seen(trial)), None)

    def __iter__(self) -> Iterator[Trial]:
        yield from self._trials
        for trial in self._drawn:
            self._trials.append(trial)
            yield trial

    def _draw(self) -> Iterator[Trial]:
        chance = random.Random(_SEED)  # noqa: S311 - the same examples each time, no secrets
        pools = self._pools()
        smoothed = {each.name for each in self._bench.content.derived}
        moments = (0, *self._openings.moments)
        for number in range(_COUNT):
            drawn = {name: pool.draw(chance) for name, pool in pools.items()}
            before = {name: float(drawn.pop(name)) for name in smoothed if name in drawn}
            if len(moments) > 1:
                drawn["time.unix_s"] = chance.choice(moments)
            yield self._bench.run(Point(drawn, before, call_id=f"call-{number}"))

    def _pools(self) -> dict[str, _Pool]:
        """A pool for each signal on which the policy depends."""
        content = self._bench.content
        ranges = Ranges(content)
        found: dict[str, list[Scalar]] = {}
        for _, condition in content.conditions():
            for name in sources(content, condition):
                found.setdefault(name, [])
            for part in walk(condition.tree):
                if isinstance(part, Call) and part.function not in _CONNECTIVES:
                    self._note(part, found)
        pools = {}
        for name, values in sorted(
            found.items()
        ):  # sets have no order, and the same turns are wanted each time
            spec = content.variables.get(name)
            if spec is None or name in content.params:
                continue
            bounds = ranges.of(Name(name, 0))
            low, high = (bounds.low, bounds.high) if bounds else (0.0, 0.0)
            usable = _usable(spec, [*values, spec.unknown], low, high)
            pools[name] = _Pool(tuple(dict.fromkeys(usable)), low, high, spec.kind)
        return pools

    def _note(self, part: Call, found: dict[str, list[Scalar]]) -> None:
        """Every constant in a comparison is a threshold of every signal in it, and of what those are made from."""
        content = self._bench.content
        inside = list(walk(part))
        constants = [leaf.value for leaf in inside if isinstance(leaf, Constant)]
        constants += [
            content.params[leaf.name].value
            for leaf in inside
            if isinstance(leaf, Name) and leaf.name in content.params
        ]
        readings = {each.name: each.reading.reads for each in content.derived}
        for leaf in inside:
            if isinstance(leaf, Name):
                for name in (leaf.name, *readings.get(leaf.name, ())):
                    found.setdefault(name, []).extend(
                        value for value in constants if isinstance(value, bool | int | float | str)
                    )


def _usable(spec: Spec, values: list[Scalar], low: float, high: float) -> Iterator[Scalar]:
    """The values that the signal may have, with their neighbours."""
    match spec.kind:
        case Kind.BOOL:
            yield from (True, False)
        case Kind.ENUM:
            yield from spec.choices
        case Kind.TEXT:
            for value in values:
                if isinstance(value, str):
                    yield from (
                        text for text in (value, f"{value}x", f"x{value}") if len(text) <= TEXT_LENGTH
                    )
        case Kind.INT | Kind.DOUBLE:
            whole = spec.kind is Kind.INT
            ends = [end for end in (low, high) if abs(end) < float("inf")]
            numbers = [
                value for value in values if isinstance(value, int | float) and not isinstance(value, bool)
            ]
            for value in (*numbers, *ends):
                step = 1 if whole else _STEP
                for near in (value - step, value, value + step):
                    if low <= near <= high:
                        yield int(near) if whole else float(near)
