"""Plays every trial to a fresh session and counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from compliance.redaction.evaluation.trial import Measure, Outcome, Session, Trial, judge

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """Every outcome, and what redacting a line cost.

    Attributes:
        cpu_ms: CPU time of each judged line, milliseconds, in the order judged.
    """

    outcomes: tuple[Outcome, ...]
    cpu_ms: tuple[float, ...]

    def of(self, measure: Measure, parts: Sequence[str] = ()) -> tuple[Outcome, ...]:
        """The outcomes of ``measure``, of all its parts or of those named."""
        return tuple(o for o in self.outcomes if o.measure is measure and (not parts or o.part in parts))


def measure(
    trials: Iterable[Trial], new_session: Callable[[], Session], progress: Progress = lambda stage, done: None
) -> Measured:
    """Judges ``trials``, each by a session of its own."""
    every = list(trials)
    outcomes: list[Outcome] = []
    cpu_ms: list[float] = []
    for number, trial in enumerate(every):
        if not number % 100:
            progress(trial.measure, number / len(every))
        session = new_session()
        before = time.thread_time()
        outcomes += judge(trial, session)
        cpu_ms.append((time.thread_time() - before) * 1000 / len(trial.lines))
    return Measured(tuple(outcomes), tuple(cpu_ms))
