"""Bad files, documents and settings given to `patchbay`: a clear word on what to do, exit status 2, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

import lab.process
import service.cli.rig
from lab.callers import recorded_calls
from policies import shipped
from service.cli import app
from tests.whole_call import KEYS, without_settings

pytestmark = pytest.mark.adversarial

BAD_POLICY = """\
policy: {name: broken, version: 1}
engines:
  fast: {fallback: [standart]}
  standard: {}
last_resort: nobody
rules:
  - {id: one, when: 'turn.count ==', route: fast, because: it is}
  - {id: one, when: 'true', route: quick, because: it is}
"""


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, no setting, an empty folder to work in; and no lab, for nothing here gets as far as that."""
    without_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    class NoLab:
        def __init__(self) -> None:
            raise AssertionError("what is wrong must be said before a lab is started")

    monkeypatch.setattr(lab.process, "LabProcess", NoLab)


def patchbay(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def refused(result: Result) -> str:
    """What a command said on standard error when it refused its input, and only there."""
    assert result.exit_code == 2, (result.output, result.exception)
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


def recording(path: Path) -> Path:
    """A recording that can be read."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(3200))
    return path


# -- audio ---------------------------------------------------------------------------------------------------


def test_a_recording_that_is_not_there_is_named() -> None:
    assert refused(patchbay("call", "missing.wav")) == "there is no file missing.wav; check the name\n"


def test_a_folder_is_not_a_recording(tmp_path: Path) -> None:
    assert "folder" in refused(patchbay("call", str(tmp_path))).replace("directory", "folder").lower()


@pytest.mark.parametrize("content", [b"", b"This is a letter, not a sound.", b"RIFF\x00\x00\x00\x00WAVE"])
def test_a_file_without_audio_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "letter.wav").write_bytes(content)
    assert "letter.wav" in refused(patchbay("call", "letter.wav"))


def test_a_recording_of_no_length_is_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "short.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
    assert "record it again" in refused(patchbay("call", "short.wav"))


# -- policy and catalogue --------------------------------------------------------------------------------------


def test_every_error_of_a_policy_is_listed_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.yaml").write_text(BAD_POLICY)
    monkeypatch.setenv("PATCHBAY_POLICY", "bad.yaml")
    recording(tmp_path / "a.wav")
    said = refused(patchbay("call", "a.wav")).splitlines()
    assert [line.split(": ")[0] for line in said] == [
        "bad.yaml:3:21",
        "bad.yaml:5:14",
        "bad.yaml:7:35",
        "bad.yaml:8:10",
        "bad.yaml:8:36",
    ]


def test_the_errors_of_all_documents_are_listed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "policy.yaml").write_text("policy: {name: p, version: 1}\nrules: 3\n")
    (tmp_path / "engines.yaml").write_text("version: 2\n")
    (tmp_path / "prices.yaml").write_text("- 1\n")
    for name, file in (("POLICY", "policy"), ("CATALOGUE", "engines"), ("PRICES", "prices")):
        monkeypatch.setenv(f"PATCHBAY_{name}", f"{file}.yaml")
    said = refused(patchbay("demo"))
    for file in ("policy.yaml:2:8:", "engines.yaml:1:10:", "prices.yaml:1:1:"):
        assert file in said


def test_an_unknown_plugin_is_said_with_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shipped("engines.yaml").read_text().replace("plugin: deepgram", "plugin: deepgrim")
    (tmp_path / "engines.yaml").write_text(text)
    monkeypatch.setenv("PATCHBAY_CATALOGUE", "engines.yaml")
    [line] = refused(patchbay("demo")).splitlines()
    assert line.startswith("engines.yaml:")
    assert "deepgrim" in line
    assert "deepgram" in line


def test_an_engine_that_the_catalogue_does_not_have_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shipped("engines.yaml").read_text().replace("\n  realtime:\n", "\n  speech:\n")
    (tmp_path / "engines.yaml").write_text(text)
    monkeypatch.setenv("PATCHBAY_CATALOGUE", "engines.yaml")
    said = refused(patchbay("demo"))
    assert "default.yaml:" in said
    assert "'realtime'" in said


@pytest.mark.parametrize("setting", ["POLICY", "CATALOGUE", "PRICES"])
def test_a_document_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv(f"PATCHBAY_{setting}", "nowhere.yaml")
    assert refused(patchbay("demo")).startswith("nowhere.yaml:1:1: cannot be read")


# -- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("demo",), ("call", "a.wav"), ("doctor",), ("worker", "start")])
def test_a_setting_that_makes_no_sense_is_named_in_a_line(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PATCHBAY_BUDGET_USD", "abc")
    [line] = refused(patchbay(*command)).splitlines()
    assert line.startswith("PATCHBAY_BUDGET_USD cannot be 'abc': ")


def test_every_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBAY_BUDGET_USD", "-1")
    monkeypatch.setenv("PATCHBAY_REGION", "moon")
    said = refused(patchbay("demo"))
    assert "PATCHBAY_BUDGET_USD" in said
    assert "PATCHBAY_REGION" in said


def test_a_setting_that_should_be_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBAY_STAND_INS", "http://here")
    assert refused(patchbay("demo")) == "PATCHBAY_STAND_INS is not JSON\n"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file/out cannot be made" in refused(patchbay("demo", "--out", "file/out"))


# -- keys and the lab ----------------------------------------------------------------------------------------------


def test_without_keys_and_without_the_lab_both_ways_out_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.cli.rig, "LAB_PARTS", ("no_such_module",))
    recording(tmp_path / "a.wav")
    said = refused(patchbay("call", "a.wav"))
    assert "uv sync --extra lab" in said
    for key in ("OPENAI_API_KEY", "DEEPGRAM_API_KEY", "ELEVEN_API_KEY"):
        assert key in said


def test_the_demo_needs_the_lab_whatever_keys_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.cli.rig, "LAB_PARTS", ("no_such_module",))
    for key in KEYS:
        monkeypatch.setenv(key, "sk-not-a-real-key")
    said = refused(patchbay("demo"))
    assert "uv sync --extra lab" in said
    assert "API_KEY" not in said


def with_google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = shipped("engines.yaml").read_text()
    text = text.replace("plugin: openai, model: gpt-4.1-nano", "plugin: google, model: gemini-2.5-flash")
    (tmp_path / "engines.yaml").write_text(text)
    monkeypatch.setenv("PATCHBAY_CATALOGUE", "engines.yaml")


def test_a_provider_that_the_lab_cannot_stand_in_for_needs_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_google(tmp_path, monkeypatch)
    recording(tmp_path / "a.wav")
    [line] = refused(patchbay("call", "a.wav")).splitlines()
    assert "set GOOGLE_API_KEY" in line


def test_the_doctor_finds_a_key_that_nothing_stands_in_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_google(tmp_path, monkeypatch)
    result = patchbay("doctor", "--json")
    assert result.exit_code == 1
    [problem] = [one for one in json.loads(result.stdout)["findings"] if one["status"] == "problem"]
    assert problem["to_do"] == "Set GOOGLE_API_KEY to use Google."


# -- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["nonsense", "01,nonsense", "01,,02"])
def test_calls_that_nobody_recorded_are_answered_with_the_list(names: str) -> None:
    said = refused(patchbay("demo", "--calls", names))
    for call in recorded_calls():
        assert call.name in said


@pytest.mark.parametrize("arguments", [("demo", "--at-once", "0"), ("call",), ("nonsense",)])
def test_arguments_that_make_no_sense_show_the_usage(arguments: tuple[str, ...]) -> None:
    assert "Usage" in refused(patchbay(*arguments))


# -- doctor ----------------------------------------------------------------------------------------------------------


def test_the_doctor_prints_json_and_nothing_else() -> None:
    result = patchbay("doctor", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    findings = {one["name"]: one["status"] for one in json.loads(result.stdout)["findings"]}
    assert [findings[vendor] for vendor in ("OpenAI", "Deepgram", "ElevenLabs")] == ["missing"] * 3


def test_the_doctor_sees_keys_and_never_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        monkeypatch.setenv(key, "sk-not-a-real-key")
    for arguments in (("doctor", "--json"), ("doctor",)):
        result = patchbay(*arguments)
        assert result.exit_code == 0
        assert "sk-not-a-real-key" not in result.output
    findings = {
        one["name"]: one["status"] for one in json.loads(patchbay("doctor", "--json").stdout)["findings"]
    }
    assert [findings[vendor] for vendor in ("OpenAI", "Deepgram", "ElevenLabs")] == ["ok"] * 3


def test_the_doctor_lists_the_errors_of_a_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.yaml").write_text(BAD_POLICY)
    monkeypatch.setenv("PATCHBAY_POLICY", "bad.yaml")
    result = patchbay("doctor", "--json")
    assert result.exit_code == 1
    assert "bad.yaml:8:36:" in result.stdout


# -- the command as a process -----------------------------------------------------------------------------------------


def test_a_process_that_refuses_its_input_says_so_and_ends_with_2() -> None:
    command = [sys.executable, "-c", "from service.cli import app; app()", "call", "missing.wav"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60)  # noqa: S603 -- our own command
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "there is no file missing.wav; check the name\n"
