"""service.doctor: every way a machine can be set up, asked through probes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from policies.document import DocumentError, Problem
from service.doctor import KEYS, Finding, Probes, Status, examine, exit_code, findings_json, findings_table

pytestmark = pytest.mark.unit
SECRET = "sk-not-a-real-key-0123456789"
STATE = Path("state")
FULL = {
    "OPENAI_API_KEY": SECRET,
    "DEEPGRAM_API_KEY": SECRET,
    "ELEVEN_API_KEY": SECRET,
    "GOOGLE_API_KEY": SECRET,
    "LIVEKIT_URL": f"wss://{SECRET}.example",
    "LIVEKIT_API_KEY": SECRET,
    "LIVEKIT_API_SECRET": SECRET,
}


def machine(
    *, python: tuple[int, int] = (3, 11), modules: bool = True, programs: bool = True, files: bool = True
) -> Probes:
    return Probes(
        python=python,
        importable=lambda _: modules,
        program=lambda name: name if programs else None,
        is_file=lambda _: files,
        writable=lambda _: files,
    )


def found(environment: Mapping[str, str], name: str, probes: Probes | None = None) -> Finding:
    findings = examine(
        environment,
        state=STATE,
        models={"emotion": Path("model.onnx")},
        keys=KEYS,
        probes=probes or machine(),
    )
    return next(finding for finding in findings if finding.name == name)


def test_a_fully_configured_machine_is_all_ok() -> None:
    findings = examine(FULL, state=STATE, documents={"policy": lambda: None}, probes=machine())
    assert {finding.status for finding in findings} == {Status.OK}
    assert not any(finding.to_do for finding in findings)
    assert exit_code(findings) == 0


def test_an_empty_environment_runs_on_the_lab_and_is_no_problem() -> None:
    findings = examine({}, state=STATE, probes=machine(programs=False))
    assert exit_code(findings) == 0
    for vendor in ("OpenAI", "Deepgram", "ElevenLabs"):
        finding = found({}, vendor)
        assert finding.status is Status.MISSING
        assert "Run on the lab instead, simulated" in finding.means
        assert "answers rooms only with `--simulated`" in finding.means


def test_a_missing_key_of_a_vendor_that_the_lab_does_not_speak_for_is_a_problem() -> None:
    finding = found({}, "Google")
    assert finding.status is Status.PROBLEM
    assert "the lab cannot stand in" in finding.means
    assert finding.to_do == "Set GOOGLE_API_KEY to use Google."


@pytest.mark.parametrize(
    ("mistaken", "vendor", "right"),
    [("ELEVENLABS_API_KEY", "ElevenLabs", "ELEVEN_API_KEY"), ("GEMINI_API_KEY", "Google", "GOOGLE_API_KEY")],
)
def test_a_key_under_a_name_that_the_plugin_does_not_read_is_pointed_out(
    mistaken: str, vendor: str, right: str
) -> None:
    finding = found({mistaken: SECRET}, vendor)
    assert finding.status is not Status.OK
    assert finding.to_do == f"{mistaken} is set, but the plugin reads {right}: set that one."


@pytest.mark.parametrize("value", ["", "   ", "\n"])
def test_a_blank_key_is_a_missing_key(value: str) -> None:
    assert found({"OPENAI_API_KEY": value}, "OpenAI").status is Status.MISSING


def test_a_key_with_a_line_end_is_a_problem() -> None:
    assert found({"OPENAI_API_KEY": f"{SECRET}\n"}, "OpenAI").status is Status.PROBLEM


def test_livekit_configured_by_half_is_a_problem() -> None:
    finding = found({"LIVEKIT_URL": "wss://rooms.example", "LIVEKIT_API_KEY": SECRET}, "LiveKit rooms")
    assert finding.status is Status.PROBLEM
    assert "LIVEKIT_API_SECRET is not set" in finding.means


def test_a_livekit_address_that_is_none_is_a_problem() -> None:
    assert found(FULL | {"LIVEKIT_URL": "rooms.example"}, "LiveKit rooms").status is Status.PROBLEM


def test_a_wrong_document_lists_every_place() -> None:
    def load() -> None:
        raise DocumentError("policy.yaml", [Problem(3, 5, "unknown key"), Problem(9, 1, "must be text")])

    findings = examine({}, state=STATE, documents={"policy.yaml": load}, probes=machine())
    finding = next(finding for finding in findings if finding.name == "policy.yaml")
    assert finding.means == "policy.yaml:3:5: unknown key\npolicy.yaml:9:1: must be text"
    assert exit_code(findings) == 1


def test_missing_models_and_an_unwritable_state_folder_are_problems() -> None:
    probes = machine(files=False)
    assert found({}, "emotion model", probes).status is Status.PROBLEM
    assert found({}, "state folder", probes).status is Status.PROBLEM


@pytest.mark.parametrize(("python", "status"), [((3, 10), "problem"), ((3, 13), "ok"), ((3, 14), "problem")])
def test_only_supported_pythons_are_ok(python: tuple[int, int], status: str) -> None:
    assert found({}, "Python", machine(python=python)).status == status


def test_the_lab_and_the_programs_around_it_are_optional() -> None:
    findings = examine({}, state=STATE, probes=machine(modules=False, programs=False))
    optional = [
        one
        for one in findings
        if one.name.startswith("lab:") or one.name in ("flite", "go", "livekit-server")
    ]
    assert len(optional) == 6
    assert {one.status for one in optional} == {Status.MISSING}
    assert all(one.to_do.endswith(".") for one in optional)


def test_no_value_of_the_environment_is_ever_shown() -> None:
    for environment in (FULL, {name: f" {value} " for name, value in FULL.items()}):
        findings = examine(environment, state=STATE, probes=machine())
        out = StringIO()
        Console(file=out, width=100).print(findings_table(findings))
        assert SECRET not in out.getvalue()
        assert SECRET not in json.dumps(findings_json(findings))


def test_the_table_fits_eighty_columns_and_the_json_says_its_schema() -> None:
    findings = examine({}, state=STATE, probes=machine(programs=False))
    out = StringIO()
    Console(file=out, width=80).print(findings_table(findings))
    assert all(len(line) <= 80 for line in out.getvalue().splitlines())
    value = findings_json(findings)
    assert (value["schema"], value["ok"]) == ("patchbay.doctor/1", True)
    assert set(value["findings"][0]) == {"name", "status", "means", "to_do"}


def test_the_real_probes_answer_for_this_machine(tmp_path: Path) -> None:
    probes = Probes()
    assert probes.importable("json")
    assert not probes.importable("no_such_module_anywhere")
    assert probes.writable(tmp_path / "not" / "yet" / "there")
    (tmp_path / "file").touch()
    assert not probes.writable(tmp_path / "file")
    assert not probes.is_file(tmp_path)
    assert probes.python >= (3, 11)
