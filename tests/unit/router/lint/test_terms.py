"""router.lint.terms: whatever CEL makes of a condition, the solver's reading of it allows for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import pytest

z3 = pytest.importorskip("z3", reason="the prover is not installed: it is the extra `proof`")

from hypothesis import assume, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from router import CATALOGUE, Memory, Policy, Scalar, Signals  # noqa: E402
from router.conditions import Failed  # noqa: E402
from router.lint.symbolic import Symbolic  # noqa: E402
from router.lint.terms import Terms  # noqa: E402
from router.signals import Kind  # noqa: E402
from tests.unit.router.lint.conditions import CONDITIONS, DECLARED  # noqa: E402

pytestmark = pytest.mark.unit

POLICY = """
policy: {name: t, version: 1}
DECLARED
engines: {fast: {}, standard: {}}
guards:
  - {id: guard, when: 'WHEN', deny: [fast], because: so}
rules:
  - {id: rule, when: 'WHEN', route: fast, because: so}
  - {id: otherwise, when: true, route: standard, because: so}
"""


def _values(name: str) -> st.SearchStrategy[Scalar]:
    spec = CATALOGUE[name]
    match spec.kind:
        case Kind.BOOL:
            return st.booleans()
        case Kind.ENUM:
            return st.sampled_from(spec.choices)
        case Kind.TEXT:
            return st.sampled_from(["", "vip", "vip-2", "en-GB", "calm", "7", "x"])
        case Kind.INT:
            return st.integers(int(spec.low), 12) | st.just(int(spec.high))
        case Kind.DOUBLE:
            return st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]) | st.floats(spec.low, spec.high)


NAMES = (
    "turn.count turn.words turn.chars turn.tool_p turn.needs_tools emotion.upset emotion.label"
    " call.queue call.language caller.region caller.consent_voice_ai"
)
SIGNALS = st.fixed_dictionaries({name: _values(name) for name in NAMES.split()})
BEFORE = st.fixed_dictionaries(
    {"mood": st.sampled_from([0.0, 0.1, 0.6, 1.0]), "pace": st.floats(0, 100), "late": st.just(-0.7)}
)


def parsed(condition: str) -> Policy | None:
    """A policy with the condition in a guard and a rule; ``None`` when CEL does not take it."""
    try:
        return Policy.parse(POLICY.replace("DECLARED", DECLARED).replace("WHEN", condition))
    except ValueError:
        return None


def pinned(terms: Terms, signals: Mapping[str, Scalar], before: Mapping[str, float]) -> list[object]:
    """The variables of the solver at these values."""
    others: dict[str, int] = {}
    held: list[object] = [variable == _decimal(before[name]) for name, variable in terms.before.items()]
    for name, variable in terms.variables.items():
        value = signals.get(name, terms.content.variables[name].unknown)
        if isinstance(value, bool):
            held.append(variable == value)
        elif isinstance(value, str):
            known = value in terms.texts
            other = others.setdefault(value, len(terms.texts) + len(others))
            held.append(variable == (terms.texts.index(value) if known else other))
        else:
            held.append(variable == _decimal(value))
    return held


def _decimal(value: float) -> object:
    exact = Fraction(repr(value))
    return z3.IntVal(value) if isinstance(value, int) else z3.Q(exact.numerator, exact.denominator)


def allowed(terms: Terms, *claims: object) -> bool:
    solver = z3.Solver()
    solver.set("timeout", 120_000)
    solver.add(*terms.constraints, *claims)
    return bool(solver.check() != z3.unsat)


@given(CONDITIONS, SIGNALS, BEFORE)
@settings(max_examples=100, deadline=None)
def test_what_a_condition_comes_to_is_never_ruled_out(
    condition: str, signals: dict[str, Scalar], before: dict[str, float]
) -> None:
    policy = parsed(condition)
    assume(policy is not None)
    assert policy is not None
    content = policy.content
    memory = Memory("call", smoothed=tuple(before.items()))
    decision, _ = policy.decide(Signals(signals), memory)
    facts = {param.name: param.value for param in content.params.values()} | dict(decision.signals)
    outcome = content.rules[0].when.evaluate(facts)
    terms = Terms(content)
    truth = terms.condition(content.rules[0].when)
    expected = truth.fails if isinstance(outcome, Failed) else truth.yes if outcome else truth.no
    held = pinned(terms, signals, before)
    assert allowed(terms, expected, *held), f"{condition} is {outcome}"
    assert not allowed(terms, truth.yes, truth.no)
    assert not allowed(terms, truth.yes, truth.fails)
    symbolic = Symbolic(content, terms)
    held = pinned(terms, signals, before)
    assert allowed(terms, symbolic.served.rule[decision.rule], *held)
    assert allowed(terms, symbolic.served.engine[decision.engine], *held)


@pytest.mark.parametrize(
    ("condition", "never"),
    [
        ("turn.count / 2 > 5000", "yes"),
        ("-7 / 2 == -3", "no"),
        ("-7 % 3 == -1", "no"),
        ("(turn.words - 5) / 2 == -2 && turn.words > 1", "yes"),
        ("(turn.words - 5) % 2 == 1 && turn.words < 5", "yes"),
        ("10 / turn.words > 2 && turn.words == 0", "yes"),
        ("int(emotion.upset * 10.0) > 10", "yes"),
        ("emotion.upset + turn.tool_p > 2.5", "yes"),
        ("mood > 1.0", "yes"),
        ("late >= -1.0", "no"),
        ("size(call.queue) > 64", "yes"),
        ('size("vip") == 3', "no"),
        ('call.queue == "vip" && call.queue.startsWith("x")', "yes"),
        ('call.queue == "vip" && !call.queue.matches("^v.p$")', "yes"),
        ('emotion.label.endsWith("z")', "yes"),
        ('call.queue == "vip" && call.queue == call.language && call.language == "en"', "yes"),
        ("(turn.needs_tools ? turn.words : 3) == 3 && turn.words != 3 && turn.needs_tools", "yes"),
        ("turn.needs_tools == true && !turn.needs_tools", "yes"),
        ("true || 1 / turn.words > 0", "fails"),
        ("turn.words > 0 && 1 / turn.words >= 0", "fails"),
    ],
)
def test_what_cannot_be_is_ruled_out(condition: str, never: str) -> None:
    policy = parsed(condition)
    assert policy is not None
    terms = Terms(policy.content)
    truth = terms.condition(policy.content.rules[0].when)
    assert not allowed(terms, getattr(truth, never))


def test_sums_of_doubles_are_allowed_what_rounding_makes_of_them() -> None:
    policy = parsed("emotion.upset + turn.tool_p > 0.3")
    assert policy is not None
    terms = Terms(policy.content)
    truth = terms.condition(policy.content.rules[0].when)
    assert 0.1 + 0.2 > 0.3
    assert math.isclose(0.1 + 0.2, 0.3)
    assert allowed(terms, truth.yes, *pinned(terms, {"emotion.upset": 0.1, "turn.tool_p": 0.2}, {}))
    assert not allowed(terms, truth.yes, *pinned(terms, {"emotion.upset": 0.1, "turn.tool_p": 0.19}, {}))


def test_a_margin_leaves_room_between_true_and_false() -> None:
    policy = parsed("emotion.upset >= 0.6")
    assert policy is not None
    terms = Terms(policy.content, margin=Fraction(1, 100))
    truth = terms.condition(policy.content.rules[0].when)
    for upset, (yes, no) in {0.5: (False, True), 0.6: (False, False), 0.7: (True, False)}.items():
        held = pinned(terms, {"emotion.upset": upset}, {})
        assert (allowed(terms, truth.yes, *held), allowed(terms, truth.no, *held)) == (yes, no)


def test_free_params_may_be_anything_in_their_range() -> None:
    policy = parsed("p.share > 0.9 && p.words < 3")
    assert policy is not None
    condition = policy.content.rules[0].when
    terms, free = Terms(policy.content), Terms(policy.content, free=True)
    assert not allowed(terms, terms.condition(condition).yes)
    assert allowed(free, free.condition(condition).yes)
    assert not allowed(free, free.condition(condition).yes, free.variables["p.share"] > 1)
