"""Routes a call's turns: gathers the signals, asks the policy, and remembers.

This is where what is heard and meant meets the policy. Whatever fails in here, the call goes on: the turn is
answered by the policy's default engine and the record says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from classifiers.emotion import EmotionReading
from classifiers.tool_need import ToolNeed, ToolNeedModel
from compliance.clock import CallClock
from compliance.events import (
    DEFAULT_ENGINE,
    Decided,
    EmotionHeard,
    Event,
    Part,
    PartFailed,
    TurnEnded,
    TurnMoved,
)
from engines.routing import CallerTurn, Route
from router import Decision, Memory, Policy, Signals
from service.cues import asks_for_human, corrects, digits, repeats_themselves

NEEDS_TOOLS_AT = 0.5
"""The tool-need classifier's own threshold, for policies that ask it for a verdict."""
LATELY = 3
"""Replies that an engine's 95th percentile needs: one slow start says little."""
SICK_MS = 30_000.0
"""How long an engine that failed counts as unhealthy."""


class Emotion(Protocol):
    """Reads the caller's voice in the running turn."""

    def reading(self) -> EmotionReading: ...


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known of a call when it is answered."""

    language: str = "en"
    transport: str = "in_process"
    codec_hz: int = 24_000
    queue: str = "support"
    region: str = "other"
    consent_voice_ai: bool = False
    consent_emotion: bool = True
    consent_recording: bool = True
    budget_usd: float = 1.0


@dataclass(slots=True)
class Tally:
    """What has added up over a call."""

    turns: int = 0
    cost_usd: float = 0.0
    tool_failures: int = 0
    repeats: int = 0
    corrections: int = 0
    asked_human: bool = False
    last_agent_text: str = ""
    last_turn_end_ms: float = 0.0
    heard_ms: dict[str, list[float]] = field(default_factory=dict)
    sick_until_ms: dict[str, float] = field(default_factory=dict)


class TurnRouter:
    """Implements :class:`engines.routing.Routing` with a policy.

    Args:
        policy: decides, as it is for the call's tenant; a call keeps it to its end.
        tool_need: scores what a turn needs.
        emotion: reads the caller's voice.
        facts: of the call.
        clock: the call's clock.
        emit: takes events for the record.
        call_id: goes into every event.
        now: the time of day at the line, with its zone.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        tool_need: ToolNeedModel,
        emotion: Emotion,
        facts: CallFacts,
        clock: CallClock,
        emit: Callable[[Event], None],
        call_id: str,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        self.tally = Tally()
        self._policy = policy
        self._memory = Memory.start(call_id)
        self._tool_need = tool_need
        self._emotion = emotion
        self._facts = facts
        self._clock = clock
        self._emit = emit
        self._call_id = call_id
        self._now = now
        self._engine = policy.default_engine
        self._decided = False
        """Whether the policy decided the turn in hand; else routing had failed, and memory knows nothing of it."""

    # -- engines.routing.Routing ------------------------------------------------------------------------
    def preview(self, text: str) -> Route:
        turn = self.tally.turns + 1
        try:
            signals, _ = self._signals(text, silence_ms=self._silence_ms)
            decision, _ = self._policy.decide(signals, self._memory)
        except Exception:
            return self._without_policy(turn)  # the decision itself will report what is wrong
        return _route(decision)

    def decide(self, turn: CallerTurn) -> Route:
        self.tally.turns += 1
        number, at_ms = self.tally.turns, self._clock.now_ms()
        self._emit(
            TurnEnded(
                call_id=self._call_id,
                at_ms=at_ms,
                turn=number,
                start_ms=max(0.0, turn.start_ms),
                end_ms=max(0.0, turn.end_ms),
            )
        )
        silent_since_ms, self.tally.last_turn_end_ms = self.tally.last_turn_end_ms, turn.end_ms
        began = time.perf_counter()
        try:
            signals, reading = self._signals(
                turn.text, silence_ms=turn.start_ms - silent_since_ms, ended=True
            )
            decision, self._memory = self._policy.decide(signals, self._memory)
        except Exception as error:
            route, self._decided = self._without_policy(number), False
            self._engine = route.engine
            self._emit(
                PartFailed(
                    call_id=self._call_id,
                    at_ms=at_ms,
                    part="router",
                    error=type(error).__name__,
                    action=f"turn {number} goes to the default engine, {route.engine}",
                )
            )
            self._emit(
                Decided(
                    call_id=self._call_id,
                    at_ms=at_ms,
                    turn=number,
                    engine=route.engine,
                    rule=DEFAULT_ENGINE,
                    reason="The router failed, so the policy's default engine answers.",
                    policy_hash=self._policy.hash,
                    policy_version=self._policy.version,
                    signals={},
                    denied=dict.fromkeys(sorted(route.denied), DEFAULT_ENGINE),
                )
            )
            return route
        self._engine, self._decided = decision.engine, True
        took_us = (time.perf_counter() - began) * 1e6
        self._emit(
            EmotionHeard(
                call_id=self._call_id,
                at_ms=at_ms,
                turn=number,
                label=reading.label,
                confidence=reading.confidence,
                upset=reading.upset,
                windows=reading.windows,
            )
        )
        self._emit(
            Decided(
                call_id=self._call_id,
                at_ms=at_ms,
                turn=number,
                engine=decision.engine,
                rule=decision.rule,
                reason=decision.reason,
                policy_hash=decision.policy_hash,
                policy_version=decision.policy_version,
                signals=dict(decision.signals),
                tried=tuple(decision.tried),
                denied=dict(decision.denied),
                took_us=took_us,
                arms=dict(decision.arms),
                shadow=dict(decision.shadow),
                endpointing_ms=decision.endpointing_ms,
            )
        )
        return _route(decision)

    def fallback(self, route: Route, failed: Collection[str]) -> str | None:
        excluded = {route.engine, *route.denied, *failed}
        named = self._policy.fallback(route.engine, excluded)
        return named or next((engine for engine in self._policy.engines if engine not in excluded), None)

    def warm(self, engine: str) -> bool:
        try:
            signals, _ = self._signals("", silence_ms=self._silence_ms)
            return self._policy.warm(signals, self._memory, engine=engine)
        except Exception:
            return False  # the decision will report it; warmth is only a head start

    def moved(self, engine: str) -> None:
        if engine == self._engine:
            return
        self._emit(
            TurnMoved(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                turn=self.tally.turns,
                from_engine=self._engine,
                to_engine=engine,
            )
        )
        self._engine = engine
        if self._decided:
            self._memory = self._memory.moved_to(engine)

    def failed(self, engine: str) -> None:
        self.tally.sick_until_ms[engine] = self._clock.now_ms() + SICK_MS

    # -- what the call tells ------------------------------------------------------------------------------
    def answered(self, engine: str, heard_ms: float) -> None:
        """A turn was heard to be answered ``heard_ms`` after the caller stopped."""
        self.tally.heard_ms.setdefault(engine, []).append(heard_ms)

    # -- signals --------------------------------------------------------------------------------------------
    @property
    def _silence_ms(self) -> float:
        return self._clock.now_ms() - self.tally.last_turn_end_ms

    def _signals(
        self, text: str, *, silence_ms: float, ended: bool = False
    ) -> tuple[Signals, EmotionReading]:
        tally, facts = self.tally, self._facts
        asked_human = tally.asked_human or asks_for_human(text)
        repeats = tally.repeats + repeats_themselves(text)
        corrections = tally.corrections + corrects(text)
        if ended:
            tally.asked_human, tally.repeats, tally.corrections = asked_human, repeats, corrections
        spoken, now_ms, now = digits(text), self._clock.now_ms(), self._now()
        need = self._need(text, report=ended)
        reading = self._reading(report=ended)
        values = {
            "turn.count": tally.turns if ended else tally.turns + 1,
            "turn.chars": len(text),
            "turn.words": len(text.split()),
            "turn.digits": spoken.count,
            "turn.ends_in_digits": spoken.at_end,
            "turn.tool_p": need.probability,
            "turn.needs_tools": need.probability >= NEEDS_TOOLS_AT,
            "emotion.label": reading.label,
            "emotion.confidence": reading.confidence,
            "emotion.upset": reading.upset,
            "call.language": facts.language,
            "call.transport": facts.transport,
            "call.codec_hz": facts.codec_hz,
            "call.queue": facts.queue,
            "call.asked_human": asked_human,
            "call.tool_failures": tally.tool_failures,
            "call.repeats": repeats,
            "call.corrections": corrections,
            "call.duration_ms": int(now_ms),
            "call.silence_ms": max(0, int(silence_ms)),
            "caller.consent_voice_ai": facts.consent_voice_ai,
            "caller.consent_emotion": facts.consent_emotion,
            "caller.consent_recording": facts.consent_recording,
            "caller.region": facts.region,
            "cost.usd": tally.cost_usd,
            "cost.budget_usd": facts.budget_usd,
            "time.hour": now.hour,
            "time.weekday": now.isoweekday(),
            "time.unix_s": int(now.timestamp()),
        }
        for engine in self._policy.engines:
            values[f"provider.{engine}_healthy"] = now_ms >= tally.sick_until_ms.get(engine, 0.0)
            heard = tally.heard_ms.get(engine, ())
            if len(heard) >= LATELY:
                values[f"provider.{engine}_p95_ms"] = int(sorted(heard)[math.ceil(0.95 * len(heard)) - 1])
        return Signals(values), reading

    def _need(self, text: str, *, report: bool) -> ToolNeed:
        try:
            return self._tool_need.score(text, self.tally.last_agent_text)
        except Exception as error:
            if report:
                self._part_failed("tool_need", error)
            return ToolNeed(0.0, 0.0)

    def _reading(self, *, report: bool) -> EmotionReading:
        try:
            return self._emotion.reading()
        except Exception as error:
            if report:  # once a turn, not at every preview of it
                self._part_failed("emotion", error)
            return EmotionReading("unknown", 0.0, 0.0, 0)

    def _part_failed(self, part: Part, error: Exception) -> None:
        self._emit(
            PartFailed(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                part=part,
                error=type(error).__name__,
                action="the turn is routed without it",
            )
        )

    def _without_policy(self, turn: int) -> Route:
        """Where a turn goes that the policy cannot decide: to the one engine that no guard may deny."""
        default = self._policy.default_engine
        return Route(turn, default, frozenset(self._policy.engines) - {default})


def _route(decision: Decision) -> Route:
    return Route(decision.turn, decision.engine, frozenset(decision.denied), decision.endpointing_ms)
