"""``patchbay policy check``, ``schema``, ``fmt`` and ``test``, as they are typed."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

import router.layout
from engines.catalogue import Catalogue
from policies import shipped
from router import Policy
from service.cli import app
from service.cli.policy.check import check
from service.cli.policy.schema import schema_text
from tests.one_fixture import SHARED

pytestmark = pytest.mark.unit

POLICY = """\
policy: {name: mine, version: 7}

engines:
  fast: {fallback: [standard]}
  standard:

guards:
  - id: person
    when: call.asked_human
    force: standard
    because: asked for a person

rules:
  - id: short
    when: turn.chars < 50
    route: fast
    because: short
  - {id: otherwise, when: true, route: standard, because: nothing else}

overlays:
  acme: {disable: [short]}
"""
TESTS = """\
cases:
  - {name: short turns are quick, signals: {turn.chars: 9}, engine: fast}
  - {name: long turns are not, signals: {turn.chars: 90}, engine: standard}
"""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(POLICY)
    monkeypatch.setenv("PATCHBAY_POLICY", str(path))
    monkeypatch.setenv("COLUMNS", "200")
    return path


@pytest.fixture
def tests(policy: Path) -> Path:
    path = policy.with_name("mine.test.yaml")
    path.write_text(TESTS)
    return path


def patchbay(*arguments: str | Path, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(app, ["policy", *map(str, arguments)], input=stdin)


# -- check --------------------------------------------------------------------------------------------------
def test_check_says_what_a_policy_holds(policy: Path, tests: Path) -> None:
    result = patchbay("check")
    assert result.exit_code == 0
    assert f"✓ {policy}: mine, version 7, hash {Policy.load(policy).hash}\n" in result.output
    assert "2 engines, 1 guard, 2 rules\n" in result.output
    assert "tenants: acme\n" in result.output
    assert "tests: 2 tests in mine.test.yaml" in result.output


def test_check_says_where_tests_would_stand(policy: Path) -> None:
    assert "tests: none; they would stand in mine.test.yaml" in patchbay("check", policy).output


def test_check_lists_all_that_is_wrong_in_all_files(policy: Path, tests: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(POLICY.replace("turn.chars", "turn.chrs").replace("route: standard", "route: standrd"))
    tests.write_text(TESTS.replace("engine: fast", "engine: fst"))
    result = patchbay("check", policy, bad)
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"{tests}:2:69: unknown engine 'fst', did you mean 'fast'?",
        f"{bad}:15:11: unknown signal 'turn.chrs', did you mean 'turn.chars'?",
        f"{bad}:18:40: unknown engine 'standrd', did you mean 'standard'?",
    ]
    assert f"✗ {policy}: mine, version 7" in result.stdout
    assert "tests: mine.test.yaml cannot be used" in result.stdout
    assert f"✗ {bad} cannot be used" in result.stdout


def test_check_knows_the_engines_of_the_catalogue(policy: Path) -> None:
    policy.write_text(POLICY.replace("fast", "fats"))
    result = patchbay("check", policy)
    assert result.exit_code == 2
    assert f"{policy}:4:3: the engine catalogue has no 'fats', did you mean 'fast'?" in result.stderr


def test_check_goes_on_without_a_catalogue_that_cannot_be_read(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHBAY_CATALOGUE", str(tmp_path / "none.yaml"))
    result = patchbay("check", policy)
    assert result.exit_code == 2
    assert "none.yaml:1:1: cannot be read" in result.stderr
    assert f"✓ {policy}" in result.stdout


def test_a_file_of_tests_stands_for_the_policy_beside_it(policy: Path, tests: Path) -> None:
    result = patchbay("check", policy, tests)
    assert result.exit_code == 0
    assert result.output.count("✓") == 1


def test_check_as_json(policy: Path, tests: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("policy: 5\n")
    result = patchbay("check", policy, bad, "--json")
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert (found["schema"], found["ok"]) == ("patchbay.policy-checked/1", False)
    good, wrong = found["policies"]
    assert (good["ok"], good["name"], good["version"], good["rules"]) == (True, "mine", 7, 2)
    assert (good["tenants"], good["tests"]) == (["acme"], {"file": str(tests), "tests": 2})
    assert wrong == {"file": str(bad), "ok": False, "tests": None}
    assert {
        "file": str(bad),
        "line": 1,
        "column": 9,
        "message": "must be a mapping, is a whole number",
    } in found["problems"]


def test_the_shipped_policies_are_fine() -> None:
    result = patchbay("check", shipped("default.yaml"), shipped("reference.yaml"))
    assert result.exit_code == 0, result.output
    assert "tests: none" not in result.output


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | st.just(b"policy: &a [*a]"))
@settings(max_examples=60, deadline=None, suppress_health_check=SHARED)
def test_any_bytes_give_clean_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes) -> None:
    path = tmp_path / "p.yaml"
    for before in (b"", POLICY.encode()):
        path.write_bytes(before + data)
        status = check([path], catalogue=shipped("engines.yaml"), as_json=False)
        errors = capsys.readouterr().err.splitlines()
        assert status == (2 if errors else 0)
        assert all(line.startswith(f"{path}:") for line in errors), errors


# -- schema -------------------------------------------------------------------------------------------------
def test_the_schema_that_ships_is_the_one_of_the_shipped_catalogue() -> None:
    made = schema_text(Catalogue.load(shipped("engines.yaml")).engines)
    stands = shipped("policy.schema.json").read_text(encoding="utf-8")
    assert stands == made, "run `patchbay policy schema --out policies/policy.schema.json`"


@pytest.mark.parametrize("name", ["default.yaml", "reference.yaml"])
def test_the_shipped_policies_name_it(name: str) -> None:
    first = shipped(name).read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=policy.schema.json"


def test_the_schema_knows_the_engines_of_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = tmp_path / "engines.yaml"
    text = shipped("engines.yaml").read_text(encoding="utf-8")
    catalogue.write_text(text.replace("\n  fast:\n", "\n  quick:\n"))
    monkeypatch.setenv("PATCHBAY_CATALOGUE", str(catalogue))
    printed = patchbay("schema")
    assert printed.exit_code == 0
    assert json.loads(printed.stdout)["$defs"]["engine-name"]["enum"] == [
        "quick",
        "standard",
        "tool",
        "realtime",
    ]
    out = tmp_path / "s.json"
    assert patchbay("schema", "--out", out).exit_code == 0
    assert out.read_text() == printed.stdout


def test_a_schema_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    result = patchbay("schema", "--out", tmp_path / "no" / "s.json")
    assert result.exit_code == 2
    assert "cannot be written: No such file or directory" in result.stderr


# -- fmt ----------------------------------------------------------------------------------------------------
UNTIDY = POLICY.replace("\n\nengines", "\nengines").replace("  - id: short\n", "  - id:   short # quick\n")
TIDY = POLICY.replace("  - id: short\n", "  - id: short  # quick\n")


def test_fmt_lays_out_in_place_and_keeps_the_mode(policy: Path) -> None:
    policy.write_text(UNTIDY)
    policy.chmod(0o640)
    result = patchbay("fmt", policy)
    assert result.exit_code == 0
    assert f"{policy}: is laid out anew" in result.output
    assert policy.read_text() == TIDY
    assert stat.S_IMODE(policy.stat().st_mode) == 0o640
    assert [path.name for path in policy.parent.iterdir()] == ["mine.yaml"]
    again = patchbay("fmt", policy)
    assert (again.exit_code, again.output.strip()) == (0, f"{policy}: laid out already")


def test_fmt_follows_a_link(policy: Path, tmp_path: Path) -> None:
    policy.write_text(UNTIDY)
    link = tmp_path / "link.yaml"
    link.symlink_to(policy)
    assert patchbay("fmt", link).exit_code == 0
    assert link.is_symlink()
    assert policy.read_text() == TIDY


def test_fmt_check_changes_nothing_and_exits_1(policy: Path) -> None:
    assert patchbay("fmt", "--check").exit_code == 0
    policy.write_text(UNTIDY)
    result = patchbay("fmt", "--check")
    assert result.exit_code == 1
    assert "would be laid out anew" in result.output
    assert policy.read_text() == UNTIDY


def test_fmt_diff_shows_what_would_change(policy: Path) -> None:
    policy.write_text(UNTIDY)
    result = patchbay("fmt", "--diff", policy)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "-  - id:   short # quick" in lines
    assert "+  - id: short  # quick" in lines
    assert policy.read_text() == UNTIDY


def test_fmt_from_standard_input_to_standard_output() -> None:
    result = patchbay("fmt", "--stdin", stdin=UNTIDY)
    assert (result.exit_code, result.stdout) == (0, TIDY)
    assert patchbay("fmt", "--stdin", "--check", stdin=UNTIDY).exit_code == 1
    assert patchbay("fmt", "--stdin", "--check", stdin=TIDY).exit_code == 0
    bad = patchbay("fmt", "--stdin", stdin="rules: [\n")
    assert bad.exit_code == 2
    assert bad.stderr.startswith("<stdin>:2:1: ")
    assert bad.stdout == ""


@pytest.mark.parametrize("change", [("version: 7", "version: 8"), ("# quick", "")])
def test_fmt_writes_nothing_that_says_something_else(
    policy: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str]
) -> None:
    write = router.layout.write
    monkeypatch.setattr(router.layout, "write", lambda *given: write(*given).replace(*change))
    policy.write_text(UNTIDY)
    result = patchbay("fmt", policy)
    assert result.exit_code == 2
    assert f"{policy}:1:1: cannot be laid out without changing it" in result.stderr
    assert policy.read_text() == UNTIDY


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_fmt_writes_line_ends_in_one_way(policy: Path, ends: str) -> None:
    policy.write_bytes(POLICY.replace("\n", ends).encode())
    assert patchbay("fmt").exit_code == 0
    assert policy.read_bytes() == POLICY.encode()


def test_fmt_leaves_what_it_cannot_lay_out_and_goes_on(policy: Path, tmp_path: Path) -> None:
    policy.write_text(UNTIDY)
    bad, binary = tmp_path / "bad.yaml", tmp_path / "binary.yaml"
    bad.write_text("policy: {name: !!str x}\n")
    binary.write_bytes(b"\xff\xfe")
    result = patchbay("fmt", bad, binary, tmp_path / "none.yaml", policy)
    assert result.exit_code == 2
    assert f"{bad}:1:16: a tag has no place in a policy" in result.stderr
    assert f"{binary}:1:1: cannot be read: is not UTF-8 text" in result.stderr
    assert "none.yaml:1:1: cannot be read: No such file or directory" in result.stderr
    assert bad.read_text() == "policy: {name: !!str x}\n"
    assert policy.read_text() == TIDY


# -- test ---------------------------------------------------------------------------------------------------
def test_the_tests_beside_a_policy_are_run(policy: Path, tests: Path) -> None:
    for result in (patchbay("test"), patchbay("test", tests), patchbay("test", "--policy", policy)):
        assert result.exit_code == 0, result.output
        assert "✓ 2 tests passed" in result.stdout
        assert "mine, version 7, hash" in result.stdout


def test_what_no_test_reaches_is_named_with_its_place(policy: Path, tests: Path) -> None:
    result = patchbay("test")
    assert "Coverage: 2 of 4 (50 %)" in result.stdout
    assert f"{policy}:8:5: no test reaches guard person" in result.stdout
    assert f"{policy}:21:3: no test reaches tenant acme" in result.stdout


def test_too_little_coverage_fails(tests: Path) -> None:
    assert patchbay("test", "--coverage-min", "50").exit_code == 0
    result = patchbay("test", "--coverage-min", "50.1")
    assert result.exit_code == 1
    assert f"{tests}: 50 % is covered, and 50.1 % is asked for" in result.stderr


def test_a_test_that_fails_shows_what_was_tried_with_the_values_that_decided(tests: Path) -> None:
    tests.write_text(
        TESTS.replace("turn.chars: 9}, engine: fast", "turn.chars: 60}, engine: fast, rule: short")
    )
    result = patchbay("test")
    assert result.exit_code == 1
    assert f"✗ {tests}:2:5: short turns are quick" in result.stdout
    assert "engine: expected fast, got standard, rule: expected short, got otherwise" in result.stdout
    assert "turn.chars < 50" in result.stdout
    assert "turn.chars 60" in result.stdout
    assert "✗ 1 of 2 tests failed" in result.stdout


def test_the_turn_of_a_scenario_that_fails_is_named(tests: Path) -> None:
    tests.write_text(
        "scenarios:\n  - {name: s, turns: [{engine: fast}, {signals: {turn.chars: 99}, engine: fast}]}\n"
    )
    result = patchbay("test")
    assert result.exit_code == 1
    assert "turn 2: engine: expected fast, got standard" in result.stdout
    assert "turn 1" not in result.stdout


def test_tests_can_be_run_against_another_policy(policy: Path, tests: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(POLICY.replace("turn.chars < 50", "turn.chars < 5"))
    assert patchbay("test", tests, "--policy", other).exit_code == 1
    loose = tmp_path / "loose.yaml"
    loose.write_text(TESTS)
    assert patchbay("test", loose, "--policy", policy).exit_code == 0
    result = patchbay("test", loose)
    assert result.exit_code == 2
    assert "say with --policy what this file tests" in result.stderr


def test_tests_as_json(policy: Path, tests: Path) -> None:
    tests.write_text(TESTS.replace("engine: fast", "engine: standard"))
    result = patchbay("test", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["schema"], found["ok"]) == ("patchbay.policy-tested/1", False)
    (file,) = found["files"]
    assert (file["file"], file["failed"], file["policy"]["hash"]) == (str(tests), 1, Policy.load(policy).hash)
    failed, passed = file["tests"]
    assert (failed["passed"], passed["passed"], failed["line"]) == (False, True, 2)
    (turn,) = failed["turns"]
    assert turn["wrong"] == [{"what": "engine", "expected": "standard", "got": "fast"}]
    assert turn["tried"][-1] == ["short", "matched: fast"]
    assert file["coverage"]["percent"] == 50.0
    assert [item["id"] for item in file["coverage"]["missed"]] == ["person", "acme"]


def test_results_as_junit_xml(tests: Path, tmp_path: Path) -> None:
    text = TESTS.replace("engine: standard", "engine: fast")
    tests.write_text(text.replace("short turns are quick", r'"a <b> & \a"'))
    out = tmp_path / "junit.xml"
    assert patchbay("test", "--junit", out).exit_code == 1
    root = ElementTree.parse(out).getroot()  # noqa: S314 - written here
    (suite,) = root
    assert root.tag == "testsuites"
    assert (suite.tag, suite.get("name")) == ("testsuite", str(tests))
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["2", "1", "0", "0"]
    passed, failed = suite
    assert (passed.tag, passed.get("name"), len(passed)) == ("testcase", "a <b> & #x07", 0)
    assert float(failed.get("time", "")) >= 0
    assert failed.get("classname", "").endswith(".mine.test")
    (failure,) = failed
    assert (failure.tag, failure.get("message")) == ("failure", "engine: expected fast, got standard")
    assert "turn.chars < 50" in (failure.text or "")


def test_files_that_cannot_be_used_are_told_and_the_others_are_run(policy: Path, tests: Path) -> None:
    bad = tests.with_name("bad.test.yaml")
    bad.write_text(TESTS)  # there is no bad.yaml
    result = patchbay("test", bad, tests)
    assert result.exit_code == 2
    assert "bad.yaml:1:1: cannot be read" in result.stderr
    assert "✓ 2 tests passed" in result.stdout
    tests.write_text(TESTS.replace("engine: fast", "engine: fst"))
    again = patchbay("test")
    assert again.exit_code == 2
    assert f"{tests}:2:69: unknown engine 'fst', did you mean 'fast'?" in again.stderr


def test_a_policy_without_tests_is_told(policy: Path) -> None:
    result = patchbay("test")
    assert result.exit_code == 2
    assert "mine.test.yaml:1:1: cannot be read: No such file or directory" in result.stderr


def test_the_shipped_tests_reach_everything() -> None:
    result = patchbay(
        "test", shipped("default.test.yaml"), shipped("reference.test.yaml"), "--coverage-min", "100"
    )
    assert result.exit_code == 0, result.output
