"""Random policies that use every feature of the language, random turns, and what must hold for all of them.

The policies load: they are random in what they say, not in whether it makes sense. ``PATCHBAY_THOROUGH=50`` runs
every property that is built on them on fifty times as many examples.
"""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import strategies as st

from router import CATALOGUE, Decision, Memory, Policy, Scalar, Signals
from router.signals import Kind, Spec

THOROUGH = int(os.environ.get("PATCHBAY_THOROUGH", "1"))
ENGINES = ("fast", "tool", "standard", "realtime", "half")
"""Those that ship, and one that an operator added."""
TENANTS = ("", "acme", "beta", "nobody")
"""Of all others, two that may have an overlay, and one that has none."""

Document = dict[str, Any]

_CONDITIONS = (
    "true",
    "false",
    "emotion.upset > p.a",
    "turn.count > p.n",
    "turn.needs_tools",
    "!caller.consent_voice_ai",
    'caller.region in ["eu", "ch"] && call.queue != "vip"',
    "provider.realtime_p95_ms > 1000",
    "cost.usd >= cost.budget_usd",
    "mood > 0.3 || errand > p.a",
    "call.queue.startsWith('v')",
    "question.churn > 0.5",
    # These fail for some turns.
    "10 / turn.words > 2",
    "turn.chars % turn.words == 0",
    "!(turn.digits / turn.words > 1)",
    "call.queue.matches(call.language)",
)
_CONDITION = st.sampled_from(_CONDITIONS)
_HEARD = st.sampled_from([text for text in _CONDITIONS if "emotion." not in text and "mood" not in text])
"""What may decide whether the voice is judged."""
_SCHEDULE = st.fixed_dictionaries(
    {"tz": st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/St_Johns"])},
    optional={
        "days": st.sampled_from(["mon-fri", "fri-mon", "sat,sun", ["wed"]]),
        "from": st.sampled_from(["00:00", "08:00", "18:30"]),
        "to": st.sampled_from(["07:00", "23:59", "24:00"]),
        "since": st.just("2001-01-01"),
        "until": st.just("2100-12-31"),
    },
)
_KEY = st.sampled_from(["call.id", "call.queue", "caller.region", "call.transport"])
_ROLLOUT = st.fixed_dictionaries({"percent": st.sampled_from([0, 1, 50, 99.5, 100])}, optional={"by": _KEY})
_BECAUSE = {"because": st.just("so")}


def _rule(engine: st.SearchStrategy[str], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
    optional = {"hold": _CONDITION, "else_route": engine, "schedule": _SCHEDULE, "rollout": _ROLLOUT, **more}
    return st.fixed_dictionaries({"when": _CONDITION, "route": engine, **_BECAUSE}, optional=optional)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A policy as JSON values."""
    engines = draw(st.lists(st.sampled_from(ENGINES), min_size=2, unique=True))
    engine = st.sampled_from(engines)
    last_resort = draw(engine)
    deny = st.lists(st.sampled_from([name for name in engines if name != last_resort]), min_size=1)
    base = {"when": _CONDITION, **_BECAUSE}
    denying = st.fixed_dictionaries({**base, "deny": deny})
    guard = denying | denying | st.fixed_dictionaries({**base, "force": engine}, optional={"deny": deny})
    rule = _rule(engine, endpointing_ms=st.integers(100, 5_000))
    last = st.fixed_dictionaries({"when": st.just(True), "route": engine, **_BECAUSE})

    def several(one: st.SearchStrategy[Document], prefix: str, most: int, least: int = 0) -> list[Document]:
        found = draw(st.lists(one, min_size=least, max_size=most))
        return [{"id": f"{prefix}{number}", **entry} for number, entry in enumerate(found)]

    rules = [*several(rule, "rule-", 4, 1), {"id": "otherwise", **draw(last)}]
    ids = [one["id"] for one in rules]
    but_last = st.sampled_from(ids[:-1])
    arm = st.integers(1, 9) | st.fixed_dictionaries({"weight": st.integers(1, 9)}, optional={"route": engine})
    experiment = st.fixed_dictionaries(
        {"arms": st.fixed_dictionaries({"control": st.integers(0, 9), "other": arm}), **_BECAUSE},
        optional={"by": _KEY, "until": st.sampled_from(["2001-01-01", "2200-01-01"])},
    )
    tested = draw(st.lists(st.sampled_from(ids), unique=True, max_size=2))
    overlay = st.fixed_dictionaries(
        {},
        optional={
            "params": st.fixed_dictionaries({}, optional={"a": st.floats(0.0, 1.0), "n": st.integers(1, 9)}),
            "disable": st.lists(but_last, unique=True),
            "insert": _named(rule, "own-", before=st.sampled_from(ids)),
            "guards": _named(guard, "their-"),
        },
    )
    limits = st.fixed_dictionaries(
        {}, optional={"max_switches": st.integers(0, 3), "cooldown_turns": st.integers(0, 3)}
    )
    return {
        "policy": {"name": "random", "version": draw(st.integers(1, 9)), "salt": draw(st.sampled_from("ab"))},
        "params": {"a": {"value": 0.5, "min": 0.0, "max": 1.0}, "n": {"value": 3, "min": 1, "max": 9}},
        "derived": {
            "mood": {"from": "emotion.upset / double(turn.words)", "ewma": 0.5, "unknown": 0.1},
            "errand": {"from": "turn.tool_p", "only_if": "turn.digits / turn.words >= 0", "ewma": 1.0},
        },
        "emotion": {"unless": draw(_HEARD), "because": "so"},
        "questions": {"churn": {"ask": "The caller threatens to leave.", "unknown": draw(st.floats(0.0, 1.0))}},
        "engines": {
            name: draw(
                st.fixed_dictionaries(
                    {},
                    optional={"fallback": st.lists(engine), "min_turns": st.integers(0, 3), "warm": _CONDITION},
                )
            )
            for name in engines
        },
        "last_resort": last_resort,
        "stability": draw(limits),
        "answer_within_ms": draw(st.integers(1000, 60_000)),
        "guards": several(guard, "guard-", 3),
        "rules": rules,
        "shadow": [
            *several(_rule(engine), "early-", 1),
            *several(_rule(engine, replaces=but_last), "instead-", 2),
            *several(last.map(lambda entry: {**entry, "replaces": "otherwise"}), "finally-", 1),
        ],
        "experiments": [
            {"id": f"trial-{rule}", "rule": rule, **draw(experiment)} for rule in tested
        ],
        "never": several(
            st.fixed_dictionaries({"when": _CONDITION, **_BECAUSE, "route": deny | deny.map(lambda some: some[0])}),
            "never-",
            2,
        ),
        "overlays": {tenant: draw(overlay) for tenant in TENANTS[1:3]},
    }  # fmt: skip


def _named(
    one: st.SearchStrategy[Document], prefix: str, **more: st.SearchStrategy[Any]
) -> st.SearchStrategy[list[Document]]:
    entries = st.lists(st.tuples(one, st.fixed_dictionaries(more)), max_size=2)
    return entries.map(
        lambda some: [{"id": f"{prefix}{at}", **rule, **extra} for at, (rule, extra) in enumerate(some)]
    )


def loaded(document: Document) -> Policy:
    """The policy; JSON is YAML."""
    return Policy.parse(json.dumps(document))


def policies() -> st.SearchStrategy[Policy]:
    """Policies of all tenants, with the params as they are in the file or not."""
    moved = st.fixed_dictionaries({}, optional={"p.a": st.floats(0.0, 1.0), "p.n": st.integers(1, 9)})
    return st.builds(
        lambda document, tenant, params: loaded(document).for_tenant(tenant).with_params(params),
        documents(),
        st.sampled_from(TENANTS),
        moved,
    )


EVERYTHING = """\
# A policy in which every key of the language stands once.
policy: {name: everything, version: 14, salt: 2026-q4}
params:
  tool_p: {value: 0.60, min: 0.30, max: 0.95}
  chars: {value: 50, min: 10}
derived:
  upset: {from: emotion.upset, only_if: 'emotion.label != "unknown"', ewma: 0.6, unknown: 0.0, noise: 0.1}
emotion: {unless: caller.region == "eu", because: what the contract says}
questions:
  churn: {ask: The caller threatens to leave., unknown: 0.1, noise: 0.2}
engines:
  fast: {fallback: [standard]}
  tool:
  standard: {}
  realtime:
    fallback: [tool, standard]
    min_turns: 2
    warm: upset >= 0.3
last_resort: standard
stability: {max_switches: 4, cooldown_turns: 1}
guards:
  - id: person
    when: call.asked_human || question.churn > 0.9
    force: standard
    because: the caller asked for a person
  - {id: consent, when: '!caller.consent_voice_ai', deny: &voice [realtime], because: no consent}
rules:
  - id: vip
    when: call.queue == "vip" && turn.chars < p.chars
    hold: >-
      call.queue == "vip"
      || upset > 0.5
    route: realtime
    else_route: standard
    schedule:
      {days: [mon-fri, "sun"], from: "18:00", to: "06:00", tz: Europe/Berlin, since: 2026-12-01, until: 2026-12-31}
    rollout: {percent: 20, by: call.id}
    endpointing_ms: 900
    because: important callers wait for nobody
  - {id: tools, when: turn.tool_p >= p.tool_p, route: tool, because: "the reply needs a tool"}
  - {id: otherwise, when: true, route: standard, because: nothing else applies}
shadow:
  - {id: try-lower, replaces: tools, when: turn.tool_p >= 0.45, route: tool, because: would it be better}
experiments:
  - id: trial
    rule: vip
    by: call.queue
    arms: {control: 90, tool: {weight: 10, route: tool}}
    until: 2026-12-31
    because: which is better
never:
  - {id: proved, route: *voice, when: '!caller.consent_voice_ai', because: no consent}
overlays:
  acme:
    params: {chars: 80}
    disable: [vip]
    insert: [{before: tools, id: own, when: call.language == "de", route: standard, because: German}]
    guards: [{id: budget, when: cost.usd > 0.5, deny: *voice, because: too dear}]
"""


# -- turns --------------------------------------------------------------------------------------------------
def _values(spec: Spec) -> st.SearchStrategy[Scalar]:
    match spec.kind:
        case Kind.BOOL:
            return st.booleans()
        case Kind.ENUM:
            return st.sampled_from(spec.choices)
        case Kind.TEXT:
            return st.sampled_from(["", "vip", "en", "[a", "\ud800", "\0"]) | st.text(max_size=8)
        case Kind.INT:
            low, high = int(spec.low), int(spec.high)
            return st.integers(low, min(high, low + 9)) | st.integers(low, high)
        case Kind.DOUBLE:
            return st.floats(spec.low, spec.high)


def turns() -> st.SearchStrategy[Signals]:
    """Any signals that can be, those of an engine that no policy may know among them."""
    optional = {name: _values(spec) for name, spec in CATALOGUE.items()}
    optional |= {"question.churn": st.floats(0.0, 1.0)}
    optional |= {"provider.half_healthy": st.booleans(), "provider.stray_healthy": st.booleans()}
    return st.fixed_dictionaries({}, optional=optional).map(Signals)


def memories() -> st.SearchStrategy[Memory]:
    """Any memory, that of another policy among them."""
    ids = ["rule-0", "rule-0", "rule-0", "rule-1", "otherwise", "own-0", "guard-0", "of-another-policy"]
    return st.builds(
        Memory,
        call_id=st.text(max_size=8),
        turn=st.integers(0, 50),
        engine=st.none() | st.sampled_from([*ENGINES, "gone"]),
        rule=st.sampled_from([None, *ids]),
        dwell=st.integers(0, 5),
        switches=st.integers(0, 6),
        switched_at=st.none() | st.integers(0, 50),
        smoothed=st.dictionaries(
            st.sampled_from(["mood", "errand", "other"]), st.floats(allow_nan=False, allow_infinity=False)
        ).map(lambda values: tuple(values.items())),
    )


# -- what must hold -----------------------------------------------------------------------------------------
def facts(policy: Policy, signals: dict[str, Scalar]) -> dict[str, Scalar]:
    """What conditions see in a turn whose signals, the derived ones among them, are on record."""
    unknown = {name: spec.unknown for name, spec in policy.content.variables.items()}
    params = {param.name: param.value for param in policy.content.params.values()}
    return unknown | params | signals


def barred(policy: Policy, signals: dict[str, Scalar]) -> set[str]:
    """The engines that may not answer a turn: worked out guard by guard, without the code that decides."""
    seen, content = facts(policy, signals), policy.content
    bars = [(guard.when, guard.deny) for guard in content.guards]
    bars += [(never.when, never.routes) for never in content.never]
    return {engine for when, engines in bars if when.evaluate(seen) is not False for engine in engines}


def check(policy: Policy, decision: Decision, before: Memory, after: Memory) -> None:
    """What holds for every decision of every policy."""
    content = policy.content
    assert decision.engine in content.engines
    assert decision.engine not in decision.denied
    assert set(decision.denied) == barred(policy, dict(decision.signals))
    assert content.last_resort not in decision.denied
    assert set(decision.shadow) == {shadow.rule.id for shadow in content.shadow}
    assert not set(decision.shadow.values()) & set(decision.denied)
    assert (decision.policy, decision.policy_version) == (content.name, content.version)
    assert decision.policy_hash == policy.hash
    assert decision.reason
    assert after.engine == decision.engine
    assert after.call_id == before.call_id
    assert Memory.from_dict(json.loads(json.dumps(after.as_dict()))) == after
