"""What every check is given: the policy of one tenant, and the means to ask about it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from router.checked import Tree
from router.conditions import Condition
from router.content import Content, Rule
from router.lint.answers import Answer
from router.lint.openings import Openings
from router.lint.places import Places
from router.lint.report import Finding, Severity, Witness
from router.lint.samples import Samples
from router.lint.search import Patience, Sampling, Search
from router.lint.trials import Bench

__all__ = ["Case", "can_prove", "listed"]


@dataclass(frozen=True)
class Case:
    """One policy as one tenant has it."""

    content: Content
    places: Places
    prove: bool
    """Whether proofs were asked for."""
    patience: Patience
    enforced: bool = True
    """Whether the policy's properties deny what they forbid, as they do at run time."""

    @cached_property
    def bench(self) -> Bench:
        return Bench(self.content, enforced=self.enforced)

    @cached_property
    def openings(self) -> Openings:
        return Openings(self.content)

    @cached_property
    def search(self) -> Search:
        return self._search(free=False)

    @cached_property
    def free(self) -> Search:
        """The same with params that may be anything they are declared to be."""
        return self._search(free=True)

    @cached_property
    def unenforced(self) -> Case:
        """The same with the properties only written down."""
        return replace(self, enforced=False)

    @cached_property
    def sampling(self) -> Search:
        """The same without proofs."""
        return Sampling(self.bench, Samples(self.bench, self.openings))

    def _search(self, *, free: bool) -> Search:
        if not (self.prove and can_prove()):
            return self.sampling
        from router.lint.prover import Prover

        return Prover(self.bench, self.openings, patience=self.patience, free=free)

    # -- findings -----------------------------------------------------------------------------------------
    def finding(
        self,
        code: str,
        severity: Severity,
        about: tuple[str, Condition],
        message: str,
        *,
        at: Tree | None = None,
        witnesses: Sequence[Witness] = (),
    ) -> Finding:
        """A finding on a condition, or on the part ``at`` of it; ``about`` is what it belongs to, and itself."""
        subject, condition = about
        line, column = self.places.inside(condition, at.offset if at is not None else 0)
        return Finding(
            code, severity, subject, message, line, column, tuple(witnesses), (self.content.tenant,)
        )

    def finding_on(
        self, code: str, severity: Severity, subject: str, message: str, line: int, column: int
    ) -> Finding:
        """A finding on something that is no condition."""
        return Finding(code, severity, subject, message, line, column, tenants=(self.content.tenant,))

    def witnesses(self, answer: Answer) -> tuple[Witness, ...]:
        """The trials of an answer, for people; ask for :meth:`Answer.simplest` first."""
        return tuple(self.bench.witness(trial) for trial in answer.trials)

    @cached_property
    def reads(self) -> frozenset[str]:
        """Every name that any condition reads."""
        return self.content.reads

    def denying(self, engine: str) -> list[str]:
        """The guards and properties that can take an engine away."""
        guards = [guard.id for guard in self.content.guards if engine in guard.deny]
        return guards + [each.id for each in self.content.never if engine in each.routes]

    def routed(self) -> tuple[Rule, ...]:
        """The rules that are there for a reason of their own: all but the last."""
        return self.content.rules[:-1]


def can_prove() -> bool:
    """Whether the prover is installed."""
    return importlib.util.find_spec("z3") is not None


def listed(names: Sequence[str]) -> str:
    """``'a'``, ``'a' and 'b'``, ``'a', 'b' and 'c'``."""
    quoted = [f"'{name}'" for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)
