"""How far labelled turns stand for all turns of a line, and weights that make them stand for more.

Which turns reach an engine with tools depends on the score of the model in use, so the turns that it holds to need no
tool are those of which nobody learns whether they did. Where the policy leaves the engine to chance, a labelled turn
counts for as many as were likely to go unlabelled: its weight is one over its propensity
(:mod:`service.learning.chance`), clipped, because a few heavy turns make a model of noise (Swaminathan and Joachims
2015). Turns that never reach such an engine have no stand-in, whatever the weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from classifiers.tool_need import LabelledTurn, ToolSet
from service.learning.turns import RecordedTurn, Unlabelled

T = TypeVar("T")

MOST_WEIGHT = 20.0
"""A turn counts for at most so many: an arm of one call in twenty counts in full."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """The turns of a call, and the chance that each had of an engine with tools."""

    call_id: str
    turns: tuple[RecordedTurn, ...]
    propensities: Mapping[int, float]
    """By the turn's number; what is missing is not known."""

    def weight(self, turn: RecordedTurn) -> float:
        """How many turns a labelled one stands for; 1 where its chances are not known."""
        propensity = self.propensities.get(turn.number, 1.0)
        # A labelled turn that could not have been one was routed otherwise than its policy says: nothing is known.
        return min(1 / propensity, MOST_WEIGHT) if propensity > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Selection:
    """Which turns have labels, and how they came by them."""

    turns: int
    """Caller turns on record."""
    labelled: int
    left_out: Mapping[Unlabelled, int]
    """The others, by reason."""
    explored: int
    """Turns whose engine was left to chance: an engine with tools under some lots and not under others."""
    explored_labelled: int
    """Those among them that have a label."""
    out_of_reach: int
    """Censored turns that no lot sends to an engine with tools: no weight makes another turn stand for them."""
    unknown: int
    """Turns, labelled or censored, whose chances are not known; labelled ones count once."""
    clipped: int
    """Labelled turns that would count for more than :data:`MOST_WEIGHT`."""
    effective: float
    """How many labelled turns of equal weight would say as much (Kish 1965)."""
    rules: Mapping[str, int]
    """Censored turns by the guard or rule that sent them to an engine without tools, the most first."""
    shadow: Mapping[str, int]
    """Censored turns that a shadow rule would have sent to an engine with tools, by the rule."""

    @property
    def censored(self) -> int:
        return self.left_out.get(Unlabelled.CENSORED, 0)


def selection(calls: Sequence[RecordedCall], able: Collection[str]) -> Selection:
    """Count; ``able`` are the engines that have tools."""
    turns = [(call, turn) for call in calls for turn in call.turns]
    labelled = [(call, turn) for call, turn in turns if turn.unlabelled is None]
    censored = [(call, turn) for call, turn in turns if turn.unlabelled is Unlabelled.CENSORED]
    explored = [(call, turn) for call, turn in turns if 0 < call.propensities.get(turn.number, 0.0) < 1]
    weights = [call.weight(turn) for call, turn in labelled]
    return Selection(
        turns=len(turns),
        labelled=len(labelled),
        left_out=_most_first(turn.unlabelled for _, turn in turns if turn.unlabelled is not None),
        explored=len(explored),
        explored_labelled=sum(turn.unlabelled is None for _, turn in explored),
        out_of_reach=sum(call.propensities.get(turn.number) == 0 for call, turn in censored),
        unknown=sum(turn.number not in call.propensities for call, turn in [*labelled, *censored]),
        clipped=sum(0 < call.propensities.get(turn.number, 1.0) < 1 / MOST_WEIGHT for call, turn in labelled),
        effective=sum(weights) ** 2 / sum(weight**2 for weight in weights) if weights else 0.0,
        rules=_most_first(turn.rule for _, turn in censored),
        shadow=_most_first(
            rule for _, turn in censored for rule, engine in turn.shadow.items() if engine in able
        ),
    )


def _most_first(items: Iterable[T]) -> dict[T, int]:
    return dict(Counter(items).most_common())


def examples(calls: Sequence[RecordedCall], tools: ToolSet | None) -> tuple[LabelledTurn, ...]:
    """The labelled turns, weighted, for :func:`classifiers.tool_need.adapt`; ``tools`` are those of the line."""
    return tuple(
        LabelledTurn(
            user=turn.user,
            agent=turn.agent,
            turn=turn.number,
            needs_tool=turn.needs_tool,
            weight=call.weight(turn),
            group=call.call_id,
            tools=tools,
            earlier=turn.earlier,
        )
        for call in calls
        for turn in call.turns
        if turn.unlabelled is None
    )
