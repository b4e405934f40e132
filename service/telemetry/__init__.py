"""What operators watch: figures for Prometheus and spans for OpenTelemetry, both made from the events of the record.

Nothing here hears a call. Every label and attribute is a :data:`compliance.events.Fact` or a number of an event, and
what is not on the lists of this package is not told: LiveKit's own spans, which quote transcripts, are not exported.
"""

from service.telemetry.metrics import CallMetrics
from service.telemetry.spans import Spans, tracing
from service.telemetry.watching import watch_circuit, watchers

__all__ = ["CallMetrics", "Spans", "tracing", "watch_circuit", "watchers"]
