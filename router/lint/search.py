"""Questions about a policy, and how they are answered without a prover: by looking at samples.

A question is asked twice over, once as a term for the solver and once as a test of a turn that was decided, so
that whatever the solver finds is seen to happen before it is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from router.lint.answers import Answer, shown
from router.lint.readings import Readings, Seen
from router.lint.samples import Samples
from router.lint.trials import Bench, Trial

if TYPE_CHECKING:
    from router.lint.symbolic import Symbolic
    from router.lint.truth import Term

    Claim = Callable[[Symbolic], Sequence[Term]]
    """What is asked: terms over one decision that all hold."""
    Named = Callable[[Symbolic], Mapping[str, Term]]
    """Terms over one decision, each with the id of what it is about."""
    Shift = Callable[[Term], Term]
    """The same term for the second of two readings."""
    PairClaim = Callable[[Symbolic, Shift], Sequence[Term]]
    """What is asked over two decisions that differ by the noise of one signal."""

_LEAST_MS = 50


@dataclass(slots=True)
class Patience:
    """How long the solver may take for a question: less after each that it gave up on, as one seldom comes alone."""

    timeout_ms: int
    given_up: int = 0

    def lost(self) -> None:
        self.given_up += 1
        self.timeout_ms = max(min(_LEAST_MS, self.timeout_ms), self.timeout_ms // 2)


class Search(Protocol):
    """Answers questions about one policy."""

    prover: str
    """What proves; empty when nothing does."""

    def find(self, claim: Claim, seen: Callable[[Trial], bool], about: Collection[str] = ()) -> Answer:
        """Whether some turn is as claimed; ``seen`` tells whether one that was decided is.

        ``about`` are signals that an example mentions where they matter, even when they are not known.
        """

    def find_pair(self, readings: Readings, claim: PairClaim, seen: Seen) -> Answer:
        """Whether two readings of a signal that lie no further apart than its noise are as claimed."""

    def possible(self, claim: Claim) -> bool | None:
        """Whether some turn is as claimed, without an example; ``None``: not known."""

    def blockers(self, claim: Claim, suspects: Named) -> tuple[str, ...]:
        """The fewest suspects that, all being so, rule out what is claimed."""

    def implied(self, claim: Claim, candidates: Named) -> tuple[str, ...]:
        """The candidates that are so for every turn as claimed."""


class Sampling:
    """Finds examples among samples; proves nothing."""

    prover = ""

    def __init__(self, bench: Bench, samples: Samples) -> None:
        self._bench = bench
        self._samples = samples

    def find(self, claim: Claim, seen: Callable[[Trial], bool], about: Collection[str] = ()) -> Answer:
        found = self._samples.find(seen)
        return shown(self._bench, found, seen, about) if found else Answer(why="no sample shows it")

    def find_pair(self, readings: Readings, claim: PairClaim, seen: Seen) -> Answer:
        for first in self._samples:
            if seen.first(first):
                for second in readings.seconds(first.point):
                    if readings.show(first, trial := self._bench.run(second), seen):
                        return readings.shown(first, trial, seen)
        return Answer(why="no sample shows it")

    def possible(self, claim: Claim) -> bool | None:
        return None

    def blockers(self, claim: Claim, suspects: Named) -> tuple[str, ...]:
        return ()

    def implied(self, claim: Claim, candidates: Named) -> tuple[str, ...]:
        return ()
