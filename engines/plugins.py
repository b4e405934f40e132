"""From a catalogue entry to the unmodified vendor plugin object, against the vendor or another server.

Where a provider's key is missing the caller may give a stand-in :class:`Endpoint` (the lab on loopback); the
plugin is the same either way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import aiohttp
from livekit.agents import llm, stt, tts
from livekit.plugins import deepgram, elevenlabs, openai
from openai.types.realtime import AudioTranscription

from engines.component import Component, Role
from engines.errors import EngineNotConfiguredError
from policies.document import did_you_mean

KEY_ENVIRONMENT: Mapping[str, str] = {
    "openai": "OPENAI_API_KEY",
    "deepgram": "DEEPGRAM_API_KEY",
    "elevenlabs": "ELEVEN_API_KEY",
    "google": "GOOGLE_API_KEY",
}
"""The environment variable each plugin reads its key from (the plugins' own documentation)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider answers. ``simulated`` marks the lab, and is printed beside every figure."""

    api_key: str
    base_url: str | None = None
    simulated: bool = False


class Endpoints:
    """Which endpoint each component uses: the vendor where its key is set, else the stand-in.

    Args:
        environment: the process's environment; keys are read from nowhere else.
        stand_ins: endpoints by plugin name for providers without a key.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, stand_ins: Mapping[str, Endpoint] | None = None
    ) -> None:
        self._environment = os.environ if environment is None else environment
        self._stand_ins = dict(stand_ins or {})

    def of(self, component: Component) -> Endpoint:
        """The endpoint of ``component``.

        Raises:
            EngineNotConfiguredError: no key is set and there is no stand-in.
        """
        variable = component.api_key_env or KEY_ENVIRONMENT[component.plugin]
        if key := self._environment.get(variable):
            return Endpoint(key, component.base_url)
        if component.plugin in self._stand_ins:
            return self._stand_ins[component.plugin]
        raise EngineNotConfiguredError(
            f"{component.plugin} ({component.model}) has no key: set {variable}, "
            "or install the lab (`uv sync --extra lab`) to run it on loopback without one"
        )

    def simulated(self, components: tuple[Component, ...]) -> tuple[str, ...]:
        """The plugins that run on a simulated endpoint, sorted."""
        return tuple(sorted({part.plugin for part in components if self.of(part).simulated}))


OWN_TRANSCRIPT = "own_transcript"
"""An option of a realtime model: the vendor's model that writes down what the engine itself heard."""

TEXT_ONLY = "text_only"
"""Set for a half-cascade: the realtime model answers in text, and a voice of ours speaks it."""

_Builder = Callable[[Component, Endpoint, aiohttp.ClientSession], Any]


def _common(component: Component, endpoint: Endpoint) -> dict[str, Any]:
    url = {"base_url": endpoint.base_url} if endpoint.base_url else {}
    return {"model": component.model, "api_key": endpoint.api_key, **url, **component.options}


def _openai_llm(component: Component, endpoint: Endpoint, _: aiohttp.ClientSession) -> llm.LLM[Any]:
    return openai.LLM(**_common(component, endpoint))


def _google_llm(component: Component, endpoint: Endpoint, _: aiohttp.ClientSession) -> llm.LLM[Any]:
    from livekit.plugins import google  # its client is large, and most catalogues do not name it

    options = {**component.options}
    return google.LLM(model=component.model, api_key=endpoint.api_key, **options)  # type: ignore[arg-type]


def _openai_tts(component: Component, endpoint: Endpoint, _: aiohttp.ClientSession) -> tts.TTS[Any]:
    return openai.TTS(**{"response_format": "pcm", **_common(component, endpoint)})


def _elevenlabs_tts(component: Component, endpoint: Endpoint, http: aiohttp.ClientSession) -> tts.TTS[Any]:
    return elevenlabs.TTS(**{"encoding": "pcm_24000", **_common(component, endpoint), "http_session": http})


def _deepgram_stt(component: Component, endpoint: Endpoint, http: aiohttp.ClientSession) -> stt.STT[Any]:
    return deepgram.STT(**_common(component, endpoint), http_session=http)


def _deepgram_tts(component: Component, endpoint: Endpoint, http: aiohttp.ClientSession) -> tts.TTS[Any]:
    return deepgram.TTS(**_common(component, endpoint), http_session=http)


def _openai_realtime(
    component: Component, endpoint: Endpoint, http: aiohttp.ClientSession
) -> llm.RealtimeModel:
    known = {*signature(openai.realtime.RealtimeModel).parameters, OWN_TRANSCRIPT, TEXT_ONLY}
    for option in component.options:  # its constructor takes any name, and drops those it does not know
        if option not in known:
            raise TypeError(f"unknown option '{option}'{did_you_mean(option, known)}")
    options = _common(component, endpoint)
    transcribed_by = options.pop(OWN_TRANSCRIPT, None)
    if options.pop(TEXT_ONLY, False):
        options["modalities"] = ["text"]
    # Turns are taken on our side, and our recogniser writes the record: what the vendor hears is compared with it.
    return openai.realtime.RealtimeModel(
        **options,
        turn_detection=None,
        input_audio_transcription=AudioTranscription(model=transcribed_by) if transcribed_by else None,
        http_session=http,
    )


def _openai_decisions(
    component: Component, endpoint: Endpoint, _: aiohttp.ClientSession
) -> llm.DecisionModel:
    return openai.DecisionModel(**_common(component, endpoint))


PLUGINS: Mapping[Role, Mapping[str, _Builder]] = {
    "stt": {"deepgram": _deepgram_stt},
    "llm": {"openai": _openai_llm, "google": _google_llm},
    "tts": {"elevenlabs": _elevenlabs_tts, "openai": _openai_tts, "deepgram": _deepgram_tts},
    "realtime": {"openai": _openai_realtime},
    "decisions": {"openai": _openai_decisions},
}


def build(role: Role, component: Component, endpoint: Endpoint, http: aiohttp.ClientSession) -> Any:
    """The plugin object for ``component``.

    Raises:
        EngineNotConfiguredError: the plugin refused its options; the message carries its reason.
    """
    try:
        return PLUGINS[role][component.plugin](component, endpoint, http)
    except (TypeError, ValueError) as error:
        raise EngineNotConfiguredError(
            f"{component.plugin} ({component.model}) cannot be built: {error}"
        ) from error
