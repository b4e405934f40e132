"""A tenant's policy, and a policy with other values for its params."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from policies import DocumentError
from router import Decision, Memory, ParamError, Policy, Signals
from tests.random_policies import THOROUGH, Document, barred, documents, loaded, memories, turns

pytestmark = pytest.mark.unit

POLICY = """
policy: {name: t, version: 3}
params:
  fast_chars: {value: 50, min: 10, max: 200}
  tool_p: {value: 0.6, min: 0.3, max: 0.9}
  free: {value: 1.0}
engines: {fast: {}, tool: {}, standard: {}, realtime: {fallback: [standard]}}
last_resort: standard
guards:
  - {id: consent, when: '!caller.consent_voice_ai', deny: [realtime], because: so}
rules:
  - {id: vip, when: call.queue == "vip", route: realtime, because: so}
  - {id: tools, when: turn.tool_p >= p.tool_p, route: tool, because: so}
  - {id: short, when: turn.chars < p.fast_chars, route: fast, because: so}
  - {id: otherwise, when: true, route: standard, because: so}
shadow:
  - {id: try, replaces: tools, when: turn.tool_p >= 0.1, route: tool, because: so}
experiments:
  - {id: trial, rule: short, arms: {a: 1, b: 1}, because: so}
never:
  - {id: never-tool, when: caller.region == "us", route: tool, because: so}
