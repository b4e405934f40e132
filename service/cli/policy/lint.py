"""``patchbay policy lint``: what can be known of a policy before it meets a call, proved where it can be."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.text import Text

from engines.catalogue import Catalogue
from router import Policy
from router.lint import Finding, Report, Severity, lint
from service.cli.errors import CommandError
from service.cli.policy.shared import print_json
from service.words import count

SCHEMA = "patchbay.policy-lint/1"
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def lint_policy(
    file: Path, *, catalogue: Path, tenant: str | None = None, prove: bool = True, as_json: bool = False
) -> int:
    """Print the findings; returns 1 when one of them is an error.

    Args:
        file: the policy.
        catalogue: the engine catalogue, whose names the policy may use.
        tenant: only the policy of this tenant; ``None``: of everybody, and of each tenant with an overlay.
        prove: with the prover.
        as_json: JSON instead of lines.

    Raises:
        policies.DocumentError: the policy or the catalogue cannot be used.
        CommandError: no tenant of that name has an overlay.
    """
    policy = Policy.load(file, engines=Catalogue.load(catalogue).names)
    if tenant and tenant not in policy.tenants:
        named = f"these have: {', '.join(policy.tenants)}" if policy.tenants else "none has"
        raise CommandError(f"{file} has no overlay for the tenant '{tenant}'; {named}")
    console = Console(stderr=True)
    begun = time.perf_counter()
    with console.status("Looking into the policy …") as status:
        report = lint(
            policy.content,
            prove=prove,
            tenant=tenant,
            step=lambda what: status.update(f"Looking into {what} …"),
        )
    took_s = time.perf_counter() - begun
    if as_json:
        print_json({"schema": SCHEMA, "policy": policy.name, "hash": policy.hash, **report.as_dict()})
    else:
        Console().print(report_view(report, took_s), soft_wrap=True)
    return 0 if report.ok else 1


def report_view(report: Report, took_s: float) -> RenderableType:
    """A line for each finding, with its examples below it, and what was and was not proved."""
    parts: list[RenderableType] = []
    for finding in report.findings:
        parts.append(_line(report.file, finding))
        parts += [Text(f"    {witness.sentence}", style="dim") for witness in finding.witnesses]
    return Group(*parts, *([Text()] if parts else []), *_summary(report, took_s))


def _line(file: str, finding: Finding) -> Text:
    text = Text.assemble(
        (f"{file}:{finding.line}:{finding.column}: ", "dim"),
        (f"{finding.severity}: ", _STYLES[finding.severity]),
        finding.message,
        (f" [{finding.code}]", "dim"),
    )
    if "" not in finding.tenants:
        text.append(f" (only for {', '.join(finding.tenants)})", style="bold")
    return text


def _summary(report: Report, took_s: float) -> list[Text]:
    counts = ", ".join(
        count(report.count(severity), severity.value if severity is not Severity.INFO else "note")
        for severity in Severity
    )
    mark = ("✓ ", "bold green") if report.ok else ("✗ ", "bold red")
    lines = [Text.assemble(mark, f"{counts} in {report.file}")]
    if report.prover:
        lines[0].append(f", by {report.prover} in {took_s:.1f} s", style="dim")
    else:
        lines.append(Text("Nothing was proved. The examples are from random turns."))
    if report.unproved:
        lines.append(Text("Not ruled out, whatever the findings say:"))
        lines += [Text(f"  {sentence}", style="dim") for sentence in report.unproved]
    if not report.prover and report.asked:
        lines.append(
            Text("For proofs: pip install 'patchbay[proof]'. To do without: --no-proof.", style="yellow")
        )
    return lines
