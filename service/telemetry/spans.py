"""Calls as OpenTelemetry spans: one for the call, one for each turn in it, and in a turn one for each wait.

Spans are made when a turn is past, from its events and with their times: they cost a call nothing while the caller
waits. Attributes are named as OpenTelemetry's conventions for generative AI name them where these
have a name (https://opentelemetry.io/docs/specs/semconv/gen-ai), and ``patchbay.*`` else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import Span, Tracer, set_span_in_context

from compliance.events import (
    CallEnded,
    CallStarted,
    Decided,
    Event,
    HandedOff,
    ProviderFailed,
    ToolCalled,
    TurnAnswered,
    TurnEnded,
    UsageIncurred,
)
from service.latency import in_order

Value = str | bool | int | float

_TOKENS = {
    "gen_ai.usage.input_tokens": (
        "input_text_tokens",
        "cached_text_tokens",
        "cache_write_text_tokens",
        "input_audio_tokens",
        "cached_audio_tokens",
    ),
    "gen_ai.usage.output_tokens": ("output_text_tokens", "output_audio_tokens"),
}


@dataclass(slots=True)
class _Turn:
    """What is known of a turn until it is told."""

    ended: TurnEnded
    decided: Decided | None = None
    handed: HandedOff | None = None
    answered: TurnAnswered | None = None
    tools: list[ToolCalled] = field(default_factory=list)
    failures: list[ProviderFailed] = field(default_factory=list)


@dataclass(slots=True)
class _Call:
    began_ns: int
    span: Span
    turns: dict[int, _Turn] = field(default_factory=dict)

    def at_ns(self, at_ms: float) -> int:
        return self.began_ns + int(at_ms * 1e6)


class Spans:
    """Follows the events of calls and writes their spans.

    Args:
        tracer: of a provider whose processors export; never LiveKit's.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._calls: dict[str, _Call] = {}

    def take(self, event: Event) -> None:
        """Follow one event of any call."""
        if isinstance(event, CallStarted):
            began_ns = int(datetime.fromisoformat(event.started_at).timestamp() * 1e9)
            span = self._tracer.start_span(
                "call", Context(), start_time=began_ns, attributes=dict(_call_attributes(event))
            )
            self._calls[event.call_id] = _Call(began_ns, span)
            return
        call = self._calls.get(event.call_id)
        if call is None:
            return
        turn = call.turns.get(getattr(event, "turn", 0))
        match event:
            case TurnEnded():
                self._tell(call)
                call.turns[event.turn] = _Turn(event)
            case Decided() if turn is not None:
                turn.decided = event
            case HandedOff() if turn is not None:
                turn.handed = event
            case ToolCalled() if turn is not None:
                turn.tools.append(event)
            case ProviderFailed() if turn is not None:
                turn.failures.append(event)
            case TurnAnswered() if turn is not None:
                turn.answered = event
            case UsageIncurred():
                self._used(call, event)
            case CallEnded():
                self._tell(call)
                call.span.set_attributes({"patchbay.turns": event.turns, "patchbay.cost_usd": event.cost_usd})
                call.span.end(call.at_ns(event.at_ms))
                del self._calls[event.call_id]
            case _:
                pass

    def _tell(self, call: _Call) -> None:
        """Write the spans of the turns that are past."""
        for turn in call.turns.values():
            self._turn(call, turn)
        call.turns.clear()

    def _turn(self, call: _Call, turn: _Turn) -> None:
        """From the caller's first sound to the reply's first, or the turn's own end where there was none."""
        end_ms = turn.ended.end_ms
        span = self._tracer.start_span(
            "turn",
            set_span_in_context(call.span, Context()),
            start_time=call.at_ns(turn.ended.start_ms),
            attributes=dict(_turn_attributes(turn)),
        )
        inside, at_ms = set_span_in_context(span, Context()), end_ms
        for wait, took_ms in in_order(turn.answered.waits) if turn.answered else ():
            started = self._tracer.start_span(f"wait {wait}", inside, start_time=call.at_ns(at_ms))
            at_ms += took_ms
            started.end(call.at_ns(at_ms))
        for tool in turn.tools:
            self._tracer.start_span(
                f"execute_tool {tool.name}",
                inside,
                start_time=call.at_ns(max(0.0, tool.at_ms - tool.took_ms)),
                attributes={
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": tool.name,
                    "patchbay.failed": tool.failed,
                },
            ).end(call.at_ns(tool.at_ms))
        for failure in turn.failures:
            span.add_event(
                "provider failed",
                {
                    "gen_ai.provider.name": failure.provider,
                    "patchbay.engine": failure.engine,
                    "error.type": failure.error,
                },
                call.at_ns(failure.at_ms),
            )
        span.end(call.at_ns(at_ms))

    def _used(self, call: _Call, used: UsageIncurred) -> None:
        attributes: dict[str, Value] = {
            "gen_ai.provider.name": used.provider,
            "gen_ai.request.model": used.model,
            "patchbay.engine": used.engine,
            "patchbay.cost_usd": used.cost_usd,
            "patchbay.cost_again_usd": used.again_usd,
        }
        for name, units in _TOKENS.items():
            if tokens := sum(used.quantities.get(unit, 0.0) for unit in units):
                attributes[name] = int(tokens)
        call.span.add_event("used", attributes, call.at_ns(used.at_ms))


def tracing(processor: SpanProcessor, *, service: str = "patchbay") -> Tracer:
    """A tracer of its own, beside LiveKit's and any global one, that exports through ``processor``."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(processor)
    return provider.get_tracer("patchbay")


def _call_attributes(started: CallStarted) -> Iterator[tuple[str, Value]]:
    yield "gen_ai.conversation.id", started.call_id
    yield "patchbay.policy", started.policy
    yield "patchbay.policy_version", started.policy_version
    yield "patchbay.tenant", started.tenant
    yield "patchbay.simulated", ",".join(started.simulated)


def _turn_attributes(turn: _Turn) -> Iterator[tuple[str, Value]]:
    yield "patchbay.turn", turn.ended.turn
    yield "patchbay.answered", turn.answered is not None
    if turn.answered is not None:
        yield "patchbay.engine", turn.answered.engine
        yield "patchbay.heard_ms", turn.answered.heard_ms
    if turn.decided is not None:
        yield "patchbay.route", turn.decided.engine
        yield "patchbay.rule", turn.decided.rule
        yield "patchbay.decision_us", turn.decided.took_us
    if turn.handed is not None:
        yield "patchbay.hand_off.from", turn.handed.from_engine
        yield "patchbay.hand_off.warm", turn.handed.warm
        yield "patchbay.hand_off_ms", turn.handed.took_ms
