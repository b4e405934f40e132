"""From a catalogue entry to the unmodified vendor plugin object, against the vendor or another server.

Where a provider's key is missing the caller may give a stand-in :class:`Endpoint` (the lab on loopback); the
plugin is the same either way.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from inspect import signature
from typing import Any, cast

import aiohttp
from livekit.agents import APIConnectOptions, inference, llm, stt, tts
from livekit.plugins import deepgram, elevenlabs, openai
from openai import AsyncOpenAI
from openai.types.realtime import AudioTranscription

from engines.component import Component, Role
from engines.errors import EngineNotConfiguredError
from engines.keys import HOSTS, NO_KEY, may_have, stays_home, variable_of
from engines.open_realtime import OpenRealtimeModel, realtime_address
from engines.openai_client import openai_client
from engines.options import VOICE_SETTINGS
from engines.transcriptions import Transcriptions
from engines.utterances import Utterances
from policies.document import did_you_mean


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider answers. ``simulated`` marks the lab, and is printed beside every figure."""

    api_key: str = field(repr=False)
    base_url: str | None = None
    simulated: bool = False


class Endpoints:
    """Which endpoint each component uses: the vendor where its key is set, else the stand-in.

    Args:
        environment: the process's environment; keys are read from nowhere else.
        stand_ins: endpoints by plugin name for providers without a key.
        lab_only: use the stand-ins for every provider, and reach no other address.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        stand_ins: Mapping[str, Endpoint] | None = None,
        *,
        lab_only: bool = False,
    ) -> None:
        self._environment = os.environ if environment is None else environment
        self._stand_ins = dict(stand_ins or {})
        self._lab_only = lab_only

    def of(self, component: Component) -> Endpoint:
        """The endpoint of ``component``.

        Raises:
            EngineNotConfiguredError: no key is set and there is no stand-in.
        """
        variable = variable_of(component)
        if not self._lab_only:
            if variable is None:
                return Endpoint(NO_KEY, component.base_url)
            if not stays_home(component):
                raise EngineNotConfiguredError(f"{variable} is not sent to {component.base_url}")
            if key := self._environment.get(variable):
                return Endpoint(key, component.base_url)
        if component.plugin in self._stand_ins:
            return self._stand_ins[component.plugin]
        to_do = "" if variable is None else f"set {variable}, or "
        raise EngineNotConfiguredError(
            f"{component.provider} ({component.model}) has no key: {to_do}"
            "install the lab (`uv sync --extra lab`) to run it on loopback without one"
        )

    def simulated(self, components: tuple[Component, ...]) -> tuple[str, ...]:
        """The providers that run on a simulated endpoint, sorted."""
        return tuple(sorted({part.provider for part in components if self.of(part).simulated}))


OWN_TRANSCRIPT = "own_transcript"
"""An option of a realtime model: the vendor's model that writes down what the engine itself heard."""

TEXT_ONLY = "text_only"
"""Set for a half-cascade: the realtime model answers in text, and a voice of ours speaks it."""

SPEAKS_ONLY = ("google",)
"""Plugins whose realtime models answer in speech only: none of them can be half a cascade."""
APPEND_ONLY = ("google",)
"""Plugins whose realtime models cannot take back what they were asked: they preview nothing."""

_Builder = Callable[[Component, Endpoint, aiohttp.ClientSession], Any]


def _common(component: Component, endpoint: Endpoint) -> dict[str, Any]:
    url = {"base_url": endpoint.base_url} if endpoint.base_url else {}
    return {"model": component.model, "api_key": endpoint.api_key, **url, **component.options}


OPENAI_URL = f"https://{HOSTS['openai']}/v1"
"""Where OpenAI answers, whatever address the environment (OPENAI_BASE_URL) would have its client ask."""


def _as_openai(component: Component, endpoint: Endpoint) -> dict[str, Any]:
    """The same for OpenAI's client, which would let the environment choose the address."""
    return {"base_url": OPENAI_URL, **_common(component, endpoint)}


def keep_account(endpoint: Endpoint, client: AsyncOpenAI) -> None:
    """Have ``client`` send the account that the environment describes to OpenAI and to nobody else."""
    if not may_have(endpoint.base_url, "OPENAI_API_KEY"):
        client.organization = client.project = None
        client._custom_headers = {}  # of OPENAI_CUSTOM_HEADERS


_OF_THE_CLIENT = ("max_retries", "timeout")
"""What some of OpenAI's plugins take for the client that they would make themselves."""


def _with_client(plugin: Callable[..., Any], endpoint: Endpoint, options: Mapping[str, Any]) -> Any:
    """``plugin`` with a client of ours, which it closes; the client keeps the account to whom it belongs."""
    taken = signature(plugin).parameters
    ours = {"api_key", "base_url", *(name for name in _OF_THE_CLIENT if name in taken)}
    client = openai_client(**{name: value for name, value in options.items() if name in ours})
    keep_account(endpoint, client)
    part = plugin(**{name: value for name, value in options.items() if name not in ours}, client=client)
    part._owns_client = True
    return part


def _openai_llm(component: Component, endpoint: Endpoint, _: aiohttp.ClientSession) -> llm.LLM[Any]:
    return cast("llm.LLM[Any]", _with_client(openai.LLM, endpoint, _as_openai(component, endpoint)))


def _google_llm(component: Component, endpoint: Endpoint, _: aiohttp.ClientSession) -> llm.LLM[Any]:
    # Its client is large, and most catalogues do not name it.
    from engines.gemini_building import build_gemini_llm

    return build_gemini_llm(component, endpoint)


