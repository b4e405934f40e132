"""Calls as Prometheus metrics (https://prometheus.io/docs/practices/naming): base units, ``_total`` for counters."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from compliance.events import (
    CallEnded,
    CallStarted,
    Decided,
    EngineHeard,
    Event,
    HandedOff,
    HeardAlike,
    Hedged,
    LateEventDropped,
    PartFailed,
    PreviewSettled,
    ProviderFailed,
    Refused,
    ToolCalled,
    TurnAnswered,
    TurnEnded,
    UsageIncurred,
    VoiceUnjudged,
)
from engines.circuits import State

_WAITS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_DECISIONS_S = (2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 5e-3, 2e-2)
_CALLS_S = (10, 30, 60, 120, 300, 600, 1200, 3600)


class CallMetrics:
    """Counts what the events of calls tell. Labels are names that operators chose, so their number is bounded.

    Args:
        registry: where they are registered; a process has one set per registry.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"patchbay_{name}", what, labels, registry=registry)

        def histogram(name: str, what: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"patchbay_{name}_seconds", what, labels, buckets=buckets, registry=registry)

        self._active = Gauge(
            "patchbay_calls_active", "Calls on the line.", registry=registry, multiprocess_mode="livesum"
        )
        self._calls = counter("calls", "Calls that ended.")
        self._length = histogram("call_duration", "From answer to hang-up.", _CALLS_S)
        self._turns = counter("turns", "Caller turns.")
        self._decisions = counter("decisions", "Turns by the engine decided and the rule.", "engine", "rule")
        self._deciding = histogram("decision", "How long deciding took.", _DECISIONS_S)
        self._heard = histogram(
            "turn_heard",
            "From the caller's last sound to the reply's first, on the audio.",
            _WAITS_S,
            "engine",
        )
        self._waits = histogram("turn_wait", "What that was spent on.", _WAITS_S, "engine", "wait")
        self._hand_offs = counter("hand_offs", "Hand-offs by pair.", "from_engine", "to_engine", "warm")
        self._hand_off = histogram(
            "hand_off", "From the decision to the new engine in charge.", _WAITS_S, "from_engine", "to_engine"
        )
        self._previews = counter("previews", "Replies begun early.", "engine", "used")
        self._hedges = counter("hedges", "Replies for which a second engine was asked.", "engine", "winner")
        self._tools = counter("tool_calls", "Uses of tools.", "tool", "failed")
        self._provider_failures = counter(
            "provider_failures", "Failures of providers.", "provider", "engine", "error"
        )
        self._left_alone = Gauge(
            "patchbay_provider_left_alone",
            "1 while the circuit that all calls share is not closed.",
            ("role", "provider", "model"),
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._part_failures = counter("part_failures", "Failures of our own parts.", "part", "error")
        self._refused = counter(
            "refusals", "Uses that the policy let through and a gate stopped.", "provider", "engine"
        )
        self._late = counter("late_events", "Events of closed generations, dropped.", "engine")
        self._unjudged = counter(
            "voice_unjudged_turns", "Turns routed without the voice: its score was stale."
        )
        self._heard_twice = counter(
            "own_transcripts",
            "Turns that an engine heard too, by whether in other words.",
            "engine",
            "differs",
        )
        self._cost = counter(
            "cost_usd", "By the price book; of the lab, nothing was paid.", "provider", "model"
        )
        self._again = counter(
            "cost_again_usd", "Of it, conversation sent again; an estimate.", "provider", "model"
        )

        self._unpriced = counter(
            "unpriced_uses", "Uses of which the price book lacks a price.", "provider", "model"
        )

    def take(self, event: Event) -> None:
        """Count one event of any call."""
        match event:
            case CallStarted():
                self._active.inc()
            case CallEnded():
                self._active.dec()
                self._calls.inc()
                self._length.observe(event.at_ms / 1000)
            case TurnEnded():
                self._turns.inc()
            case Decided():
                self._decisions.labels(event.engine, event.rule).inc()
                self._deciding.observe(event.took_us / 1e6)
            case TurnAnswered():
                self._heard.labels(event.engine).observe(event.heard_ms / 1000)
                for wait, took_ms in event.waits.items():
                    self._waits.labels(event.engine, wait).observe(took_ms / 1000)
            case HandedOff():
                pair = event.from_engine, event.to_engine
                self._hand_offs.labels(*pair, _flag(event.warm)).inc()
                self._hand_off.labels(*pair).observe(event.took_ms / 1000)
            case PreviewSettled():
                self._previews.labels(event.engine, _flag(event.used)).inc()
            case Hedged():
                self._hedges.labels(event.engine, event.winner).inc()
            case ToolCalled():
                self._tools.labels(event.name, _flag(event.failed)).inc()
            case ProviderFailed():
                self._provider_failures.labels(event.provider, event.engine, event.error).inc()
            case PartFailed():
                self._part_failures.labels(event.part, event.error).inc()
            case Refused():
                self._refused.labels(event.provider, event.used_by).inc()
            case LateEventDropped():
                self._late.labels(event.engine).inc(event.count)
            case VoiceUnjudged():
                self._unjudged.inc(event.stale)
            case EngineHeard() | HeardAlike():
                differs = isinstance(event, EngineHeard)
                self._heard_twice.labels(event.engine, _flag(differs)).inc()
            case UsageIncurred():
                self._cost.labels(event.provider, event.model).inc(event.cost_usd)
                self._again.labels(event.provider, event.model).inc(event.again_usd)
                self._unpriced.labels(event.provider, event.model).inc(bool(event.unpriced))
            case _:
                pass

    def circuit(self, name: str, state: State) -> None:
        """The circuit of a provider, called ``role provider model``, that all calls share."""
        self._left_alone.labels(*name.split(" ", 2)).set(state is not State.CLOSED)


def _flag(value: bool) -> str:
    return "true" if value else "false"
