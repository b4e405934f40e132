"""What holds for every policy, every signal and every memory."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import shipped
from router import CATALOGUE, Memory, Policy, Signals
from router.signals import Kind, Scalar, Spec

pytestmark = pytest.mark.unit

ENGINES = ("fast", "tool", "standard", "realtime")
DEFAULT = Policy.load(shipped("default.yaml"), engines=ENGINES)
CONDITIONS = (
    "true",
    "emotion.upset > 0.5",
    "turn.chars < 50",
    "turn.needs_tools",
    "caller.consent_voice_ai",
    'caller.region in ["eu", "ch"]',
    "10 / turn.words > 2",
    "mood > 0.4",
    "provider.realtime_p95_ms > 1000",
)


def _values(spec: Spec) -> st.SearchStrategy[Scalar]:
    match spec.kind:
        case Kind.BOOL:
            return st.booleans()
        case Kind.ENUM:
            return st.sampled_from(spec.choices)
        case Kind.TEXT:
            return st.text(alphabet="abcé-", max_size=8)
        case Kind.INT:
            return st.integers(int(spec.low), min(int(spec.high), int(spec.low) + 3000))
        case Kind.DOUBLE:
            return st.floats(spec.low, spec.high)


SIGNALS = st.fixed_dictionaries({}, optional={name: _values(spec) for name, spec in CATALOGUE.items()}).map(
    Signals
)
ENGINE = st.sampled_from(ENGINES)
MEMORY = st.builds(
    Memory,
    call_id=st.just("call"),
    turn=st.integers(0, 50),
    engine=st.none() | ENGINE,
    rule=st.none() | st.sampled_from(["de-escalate", "tools", "r0", "r1", "otherwise"]),
    dwell=st.integers(0, 5),
    switches=st.integers(0, 6),
    switched_at=st.none() | st.integers(0, 50),
    smoothed=st.sampled_from([(), (("upset", 0.7), ("errand", 0.4)), (("mood", 0.9),)]),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Policies of up to three guards and four rules over a few conditions, some of which fail."""
    condition = st.sampled_from(CONDITIONS)
    names = {engine: draw(st.lists(ENGINE, max_size=2)) for engine in ENGINES}
    dwells = {engine: draw(st.integers(0, 3)) for engine in ENGINES}
    lines = [
        "policy: {name: random, version: 1}",
        "derived: {mood: {from: emotion.upset / double(turn.words), ewma: 0.5}}",
        "engines:",
        *(
            f"  {engine}: {{fallback: {json.dumps(names[engine])}, min_turns: {dwells[engine]}}}"
            for engine in ENGINES
        ),
        f"stability: {{max_switches: {draw(st.integers(0, 3))}, cooldown_turns: {draw(st.integers(0, 3))}}}",
        "last_resort: standard",
        "guards:",
    ]
    for number in range(draw(st.integers(1, 3))):
        deny = json.dumps(draw(st.lists(st.sampled_from(["fast", "tool", "realtime"]), min_size=1)))
        force = draw(st.sampled_from(["", ", force: realtime", ", force: tool"]))
        lines.append(f"  - {{id: g{number}, when: '{draw(condition)}', deny: {deny}{force}, because: so}}")
    lines.append("rules:")
    for number in range(draw(st.integers(0, 3))):
        extra = draw(st.sampled_from(["", ", hold: 'mood > 0.2'", ", else_route: realtime"]))
        lines.append(f"  - {{id: r{number}, when: '{draw(condition)}', route: {draw(ENGINE)}{extra}, because: so}}")
    lines.append(f"  - {{id: otherwise, when: true, route: {draw(ENGINE)}, because: so}}")
    return Policy.parse("\n".join(lines))


@given(policies(), st.lists(SIGNALS, min_size=1, max_size=4), MEMORY)
@settings(max_examples=100, deadline=None)
def test_no_policy_ever_decides_for_an_engine_that_it_denies(
    policy: Policy, turns: list[Signals], memory: Memory
) -> None:
    for signals in turns:
        decision, memory = policy.decide(signals, memory)
        assert decision.engine in policy.engines
        assert decision.engine not in decision.denied
        assert memory.engine == decision.engine


@given(SIGNALS, MEMORY)
@settings(max_examples=200, deadline=None)
def test_the_default_policy_never_sends_a_voice_without_consent_to_realtime(
    signals: Signals, memory: Memory
) -> None:
    decision, _ = DEFAULT.decide(signals, memory)
    assert decision.engine != "realtime" or signals["caller.consent_voice_ai"] is True
    assert (
        decision.engine == "standard"
        or signals["call.asked_human"] is False
        or (signals["provider.standard_healthy"] is False)
    )


@given(SIGNALS, MEMORY)
@settings(max_examples=100, deadline=None)
def test_the_same_inputs_give_the_same_decision_and_a_stored_memory_gives_it_again(
    signals: Signals, memory: Memory
) -> None:
    first = DEFAULT.decide(signals, memory)
    stored = Memory.from_dict(json.loads(json.dumps(memory.as_dict())))
    assert stored == memory
    assert DEFAULT.decide(Signals(json.loads(json.dumps(signals.as_dict()))), stored) == first
    assert Memory.from_dict(json.loads(json.dumps(first[1].as_dict()))) == first[1]
