"""A recorded call explained turn by turn: what was decided, what it was decided from, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compliance.errors import LedgerError
from compliance.events import Decided, Event
from router import Policy, Scalar
from router.explanation import Explanation, explain
from router.whatif.replay import mismatches
from service.history import decision_of, past_call, routed
from service.summary import CallSummary, TurnSummary, summarise


@dataclass(frozen=True, slots=True)
class ExplainedTurn:
    """One turn of which the decision is on record."""

    explanation: Explanation
    summary: TurnSummary
    routed: bool
    """False when routing itself had failed, so that no rule was asked."""
    reproduced: bool | None
    """Whether the archived policy decides the same today; ``None`` when it is not at hand."""


@dataclass(frozen=True, slots=True)
class ExplainedCall:
    summary: CallSummary
    turns: tuple[ExplainedTurn, ...]


def explained_call(events: Sequence[Event], policy: Policy | None) -> ExplainedCall:
    """Explain a call from its events and, where it is at hand, the policy that routed it.

    Raises:
        service.summary.RecordError: the events are not the record of one call.
    """
    summary = summarise(events)
    wrong = _not_reproduced(events, policy)
    own = policy.for_tenant(summary.tenant) if policy else None
    decided = sorted((event for event in events if isinstance(event, Decided)), key=lambda event: event.turn)
    turns: list[ExplainedTurn] = []
    before: Mapping[str, Scalar] | None = None
    engine: str | None = None
    by_number = {turn.turn: turn for turn in summary.turns}
    for event in decided:
        turn, was_routed = by_number[event.turn], routed(event)
        decision = decision_of(event, summary.policy, before=engine)
        turns.append(
            ExplainedTurn(
                explain(decision, own if was_routed else None, call_id=summary.call_id, before=before),
                turn,
                was_routed,
                event.turn not in wrong if wrong is not None and was_routed else None,
            )
        )
        if was_routed:
            before = event.signals
        engine = turn.moves[-1].to_engine if turn.moves else event.engine
    return ExplainedCall(summary, tuple(turns))


def _not_reproduced(events: Sequence[Event], policy: Policy | None) -> frozenset[int] | None:
    """The turns that ``policy`` decides otherwise today; ``None`` when that cannot be told."""
    try:
        call = past_call(events)
    except LedgerError:
        return None
    if policy is None or call is None:
        return None
    return frozenset(one.turn for one in mismatches(policy, call))
