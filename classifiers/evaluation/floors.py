"""What must hold before a model ships. Whoever changes a number here changes what the project promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Floor:
    """One promise.

    Attributes:
        what: the figure, in words.
        bound: which side of ``limit`` is right; "above" excludes the limit itself.
        limit: in the figure's own unit.
    """

    what: str
    bound: Literal["at least", "at most", "above"]
    limit: float

    def judge(self, value: float, *, where: str = "") -> Verdict:
        """Whether ``value`` keeps the promise; one that is not a number does not."""
        holds = {
            "at least": value >= self.limit,
            "at most": value <= self.limit,
            "above": value > self.limit,
        }[self.bound]
        return Verdict(f"{where}: {self.what}" if where else self.what, self.bound, self.limit, value, holds)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A promise and what was measured."""

    what: str
    bound: str
    limit: float
    value: float
    holds: bool


# Emotion, speakers left out
VS_REST = Floor("AUROC angry against the rest", "at least", 0.94)
VS_CALM = Floor("AUROC angry against calm-like", "at least", 0.98)
FOUR_EMOTIONS = Floor("unweighted average recall of four emotions", "at least", 0.70)
TELEPHONE_COSTS = Floor("AUROC lost over µ-law 8 kHz", "at most", 0.02)
CALIBRATED = Floor("expected calibration error", "at most", 0.05)
ABSTAINING = Floor("accuracy won by leaving the least certain 30 % unanswered", "above", 0.0)
# Emotion, another language
BEATS_BASELINE = Floor("lower end of the lead over level and pitch", "above", 0.0)
# Emotion, the folder
SIZE_MB = Floor("model.onnx, MB", "at most", 2.0)
WINDOW_CPU_MS = Floor("CPU for a window, ms", "at most", 5.0)

# Tool need
IN_DOMAIN = Floor("AUROC after training on the deployment's own turns", "at least", 0.90)
IN_DOMAIN_CALIBRATED = Floor("calibration error after training on them", "at most", 0.03)
BEATS_KEYWORDS = Floor("lower end of the lead over keywords on unseen tools", "above", 0.0)
TURN_P99_US = Floor("P99 of scoring a turn, adapted, µs", "at most", 50.0)
