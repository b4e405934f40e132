"""A call's summary as JSON, for scripts: the schema ``patchbay.call/1``.

Within a schema's version keys are only added, never renamed, retyped or dropped. Units are in the names;
``null`` means that the record does not say. Text is redacted, as stored.

=====================  ==============================================================================
key                    value
=====================  ==============================================================================
``schema``             ``"patchbay.call/1"``
``call``               ``id``, ``name``, ``source``, ``started_at`` (ISO 8601, UTC), ``duration_ms``,
                       ``ended`` (reason), ``policy``, ``policy_hash``, ``policy_version``,
                       ``prices_hash``, ``prices_as_of`` (of the price book), ``tenant``,
                       ``simulated`` (providers), ``events`` (count)
``totals``             ``turns``, ``cost_usd``, ``again_usd`` (of it, conversation sent again: an
                       estimate), ``cut_usd`` (of it, requests that failed or were cut: an estimate),
                       ``unwanted_usd`` (of it, replies that were begun early and thrown away),
                       ``unpriced_uses`` (that cost less here than they should),
                       ``hedges``, ``cost_by_provider_usd``, ``cost_by_engine_usd``, ``hand_offs``,
                       ``interruptions``, ``late_dropped``, ``previews_used``,
                       ``previews_discarded``, ``heard_twice`` (turns of which an engine's own
                       transcript was compared with the record), ``heard_ms`` (``count``, ``p50``,
                       ``p95``, ``max``)
``greeting``           list of what was said before the first turn: ``engine``, ``text``, ``start_ms``,
                       ``end_ms``, ``interrupted``, ``person`` (``null``: a machine spoke)
``turns``              list, see :func:`_turn`: route, engine, rule, reason, signals, experiment arms,
                       shadow rules, emotion, heard latency and its named waits, tools, hand-offs,
                       moves to other engines, replies, failures, cost
``usage``              list of ``provider``, ``model``, ``quantities``, ``cost_usd``
``part_failures``      list of ``part``, ``error``, ``action``, ``at_ms``
``refused``            list of ``turn``, ``used_by``, ``provider``, ``because``, ``at_ms``: what a gate stopped
``without``            parts that the call could not have, such as ``transcriber``
``consents``           list of ``turn``, ``what``, ``given``, ``how``, ``at_ms``: given or taken back in the call
``disclosed``          list of ``turn``, ``what``, ``wording``, ``language``, ``version``, ``start_ms``,
                       ``end_ms``, ``heard_share``, ``complete``: what the law wants said, as it was heard
``undisclosed``        list of what of it was never heard to its end
``unjudged``           ``dropped_frames``, ``late``, ``stale``, ``restarts``: what of the voice was not judged in
                       time; ``null`` when all was
``heard_otherwise``    list of turns that an engine heard in other words than the record: ``record``,
                       ``engine_text``, ``word_error_rate`` and the counts behind it
``broken``             list of ``promise``, ``turn``, ``sentence``; empty when all promises are kept
``ledger``             ``ok``, ``events``, ``head``, ``sentence``; ``null`` when it was not verified
=====================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from service.promises import Broken
from service.summary import CallSummary, LedgerCheck, TurnSummary

SCHEMA = "patchbay.call/1"


def summary_json(
    summary: CallSummary, *, broken: Sequence[Broken] = (), ledger: LedgerCheck | None = None
) -> dict[str, Any]:
    """``summary`` as a JSON value of schema :data:`SCHEMA` (see the module)."""
    return {
        "schema": SCHEMA,
        "call": {
            "id": summary.call_id,
            "name": summary.name,
            "source": summary.source,
            "started_at": summary.started_at,
            "duration_ms": summary.duration_ms,
            "ended": summary.ended,
            "policy": summary.policy,
            "policy_hash": summary.policy_hash,
            "prices_hash": summary.prices_hash,
            "prices_as_of": summary.prices_as_of,
            "policy_version": summary.policy_version,
            "tenant": summary.tenant,
            "simulated": list(summary.simulated),
            "events": summary.events,
        },
        "totals": {
            "turns": len(summary.turns),
            "cost_usd": summary.cost_usd,
            "again_usd": summary.again_usd,
            "cut_usd": summary.cut_usd,
            "unwanted_usd": summary.unwanted_usd,
            "unpriced_uses": summary.unpriced,
            "hedges": summary.hedges,
            "cost_by_provider_usd": dict(summary.cost_by_provider),
            "cost_by_engine_usd": dict(summary.cost_by_engine),
            "hand_offs": summary.hand_offs,
            "interruptions": summary.interruptions,
            "late_dropped": summary.late_dropped,
            "previews_used": summary.previews_used,
            "previews_discarded": summary.previews_discarded,
            "heard_twice": summary.heard_twice,
            "heard_ms": {
                "count": summary.heard.count,
                "p50": summary.heard.p50_ms,
                "p95": summary.heard.p95_ms,
                "max": summary.heard.max_ms,
            }
            if summary.heard
            else None,
        },
        "greeting": [asdict(said) for said in summary.greeting],
        "turns": [_turn(turn) for turn in summary.turns],
        "usage": [
            {
                "provider": usage.provider,
                "model": usage.model,
                "quantities": dict(usage.quantities),
                "cost_usd": usage.cost_usd,
            }
            for usage in summary.usage
        ],
        "part_failures": [
            {"part": failure.part, "error": failure.error, "action": failure.action, "at_ms": failure.at_ms}
            for failure in summary.part_failures
        ],
        "refused": [one.model_dump(exclude={"kind", "call_id"}) for one in summary.refused],
        "without": list(summary.without),
        "consents": [
            {
                "turn": change.turn,
                "what": change.what,
                "given": change.given,
                "how": change.how,
                "at_ms": change.at_ms,
            }
            for change in summary.consents
        ],
        "disclosed": [said.model_dump(exclude={"kind", "call_id", "at_ms"}) for said in summary.disclosed],
        "undisclosed": list(summary.undisclosed),
        "unjudged": summary.unjudged.model_dump(exclude={"kind", "call_id", "at_ms"})
        if summary.unjudged
        else None,
        "heard_otherwise": [
            one.model_dump(exclude={"kind", "call_id", "at_ms"}) for one in summary.heard_otherwise
        ],
        "broken": [asdict(one) for one in broken],
        "ledger": asdict(ledger) if ledger else None,
    }


def _turn(turn: TurnSummary) -> dict[str, Any]:
    """One turn; ``waits_ms`` keeps the order of the waits and sums to ``heard_ms``."""
    return {
        "turn": turn.turn,
        "start_ms": turn.start_ms,
        "end_ms": turn.end_ms,
        "caller_text": turn.caller_text,
        "route": turn.route,
        "engine": turn.engine,
        "rule": turn.rule,
        "reason": turn.reason,
        "signals": dict(turn.signals),
        "tried": [list(step) for step in turn.tried],
        "denied": dict(turn.denied),
        "deciding_us": turn.deciding_us,
        "arms": dict(turn.arms),
        "shadow": dict(turn.shadow),
        "endpointing_ms": turn.endpointing_ms,
        "emotion": {**asdict(turn.emotion), "evidence": list(turn.emotion.evidence)}
        if turn.emotion
        else None,
        "heard_ms": turn.heard_ms,
        "waits_ms": {wait.name: wait.took_ms for wait in turn.waits},
        "tools": [asdict(tool) for tool in turn.tools],
        "hand_offs": [asdict(hand_off) for hand_off in turn.hand_offs],
        "moves": [asdict(move) for move in turn.moves],
        "previews_used": turn.previews_used,
        "previews_discarded": turn.previews_discarded,
        "agent_text": turn.agent_text,
        "interrupted": turn.interrupted,
        "replies": [asdict(said) for said in turn.said],
        "failures": [asdict(failure) for failure in turn.failures],
        "cost_usd": turn.cost_usd,
    }
