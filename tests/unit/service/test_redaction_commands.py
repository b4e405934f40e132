"""``patchbay redaction check``, ``try`` and ``schema``, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from service.cli.redaction.schema import schema_text

pytestmark = pytest.mark.unit

POLICY = "redaction: {name: mine, version: 1}\nentities:\n  PERSON: {action: surrogate}\n"


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(POLICY)
    monkeypatch.setenv("PATCHBAY_REDACTION", str(path))
    monkeypatch.setenv("COLUMNS", "200")
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["redaction", *arguments])


def test_a_policy_in_order_is_shown_with_what_it_does(policy: Path) -> None:
    result = run("check")

    assert result.exit_code == 0
    assert "mine version 1: nothing is wrong" in result.output
    assert "<PERSON_1>" in result.output


def test_a_policy_out_of_order_is_refused_where_it_is_wrong(policy: Path) -> None:
    policy.write_text(POLICY + "  CVV: {action: hash}\n")

    result = run("check", str(policy))
    as_json = run("check", "--json")

    assert result.exit_code == as_json.exit_code == 2
    assert f"{policy}:4:17: `hash` is not possible for CVV" in result.output
    assert [p["line"] for p in json.loads(as_json.stdout)["problems"]] == [4]


def test_json_tells_what_a_policy_does(policy: Path) -> None:
    told = json.loads(run("check", "--json").stdout)

    assert told["ok"] is True
    assert told["policy"]["entities"]["PERSON"] == {"action": "surrogate", "reveal": False, "because": ""}


def test_a_conversation_is_tried_and_says_why(policy: Path) -> None:
    result = run(
        "try",
        "--policy",
        str(policy),
        "agent: And the security code?",
        "caller: one two three",
        "my name is maria lopez",
    )

    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "caller <CVV>" in lines
    assert "CVV was asked for or announced: one two three" in lines
    assert "the recording is suspended from here on" in lines
    assert "caller my name is <PERSON_1>" in lines


def test_a_conversation_is_tried_as_json(policy: Path) -> None:
    (line,) = json.loads(run("try", "--json", "caller: write to ada@example.com").stdout)["lines"]

    assert line["text"] == "write to <EMAIL_ADDRESS>"
    assert line["spans"] == [{"start": 9, "end": 24, "entity": "EMAIL_ADDRESS"}]


def test_a_policy_out_of_order_is_not_tried(policy: Path) -> None:
    policy.write_text("redaction: 1\n")

    result = run("try", "hello")

    assert result.exit_code == 2
    assert f"{policy}:1:12: must be a mapping" in result.output


def test_an_empty_text_is_no_conversation(policy: Path) -> None:
    result = run("try", "  ")

    assert result.exit_code == 2
    assert "nothing to redact" in result.output


def test_the_schema_goes_where_it_is_wanted(tmp_path: Path) -> None:
    out = tmp_path / "schema.json"

    assert run("schema", "--out", str(out)).exit_code == 0
    assert out.read_text(encoding="utf-8") == schema_text() == run("schema").stdout
