"""Properties: what must never answer does not, whatever the rest of the policy says."""

from __future__ import annotations

from typing import Any

import pytest

from router import Decision, Memory, Policy, Signals

pytestmark = pytest.mark.unit

POLICY = """
policy: {name: t, version: 1}
engines: {fast: {}, tool: {}, standard: {}, realtime: {fallback: [tool], min_turns: 9, warm: true}}
last_resort: standard
GUARDS
rules:
  - {id: voice, when: emotion.upset > 0.5, hold: true, route: realtime, because: so}
  - {id: otherwise, when: true, route: RULE, because: so}
never:
  - {id: consent, route: ROUTE, when: 'WHEN', because: no consent}
"""


def policy(
    *,
    guards: str = "",
    rule: str = "standard",
    route: str = "realtime",
    when: str = "!caller.consent_voice_ai",
) -> Policy:
    text = POLICY.replace("GUARDS", f"guards:\n  - {guards}\n" if guards else "")
    return Policy.parse(text.replace("RULE", rule).replace("ROUTE", route).replace("WHEN", when))


def decide(served: Policy, memory: Memory | None = None, **signals: Any) -> Decision:
    given = {name.replace("__", "."): value for name, value in signals.items()}
    return served.decide(Signals(given), memory or Memory.start("call"))[0]


def test_what_must_never_answer_is_denied_under_the_name_of_the_property() -> None:
    decision = decide(policy(), emotion__upset=0.9)
    assert (decision.engine, decision.denied) == ("standard", {"realtime": "consent"})
    assert decision.tried[0] == ("consent", "never realtime, which no guard denies")
    assert decide(policy(), emotion__upset=0.9, caller__consent_voice_ai=True).engine == "realtime"


def test_a_property_outranks_a_force() -> None:
    forced = policy(guards="{id: loud, when: true, force: realtime, because: so}")
    decision = decide(forced)
    assert (decision.engine, decision.denied) == ("tool", {"realtime": "consent"})
    assert decide(forced, caller__consent_voice_ai=True).engine == "realtime"


def test_a_property_outranks_hold_and_dwell() -> None:
    memory = Memory("call", 1, "realtime", "voice", 1)
    assert decide(policy(), memory, turn__count=2, caller__consent_voice_ai=True).engine == "realtime"
    assert decide(policy(), memory, turn__count=2).engine == "standard"


def test_a_property_outranks_the_fallback_of_an_unhealthy_engine() -> None:
    served = policy(route="[tool, fast]", when='call.queue == "vip"')
    sick = {"emotion__upset": 0.9, "provider__realtime_healthy": False}
    assert decide(served, **sick).engine == "tool"
    assert decide(served, **sick, call__queue="vip").engine == "standard"


def test_a_property_holds_for_the_last_rule() -> None:
    assert decide(policy(rule="realtime")).engine == "tool"


def test_a_property_that_cannot_be_evaluated_holds() -> None:
    served = policy(when="10 / turn.words > 99")
    decision = decide(served, emotion__upset=0.9)
    assert (decision.engine, decision.denied) == ("standard", {"realtime": "consent"})
    assert decision.errors == ("consent: INVALID_ARGUMENT: divide by zero",)
    assert decide(served, emotion__upset=0.9, turn__words=1).engine == "realtime"


def test_a_guard_that_denies_the_same_is_named_and_the_property_is_not_mentioned() -> None:
    served = policy(
        guards="{id: no-consent, when: '!caller.consent_voice_ai', deny: [realtime], because: so}"
    )
    decision = decide(served, emotion__upset=0.9)
    assert decision.denied == {"realtime": "no-consent"}
    assert "consent" not in dict(decision.tried)


def test_an_engine_that_must_never_answer_is_not_kept_warm() -> None:
    memory = Memory.start("call")
    assert policy().warm(Signals({"caller.consent_voice_ai": True}), memory, engine="realtime")
    assert not policy().warm(Signals(), memory, engine="realtime")
    assert not policy(when="10 / turn.words > 99").warm(Signals(), memory, engine="realtime")


def test_a_tenant_is_under_every_property_of_the_policy() -> None:
    overlay = (
        "overlays:\n  acme:\n    disable: [voice]\n    insert:"
        " [{before: otherwise, id: own, when: true, route: realtime, because: so}]\n"
        "    guards: [{id: loud, when: true, force: realtime, because: so}]\n"
    )
    text = POLICY.replace("GUARDS", "").replace("RULE", "standard").replace("ROUTE", "realtime")
    acme = Policy.parse(text.replace("WHEN", "!caller.consent_voice_ai") + overlay).for_tenant("acme")
    assert decide(acme).engine == "tool"
    assert decide(acme, caller__consent_voice_ai=True).engine == "realtime"
