"""What a turn would have cost, and how long its caller would have waited, had another engine answered it.

Estimates are means: over the turns of the record that the engine answered, or as assumed where it answered none.
They know nothing of the turn but what its signals tell, so they serve sums over many calls, not single turns.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from router.whatif.assumptions import Assumptions, Wait
from router.whatif.calls import PastCall, PastTurn


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a turn would cost, and how long its caller would wait; ``None`` is not known."""

    cost_usd: float | None = None
    heard_ms: float | None = None

    @property
    def complete(self) -> bool:
        return self.cost_usd is not None and self.heard_ms is not None

    def or_else(self, other: Estimate) -> Estimate:
        """The same, with what is not known from ``other``."""
        return Estimate(
            other.cost_usd if self.cost_usd is None else self.cost_usd,
            other.heard_ms if self.heard_ms is None else self.heard_ms,
        )


Estimator = Callable[[str, PastTurn], Estimate]
"""What is expected of an engine, by its name, had it answered a turn that another one did."""


def recorded_means(calls: Iterable[PastCall]) -> Mapping[str, Estimate]:
    """By engine, the means over the turns that it answered without a failure before."""
    costs: defaultdict[str, list[float]] = defaultdict(list)
    waits: defaultdict[str, list[float]] = defaultdict(list)
    for call in calls:
        for turn in call.turns:
            if turn.engine is None or turn.moved:
                continue
            if turn.cost_usd is not None:
                costs[turn.engine].append(turn.cost_usd)
            if turn.heard_ms is not None:
                waits[turn.engine].append(turn.heard_ms)
    return {
        engine: Estimate(
            float(np.mean(costs[engine])) if engine in costs else None,
            float(np.mean(waits[engine])) if engine in waits else None,
        )
        for engine in sorted({*costs, *waits})
    }


def from_record(means: Mapping[str, Estimate], otherwise: Estimator | None = None) -> Estimator:
    """Estimates by the record, and by ``otherwise`` where the record has none."""

    def estimate(engine: str, turn: PastTurn) -> Estimate:
        found = means.get(engine, Estimate())
        return found if found.complete or otherwise is None else found.or_else(otherwise(engine, turn))

    return estimate


def as_assumed(assumptions: Assumptions) -> Estimator:
    """Estimates by the table of what is assumed; whether a turn needs tools is what the classifier said of it.

    The table's wait is that of an engine in charge already: the hand-over to it is not in the estimate.
    """

    def estimate(engine: str, turn: PastTurn) -> Estimate:
        found = assumptions.engines.get(engine)
        if found is None:
            return Estimate()
        tools = turn.signals.get("turn.needs_tools") is True
        words, earlier = (
            float(turn.signals.get("turn.words", 0)),
            float(turn.signals.get("turn.count", 1)) - 1,
        )
        bill = found.usd
        cost_usd = (
            bill.turn
            + tools * bill.tools
            + words / assumptions.words_per_minute * bill.caller_minute
            + assumptions.reply_s / 60 * bill.agent_minute
            + earlier * bill.context_turn
        )
        return Estimate(cost_usd, _mean_ms(found.wait_with_tools if tools else found.wait))

    return estimate


def _mean_ms(wait: Wait) -> float:
    """The mean of a log-normal wait."""
    return math.exp(wait.mu + wait.sigma**2 / 2)
