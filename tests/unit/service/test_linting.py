"""``patchbay policy lint``: findings that an editor can jump to, JSON, and exit codes that a pipeline can trust."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from policies import shipped
from router import lint as lint_package
from router.lint import case as case_module
from service.cli import app

pytestmark = pytest.mark.unit
pytest.importorskip("z3", reason="the prover is not installed: it is the extra `proof`")

BROKEN = """
policy: {name: t, version: 1}
params: {least: {value: 3, min: 0, max: 9}}
engines: {fast: {}, standard: {}}
rules:
  - {id: long, when: turn.words > p.least, route: fast, because: so}
  - {id: longer, when: turn.words > 7, route: fast, because: so}
  - {id: otherwise, when: true, route: standard, because: so}
never:
  - {id: brief, route: fast, when: turn.words < 6, because: so}
overlays:
  acme: {params: {least: 8}}
"""


def printed(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["policy", "lint", *arguments], env={"COLUMNS": "80"})
    return result.exit_code, result.output


def as_json(*arguments: str) -> tuple[int, dict[str, Any]]:
    code, output = printed(*arguments, "--json")
    return code, json.loads(output)


@pytest.fixture
def broken(tmp_path: Path) -> str:
    file = tmp_path / "broken.yaml"
    file.write_text(BROKEN)
    return str(file)


@pytest.fixture
def without_prover(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (lint_package, case_module):
        monkeypatch.setattr(module, "can_prove", lambda: False)


def test_the_default_policy_passes_with_its_properties_proved() -> None:
    code, output = printed(str(shipped("default.yaml")))
    assert code == 0
    assert "proved from the guards alone" in output
    assert re.search(r"✓ 0 errors, 0 warnings, \d+ notes in .*, by z3 [\d.]+ in [\d.]+ s", output)


def test_errors_are_lines_to_jump_to_with_an_example_below_and_exit_1(broken: str) -> None:
    code, output = printed(broken)
    assert code == 1
    lines = output.splitlines()
    at = next(index for index, line in enumerate(lines) if "[never-violated]" in line)
    assert lines[at].startswith(f"{broken}:10:36: error: never 'brief'")
    assert lines[at + 1] == "    turn.words 4: 'long' sends it to fast"
    assert f"{broken}:7:24: error: rule 'longer' is never reached" in output
    assert "✗ 2 errors" in output


def test_what_holds_for_some_tenants_only_says_so_and_one_tenant_can_be_asked_about(broken: str) -> None:
    assert "'longer' gives way" not in printed(broken)[1]
    code, found = as_json(broken, "--tenant", "acme")
    assert code == 0
    codes = {finding["code"]: finding["tenants"] for finding in found["findings"]}
    assert codes["never-proved-in-part"] == ["acme"]
    _, everybody = as_json(broken)
    proved = next(each for each in everybody["findings"] if each["code"] == "never-proved-in-part")
    assert proved["tenants"] == ["acme"]
    assert "(only for acme)" in printed(broken)[1]


def test_json_says_the_same_as_the_lines(broken: str) -> None:
    code, found = as_json(broken)
    assert (code, found["schema"], found["policy"], found["ok"]) == (1, "patchbay.policy-lint/1", "t", False)
    violated = next(each for each in found["findings"] if each["code"] == "never-violated")
    assert (violated["severity"], violated["line"], violated["column"]) == ("error", 10, 36)
    assert violated["witnesses"][0]["signals"] == {"turn.words": 4}


def test_a_tenant_that_does_not_exist_is_named_and_exits_2(broken: str) -> None:
    code, output = printed(broken, "--tenant", "acne")
    assert code == 2
    assert "no overlay for the tenant 'acne'; these have: acme" in output


def test_a_policy_that_cannot_be_read_exits_2(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BROKEN.replace("route: fast, when", "route: fats, when"))
    code, output = printed(str(file))
    assert code == 2
    assert "unknown engine 'fats', did you mean 'fast'?" in output


def test_without_proofs_it_says_what_was_not_ruled_out() -> None:
    code, output = printed(str(shipped("default.yaml")), "--no-proof")
    assert code == 0
    assert "Nothing was proved" in output
    assert "whether the properties hold" in output
    assert "pip install" not in output


def test_a_missing_prover_fails_a_policy_with_properties_and_says_how_to_get_it(without_prover: None) -> None:
    code, output = printed(str(shipped("default.yaml")))
    assert code == 1
    assert "not proved, the prover is not installed" in output
    assert "pip install 'patchbay[proof]'" in output
    assert printed(str(shipped("reference.yaml")))[0] == 0
