"""What is known once a question about a policy was looked into."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from router.lint.trials import Bench, Point, Trial


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether something can be. When it was neither found nor proved impossible, it is not known."""

    trials: tuple[Trial, ...] = ()
    """It can be: here it is, in one turn or in two readings of it."""
    impossible: bool = False
    """It cannot be: proved."""
    why: str = ""
    """Why it is not known."""
    simplify: Callable[[], tuple[Trial, ...]] = tuple
    """Finds trials with as little in them as still shows the same."""

    def simplest(self) -> Answer:
        """The answer with the trials that are shown."""
        return replace(self, trials=self.simplify()) if self.trials else self


def shown(bench: Bench, found: Trial, seen: Callable[[Trial], bool], about: Collection[str] = ()) -> Answer:
    """A trial that shows what was asked for; made simple, it tells of the signals ``about`` which it is."""

    def shows(point: Point) -> bool:
        return seen(bench.run(point))

    def simplify() -> tuple[Trial]:
        point = bench.simplified(found.point, shows)
        return (replace(bench.run(point), telling=bench.telling(point, about, shows)),)

    return Answer((found,), simplify=simplify)
