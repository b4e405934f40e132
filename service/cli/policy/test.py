"""``patchbay policy test``: run the tests that stand beside policies, and say which rules none of them reaches."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from policies import Document, DocumentError
from router import Policy, cases
from router.explanation import explain
from service.cli.app import errors
from service.cli.errors import CommandError
from service.cli.policy.explain_tables import steps_view
from service.cli.policy.junit import Report, junit_xml
from service.cli.policy.shared import print_json, write_text
from service.tables import engine_text
from service.words import count


@dataclass(frozen=True, slots=True)
class Tested:
    """A file of tests that was run."""

    file: Path
    policy: Policy
    results: tuple[cases.Result, ...]
    coverage: cases.Coverage
    took_s: tuple[float, ...]
    """Of each result."""

    @property
    def failed(self) -> int:
        return sum(not result.passed for result in self.results)


def run_tests(
    files: Sequence[Path],
    *,
    policy: Path | None,
    junit: Path | None,
    coverage_min: float,
    as_json: bool,
) -> int:
    """Run the tests; returns 1 when one fails or too little is covered, 2 when a file cannot be used.

    Args:
        files: of tests.
        policy: what they test; ``None``: each the policy beside it.
        junit: where to write the results as JUnit XML.
        coverage_min: percent of guards, rules, holds, second routes and tenants that tests must reach.
        as_json: JSON instead of tables.

    Raises:
        CommandError: the name of a file does not say what it tests; ``junit`` cannot be written.
    """
    done: list[Tested] = []
    for file in files:
        tested = policy or cases.policy_beside(file)
        if tested is None:
            raise CommandError(
                f"{file}: tests of X.yaml stand in X.test.yaml; say with --policy what this file tests"
            )
        try:
            done.append(_tested(file, Policy.load(tested)))
        except DocumentError as error:
            errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
    if junit is not None:
        write_text(junit, junit_xml([(str(one.file), list(_reports(one))) for one in done]))
    uncovered = [one for one in done if one.coverage.percent < coverage_min]
    if as_json:
        print_json(
            {
                "schema": "patchbay.policy-tested/1",
                "ok": len(done) == len(files) and not uncovered and not any(one.failed for one in done),
                "files": [_json(one) for one in done],
            }
        )
    else:
        for one in done:
            Console().print(_view(one))
    for one in uncovered:
        errors.print(
            f"{one.file}: {one.coverage.percent:.0f} % is covered, and {coverage_min:g} % is asked for",
            style="red", markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    if len(done) < len(files):
        return 2
    return 1 if uncovered or any(one.failed for one in done) else 0


def _tested(file: Path, policy: Policy) -> Tested:
    results, took_s = [], []
    for scenario in cases.read(Document.load(file), policy):
        began = time.perf_counter()
        results.append(cases.run(policy, scenario))
        took_s.append(time.perf_counter() - began)
    return Tested(file, policy, tuple(results), cases.coverage(policy, results), tuple(took_s))


# -- for people ---------------------------------------------------------------------------------------------
def _view(tested: Tested) -> RenderableType:
    policy, total = tested.policy, len(tested.results)
    parts: list[RenderableType] = [
        Text.assemble(
            (str(tested.file), "bold"),
            f" tests {policy.name}, version {policy.version}, hash {policy.hash[:12]}",
        ),
        _table(tested),
    ]
    parts += [_failure(tested.file, result) for result in tested.results if not result.passed]
    mark = ("✗ ", "bold red") if tested.failed else ("✓ ", "bold green")
    verdict = (
        f"{tested.failed} of {count(total, 'test')} failed"
        if tested.failed
        else f"{count(total, 'test')} passed"
    )
    parts += [Text.assemble(mark, verdict), _coverage(tested.coverage, policy)]
    return Group(*parts)


def _table(tested: Tested) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("test", ratio=3, overflow="fold")
    table.add_column("answered by", ratio=2, overflow="fold")
    table.add_column("rules", ratio=2, overflow="fold")
    for result in tested.results:
        mark = Text("✓", style="green") if result.passed else Text("✗", style="bold red")
        rules = ", ".join(rule for rule, _ in groupby(played.decision.rule for played in result.turns))
        table.add_row(mark, Text(result.scenario.name), _route(result), Text(rules))
    return table


def _route(result: cases.Result) -> Text:
    """The engines turn by turn, with the engine that took over where one failed: ``standard ×2, realtime→tool``."""
    text = Text()
    turns = ((played.decision.engine, played.answered_by) for played in result.turns)
    for (engine, answered_by), run in groupby(turns):
        text.append(", " if text else "").append_text(engine_text(engine))
        if answered_by != engine:
            text.append("→", style="dim").append_text(engine_text(answered_by))
        if (times := len(list(run))) > 1:
            text.append(f" ×{times}", style="dim")
    return text


def _failure(file: Path, result: cases.Result) -> RenderableType:
    """What was expected of the turns that failed, what came, and why."""
    parts: list[RenderableType] = [Text.assemble(("✗ ", "bold red"), (_title(file, result), "bold"))]
    for number, played in enumerate(result.turns):
        if not played.wrong:
            continue
        parts.append(Text(_wrong(result, number)))
        parts.append(Text(played.decision.reason, style="dim"))
        parts.append(
            steps_view(
                explain(played.decision, result.policy, call_id=result.scenario.call_id, before=played.before)
            )
        )
    return Padding(Group(*parts), (0, 0, 1, 0))


def _wrong(result: cases.Result, number: int) -> str:
    """What was wrong with one turn, on one line."""
    turn = "" if len(result.turns) == 1 else f"turn {number + 1}: "
    return turn + ", ".join(
        f"{wrong.what}: expected {wrong.expected}, got {wrong.got}" for wrong in result.turns[number].wrong
    )


def _title(file: Path, result: cases.Result) -> str:
    scenario = result.scenario
    tenant = f" (tenant {scenario.tenant})" if scenario.tenant else ""
    return f"{file}:{scenario.line}:{scenario.column}: {scenario.name}{tenant}"


def _coverage(coverage: cases.Coverage, policy: Policy) -> Text:
    reached = len(coverage.items) - len(coverage.missed)
    text = Text(f"Coverage: {reached} of {len(coverage.items)} ({coverage.percent:.0f} %)")
    for item in coverage.missed:
        text.append(
            f"\n  {policy.content.file}:{item.line}:{item.column}: no test reaches {_named(item)}", "yellow"
        )
    return text


def _named(item: cases.Item) -> str:
    if item.kind == "tenant":
        return f"tenant {item.id}"
    kind = {"hold": "the hold of", "else_route": "the else_route of"}.get(item.kind, item.kind)
    return f"{kind} {item.id}" + (f" of tenant {item.tenant}" if item.tenant else "")


# -- for machines -------------------------------------------------------------------------------------------
def _json(tested: Tested) -> dict[str, Any]:
    policy, coverage = tested.policy, tested.coverage
    return {
        "file": str(tested.file),
        "policy": {
            "file": policy.content.file,
            "name": policy.name,
            "version": policy.version,
            "hash": policy.hash,
        },
        "failed": tested.failed,
        "tests": [_result_json(result) for result in tested.results],
        "coverage": {
            "percent": round(coverage.percent, 2),
            "items": len(coverage.items),
            "missed": [
                {
                    "kind": item.kind,
                    "id": item.id,
                    "tenant": item.tenant,
                    "line": item.line,
                    "column": item.column,
                }
                for item in coverage.missed
            ],
        },
    }


def _result_json(result: cases.Result) -> dict[str, Any]:
    scenario = result.scenario
    return {
        "name": scenario.name,
        "line": scenario.line,
        "column": scenario.column,
        "tenant": scenario.tenant,
        "passed": result.passed,
        "turns": [
            {
                "engine": played.decision.engine,
                "rule": played.decision.rule,
                "reason": played.decision.reason,
                "answered_by": played.answered_by,
                "denied": dict(played.decision.denied),
                "tried": [list(step) for step in played.decision.tried],
                "wrong": [
                    {"what": wrong.what, "expected": wrong.expected, "got": wrong.got}
                    for wrong in played.wrong
                ],
            }
            for played in result.turns
        ],
    }


def _reports(tested: Tested) -> Iterator[Report]:
    for result, took_s in zip(tested.results, tested.took_s, strict=True):
        wrong = "; ".join(
            _wrong(result, number) for number in range(len(result.turns)) if result.turns[number].wrong
        )
        details = ""
        if wrong:
            console = Console(width=100, file=io.StringIO(), color_system=None)
            with console.capture() as captured:
                console.print(_failure(tested.file, result))
            details = "\n".join(line.rstrip() for line in captured.get().splitlines()).strip()
        yield Report(result.scenario.name, took_s, wrong, details)
