"""From a catalogue entry to the vendor's plugin: keys, stand-ins, servers, options."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest
from livekit.plugins import deepgram, elevenlabs, openai

from engines.component import Component
from engines.errors import EngineNotConfiguredError
from engines.keys import DOMAINS, HOSTS, KEY_ENVIRONMENT, NO_KEY, may_have
from engines.plugins import PLUGINS, Endpoint, Endpoints, build
from engines.presets import PRESETS
from engines.utterances import Utterances

pytestmark = pytest.mark.unit

MIND = Component("openai", "gpt-4.1-nano", MappingProxyType({"temperature": 0.3}))
LAB = Endpoint("lab", "http://127.0.0.1:1/v1", simulated=True)


def test_the_vendor_is_used_where_its_key_is_set() -> None:
    endpoints = Endpoints({"OPENAI_API_KEY": "key"}, {"openai": LAB})
    assert endpoints.of(MIND) == Endpoint("key")
    assert endpoints.simulated((MIND,)) == ()


def test_the_stand_in_is_used_where_there_is_no_key() -> None:
    for environment in ({}, {"OPENAI_API_KEY": ""}):
        endpoints = Endpoints(environment, {"openai": LAB})
        assert endpoints.of(MIND) == LAB
        assert endpoints.simulated((MIND, MIND)) == ("openai",)


@pytest.mark.parametrize(("plugin", "variable"), sorted(KEY_ENVIRONMENT.items()))
def test_a_missing_key_is_named(plugin: str, variable: str) -> None:
    with pytest.raises(EngineNotConfiguredError, match=f"set {variable}"):
        Endpoints({}).of(replace(MIND, plugin=plugin))


def test_every_plugin_has_a_key_variable() -> None:
    assert {plugin for role in PLUGINS.values() for plugin in role} == set(KEY_ENVIRONMENT)


def test_an_entry_with_a_server_and_a_key_of_its_own_uses_them() -> None:
    groq = replace(MIND, base_url="https://api.groq.com/openai/v1", api_key_env="GROQ_API_KEY")
    endpoints = Endpoints({"OPENAI_API_KEY": "not this one", "GROQ_API_KEY": "key"})
    assert endpoints.of(groq) == Endpoint("key", "https://api.groq.com/openai/v1")
    with pytest.raises(EngineNotConfiguredError, match="set GROQ_API_KEY"):
        Endpoints({"OPENAI_API_KEY": "not this one"}).of(groq)


OWN = replace(MIND, base_url="http://gpu.local/v1", keyless=True)


def test_a_server_that_takes_no_key_is_sent_none_whatever_is_set() -> None:
    everything = dict.fromkeys(KEY_ENVIRONMENT.values(), "secret")
    assert Endpoints(everything).of(OWN) == Endpoint(NO_KEY, "http://gpu.local/v1")


def test_a_vendors_key_is_not_sent_to_anothers_address_however_the_entry_was_made() -> None:
    stranger = replace(MIND, base_url="https://gpu.local/v1")
    with pytest.raises(
        EngineNotConfiguredError, match=r"OPENAI_API_KEY is not sent to https://gpu\.local/v1"
    ):
        Endpoints({"OPENAI_API_KEY": "secret"}).of(stranger)


def test_on_the_lab_alone_no_address_of_the_catalogue_is_reached() -> None:
    endpoints = Endpoints({"OPENAI_API_KEY": "key"}, {"openai": LAB}, lab_only=True)
    assert endpoints.of(OWN) == endpoints.of(MIND) == LAB
    assert endpoints.simulated((replace(OWN, billed_as="self-hosted"),)) == ("self-hosted",)


def test_every_vendor_has_a_host_and_every_vendors_key_a_domain() -> None:
    assert set(HOSTS) == set(KEY_ENVIRONMENT)
    keys = {*KEY_ENVIRONMENT.values(), *(preset.api_key_env for preset in PRESETS.values())}
    assert keys == set(DOMAINS)
    for plugin, host in HOSTS.items():
        assert may_have(f"https://{host}/v1", KEY_ENVIRONMENT[plugin])
    for preset in PRESETS.values():
        assert may_have(preset.base_url, preset.api_key_env)
        assert not may_have(preset.base_url, KEY_ENVIRONMENT[preset.plugin])


async def test_a_server_of_ones_own_is_what_the_plugin_talks_to(http: aiohttp.ClientSession) -> None:
    mind = build("llm", MIND, Endpoint("key", "https://example.com/v1"), http)
    assert isinstance(mind, openai.LLM)
    assert mind.model == "gpt-4.1-nano"
    assert str(mind._client.base_url) == "https://example.com/v1/"
    await mind.aclose()


@pytest.mark.parametrize(
    ("role", "plugin", "kind"),
    [
        ("stt", "deepgram", deepgram.STT),
        ("stt", "openai", Utterances),
        ("tts", "deepgram", deepgram.TTS),
        ("tts", "elevenlabs", elevenlabs.TTS),
        ("tts", "openai", openai.TTS),
        ("realtime", "openai", openai.realtime.RealtimeModel),
    ],
)
async def test_the_object_is_the_vendors_own(
    http: aiohttp.ClientSession, role: Any, plugin: str, kind: type[Any]
) -> None:
    made = build(role, replace(MIND, plugin=plugin, options=MappingProxyType({})), LAB, http)
    assert isinstance(made, kind)
    await made.aclose()


async def test_flux_is_another_protocol_of_deepgrams(http: aiohttp.ClientSession) -> None:
    flux = Component("deepgram", "flux-general-en", MappingProxyType({"eager_eot_threshold": 0.4}))
    made = build("stt", flux, Endpoint("lab", "http://127.0.0.1:1/deepgram/v1/listen"), http)
    assert isinstance(made, deepgram.STTv2)
    assert made._opts.endpoint_url == "http://127.0.0.1:1/deepgram/v2/listen"
    assert made.capabilities.streaming
    await made.aclose()


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # when google.genai is compiled
async def test_google_is_loaded_when_it_is_named(http: aiohttp.ClientSession) -> None:
    made = build("llm", Component("google", "gemini-2.5-flash", MappingProxyType({})), Endpoint("key"), http)
    assert made.model == "gemini-2.5-flash"
    await made.aclose()


async def test_a_realtime_model_takes_no_turns_and_writes_no_record(http: aiohttp.ClientSession) -> None:
    model = build("realtime", replace(MIND, options=MappingProxyType({})), LAB, http)
    assert model._opts.turn_detection is None
    assert model._opts.input_audio_transcription is None
    await model.aclose()


@pytest.mark.parametrize("role", ["llm", "tts", "realtime"])
async def test_an_option_the_plugin_does_not_know_is_refused_with_its_reason(
    http: aiohttp.ClientSession, role: Any
) -> None:
    wrong = replace(MIND, options=MappingProxyType({"temprature": 1.0}))
    with pytest.raises(
        EngineNotConfiguredError, match=r"openai \(gpt-4.1-nano\) cannot be built: .*temprature"
    ):
        build(role, wrong, LAB, http)
