"""What lint reports: findings with a severity, a place and, where one could be had, a case that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from router.signals import Scalar

CODES: Mapping[str, str] = {
    "always-false": "a comparison that no value of its signal makes true",
    "always-true": "a comparison that every value of its signal makes true",
    "arms-alike": "an experiment whose arms can never answer by different engines",
    "can-fail": "a condition that has no value for some signals: a guard then counts as true, a rule as false",
    "default-deniable": "the last rule's engine can be denied, and nothing says what answers instead",
    "engine-unused": "an engine that no rule, guard, experiment or fallback can choose",
    "flap": "a signal that moves by no more than its noise moves a call between engines",
    "flap-damped": "the same, but the policy slows such switching down or stops it",
    "guard-impossible": "a guard that can never be true",
    "hold-inert": "a `hold` that is never true when `when` is not",
    "integer-division": "a division of whole numbers, which drops the remainder",
    "measured-equality": "a measured number compared for equality",
    "never-depends": "a property that holds at the params' values, not everywhere in their ranges",
    "never-proved": "a property that the guards alone assure",
    "never-proved-in-part": "a property that guards and rules assure together, save for what sticks",
    "never-unproved": "a property that was neither proved nor refuted",
    "never-violated": "a property that does not hold",
    "not-a-number": "a guard or property that divides nought by nought, and is false then",
    "param-unused": "a param that no condition reads",
    "precedence": "a rule that gives way to an earlier one where both are true",
    "question-unused": "a question to a decision model whose answer no condition reads",
    "regex-matches-all": "a regular expression that matches every text it was tried on",
    "rollout-empty": "a rollout to none",
    "rule-impossible": "a rule that can never be true",
    "rule-shadowed": "a rule that is only reached where an earlier one's engine is denied",
    "rule-unreachable": "a rule that is never reached",
    "same-condition": "two rules with the same condition",
    "schedule-empty": "a schedule that covers no moment",
    "shadow-alike": "a shadow rule that can never choose differently",
    "signal-unused": "a derived signal that no condition reads",
}
"""Every code a finding may carry, with what it stands for."""


class Severity(StrEnum):
    """How grave a finding is: an error is wrong, a warning is likely wrong, information is good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Witness:
    """One turn for which a finding was seen; the policy decided it anew before it was reported."""

    signals: Mapping[str, Scalar]
    """Those that differ from "not known", and those that the finding is about; all others are not known."""
    before: Mapping[str, float]
    """Derived signals as they stood before the turn, where they had moved."""
    params: Mapping[str, Scalar]
    """Params that had to be moved, inside their ranges."""
    call_id: str
    """Empty where any will do."""
    rule: str
    engine: str
    """What the policy decided."""

    @property
    def sentence(self) -> str:
        """``turn.count 1, emotion.label upset: 'opening' sends it to fast``."""
        facts = [f"{name} {_shown(value)}" for name, value in (*self.params.items(), *self.signals.items())]
        facts += [f"{name} {_shown(value)} before" for name, value in self.before.items()]
        facts += [f"call {self.call_id}"] if self.call_id else []
        return f"{', '.join(facts) or 'any signals'}: '{self.rule}' sends it to {self.engine}"

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "signals": dict(self.signals),
            "before": dict(self.before),
            "params": dict(self.params),
            "call_id": self.call_id,
            "rule": self.rule,
            "engine": self.engine,
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a policy that its operators should know."""

    code: str
    """One of :data:`CODES`; it does not change from version to version."""
    severity: Severity
    subject: str
    """The id of the guard, rule, property, … or the name that it is about."""
    message: str
    line: int = 0
    column: int = 0
    witnesses: tuple[Witness, ...] = ()
    """None, one, or two between which something changes."""
    tenants: tuple[str, ...] = ("",)
    """For whom it holds; the empty one stands for everybody without an overlay."""

    def at(self, file: str) -> str:
        """``file:line:column: severity: message [code]``."""
        return f"{file}:{self.line}:{self.column}: {self.severity}: {self.message} [{self.code}]"

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "code": self.code,
            "severity": str(self.severity),
            "subject": self.subject,
            "message": self.message,
            "line": self.line,
            "column": self.column,
            "witnesses": [witness.as_dict() for witness in self.witnesses],
            "tenants": list(self.tenants),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All findings on one policy, in the order of its file."""

    file: str
    findings: tuple[Finding, ...]
    prover: str
    """What proved: ``z3 5.4.0``; empty when nothing was proved."""
    asked: bool = True
    """Whether proofs were asked for."""
    unproved: tuple[str, ...] = ()
    """What was not looked into for want of a prover."""

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.count(Severity.ERROR)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "file": self.file,
            "ok": self.ok,
            "prover": self.prover,
            "unproved": list(self.unproved),
            "findings": [finding.as_dict() for finding in self.findings],
        }


def merged(findings: list[Finding]) -> tuple[Finding, ...]:
    """One finding for all tenants for whom the same was found at the same place; sorted by place."""
    found: dict[tuple[str, str, int, int], Finding] = {}
    for finding in findings:
        key = (finding.code, finding.message, finding.line, finding.column)
        first = found.setdefault(key, finding)
        if first is not finding:
            found[key] = replace(first, tenants=first.tenants + finding.tenants)
    rank = {severity: place for place, severity in enumerate(Severity)}
    return tuple(sorted(found.values(), key=lambda each: (each.line, each.column, rank[each.severity])))


def _shown(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return f"{value}" if value != "" else "empty"
