"""``patchbay policy explain``: why a recorded call was routed as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from compliance.errors import LedgerError
from compliance.events import Decided, Event
from compliance.ledger import Ledger
from router import Policy
from router.conditions import Failed
from router.explanation import Step
from service.cli.policy.explain_tables import call_view, turn_view
from service.cli.policy.shared import print_json, reading
from service.explained import ExplainedCall, ExplainedTurn, explained_call
from service.history import Archive, find_call

SCHEMA = "patchbay.explanation/1"


def explain(where: str, name: str, turn: int | None, *, as_json: bool) -> int:
    """Print the explanation; returns 1 when the archived policy does not decide what is on record.

    Args:
        where: the ledger: a path or a URL.
        name: a call's id, the beginning of one, or ``last``.
        turn: only this turn, in full.
        as_json: JSON instead of tables.

    Raises:
        compliance.errors.LedgerError: the ledger cannot be read, or has no such call or turn.
    """
    with reading(where, "policy explain") as ledger:
        call_id = find_call(ledger, name)
        events = ledger.events(call_id)
        policy, missing = _policy(ledger, events)
    call = explained_call(events, policy)
    numbers = [one.explanation.decision.turn for one in call.turns]
    if not numbers:
        raise LedgerError(f"call {call_id} has no decision on record: there is nothing to explain")
    if turn is not None and turn not in numbers:
        raise LedgerError(f"call {call_id} has no turn {turn}: its turns are {numbers[0]} to {numbers[-1]}")
    turns = [one for one in call.turns if turn is None or one.explanation.decision.turn == turn]
    if as_json:
        print_json(_json(call, turns, missing))
    else:
        view = call_view(call, missing) if turn is None else turn_view(call, turns[0], missing)
        Console().print(view)
    return 1 if any(one.reproduced is False for one in turns) else 0


def _policy(ledger: Ledger, events: Sequence[Event]) -> tuple[Policy | None, str]:
    """The policy that routed a call, or why it is not at hand."""
    hashes = list(dict.fromkeys(event.policy_hash for event in events if isinstance(event, Decided)))
    if len(hashes) != 1:
        return None, f"the record names {len(hashes)} policies, and a call keeps one"
    try:
        return Archive(ledger).policy(hashes[0]), ""
    except LedgerError as error:
        return None, str(error)


# -- for scripts ----------------------------------------------------------------------------------------------
def _json(call: ExplainedCall, turns: Sequence[ExplainedTurn], missing: str) -> dict[str, Any]:
    """The schema ``patchbay.explanation/1``; ``null`` is not known. Text is redacted, as stored."""
    summary = call.summary
    return {
        "schema": SCHEMA,
        "call": summary.call_id,
        "started_at": summary.started_at,
        "tenant": summary.tenant,
        "policy": {
            "name": summary.policy,
            "version": summary.policy_version,
            "hash": summary.policy_hash,
            "not_at_hand": missing or None,
        },
        "turns": [_turn(one) for one in turns],
    }


def _turn(turn: ExplainedTurn) -> dict[str, Any]:
    explanation, summary = turn.explanation, turn.summary
    decision = explanation.decision
    return {
        "turn": decision.turn,
        "engine": decision.engine,
        "answered_by": summary.engine,
        "rule": decision.rule,
        "reason": decision.reason,
        "routed": turn.routed,
        "reproduced": turn.reproduced,
        "denied": dict(decision.denied),
        "tried": [_step(step) for step in explanation.steps],
        "not_asked": list(explanation.not_tried),
        "kept_by": list(explanation.kept_by),
        "smoothed": [asdict(one) for one in explanation.smoothed],
        "arms": dict(decision.arms),
        "shadow": dict(decision.shadow),
        "endpointing_ms": decision.endpointing_ms,
        "signals": dict(decision.signals),
        "moves": [asdict(one) for one in summary.moves],
        "hand_offs": [asdict(one) for one in summary.hand_offs],
        "failures": [asdict(one) for one in summary.failures],
        "caller": summary.caller_text,
        "heard_ms": summary.heard_ms,
        "cost_usd": summary.cost_usd,
        "decided_in_us": summary.deciding_us,
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "kind": step.kind,
        "outcome": step.outcome,
        "because": step.because,
        "conditions": [
            {
                "for": clause.label,
                "source": clause.source,
                "value": None if isinstance(clause.outcome, Failed) else clause.outcome,
                "failed": clause.outcome.reason if isinstance(clause.outcome, Failed) else None,
                "values": dict(clause.values),
            }
            for clause in step.clauses
        ],
        "gates": list(step.gates),
    }
