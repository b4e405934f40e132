"""Settings: what a deployment sets in the environment."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from compliance.consent import Disclosures
from service.settings import Settings

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PATCHBAY_{name.upper()}", raising=False)


def test_without_any_setting_the_shipped_files_are_used() -> None:
    settings = Settings()
    for path in (settings.policy, settings.catalogue, settings.prices, settings.disclosures):
        assert path.is_file()
    for folder in (settings.emotion_model, settings.tool_need_model):
        assert folder.is_dir()
    assert settings.tool_servers() == ()
    assert not settings.consent_voice_ai


def test_every_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBAY_POLICY", "mine.yaml")
    monkeypatch.setenv("PATCHBAY_MCP", " http://a/mcp , ,http://b/mcp,")
    monkeypatch.setenv("PATCHBAY_STAND_INS", '{"openai": "http://127.0.0.1:1/v1"}')
    monkeypatch.setenv("PATCHBAY_CONSENT_VOICE_AI", "true")
    monkeypatch.setenv("PATCHBAY_CONSENT_EMOTION", "false")
    monkeypatch.setenv("PATCHBAY_TENANT", "acme")
    monkeypatch.setenv("PATCHBAY_REGION", "ch")
    settings = Settings()
    assert settings.policy == Path("mine.yaml")
    assert settings.tool_servers() == ("http://a/mcp", "http://b/mcp")
    assert settings.stand_ins == {"openai": "http://127.0.0.1:1/v1"}
    assert settings.consent_voice_ai
    assert (settings.consent_emotion, settings.consent_recording) == (False, False)
    assert (settings.region, settings.tenant) == ("ch", "acme")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REGION", "mars"),
        ("JURISDICTION", "us-ca"),
        ("BUDGET_USD", "0"),
        ("CALLS_PER_WORKER", "-1"),
        ("STAND_INS", "not json"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"PATCHBAY_{name}", value)
    with pytest.raises((ValidationError, ValueError), match=name.lower()):
        Settings()


def test_what_a_line_wants_and_whose_law_it_keeps_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBAY_REGION", "us")
    monkeypatch.setenv("PATCHBAY_JURISDICTION", "us-ca")
    monkeypatch.setenv("PATCHBAY_CONSENT_RECORDING", "true")
    settings = Settings()
    assert settings.wanted() == {"recording", "emotion"}
    assert settings.rules(Disclosures.load(settings.disclosures)).jurisdiction == "us-ca"
    assert (
        Settings(region="eu", jurisdiction="").rules(Disclosures.load(settings.disclosures)).jurisdiction
        == "eu"
    )


def test_a_policy_is_a_path_or_a_safe_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBAY_POLICY", "https://policies.example.com/support.bundle.json")
    assert Settings().policy == "https://policies.example.com/support.bundle.json"
    monkeypatch.setenv("PATCHBAY_POLICY", "http://policies.example.com/support.bundle.json")
    with pytest.raises(ValidationError, match="over https"):
        Settings()


def test_accepted_policies_are_kept_beside_the_ledger_unless_another_place_is_named() -> None:
    assert Settings(ledger="kept/ledger.sqlite").policy_folder() == Path("kept/policies")
    assert Settings(ledger="postgresql://db/calls").policy_folder() == Path(".patchbay/policies")
    assert Settings(policy_cache=Path("elsewhere")).policy_folder() == Path("elsewhere")


def test_settings_do_not_change_during_a_call() -> None:
    with pytest.raises(ValidationError):
        Settings().queue = "other"  # type: ignore[misc]
