"""How far the assumptions may move before a verdict flips.

The routes of every contender stay as they are: only what they are worth changes. (An oracle would route otherwise, so
none is among the rivals.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from router.whatif.assumptions import Assumptions, Bill, EngineAssumptions, Wait
from router.whatif.frontier import Contender, Course
from router.whatif.score import Floats, Scorer
from router.whatif.statistics import Interval

SHIFT = 0.20
FURTHEST = (0.5, 2.0)
"""Flips are looked for between half and double of a figure."""
_HALVINGS = 5


@dataclass(frozen=True, slots=True)
class Lead:
    """The judged policy over the rival that comes nearest."""

    rival: str
    by: Interval


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What one figure of the table does to the verdict."""

    figure: str
    lower: Lead
    """With the figure a fifth lower."""
    higher: Lead
    flips_below: float | None
    """The factor on the figure under which some rival is better; ``None``: not even at half of it."""
    flips_above: float | None
    """The same above; ``None``: not even at double."""


class Verdict:
    """Re-judges contenders of a course under other assumptions."""

    def __init__(self, course: Course, subject: Contender, rivals: Sequence[Contender]) -> None:
        self._course = course
        self._subject = subject
        self._rivals = rivals

    def lead(self, assumptions: Assumptions) -> Lead:
        """Over the rival that is nearest on average."""
        leads = self._leads(assumptions)
        rival = min(leads, key=lambda name: float(leads[name].mean()))
        return Lead(rival, self._course.interval(leads[rival]))

    def sensitivity(self, figure: str, moved: Callable[[float], Assumptions]) -> Sensitivity:
        """How the lead moves with one figure; ``moved`` gives the table with it multiplied."""

        def margin(factor: float) -> float:
            return min(float(lead.mean()) for lead in self._leads(moved(factor)).values())

        return Sensitivity(
            figure=figure,
            lower=self.lead(moved(1 - SHIFT)),
            higher=self.lead(moved(1 + SHIFT)),
            flips_below=_flip(margin, FURTHEST[0]),
            flips_above=_flip(margin, FURTHEST[1]),
        )

    def _leads(self, assumptions: Assumptions) -> Mapping[str, Floats]:
        course = self._course
        scorer = Scorer(assumptions, course.scorer.calls, engines=course.scorer.engines)

        def utility(contender: Contender) -> Floats:
            return scorer.score(contender.routes, denied=course.denied, warm=contender.warm).utility

        own = utility(self._subject)
        return {rival.name: own - utility(rival) for rival in self._rivals}


def _flip(margin: Callable[[float], float], furthest: float) -> float | None:
    """Where between 1 and ``furthest`` the margin falls below zero; ``None`` if it does not."""
    if margin(furthest) >= 0:
        return None
    good, bad = 1.0, furthest
    for _ in range(_HALVINGS):
        middle = (good + bad) / 2
        good, bad = (middle, bad) if margin(middle) >= 0 else (good, middle)
    return bad


def figures(assumptions: Assumptions) -> Iterator[tuple[str, Callable[[float], Assumptions]]]:
    """Every figure that is moved, by name, with the table for a factor on it."""
    for name in assumptions.engines:
        yield f"{name}: quality", _on_engine(assumptions, name, _quality)
        yield f"{name}: cost", _on_engine(assumptions, name, _cost)
        yield f"{name}: wait", _on_engine(assumptions, name, _wait)
    for field, title in _VALUES.items():
        yield f"value: {title}", _on_value(assumptions, field)


_VALUES = {"usd": "a dollar", "late_s": "a late second", "switch": "a switch", "violation": "a violation"}


def _on_engine(
    assumptions: Assumptions, name: str, change: Callable[[EngineAssumptions, float], EngineAssumptions]
) -> Callable[[float], Assumptions]:
    def moved(factor: float) -> Assumptions:
        changed = change(assumptions.engines[name], factor)
        return replace(assumptions, engines={**assumptions.engines, name: changed})

    return moved


def _on_value(assumptions: Assumptions, field: str) -> Callable[[float], Assumptions]:
    def moved(factor: float) -> Assumptions:
        value = replace(assumptions.value, **{field: factor * getattr(assumptions.value, field)})
        return replace(assumptions, value=value)

    return moved


def _quality(engine: EngineAssumptions, factor: float) -> EngineAssumptions:
    plain, tools, upset, both = (min(1.0, factor * quality) for quality in engine.quality)
    return replace(engine, quality=(plain, tools, upset, both))


def _cost(engine: EngineAssumptions, factor: float) -> EngineAssumptions:
    bill = engine.usd
    usd = Bill(
        turn=factor * bill.turn,
        tools=factor * bill.tools,
        caller_minute=factor * bill.caller_minute,
        agent_minute=factor * bill.agent_minute,
        context_turn=factor * bill.context_turn,
    )
    return replace(engine, usd=usd)


def _wait(engine: EngineAssumptions, factor: float) -> EngineAssumptions:
    def longer(wait: Wait) -> Wait:
        return Wait(factor * wait.p50_ms, factor * wait.p99_ms)

    return replace(engine, wait=longer(engine.wait), wait_with_tools=longer(engine.wait_with_tools))
