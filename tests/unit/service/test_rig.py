"""What the lab can stand in for, where a key is missing."""

import pytest

from engines.catalogue import Catalogue
from policies import shipped
from service.cli.rig import simulated

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
