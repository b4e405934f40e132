"""Builds the engines of one call from the catalogue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
from livekit.agents import llm, stt, tts

from engines.cascade import Cascade
from engines.catalogue import Catalogue
from engines.component import Component, Role
from engines.plugins import Endpoints, build
from engines.warm import WarmModel

logger = logging.getLogger(__name__)

OnMetrics = Callable[[str, str, Any], None]
"""Called with the engine (or part) that was used, its plugin, and LiveKit's metrics event."""


@dataclass(frozen=True, slots=True)
class Cast:
    """The plugin objects of one call."""

    cascades: Mapping[str, Cascade]
    realtime: Mapping[str, WarmModel]
    half_cascades: Mapping[str, tts.TTS[Any]]
    """The voices of those realtime models that answer in text."""
    transcriber: stt.STT[Any]
    voices: tuple[tts.TTS[Any], ...]
    decisions: llm.DecisionModel | None
    """Answers a policy's questions."""

    async def aclose(self) -> None:
        """Close every connection that the call's own agents do not close."""
        minds = [cascade.mind.aclose() for cascade in self.cascades.values()]
        voices = [voice.aclose() for voice in self.voices]
        judges = [self.decisions.aclose()] if self.decisions else []
        closed = await asyncio.gather(
            *minds, *voices, *judges, self.transcriber.aclose(), return_exceptions=True
        )
        for error in closed:
            if isinstance(error, Exception):  # one that does not close keeps no other open
                logger.warning("a provider's connection did not close: %s", type(error).__name__)


def cast(
    catalogue: Catalogue, endpoints: Endpoints, http: aiohttp.ClientSession, on_metrics: OnMetrics
) -> Cast:
    """Build every engine of ``catalogue``; metrics of all of them go to ``on_metrics``."""

    def made(role: Role, component: Component, used_by: str) -> Any:
        part = build(role, component, endpoints.of(component), http)
        if role != "realtime":  # a realtime model's metrics come from its sessions
            part.on("metrics_collected", lambda event: on_metrics(used_by, component.plugin, event))
        return part

    voices = {name: made("tts", component, "voice") for name, component in catalogue.voices.items()}
    chains: dict[tuple[str, ...], tts.TTS[Any]] = {}
    cascades, realtime, half_cascades = {}, {}, {}
    for engine in catalogue.engines.values():
        for names in {engine.voices, *engine.voices_when.values()} - {(), *chains}:
            chains[names] = _one_voice([voices[voice] for voice in names])
    for name, engine in catalogue.engines.items():
        if engine.kind != "cascade":
            inner = made("realtime", engine.mind, name)
            realtime[name] = WarmModel(
                inner,
                first_reply_s=engine.first_reply_s,
                on_metrics=partial(on_metrics, name, engine.mind.plugin),
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
        )
    every = {id(voice): voice for voice in (*chains.values(), *voices.values())}
    judge = catalogue.decisions
    return Cast(
        cascades,
        realtime,
        half_cascades,
        made("stt", catalogue.transcriber, "transcriber"),
        tuple(every.values()),
        made("decisions", judge.model, "questions") if judge else None,
    )


def _one_voice(chosen: Sequence[tts.TTS[Any]]) -> tts.TTS[Any]:
    """Voices in order of preference as one that streams; a voice that does not is given a sentence at a time."""
    if len(chosen) > 1:
        return tts.FallbackAdapter([*chosen], max_retry_per_tts=0)
    [voice] = chosen
    return voice if voice.capabilities.streaming else tts.StreamAdapter(tts=voice)
