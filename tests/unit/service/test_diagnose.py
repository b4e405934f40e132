"""``patchbay doctor`` on a catalogue: which hosts it asks, which keys it sends, and what has no price."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.cli.diagnose import diagnose
from service.settings import Settings
from tests.whole_call import without_settings

pytestmark = pytest.mark.unit

OWN = "base_url: http://gpu.internal:8000/v1, keyless: true"
CATALOGUE = f"""\
version: 1
greeting: Hello.
instructions: Be brief.
transcriber: {{plugin: openai, model: whisper-large-v3, {OWN}}}
voices:
  house: {{plugin: openai, model: kokoro, {OWN}}}
engines:
  fast: {{kind: cascade, model: {{plugin: openai, model: llama, {OWN}}}, voices: [house]}}
"""


def findings(
    text: str, folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    without_settings(patch)
    catalogue = folder / "engines.yaml"
    catalogue.write_text(text, encoding="utf-8")
    diagnose(Settings(catalogue=catalogue, ledger=str(folder / "ledger.sqlite")), as_json=True)
    return {one["name"]: one for one in json.loads(capsys.readouterr().out)["findings"]}


def test_a_line_of_ones_own_asks_its_hosts_and_sends_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = findings(CATALOGUE + "hosts: [gpu.internal]\n", tmp_path, monkeypatch, capsys)
    assert found["hosts of engines"]["means"] == (
        "The catalogue's parts ask gpu.internal. No key is sent anywhere. The catalogue's `hosts` allow no others."
    )
    assert "OpenAI" not in found  # whose key nobody needs
    assert not [name for name in found if name.startswith("price of")]


def test_a_part_that_would_ask_another_host_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = CATALOGUE.replace(f"llama, {OWN}", "llama") + "hosts: [gpu.internal]\n"
    found = findings(text, tmp_path, monkeypatch, capsys)
    [problem] = [one for one in found.values() if "among `hosts`" in one["means"]]
    assert problem["status"] == "problem"
    assert problem["means"].endswith(
        "engines.yaml:8:32: api.openai.com is asked here, which is not among `hosts`"
    )


def test_keys_and_prices_go_by_the_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = CATALOGUE.replace(f"plugin: openai, model: llama, {OWN}", "preset: groq, model: llama-4")
    found = findings(text, tmp_path, monkeypatch, capsys)
    assert "api.groq.com, gpu.internal. Sent along: GROQ_API_KEY." in found["hosts of engines"]["means"]
    assert "GROQ_API_KEY" in found["groq"]["means"]
    assert "price of groq/llama-4" in found
