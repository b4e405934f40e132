"""What is promised of redaction. Whoever changes a number here changes what the project promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compliance.redaction.evaluation.trial import Measure
from compliance.redaction.evaluation.trials import NAMES, NOTHING_PERSONAL


@dataclass(frozen=True, slots=True)
class Promise:
    """A share of a measure's outcomes, of all parts or of ``parts``, and its limit."""

    measure: Measure
    bound: Literal["at least", "at most"]
    limit: float
    parts: tuple[str, ...] = ()


PROMISES = (
    Promise(Measure.NAMES, "at least", 0.85, NAMES),
    Promise(Measure.ANSWERS, "at least", 0.98),
    Promise(Measure.CRITICAL, "at least", 0.995),
    Promise(Measure.STRUCTURED, "at least", 0.98),
    Promise(Measure.BREATHS, "at least", 0.97),
    Promise(Measure.NOTHING_PERSONAL, "at most", 0.005, NOTHING_PERSONAL),
    Promise(Measure.OFF_TOPIC, "at most", 0.05),
)
CPU_P99_MS = 5.0
"""CPU time of redacting an utterance, 99th percentile, milliseconds."""
