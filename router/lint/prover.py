"""Questions about a policy, answered by z3 and, where the answer is an example, by the policy itself.

z3: https://github.com/Z3Prover/z3 (MIT), an optional extra of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import z3

from router.lint.answers import Answer, shown
from router.lint.openings import Openings
from router.lint.readings import Readings, Seen
from router.lint.search import Patience
from router.lint.symbolic import Symbolic
from router.lint.terms import Terms
from router.lint.trials import Bench, Point, Trial
from router.lint.truth import Term, opposite, some
from router.signals import Scalar

if TYPE_CHECKING:
    from router.lint.search import Claim, Named, PairClaim

_MARGIN = Fraction(1, 10**6)
"""How clear of a threshold an example is sought when the first one hangs on rounding."""
_UNREPRODUCED = "the prover cannot follow all of it: its example did not happen"


class Prover:
    """Asks the solver, and decides what it finds by the policy before answering."""

    prover = f"z3 {z3.get_version_string()}"

    def __init__(self, bench: Bench, openings: Openings, *, patience: Patience, free: bool = False) -> None:
        self._content = bench.content
        self._bench = bench
        self._openings = openings
        self._patience = patience
        self._free = free

    @cached_property
    def _exact(self) -> _Questions:
        return self._questions(Fraction(0))

    @cached_property
    def _clear(self) -> _Questions:
        return self._questions(_MARGIN)

    def _questions(self, margin: Fraction) -> _Questions:
        terms = Terms(self._content, margin=margin, free=self._free)
        return _Questions(Symbolic(self._content, terms, enforced=self._bench.enforced), self._patience)

    def possible(self, claim: Claim) -> bool | None:
        found = self._exact.ask(claim(self._exact.symbolic))
        return None if found == z3.unknown else bool(found == z3.sat)

    def find(self, claim: Claim, seen: Callable[[Trial], bool], about: Collection[str] = ()) -> Answer:
        for questions in (self._exact, self._clear):
            result = questions.ask(claim(questions.symbolic))
            if result == z3.unsat and questions is self._exact:
                return Answer(impossible=True)
            if result == z3.sat:
                trial = self._bench.run(self._point(questions))
                if seen(trial):
                    return shown(self._bench, trial, seen, about)
        return Answer(why=self._exact.why or _UNREPRODUCED)

    def find_pair(self, readings: Readings, claim: PairClaim, seen: Seen) -> Answer:
        for questions in (self._exact, self._clear):
            pairs, between = questions.symbolic.terms.moved(readings.name, readings.noise)

            def shift(term: Term, pairs: list[tuple[Term, Term]] = pairs) -> Term:
                return z3.substitute(term, pairs)

            result = questions.ask([*claim(questions.symbolic, shift), *between])
            if result == z3.unsat and questions is self._exact:
                return Answer(impossible=True)
            if result == z3.sat:
                first = self._bench.run(self._point(questions))
                reading = float(questions.value(pairs[0][1]).as_fraction())
                second = self._bench.run(readings.second(first.point, reading))
                if readings.show(first, second, seen):
                    return readings.shown(first, second, seen)
        return Answer(why=self._exact.why or _UNREPRODUCED)

    def blockers(self, claim: Claim, suspects: Named) -> tuple[str, ...]:
        symbolic = self._exact.symbolic
        return self._exact.core(claim(symbolic), suspects(symbolic))

    def implied(self, claim: Claim, candidates: Named) -> tuple[str, ...]:
        questions = self._exact
        terms, left = claim(questions.symbolic), dict(candidates(questions.symbolic))
        while left:
            result = questions.ask([*terms, some(opposite(term) for term in left.values())])
            if result == z3.unsat:
                return tuple(left)
            if result == z3.unknown:
                return ()
            left = {name: term for name, term in left.items() if z3.is_true(questions.value(term))}
        return ()

    def _point(self, questions: _Questions) -> Point:
        """The turn that the solver found, in a call and at a moment for which the gates are as it wants them."""
        symbolic = questions.symbolic
        terms = symbolic.terms
        signals: dict[str, Scalar] = {}
        params: dict[str, Scalar] = {}
        for name, variable in terms.variables.items():
            value = terms.scalar(name, questions.value(variable))
            (params if name in self._content.params else signals)[name] = value
        before = {
            name: float(questions.value(variable).as_fraction()) for name, variable in terms.before.items()
        }
        call_id = ""
        if symbolic.gates or symbolic.arms:
            gates = [(rule, z3.is_true(questions.value(gate))) for rule, gate in symbolic.gates]
            gates.sort(key=lambda gate: not z3.is_true(questions.value(terms.condition(gate[0].when).yes)))
            arms = [(experiment, questions.value(arm).as_long()) for experiment, arm in symbolic.arms]
            signals["time.unix_s"], call_id = self._openings.find(signals, gates, arms)
        return Point(signals, before, params, call_id)


class _Questions:
    """One translation of a policy, and the solver that knows it."""

    def __init__(self, symbolic: Symbolic, patience: Patience) -> None:
        self.symbolic = symbolic
        self.why = ""
        """Why the last question was not answered."""
        self._solver = z3.Solver()
        self._patience = patience
        self._known = 0
        self._model: Any = None

    def ask(self, terms: Sequence[Term]) -> Any:
        """``z3.sat``, ``z3.unsat`` or ``z3.unknown``."""
        solver = self._ready()
        solver.push()
        solver.add(*terms)
        result = solver.check()
        self._model = solver.model() if result == z3.sat else None
        self.why = ""
        if result == z3.unknown:
            self.why = f"the solver gave up after {self._patience.timeout_ms:,} ms"
            self._patience.lost()
        solver.pop()
        return result

    def value(self, variable: Term) -> Any:
        """What the last example says of a variable."""
        return self._model.eval(variable, model_completion=True)

    def core(self, claim: Sequence[Term], suspects: Mapping[str, Term]) -> tuple[str, ...]:
        """The fewest suspects that rule the claim out: of those that the solver used, leave out what it can."""
        marks = {name: z3.Bool(f"suspect {name}") for name in suspects}
        solver = self._ready()
        solver.push()
        solver.add(*claim, *(z3.Implies(marks[name], term) for name, term in suspects.items()))
        used = solver.unsat_core() if solver.check(*marks.values()) == z3.unsat else list(marks.values())
        solver.pop()
        names = {str(mark) for mark in used}
        left = [name for name, mark in marks.items() if str(mark) in names]
        for name in reversed(list(left)):
            without = [suspects[other] for other in left if other != name]
            if self.ask([*claim, *without]) == z3.unsat:
                left.remove(name)
        return tuple(left)

    def _ready(self) -> Any:
        """The solver with everything that has been translated so far."""
        constraints = self.symbolic.terms.constraints
        self._solver.set("timeout", self._patience.timeout_ms)
        self._solver.add(*constraints[self._known :])
        self._known = len(constraints)
        return self._solver
