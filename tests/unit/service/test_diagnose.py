"""``patchbay doctor`` on a catalogue: which hosts it asks, which keys it sends, and what has no price."""

import json
from pathlib import Path
from typing import Any

import pytest

from policies import shipped
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
    text: str, folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **settings: Any
) -> dict[str, Any]:
    without_settings(patch)
    catalogue = folder / "engines.yaml"
    catalogue.write_text(text, encoding="utf-8")
    diagnose(Settings(catalogue=catalogue, ledger=str(folder / "ledger.sqlite"), **settings), as_json=True)
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


def test_a_hedge_that_comes_after_the_engine_has_failed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hedged = f"{OWN}}}, voices: [house], first_reply_ms: 6000, hedge_ms: "
    slow = CATALOGUE.replace(f"{OWN}}}, voices: [house]}}", f"{hedged}4500}}")
    slow += f"  tool: {{kind: cascade, model: {{plugin: openai, model: llama, {OWN}}}, voices: [house]}}\n"
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "policy: {name: short, version: 1}\nengines: {fast: {}, tool: {}}\nlast_resort: fast\n"
        "answer_within_ms: 8000\n"
        "rules:\n  - {id: otherwise, when: 'true', route: fast, because: no other rule matched}\n"
    )
    found = findings(slow, tmp_path, monkeypatch, capsys, policy=policy)
    assert found["hedge of fast"]["to_do"].endswith("less than 4000.")
    soon = slow.replace("hedge_ms: 4500", "hedge_ms: 900")
    assert "hedge of fast" not in findings(soon, tmp_path, monkeypatch, capsys, policy=policy)


def test_a_model_that_is_priced_in_part_is_named_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    book = tmp_path / "prices.yaml"
    book.write_text(
        "version: 2\nas_of: today\nsource: x\nprices:\n  self-hosted/*: {audio_minutes: 0, characters: 0}\n"
        "  self-hosted/llama: {input_text_tokens: 1}\n"
    )
    found = findings(CATALOGUE, tmp_path, monkeypatch, capsys, prices=book)
    assert found["price of self-hosted/llama"]["means"].endswith(
        "as far as it is told in output text tokens."
    )


HEARING = """\
  heard: {kind: realtime, model: {plugin: openai, model: gpt-realtime}}
  branded: {kind: half_cascade, model: {plugin: openai, model: gpt-realtime}, voices: [house]}
  live: {kind: duplex, model: {plugin: openai, model: gpt-live-1}}
"""


def test_engines_by_which_a_vendor_hears_callers_who_were_not_asked_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = findings(CATALOGUE + HEARING, tmp_path, monkeypatch, capsys)
    named = {name: one for name, one in found.items() if name.startswith("consent for ")}
    assert set(named) == {"consent for heard", "consent for branded", "consent for live"}
    for one in named.values():
        assert one["means"].startswith("openai hears callers' voices by it")
        assert one["to_do"].startswith("Add `needs: [consent_voice_ai]` to its model in ")


def test_engines_that_ask_for_the_consent_or_hear_within_the_house_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asking = HEARING.replace("gpt-realtime}", "gpt-realtime, needs: [consent_voice_ai, consent_recording]}")
    asking = asking.replace("gpt-live-1}", "gpt-live-1, needs: consent_voice_ai}")
    own = f"  open: {{kind: realtime, model: {{plugin: openai, model: ultravox, {OWN}}}}}\n"
    found = findings(CATALOGUE + asking + own, tmp_path, monkeypatch, capsys)
    assert not [name for name in found if name.startswith("consent for ")]


def test_the_shipped_catalogue_gives_no_voice_away_without_consent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shipped("engines.yaml").read_text(encoding="utf-8")
    found = findings(text, tmp_path, monkeypatch, capsys)
    assert not [name for name in found if name.startswith("consent for ")]
