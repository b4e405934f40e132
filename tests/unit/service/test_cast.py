"""The engines of a call, built from the catalogue."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from livekit.agents import APITimeoutError

from engines.catalogue import Catalogue
from engines.errors import EngineNotConfiguredError
from engines.plugins import Endpoint, Endpoints
from engines.unfinished import Unread
from policies import shipped
from service.cast import Cast, cast
from tests.unit.engines.test_voiced import Voice

pytestmark = pytest.mark.unit

NOWHERE = Endpoints(
    {},
    {name: Endpoint("lab", "http://127.0.0.1:1/v1", True) for name in ("openai", "deepgram", "elevenlabs")},
)


async def test_every_engine_of_the_catalogue_is_built(http: aiohttp.ClientSession) -> None:
    made = cast(Catalogue.load(shipped("engines.yaml")), NOWHERE, http, lambda *used: None)
    assert list(made.cascades) == ["fast", "standard", "tool"]
    assert list(made.realtime) == ["realtime"]
    assert [engine.tools for engine in made.cascades.values()] == [False, True, True]
    assert made.cascades["tool"].first_reply_s == 6.0
    assert [ears.model for ears in made.transcribers] == ["nova-3", "gpt-4o-mini-transcribe"]
    assert made.transcriber.provider == "Deepgram"
    await made.aclose()


async def test_engines_with_the_same_voices_share_them(http: aiohttp.ClientSession) -> None:
    made = cast(Catalogue.load(shipped("engines.yaml")), NOWHERE, http, lambda *used: None)
    voices = {id(engine.voice) for engine in made.cascades.values()}
    assert len(voices) == 1
    assert len(made.voices) == 2
    await made.aclose()


async def test_what_a_voice_was_given_when_it_failed_is_billed_to_its_provider(
    http: aiohttp.ClientSession,
) -> None:
    billed: list[tuple[str, str, Any]] = []
    failures: list[tuple[str, str]] = []
    made = cast(
        Catalogue.load(shipped("engines.yaml")),
        NOWHERE,
        http,
        lambda *used: billed.append(used),
        on_voice_failed=lambda provider, error, action: failures.append((provider, action)),
    )

    async def nothing() -> AsyncIterator[str]:
        return
        yield

    voices = [voice.plugin for voice in made.cascades["fast"].voice._voices]
    assert [voice.capabilities.streaming for voice in voices] == [True, True]  # one a sentence at a time
    for voice in voices:
        voice.stream = Voice(lambda word: APITimeoutError()).stream  # type: ignore[method-assign]
    with pytest.raises(APITimeoutError):
        async for _ in made.cascades["fast"].voice.say("Good day.", nothing()):
            pass
    assert billed == [
        ("voice", "elevenlabs", Unread("eleven_flash_v2_5", 9)),
        ("voice", "openai", Unread("tts-1", 9)),
    ]
    assert failures == [("elevenlabs", "the next voice speaks"), ("openai", "no voice is left")]
    await made.aclose()


async def test_metrics_say_which_engine_and_plugin_they_come_from(http: aiohttp.ClientSession) -> None:
    seen: list[tuple[str, str]] = []
    made = cast(
        Catalogue.load(shipped("engines.yaml")),
        NOWHERE,
        http,
        lambda name, plugin, event: seen.append((name, plugin)),
    )
    event: Any = object()
    for engine in made.cascades.values():
        engine.mind.emit("metrics_collected", event)
    for ears in made.transcribers:
        ears.emit("metrics_collected", event)
    house = next(voice for voice in made.voices if voice.provider == "ElevenLabs")
    house.emit("metrics_collected", event)
    assert seen == [
        ("fast", "openai"),
        ("standard", "openai"),
        ("tool", "openai"),
        ("transcriber", "deepgram"),
        ("transcriber", "openai"),
        ("voice", "elevenlabs"),  # once, although it is in a chain
    ]
    await made.aclose()


async def test_a_missing_key_is_named_before_anything_is_connected(http: aiohttp.ClientSession) -> None:
    with pytest.raises(EngineNotConfiguredError, match="ELEVEN_API_KEY"):
        cast(Catalogue.load(shipped("engines.yaml")), Endpoints({}), http, lambda *used: None)


async def test_one_part_that_does_not_close_keeps_no_other_open(http: aiohttp.ClientSession) -> None:
    made: Cast = cast(Catalogue.load(shipped("engines.yaml")), NOWHERE, http, lambda *used: None)
    closed: list[str] = []

    async def fails() -> None:
        raise RuntimeError("stuck")

    async def closes() -> None:
        closed.append("transcriber")

    made.cascades["fast"].mind.aclose = fails  # type: ignore[method-assign]
    made.transcriber.aclose = closes  # type: ignore[method-assign]
    await made.aclose()
    assert closed == ["transcriber"]