def _openai_tts(component: Component, endpoint: Endpoint, _: aiohttp.ClientSession) -> tts.TTS[Any]:
    options = {"response_format": "pcm", **_as_openai(component, endpoint)}
    return cast("tts.TTS[Any]", _with_client(openai.TTS, endpoint, options))


def _elevenlabs_tts(component: Component, endpoint: Endpoint, http: aiohttp.ClientSession) -> tts.TTS[Any]:
    options = {"encoding": "pcm_24000", **_common(component, endpoint), "http_session": http}
    if (settings := options.get(VOICE_SETTINGS)) is not None:
        options[VOICE_SETTINGS] = elevenlabs.VoiceSettings(**settings)
    return elevenlabs.TTS(**options)


def _deepgram_stt(component: Component, endpoint: Endpoint, http: aiohttp.ClientSession) -> stt.STT[Any]:
    options = _common(component, endpoint)
    if not component.model.startswith("flux"):
        return deepgram.STT(**options, http_session=http)
    if address := options.get("base_url"):  # Flux answers beside the other models, under another version
        options["base_url"] = address.replace("/v1/listen", "/v2/listen")
    return deepgram.STTv2(**options, http_session=http)


def _openai_stt(component: Component, endpoint: Endpoint, _: aiohttp.ClientSession) -> stt.STT[Any]:
    recogniser = _with_client(Transcriptions, endpoint, _as_openai(component, endpoint))
    return Utterances(recogniser, inference.VAD())


def _deepgram_tts(component: Component, endpoint: Endpoint, http: aiohttp.ClientSession) -> tts.TTS[Any]:
    return deepgram.TTS(**_common(component, endpoint), http_session=http)


_ONCE_AGAIN = APIConnectOptions(max_retry=1, timeout=4.0)
"""A connection that was lost is tried once more; after that another engine is quicker."""


def is_full_duplex(component: Component) -> bool:
    """Whether a realtime model hears and speaks at the same time, and so takes turns by itself."""
    return component.plugin == "openai" and component.model.startswith("gpt-live")


def _openai_realtime(
    component: Component, endpoint: Endpoint, http: aiohttp.ClientSession
) -> llm.RealtimeModel:
    if is_full_duplex(component):
        live = openai.realtime.GPTLiveModel(
            **_as_openai(component, endpoint), http_session=http, conn_options=_ONCE_AGAIN
        )
        return llm.DuplexRealtimeAdapter(live)
    known = {*signature(openai.realtime.RealtimeModel).parameters, OWN_TRANSCRIPT, TEXT_ONLY}
    for option in component.options:  # its constructor takes any name, and drops those it does not know
        if option not in known:
            raise TypeError(f"unknown option '{option}'{did_you_mean(option, known)}")
    options = _as_openai(component, endpoint)
    transcribed_by = options.pop(OWN_TRANSCRIPT, None)
    if options.pop(TEXT_ONLY, False):
        options["modalities"] = ["text"]
    # Turns are taken on our side, and our recogniser writes the record: what the vendor hears is compared with it.
    at_openai = endpoint.simulated or may_have(endpoint.base_url, "OPENAI_API_KEY")
    model = openai.realtime.RealtimeModel if at_openai else OpenRealtimeModel
    if not at_openai:
        options["base_url"] = realtime_address(options["base_url"])
    return model(
        **options,
        turn_detection=None,
        input_audio_transcription=AudioTranscription(model=transcribed_by) if transcribed_by else None,
        http_session=http,
    )


def _google_realtime(component: Component, endpoint: Endpoint, _: aiohttp.ClientSession) -> llm.RealtimeModel:
    # Its client is large, and most catalogues do not name it.
    from engines.gemini_building import build_gemini

    return build_gemini(component, endpoint)


def _openai_decisions(
    component: Component, endpoint: Endpoint, _: aiohttp.ClientSession
) -> llm.DecisionModel:
    judge = _with_client(openai.DecisionModel, endpoint, _as_openai(component, endpoint))
    return cast("llm.DecisionModel", judge)


PLUGINS: Mapping[Role, Mapping[str, _Builder]] = {
    "stt": {"deepgram": _deepgram_stt, "openai": _openai_stt},
    "llm": {"openai": _openai_llm, "google": _google_llm},
    "tts": {"elevenlabs": _elevenlabs_tts, "openai": _openai_tts, "deepgram": _deepgram_tts},
    "realtime": {"openai": _openai_realtime, "google": _google_realtime},
    "decisions": {"openai": _openai_decisions},
}


_LARGE = {"google": "engines.gemini_building"}
"""Plugins whose clients take a second of work to load, and who loads them."""


def preload(parts: Iterable[Component]) -> None:
    """Load the clients that are large before a call needs them, as far as they can be."""
    for part in parts:
        if part.plugin in _LARGE and loadable(part):
            import_module(_LARGE[part.plugin])


def loadable(part: Component) -> bool:
    """Whether the client of ``part`` is loaded or can be: LiveKit's plugins refuse to be outside the main thread."""
    loaded = part.plugin not in _LARGE or _LARGE[part.plugin] in sys.modules
    return loaded or threading.current_thread() is threading.main_thread()


def build(role: Role, component: Component, endpoint: Endpoint, http: aiohttp.ClientSession) -> Any:
    """The plugin object for ``component``.

    Raises:
        EngineNotConfiguredError: the plugin refused its options; the message carries its reason.
    """
    try:
        return PLUGINS[role][component.plugin](component, endpoint, http)
    except (TypeError, ValueError) as error:
        raise EngineNotConfiguredError(
            f"{component.provider} ({component.model}) cannot be built: {error}"
        ) from error