overlays:
  acme:
    params: {fast_chars: 80, tool_p: 0.5}
    disable: [vip]
    insert:
      - {before: tools, id: german, when: call.language == "de", route: standard, because: acme speaks German}
      - {before: tools, id: swiss, when: caller.region == "ch", route: fast, because: so}
    guards:
      - {id: no-tools-at-night, when: time.hour < 6, deny: [tool], because: acme's systems sleep}
  beta:
    disable: [tools, short]
    insert: [{before: tools, id: german, when: call.language == "de", route: fast, because: so}]
  gamma:
"""
BASE = Policy.parse(POLICY)
ACME, BETA = BASE.for_tenant("acme"), BASE.for_tenant("beta")


def decide(policy: Policy, **signals: Any) -> Decision:
    given = {name.replace("__", "."): value for name, value in signals.items()}
    given = {"turn.chars": 100, "caller.consent_voice_ai": True, **given}
    return policy.decide(Signals(given), Memory.start("call"))[0]


def answered(policy: Policy, **signals: Any) -> tuple[str, str]:
    decision = decide(policy, **signals)
    return decision.engine, decision.rule


def params(policy: Policy) -> dict[str, Any]:
    return {name: param.value for name, param in policy.content.params.items()}


# -- tenants ----------------------------------------------------------------------------------------------------
def test_a_tenant_has_its_own_values_for_params_and_the_policys_for_the_rest() -> None:
    assert params(ACME) == {"p.fast_chars": 80, "p.tool_p": 0.5, "p.free": 1.0}
    assert answered(ACME, turn__chars=79) == ("fast", "short")
    assert answered(BASE, turn__chars=79) == ("standard", "otherwise")
    assert answered(ACME, turn__tool_p=0.55) == ("tool", "tools")


def test_a_rule_that_a_tenant_disables_does_not_exist_for_it() -> None:
    assert answered(BASE, call__queue="vip") == ("realtime", "vip")
    assert answered(ACME, call__queue="vip") == ("standard", "otherwise")
    assert [rule.id for rule in BETA.content.rules] == ["vip", "german", "otherwise"]


def test_what_hangs_on_a_disabled_rule_goes_with_it() -> None:
    assert BETA.content.experiments == BETA.content.shadow == ()
    assert [experiment.id for experiment in ACME.content.experiments] == ["trial"]
    assert dict(decide(BETA).shadow) == {}


def test_inserted_rules_stand_before_the_rule_they_name_in_their_own_order() -> None:
    assert [rule.id for rule in ACME.content.rules] == ["german", "swiss", "tools", "short", "otherwise"]
    swiss_german = {"call__language": "de", "caller__region": "ch", "turn__tool_p": 0.9}
    assert answered(ACME, **swiss_german) == ("standard", "german")
    assert answered(BASE, **swiss_german) == ("tool", "tools")
    assert answered(BETA, **swiss_german) == ("fast", "german")  # before a rule that it disables


def test_a_tenants_guards_come_besides_those_of_the_policy() -> None:
    assert [guard.id for guard in ACME.content.guards] == ["consent", "no-tools-at-night"]
    night = decide(ACME, time__hour=3, turn__tool_p=0.9)
    assert (night.engine, night.denied) == ("standard", {"tool": "no-tools-at-night"})
    assert answered(BASE, time__hour=3, turn__tool_p=0.9) == ("tool", "tools")
    assert "realtime" in decide(ACME, caller__consent_voice_ai=False).denied
    assert "tool" in decide(BETA, caller__region="us").denied


def test_who_has_no_overlay_has_the_policy_itself() -> None:
    for tenant in ("", "nobody", "gamma", "ACME"):
        assert BASE.for_tenant(tenant) is BASE
    assert BASE.tenants == ("acme", "beta")


def test_a_tenants_policy_is_made_once_and_has_the_name_version_and_hash_of_the_file() -> None:
    assert BASE.for_tenant("acme") is ACME
    assert ACME.content.tenant == "acme"
    for policy in (BASE, ACME):
        decision = decide(policy)
        assert (decision.policy, decision.policy_version, decision.policy_hash) == ("t", 3, BASE.hash)


def test_one_tenant_knows_nothing_of_another() -> None:
    for name in ("german", "swiss", "no-tools-at-night"):
        assert name not in dict(decide(BASE, call__language="de", caller__region="ch", time__hour=3).tried)
    assert "no-tools-at-night" not in dict(decide(BETA, time__hour=3).tried)
    assert params(BETA) == params(BASE)


OVERLAY = """
policy: {name: t, version: 1}
params: {a: {value: 0.5, min: 0.1, max: 0.9}, n: {value: 3}}
engines: {fast: {}, standard: {}}
last_resort: standard
guards: [{id: g, when: true, deny: [fast], because: so}]
rules:
  - {id: r, when: true, route: fast, because: so}
  - {id: otherwise, when: true, route: standard, because: so}
overlays:
  acme:
    """


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ("disable: [g]", "12:15: 'g' is a guard, which no tenant can be without"),
        ("disable: [otherwise]", "12:15: the last rule cannot be disabled"),
        ("disable: [rr]", "12:15: unknown rule 'rr', did you mean 'r'?"),
        ("disable: [{id: r}]", "12:15: must be text, is a mapping"),
        ("disable: r", "12:14: must be a list, is text"),
        ("params: {b: 1.0}", "12:14: unknown param 'b'"),
        ("params: {a: 0.95}", "12:17: 0.95 cannot be: 'a' is written with a point, 0.1 to 0.9"),
        ("params: {a: 1}", "12:17: 1 cannot be: 'a' is written with a point, 0.1 to 0.9"),
        ("params: {n: 3.5}", "12:17: 3.5 cannot be: 'n' is a whole number, any number"),
        ("params: {n: 99999999999999999}", "12:17: 99999999999999999 cannot be"),
        ("params: {a: high}", "12:17: must be a number, is text"),
        ("params: {a: .nan}", "12:17: must be a finite number"),
        ("rules: []", "12:5: unknown key 'rules'"),
        (
            "guards: [{id: g, when: true, deny: [fast], because: so}]",
            "12:19: 'g' is already the id of line 6",
        ),
        (
            "guards: [{id: h, when: true, deny: [standard], because: so}]",
            "12:41: 'standard' is the last resort",
        ),
        ("guards: [{id: h, when: true, because: so}]", "12:14: a guard needs `deny` or `force`"),
        ("guards: [{id: h, when: true, deny: [], because: so}]", "12:40: names no engine"),
        ("insert: [{id: s, when: true, route: fast, because: so}]", "12:14: `before` is missing"),
        ("insert: [{before: g, id: s, when: true, route: fast, because: so}]", "12:23: unknown rule 'g'"),
        (
            "insert: [{before: r, id: r, when: true, route: fast, because: so}]",
            "12:30: 'r' is already the id",
        ),
        (
            "insert: [{before: r, id: s, when: true, route: slow, because: so}]",
            "12:52: unknown engine 'slow'",
        ),
        ("insert: [{before: r, id: s, when: true, route: fast}]", "12:14: `because` is missing"),
    ],
)
def test_an_overlay_that_is_wrong_says_where(overlay: str, expected: str) -> None:
    with pytest.raises(DocumentError) as raised:
        Policy.parse(OVERLAY + overlay, file="p.yaml")
    assert any(line.startswith(f"p.yaml:{expected}") for line in str(raised.value).splitlines()), raised.value


def test_an_overlay_that_is_no_mapping_is_not_passed_over() -> None:
    with pytest.raises(DocumentError, match=r"p.yaml:12:5: must be a mapping, is a list"):
        Policy.parse(OVERLAY + "- guards: []", file="p.yaml")


def test_two_tenants_may_use_one_id_and_a_tenants_name_is_text() -> None:
    own = "insert: [{before: r, id: s, when: true, route: fast, because: so}]"
    policy = Policy.parse(f"{OVERLAY}{own}\n  '4711': {{{own}}}\n")
    assert policy.tenants == ("acme", "4711")
    with pytest.raises(
        DocumentError, match=r"p.yaml:13:3: a key must be text, is a whole number: put it in quotes"
    ):
        Policy.parse(f"{OVERLAY}{own}\n  4711: {{{own}}}\n", file="p.yaml")
    with pytest.raises(DocumentError, match=r"p.yaml:13:3: 'a b' cannot be a tenant"):
        Policy.parse(f"{OVERLAY}{own}\n  a b: {{{own}}}\n", file="p.yaml")


@given(documents(), turns(), memories())
@settings(max_examples=40 * THOROUGH, deadline=None)
def test_no_overlay_takes_a_guard_away(document: Document, signals: Signals, memory: Memory) -> None:
    base = loaded(document)
    plain, _ = base.decide(signals, memory)
    for tenant in base.tenants:
        policy = base.for_tenant(tenant)
        decision, _ = policy.decide(signals, memory)
        assert policy.content.guards[: len(base.content.guards)] == base.content.guards
        assert policy.content.never == base.content.never
        # Under the tenant's params, which may move what a guard asks but never the guard.
        shared = {name: policy.content.params[name].value for name in policy.content.params}
        assert barred(base.with_params(shared), dict(plain.signals)) <= set(decision.denied)


# -- params -----------------------------------------------------------------------------------------------------
def test_a_policy_with_other_params_decides_by_them_and_the_first_is_as_it_was() -> None:
    changed = BASE.with_params({"p.fast_chars": 200, "p.tool_p": 0.9})
    assert answered(changed) == ("fast", "short")
    assert answered(changed, turn__tool_p=0.8) == ("fast", "short")
    assert answered(BASE) == ("standard", "otherwise")
    assert changed.content.params["p.fast_chars"].value == 200
    assert changed.version == BASE.version


def test_other_params_have_another_hash_the_same_for_the_same_values() -> None:
    changed = BASE.with_params({"p.fast_chars": 60, "p.tool_p": 0.5})
    assert changed.hash != BASE.hash
    assert decide(changed).policy_hash == changed.hash
    assert BASE.with_params({"p.tool_p": 0.5, "p.fast_chars": 60}).hash == changed.hash
    assert BASE.with_params({"p.tool_p": 0.5, "p.fast_chars": 61}).hash != changed.hash
    assert BASE.with_params({}).hash == BASE.with_params({"p.fast_chars": 50}).hash == BASE.hash


def test_a_tenants_own_values_outrank_those_that_are_moved_for_all() -> None:
    acme = BASE.with_params({"p.fast_chars": 200, "p.free": 2.0}).for_tenant("acme")
    assert params(acme) == {"p.fast_chars": 80, "p.tool_p": 0.5, "p.free": 2.0}
    assert params(ACME.with_params({"p.fast_chars": 90}))["p.fast_chars"] == 90


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"p.fast_char": 60}, "p.fast_char: no such param, did you mean 'p.fast_chars'?"),
        ({"fast_chars": 60}, "fast_chars: no such param, did you mean 'p.fast_chars'?"),
        ({"p.fast_chars": 9}, "p.fast_chars: 9 cannot be, it must be a whole number, 10 to 200"),
        ({"p.fast_chars": 60.0}, "p.fast_chars: 60.0 cannot be, it must be a whole number, 10 to 200"),
        ({"p.fast_chars": True}, "p.fast_chars: True cannot be"),
        ({"p.tool_p": 1}, "p.tool_p: 1 cannot be, it must be 0.3 to 0.9"),
        ({"p.tool_p": "0.5"}, "p.tool_p: '0.5' cannot be"),
        ({"p.tool_p": float("nan")}, "p.tool_p: nan cannot be"),
        ({"p.free": float("inf")}, "p.free: inf cannot be, it must be any number"),
        ({"p.free": 1e300}, "p.free: 1e+300 cannot be"),
    ],
)
def test_a_param_cannot_have_a_value_of_another_type_or_outside_its_range(
    values: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ParamError) as raised:
        BASE.with_params(values)
    assert str(raised.value).startswith(expected)


def test_every_param_that_cannot_be_is_named() -> None:
    with pytest.raises(ParamError) as raised:
        BASE.with_params({"p.x": 1, "p.tool_p": 0.5, "p.fast_chars": 1})
    assert [problem.split(":")[0] for problem in raised.value.problems] == ["p.x", "p.fast_chars"]
