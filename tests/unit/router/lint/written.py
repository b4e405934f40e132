"""Small policies for tests of lint, and looking up what it found in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from router import Decision, Memory, Policy, Signals
from router.lint import CODES, Finding, Report, Witness, lint

HEAD = """
policy: {name: t, version: 1}
params: {tool_p: {value: 0.6, min: 0.3, max: 0.95}, slow_ms: {value: 2500, min: 500, max: 5000}}
derived: {upset: {from: emotion.upset, only_if: turn.words >= 2, ewma: 0.6, noise: 0.1}}
engines: {fast: {}, tool: {}, standard: {}, realtime: {fallback: [tool]}}
last_resort: standard
"""
USES = """
{id: uses, when: turn.tool_p >= p.tool_p && provider.tool_p95_ms < p.slow_ms, route: tool}
{id: voice, when: upset >= 0.6, hold: upset >= 0.3, route: realtime}
"""
"""Rules that use all that the head declares."""
LAST = "{id: otherwise, when: true, route: standard}"


def policy(rules: str, *, head: str = HEAD, last: str = LAST, **sections: str) -> Policy:
    """A policy of sections whose lines are flow mappings, each of which is given a reason."""
    parts = [head]
    for name, lines in {"rules": f"{rules}\n{last}", **sections}.items():
        entries = [line.strip() for line in lines.splitlines() if line.strip()]
        if name == "overlays":
            parts += [f"{name}:", *(f"  {entry}" for entry in entries)]
        else:
            parts += [f"{name}:", *(f"  - {entry[:-1]}, because: so}}" for entry in entries)]
    return Policy.parse("\n".join(parts) + "\n", file="t.yaml")


def report(rules: str = "", *, prove: bool = True, tenant: str | None = None, **sections: str) -> Report:
    return lint(policy(USES + rules, **sections).content, prove=prove, tenant=tenant)


def of(found: Report, code: str, subject: str | None = None) -> list[Finding]:
    """The findings with a code, on one subject or on all."""
    assert code in CODES
    return [each for each in found.findings if each.code == code and subject in (None, each.subject)]


def one(found: Report, code: str, subject: str | None = None) -> Finding:
    (finding,) = of(found, code, subject)
    return finding


def decided(served: Policy, witness: Witness) -> Decision:
    """A witness decided once more, from nothing but what the report says of it."""
    memory = replace(Memory.start(witness.call_id), smoothed=tuple(witness.before.items()))
    served = served.with_params(witness.params) if witness.params else served
    return served.decide(Signals(witness.signals), memory)[0]


def reproduces(served: Policy, finding: Finding) -> bool:
    """Whether the policy decides every witness of a finding as the report says."""
    decisions: list[tuple[Decision, Any]] = [(decided(served, each), each) for each in finding.witnesses]
    return bool(decisions) and all(
        (decision.rule, decision.engine) == (witness.rule, witness.engine) for decision, witness in decisions
    )
