"""``patchbay policy check``: everything that is wrong in policies and their tests, and what they hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from engines.catalogue import Catalogue
from policies import Document, DocumentError
from router import Policy, cases
from service.cli.app import errors
from service.cli.policy.shared import print_json
from service.words import count


@dataclass(frozen=True, slots=True)
class Checked:
    """A policy that was read, as far as it could be, with its tests."""

    file: Path
    policy: Policy | None
    tests: Path | None
    """The file of its tests; ``None`` if there is none."""
    scenarios: tuple[cases.Scenario, ...]
    wrong: tuple[DocumentError, ...]


def check(files: Sequence[Path], *, catalogue: Path, as_json: bool) -> int:
    """Print what was found; returns 2 when something cannot be used.

    Args:
        files: policies; a file of tests stands for the policy beside it.
        catalogue: the engine catalogue, whose names the policies may use.
        as_json: JSON instead of sentences.
    """
    wrong: list[DocumentError] = []
    engines: Collection[str] | None = None
    try:
        engines = Catalogue.load(catalogue).names
    except DocumentError as error:
        wrong.append(error)
    policies = dict.fromkeys(cases.policy_beside(file) or file for file in files)
    checked = [_checked(file, engines) for file in policies]
    wrong += [each for one in checked for each in one.wrong]
    if as_json:
        print_json(
            {
                "schema": "patchbay.policy-checked/1",
                "ok": not wrong,
                "policies": [_facts(one) for one in checked],
                "problems": [
                    {"file": each.file, "line": one.line, "column": one.column, "message": one.message}
                    for each in wrong
                    for one in each.problems
                ],
            }
        )
    else:
        for each in wrong:
            errors.print(str(each), style="red", markup=False, highlight=False, soft_wrap=True)
        for one in checked:
            Console().print(_sentences(one), soft_wrap=True)
    return 2 if wrong else 0


def _checked(file: Path, engines: Collection[str] | None) -> Checked:
    beside = cases.beside(file)
    tests = beside if beside.is_file() else None
    try:
        policy = Policy.load(file, engines=engines)
    except DocumentError as error:
        return Checked(file, None, tests, (), (error,))
    try:
        scenarios = cases.read(Document.load(tests), policy) if tests else ()
    except DocumentError as error:
        return Checked(file, policy, tests, (), (error,))
    return Checked(file, policy, tests, scenarios, ())


def _facts(checked: Checked) -> dict[str, Any]:
    facts: dict[str, Any] = {"file": str(checked.file), "ok": not checked.wrong}
    if (policy := checked.policy) is not None:
        content = policy.content
        facts |= {
            "name": policy.name,
            "version": policy.version,
            "hash": policy.hash,
            "engines": list(policy.engines),
            "last_resort": policy.default_engine,
            "params": len(content.params),
            "derived": len(content.derived),
            "guards": len(content.guards),
            "rules": len(content.rules),
            "shadow": len(content.shadow),
            "experiments": len(content.experiments),
            "never": len(content.never),
            "tenants": list(policy.tenants),
        }
    tests = {"file": str(checked.tests), "tests": len(checked.scenarios)}
    return {**facts, "tests": tests if checked.tests else None}


def _sentences(checked: Checked) -> Text:
    """What a policy holds, on a few lines."""
    policy = checked.policy
    if policy is None:
        return Text.assemble(("✗ ", "bold red"), (str(checked.file), "bold"), " cannot be used")
    content = policy.content
    held = [
        count(len(policy.engines), "engine"),
        count(len(content.params), "param"),
        count(len(content.derived), "derived signal"),
        count(len(content.guards), "guard"),
        count(len(content.rules), "rule"),
        count(len(content.shadow), "shadow rule"),
        count(len(content.experiments), "experiment"),
        count(len(content.never), "property", "properties"),
    ]
    text = Text.assemble(
        ("✗ ", "bold red") if checked.wrong else ("✓ ", "bold green"),
        (str(checked.file), "bold"),
        f": {policy.name}, version {policy.version}, hash {policy.hash}\n",
        f"  {', '.join(one for one in held if not one.startswith('0 '))}\n",
        f"  tenants: {', '.join(policy.tenants) or 'none has an overlay'}\n",
    )
    if checked.tests is None:
        return text.append(f"  tests: none; they would stand in {cases.beside(checked.file).name}")
    if checked.wrong:
        return text.append(f"  tests: {checked.tests.name} cannot be used")
    return text.append(f"  tests: {count(len(checked.scenarios), 'test')} in {checked.tests.name}")
