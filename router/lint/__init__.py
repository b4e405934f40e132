"""What can be known of a policy before it meets a call: proofs, counterexamples, and what is likely a mistake.

>>> report = lint(Policy.load(policies.shipped("default.yaml")).content)
>>> [finding.at(report.file) for finding in report.findings if finding.severity is Severity.ERROR]
[]

Proofs need z3, which the extra ``proof`` installs: ``pip install patchbay[proof]``. Without it, or with
``prove=False``, the same questions are put to a few thousand turns drawn near the policy's thresholds. That gives
examples and never a verdict, and the report says what was not proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from router import overlay
from router.content import Content
from router.lint.case import Case, can_prove
from router.lint.comparisons import comparisons
from router.lint.flap import flaps
from router.lint.places import Places
from router.lint.properties import properties
from router.lint.reach import impossible, precedence
from router.lint.report import CODES, Finding, Report, Severity, Witness, merged
from router.lint.search import Patience
from router.lint.structure import default, gates, twins, unused
from router.lint.variants import failing, inert

__all__ = ["CODES", "Finding", "Report", "Severity", "Witness", "can_prove", "lint"]

_CHECKS: tuple[tuple[str, Callable[[Case], Iterator[Finding]]], ...] = (
    ("what is never used", unused),
    ("gates", gates),
    ("rules with the same condition", twins),
    ("the last rule", default),
    ("comparisons", comparisons),
    ("what can never be", impossible),
    ("properties", properties),
    ("conditions that fail", failing),
    ("what makes no difference", inert),
    ("flapping", flaps),
    ("precedence", precedence),
)
_NOT_LOOKED_INTO = (
    "whether every rule and guard can ever act, and which rules only act where guards deny",
    "whether the properties hold",
    "whether a hold, an experiment or a shadow rule ever makes a difference",
    "that no signal's noise moves a call between engines, beyond the examples shown",
)


def lint(
    content: Content,
    *,
    prove: bool = True,
    tenant: str | None = None,
    timeout_ms: int = 2_000,
    step: Callable[[str], None] = lambda _: None,
) -> Report:
    """Everything that is found in a policy, for everybody and for each tenant with an overlay.

    Args:
        content: the whole policy, as ``Policy.load(…).content`` has it.
        prove: with the prover. Where it is asked for and not installed, a property left unproved is an error.
        tenant: only this tenant's policy; empty: only that of all who have no overlay; ``None``: all of them.
        timeout_ms: what one question to the prover may take; one that takes longer counts as not proved, and the
            next ones are given less.
        step: is told what is looked into next.
    """
    tenants = ["", *content.overlays] if tenant is None else [tenant]
    proving = prove and can_prove()
    places, patience = Places(content), Patience(timeout_ms)
    findings: list[Finding] = []
    for name in tenants:
        case = Case(overlay.for_tenant(content, name) if name else content, places, prove, patience)
        for what, check in _CHECKS:
            step(f"{what} for {name}" if name else what)
            findings += check(case)
    return Report(
        content.file,
        merged(findings),
        prover=_prover() if proving else "",
        asked=prove,
        unproved=_given_up(patience.given_up) if proving else _NOT_LOOKED_INTO,
    )


def _given_up(questions: int) -> tuple[str, ...]:
    if not questions:
        return ()
    return (f"what the prover did not find out in time, in {questions} of the questions put to it",)


def _prover() -> str:
    from router.lint.prover import Prover

    return Prover.prover
