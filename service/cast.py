"""Builds the engines of one call from the catalogue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
from livekit.agents import llm, stt, tts

from engines.cascade import Cascade
from engines.catalogue import Catalogue
from engines.component import Component, Role
from engines.duplex import DuplexModel
from engines.gated import gated, shown_by
from engines.gates import Gates
from engines.network import RoundTrips
from engines.plugins import Endpoints, build
from engines.unfinished import AUDIO_TOKENS, OPENAI_AUDIO, Unread
from engines.vault import NO_VEIL, Veil
from engines.voices import Voice, Voices
from engines.warm import WarmModel
from service.bill import VOICE
from service.health import ALL_WELL, Health, voice_name

logger = logging.getLogger(__name__)

OnMetrics = Callable[[str, str, Any], None]
"""Called with the engine (or part) that was used, its provider, and LiveKit's metrics event."""

OnVoiceFailed = Callable[[str, Exception, str], None]
"""Called with the voice's provider, its error and what was done."""


@dataclass(frozen=True, slots=True)
class Cast:
    """The plugin objects of one call."""

    cascades: Mapping[str, Cascade]
    realtime: Mapping[str, WarmModel]
    half_cascades: Mapping[str, Voices]
    """The voices of those realtime models that answer in text."""
    transcribers: tuple[stt.STT[Any], ...]
    """Who hears the whole call, in order of preference."""
    duplex: Mapping[str, DuplexModel]
    voices: tuple[tts.TTS[Any], ...]
    decisions: llm.DecisionModel | None
    """Answers a policy's questions."""

    @property
    def transcriber(self) -> stt.STT[Any]:
        """The one that is preferred."""
        return self.transcribers[0]

    async def aclose(self) -> None:
        """Close every connection that the call's own agents do not close."""
        minds = [cascade.mind.aclose() for cascade in self.cascades.values()]
        voices = [voice.aclose() for voice in self.voices]
        judges = [self.decisions.aclose()] if self.decisions else []
        ears = [transcriber.aclose() for transcriber in self.transcribers]
        closed = await asyncio.gather(*minds, *voices, *judges, *ears, return_exceptions=True)
        for error in closed:
            if isinstance(error, Exception):  # one that does not close keeps no other open
                logger.warning("a provider's connection did not close: %s", type(error).__name__)


def cast(
    catalogue: Catalogue,
    endpoints: Endpoints,
    http: aiohttp.ClientSession,
    on_metrics: OnMetrics,
    *,
    gates: Gates | None = None,
    veil: Veil = NO_VEIL,
    health: Health = ALL_WELL,
    round_trips: RoundTrips | None = None,
    on_voice_failed: OnVoiceFailed = lambda provider, error, action: None,
) -> Cast:
    """Build every engine of ``catalogue``; metrics of all of them go to ``on_metrics``.

    Args:
        gates: asked before anything of the call is sent to a part.
        veil: what models see of the conversation.
        health: of the voices, by :func:`service.health.voice_name`; it is told how they do.
        round_trips: to know the connections of parts that do not use ``http``.
        on_voice_failed: told of every failure of a voice, also where the next one speaks.
    """

    def made(role: Role, component: Component, used_by: str, known_as: str = "") -> Any:
        part = build(role, component, endpoints.of(component), http)
        if round_trips is not None:
            round_trips.of_client(getattr(part, "_client", None))
        if known_as:
            part.on("metrics_collected", lambda _: health.worked(known_as))
        if role != "realtime":  # a realtime model's metrics come from its sessions
            part.on("metrics_collected", lambda event: on_metrics(used_by, component.provider, event))
        elif veil is not NO_VEIL:
            part = shown_by(part, veil.shown)
        return part if gates is None else gated(role, part, component, used_by, gates)

    parts = {
        name: made("tts", component, VOICE, voice_name(name)) for name, component in catalogue.voices.items()
    }
    voices = {
        name: Voice(voice_name(name), catalogue.voices[name].provider, _streaming(part))
        for name, part in parts.items()
    }
    chains: dict[tuple[str, ...], Voices] = {}
    cascades, realtime, half_cascades, duplex = {}, {}, {}, {}
    for engine in catalogue.engines.values():
        for names in {engine.voices, *engine.voices_when.values()} - {(), *chains}:
            chains[names] = Voices(
                [voices[name] for name in names],
                health,
                unread=lambda voice, characters: on_metrics(
                    VOICE, voice.provider, Unread(voice.plugin.model, characters)
                ),
                failed=lambda voice, error, action: on_voice_failed(voice.provider, error, action),
                patience=catalogue.patience,
            )
    for name, engine in catalogue.engines.items():
        if engine.kind == "duplex":
            duplex[name] = DuplexModel(
                made("realtime", engine.mind, name),
                provider=engine.mind.provider,
                on_metrics=partial(on_metrics, name, engine.mind.provider),
            )
            continue
        if engine.kind != "cascade":
            inner = made("realtime", engine.mind, name)
            realtime[name] = WarmModel(
                inner,
                first_reply_s=engine.first_reply_s,
                previews=engine.previews,
                on_metrics=partial(on_metrics, name, engine.mind.provider),
                audio_tokens=AUDIO_TOKENS.get(engine.mind.provider, OPENAI_AUDIO),
            )
            if engine.kind == "half_cascade":
                half_cascades[name] = chains[engine.voices]
            continue
        cascades[name] = Cascade(
            name,
            made("llm", engine.mind, name),
            chains[engine.voices],
            engine.tools,
            engine.first_reply_s,
            engine.audio_aware,
            {manner: chains[names] for manner, names in engine.voices_when.items()},
            engine.hedge_s,
            engine.hedge_with,
            partial(on_metrics, name, engine.mind.provider),
            veil,
        )
    judge = catalogue.decisions
    return Cast(
        cascades,
        realtime,
        half_cascades,
        tuple(made("stt", component, "transcriber") for component in catalogue.transcribers),
        duplex,
        tuple(parts.values()),
        made("decisions", judge.model, "questions") if judge else None,
    )


def _streaming(voice: tts.TTS[Any]) -> tts.TTS[Any]:
    """``voice``; one that does not stream is given a sentence at a time."""
    return voice if voice.capabilities.streaming else tts.StreamAdapter(tts=voice)
