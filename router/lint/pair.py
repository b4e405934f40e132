"""Two policies before one solver: whether their conditions come to the same, and where their first turns part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import z3

from router.conditions import Condition
from router.content import Content, Derived, Guard, Never, Rule
from router.inlining import inlined
from router.lint.symbolic import Symbolic
from router.lint.terms import Terms
from router.lint.truth import Term, every, opposite, some
from router.signals import Scalar

_TIMEOUT_MS = 3_000
_EXAMPLES = 4


class Pair:
    """The terms of both. Derived signals that are not the same in both are taken for those of the first."""

    prover = f"z3 {z3.get_version_string()}"

    def __init__(self, before: Content, after: Content) -> None:
        self._contents = before, after
        first, second = _inlined(before), _inlined(after)
        derived = {each.name: each for each in (*second.derived, *first.derived)}
        self._terms = Terms(
            replace(
                first,
                params={},
                variables={**second.variables, **first.variables},
                derived=tuple(derived.values()),
                engines={**second.engines, **first.engines},
                guards=first.guards + second.guards,
                rules=first.rules + second.rules,
                never=first.never + second.never,
                shadow=(),
                experiments=(),
            )
        )
        self._first, self._second = first, second
        self._asked: list[Condition] = []  # terms are known by the identity of their condition: keep it

    def same(self, one: Condition, other: Condition) -> bool:
        """Whether it is proved that ``one``, of the first, and ``other`` are true, false and failing together."""
        conditions = inlined(one, self._contents[0].params), inlined(other, self._contents[1].params)
        self._asked += conditions
        first, second = map(self._terms.condition, conditions)
        differ = some(
            every([left, opposite(right)])
            for left, right in (
                (first.yes, second.yes),
                (second.yes, first.yes),
                (first.no, second.no),
                (second.no, first.no),
            )
        )
        return bool(self._solver(differ).check() == z3.unsat)

    def first_turns(self) -> tuple[Mapping[str, Scalar], ...]:
        """Turns that, as far as the solver can tell, the two send to different engines at the start of a call."""
        one, other = Symbolic(self._first, self._terms), Symbolic(self._second, self._terms)
        solver = self._solver(one.apart(one.served.engine, other.served.engine))
        for each in self._terms.content.derived:
            if each.name in self._terms.before:
                solver.add(self._terms.before[each.name] == z3.RealVal(repr(each.unknown)))
        found: list[Mapping[str, Scalar]] = []
        while len(found) < _EXAMPLES and solver.check() == z3.sat:
            model = solver.model()
            found.append(self._signals(model))
            known = [
                variable == model[variable]
                for variable in self._terms.variables.values()
                if model[variable] is not None
            ]
            if not known:
                break
            solver.add(opposite(every(known)))
        return tuple(found)

    def _solver(self, claim: Term) -> Any:
        solver = z3.Solver()
        solver.set("timeout", _TIMEOUT_MS)
        solver.add(claim, *self._terms.constraints)
        return solver

    def _signals(self, model: Any) -> Mapping[str, Scalar]:
        """The signals on which the example depends."""
        return {
            name: self._terms.scalar(name, value)
            for name, variable in self._terms.variables.items()
            if (value := model[variable]) is not None
        }


def _inlined(content: Content) -> Content:
    """The content with values instead of params in all that decides."""
    params = content.params

    def rule(each: Rule) -> Rule:
        return replace(
            each, when=inlined(each.when, params), hold=inlined(each.hold, params) if each.hold else None
        )

    def derived(each: Derived) -> Derived:
        only_if = inlined(each.only_if, params) if each.only_if else None
        return replace(each, reading=inlined(each.reading, params), only_if=only_if)

    def guard(each: Guard) -> Guard:
        return replace(each, when=inlined(each.when, params))

    def never(each: Never) -> Never:
        return replace(each, when=inlined(each.when, params))

    return replace(
        content,
        derived=tuple(map(derived, content.derived)),
        guards=tuple(map(guard, content.guards)),
        rules=tuple(map(rule, content.rules)),
        never=tuple(map(never, content.never)),
    )
