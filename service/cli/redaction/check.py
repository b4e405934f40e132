"""``patchbay redaction check``: everything that is wrong in a redaction policy, or what it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from compliance.redaction.policy import RedactionPolicy
from compliance.redaction.traits import Action
from policies import DocumentError
from service.cli.app import errors
from service.cli.policy.shared import print_json


def check(file: Path, *, as_json: bool) -> int:
    """Print what was found; returns 2 when the policy cannot be used."""
    try:
        policy = RedactionPolicy.load(file)
    except DocumentError as error:
        if as_json:
            problems = [
                {"file": error.file, "line": p.line, "column": p.column, "message": p.message}
                for p in error.problems
            ]
            print_json({"schema": "patchbay.redaction-checked/1", "ok": False, "problems": problems})
        else:
            errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    if as_json:
        print_json(
            {"schema": "patchbay.redaction-checked/1", "ok": True, "policy": _facts(policy), "problems": []}
        )
    else:
        _show(policy)
    return 0


def _facts(policy: RedactionPolicy) -> dict[str, Any]:
    return {
        "name": policy.name,
        "version": policy.version,
        "digest": policy.digest,
        "languages": list(policy.languages),
        "ner": policy.ner if isinstance(policy.ner, str) else dict(policy.ner),
        "failover": policy.failover,
        "entities": {
            name: {"action": str(rule.action), "reveal": policy.may_reveal(name), "because": rule.because}
            for name, rule in policy.entities.items()
        },
    }


def _show(policy: RedactionPolicy) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("entity", "in the record", "may be revealed", "because"):
        table.add_column(heading)
    for name, rule in policy.entities.items():
        example = {
            Action.MASK: f"<{name}>",
            Action.HASH: f"<{name}#kqzxbrtwma>",
            Action.SURROGATE: f"<{name}_1>",
            Action.KEEP_LAST_4: f"<{name}-1111>",
            Action.KEEP: "as it was said",
        }[rule.action]
        table.add_row(name, example, "yes" if policy.may_reveal(name) else "never", rule.because)
    console = Console()
    console.print(f"{policy.name} version {policy.version}: nothing is wrong", highlight=False, markup=False)
    console.print(table)
