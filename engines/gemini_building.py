"""From a catalogue entry to a model of Google's: Gemini Live, or a language model.

Google's client lets the environment choose the address (``GOOGLE_GEMINI_BASE_URL``) and the service
(``GOOGLE_GENAI_USE_VERTEXAI``) wherever it is not told: here it always is.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from google.genai import types
from livekit.agents import APIConnectOptions
from livekit.plugins import google
from livekit.plugins.google.realtime import realtime_api as plugin

from engines.component import Component
from engines.gemini import GeminiModel
from engines.keys import HOSTS
from engines.trust import trust
from policies.document import did_you_mean

if TYPE_CHECKING:
    from engines.plugins import Endpoint

OWN_TRANSCRIPT, TEXT_ONLY = (
    "own_transcript",
    "text_only",
)  # as engines.plugins has them, which loads this late
OPTIONS = (
    "voice",
    "language",
    "temperature",
    "top_p",
    "top_k",
    "max_output_tokens",
    "enable_affective_dialog",
    "proactivity",
    OWN_TRANSCRIPT,
)
"""What an operator may set; the rest of the plugin's options is decided here, or no text, number or switch."""
_URL = f"https://{HOSTS['google']}"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class GeminiLLM(google.LLM):
    """The plugin's language model, which gives its address to requests only: the warm-up is one, too."""

    async def _prewarm_impl(self) -> None:
        config = types.ListModelsConfig(page_size=1, http_options=self._opts.http_options or None)
        await self._client.aio.models.list(config=config)


def build_gemini_llm(component: Component, endpoint: Endpoint) -> GeminiLLM:
    """The language model of ``component``.

    Raises:
        TypeError: an option is unknown, or is decided here.
        ValueError: it is to run on the lab, which has Gemini Live only.
    """
    if endpoint.simulated:
        raise ValueError("the lab stands in for Gemini Live only: set GOOGLE_API_KEY")
    options: dict[str, Any] = {**component.options}
    return GeminiLLM(
        model=component.model,
        api_key=endpoint.api_key,
        vertexai=False,
        http_options=types.HttpOptions(base_url=endpoint.base_url or _URL),
        **options,
    )


def build_gemini(component: Component, endpoint: Endpoint) -> GeminiModel:
    """The realtime model of ``component``.

    Raises:
        TypeError: an option is unknown.
        ValueError: it is asked for as a half-cascade.
    """
    options: dict[str, Any] = {**component.options}
    if options.pop(TEXT_ONLY, False):
        raise ValueError(
            "Gemini Live models answer in speech only: make it `kind: realtime`, or a half-cascade with openai"
        )
    for option in options:
        if option not in OPTIONS:
            raise TypeError(f"unknown option '{option}'{did_you_mean(option, OPTIONS)}")
    transcribed = options.pop(OWN_TRANSCRIPT, False)
    if not isinstance(transcribed, bool):
        raise TypeError(f"{OWN_TRANSCRIPT} is true or false: the model itself writes down what it heard")
    inner = plugin.RealtimeModel(
        model=component.model,
        api_key=endpoint.api_key,
        vertexai=False,
        **options,
        # Turns are taken on our side, and our recogniser writes the record: what the vendor hears is compared with it.
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=types.AutomaticActivityDetection(disabled=True)
        ),
        input_audio_transcription=types.AudioTranscriptionConfig() if transcribed else None,
        tool_behavior=types.Behavior.BLOCKING,
        conn_options=APIConnectOptions(max_retry=0),  # a connection that broke is not resumed but seeded anew
        http_options=_http_options(endpoint),
    )
    return GeminiModel(inner)


def _http_options(endpoint: Endpoint) -> types.HttpOptions:
    """Where, and on the TLS context that all share; Google's client would make three of its own."""
    context = trust()
    if endpoint.simulated and urlsplit(endpoint.base_url or "").hostname in _LOOPBACK:
        # The lab's certificate is its own, and made when it starts: nobody vouches for it.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return types.HttpOptions(
        base_url=endpoint.base_url or _URL,
        client_args={"verify": context},
        async_client_args={"ssl": context, "verify": context},
    )
