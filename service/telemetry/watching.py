"""Who watches the calls of this process, by its environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from opentelemetry.sdk.trace.export import BatchSpanProcessor

from compliance.events import Event
from engines.circuits import State
from service.telemetry.metrics import CallMetrics
from service.telemetry.spans import Spans, tracing

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""With one of these set, spans are exported by OTLP over HTTP; the exporter reads all ``OTEL_*`` variables itself
(https://opentelemetry.io/docs/languages/sdk-configuration/otlp-exporter)."""


def watchers(environment: Mapping[str, str]) -> tuple[Callable[[Event], None], ...]:
    """What is to be told every event of every call of this process, as it is shown live."""
    watching = (_metrics().take,)
    if not any(environment.get(name) for name in ENDPOINTS):
        return watching
    return (*watching, _spans().take)


def watch_circuit(name: str, state: State) -> None:
    """To be told of every circuit that all calls share, when something happened to it."""
    _metrics().circuit(name, state)


@cache
def _metrics() -> CallMetrics:
    return CallMetrics()  # a process has one, for it is registered


@cache
def _spans() -> Spans:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return Spans(tracing(BatchSpanProcessor(OTLPSpanExporter())))
