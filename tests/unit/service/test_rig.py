"""What the lab can stand in for, and when it does, where a key is missing."""

from pathlib import Path
from typing import Any

import pytest

from engines.catalogue import Catalogue
from policies import shipped
from service.cli.errors import CommandError
from service.cli.rig import rig, simulated
from service.settings import Settings
from tests.whole_call import without_settings

pytestmark = pytest.mark.unit

GOOGLE = "{plugin: google, model: gemini-2.5-flash-native-audio-preview-12-2025}"


def catalogue(*, mind: str = "", ears: str = "") -> Catalogue:
    """The shipped catalogue, with another mind for its fast engine or another model for its realtime one."""
    text = shipped("engines.yaml").read_text()
    for wanted, entry in (
        (mind, "{plugin: openai, model: gpt-4.1-nano, options: {temperature: 0.3}}"),
        (ears, "{plugin: openai, model: gpt-realtime, options: {voice: marin}, needs: [consent_voice_ai]}"),
    ):
        if wanted:
            assert entry in text
            text = text.replace(entry, wanted)
    return Catalogue.parse(text)


def test_all_of_the_shipped_catalogue() -> None:
    shipped_one = catalogue()
    assert all(simulated(shipped_one, part) for part in shipped_one.components())


def test_gemini_live_and_none_of_googles_other_models() -> None:
    live = catalogue(ears=GOOGLE)
    assert simulated(live, live.engines["realtime"].mind)
    written = catalogue(mind=GOOGLE)
    assert not simulated(written, written.engines["fast"].mind)
    assert simulated(written, written.engines["realtime"].mind)


# -- who answers where a key is missing ------------------------------------------------------------------------
async def test_rooms_are_not_answered_by_the_lab_because_a_key_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_settings(monkeypatch)
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    with pytest.raises(CommandError) as refused:
        async with rig(settings(tmp_path), tmp_path, may_simulate=False):
            pytest.fail("callers would hear a script")
    assert str(refused.value) == (
        "DEEPGRAM_API_KEY, ELEVEN_API_KEY are not set, and rooms are not answered by the lab, which only simulates "
        "deepgram, elevenlabs: set them (see `patchbay doctor`), or try the line without customers by "
        "`patchbay worker --simulated start`"
    )


async def test_what_is_simulated_by_a_setting_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_settings(monkeypatch)
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    named = settings(tmp_path, stand_ins=dict.fromkeys(("deepgram", "elevenlabs"), "http://127.0.0.1:9"))
    async with rig(named, tmp_path, may_simulate=False) as ready:
        assert ready == named


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(ledger=str(folder / "ledger.sqlite"), **more)
