"""Ledgers of invented lines: calls whose words, and whether a tool was needed, are known, routed by a real policy.

The agent is scripted: an engine with tools calls one exactly when the turn needs it, one without never does.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from compliance.events import (
    AgentSaid,
    CallEnded,
    CallerSaid,
    CallStarted,
    Decided,
    Event,
    ToolCalled,
    TurnEnded,
)
from compliance.ledger import Ledger
from router import Memory, Policy, Signals
from service.learning.turns import KINDS

ABLE = ("tool", "standard")
GREETING = "Hello, how can I help you?"


@dataclass(frozen=True, slots=True)
class Said:
    """One caller turn of an invented call."""

    user: str
    needs_tool: bool
    tool_p: float
    """What the classifier in use at the time made of it."""
    reply: str = "All right. Anything else?"
    upset: float = 0.1
    """How upset the caller sounds; no classifier of words hears it."""


def record(
    ledger: Ledger,
    policy: Policy,
    calls: Sequence[Sequence[Said]],
    *,
    prefix: str = "call",
    archive: bool = True,
    tenant: str = "",
) -> None:
    """Route the calls under ``policy`` and append their events."""
    if archive:
        ledger.keep_policy(policy.hash, policy.name, policy.version, policy.content.source)
    events: list[Event] = []
    for number, call in enumerate(calls):
        events += events_of(policy, f"{prefix}-{number:05}", call, tenant=tenant)
    ledger.append_many([event for event in events if event.kind in (*KINDS, "call_ended")])


def events_of(policy: Policy, call_id: str, call: Sequence[Said], *, tenant: str = "") -> list[Event]:
    """The events of one call, complete but for what nobody learns from."""
    at = {"call_id": call_id}
    events: list[Event] = [
        CallStarted(
            **at,
            at_ms=0,
            started_at="2026-11-16T09:30:00+00:00",
            source=f"lab:{call_id}",
            policy=policy.name,
            policy_hash=policy.hash,
            policy_version=policy.version,
            tenant=tenant,
        ),
        _spoken(call_id, 0, "standard", GREETING, 100),
    ]
    own, memory = policy.for_tenant(tenant), Memory.start(call_id)
    now_ms = 3_000.0
    for number, turn in enumerate(call, 1):
        end_ms = now_ms + 2_000
        signals = Signals(
            {
                "turn.count": number,
                "turn.chars": len(turn.user),
                "turn.words": len(turn.user.split()),
                "turn.tool_p": turn.tool_p,
                "turn.needs_tools": turn.tool_p >= 0.5,
                "emotion.label": "upset" if turn.upset >= 0.5 else "calm",
                "emotion.upset": turn.upset,
            }
        )
        decision, memory = own.decide(signals, memory)
        events += [
            CallerSaid(
                **at, at_ms=end_ms + 100, start_ms=now_ms, end_ms=end_ms, text=turn.user, confidence=0.9
            ),
            TurnEnded(**at, at_ms=end_ms + 300, turn=number, start_ms=now_ms, end_ms=end_ms),
            Decided(
                **at,
                at_ms=end_ms + 300,
                turn=number,
                engine=decision.engine,
                rule=decision.rule,
                reason=decision.reason,
                policy_hash=decision.policy_hash,
                policy_version=decision.policy_version,
                signals=dict(decision.signals),
                arms=dict(decision.arms),
                shadow=dict(decision.shadow),
            ),
        ]
        if turn.needs_tool and decision.engine in ABLE:
            events.append(
                ToolCalled(
                    **at,
                    at_ms=end_ms + 600,
                    turn=number,
                    engine=decision.engine,
                    name="look_up_order",
                    arguments={},
                    result={},
                    failed=False,
                    took_ms=100,
                )
            )
        events.append(_spoken(call_id, number, decision.engine, turn.reply, end_ms + 900))
        now_ms = end_ms + 4_000
    events.append(CallEnded(**at, at_ms=now_ms, reason="the caller hung up", turns=len(call), cost_usd=0.0))
    return events


def _spoken(call_id: str, turn: int, engine: str, text: str, start_ms: float) -> AgentSaid:
    return AgentSaid(
        call_id=call_id,
        at_ms=start_ms + 1_500,
        turn=turn,
        engine=engine,
        generation=turn + 1,
        start_ms=start_ms,
        end_ms=start_ms + 1_500,
        text=text,
        interrupted=False,
    )


# -- a line of which all is known -----------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Kind:
    """Turns of one kind: how they are said, how often they need a tool, what the old classifier made of them."""

    forms: tuple[str, ...]
    need: float
    tool_p: float


ITEMS = (
    "kettle",
    "mixer",
    "lamp",
    "sofa",
    "toaster",
    "blender",
    "rug",
    "mirror",
    "desk",
    "chair",
    "fan",
    "bed",
)
KINDS_OF_TURN = (
    Kind(("where is my {}", "when will the {} arrive", "track the {} for me"), 0.95, 0.9),
    Kind(("i want to return the {}", "send the {} back please"), 0.8, 0.8),
    Kind(("can you explain the guarantee on the {}", "what does the {} guarantee cover"), 0.05, 0.6),
    # Of the next two the classifier in use believes that they need nothing, and no engine with tools hears of them.
    Kind(("the {} never came", "nobody brought the {}", "still no {} here"), 0.9, 0.15),
    Kind(("my {} fell apart", "the {} makes a strange noise"), 0.5, 0.2),
    Kind(("what are your opening hours", "are you open on sunday", "where is your shop"), 0.02, 0.1),
    Kind(("do you sell a {}", "is there a {} in blue"), 0.15, 0.3),
    Kind(("thank you goodbye", "that is all thanks"), 0.01, 0.05),
)
EXPLORING = """
policy: {name: line, version: 1, salt: autumn}
engines: {fast: {fallback: [standard]}, standard: , tool: {fallback: [standard]}}
last_resort: standard
rules:
  - {id: tools, when: turn.tool_p >= 0.5, route: tool, because: it needs the shop's systems}
  - {id: quick, when: true, route: fast, because: it needs nothing}
experiments:
  - {id: hear, rule: quick, arms: {as-ever: 90, with-tools: {weight: 10, route: tool}}, because: what do we miss?}
"""
BLIND = EXPLORING[: EXPLORING.index("experiments:")]


def invented_calls(calls: int, *, seed: int) -> list[list[Said]]:
    """Calls of one to six turns, each turn of any kind."""
    chance = random.Random(seed)  # noqa: S311 # invented callers want a seed

    def turn() -> Said:
        kind = chance.choice(KINDS_OF_TURN)
        text = chance.choice(kind.forms).format(chance.choice(ITEMS))
        return Said(text, chance.random() < kind.need, kind.tool_p)

    return [[turn() for _ in range(chance.randint(1, 6))] for _ in range(calls)]


def need_of(user: str) -> float:
    """How often what is said so needs a tool, by the kind of turn it is."""
    for kind in KINDS_OF_TURN:
        if any(form.format(item) == user for form in kind.forms for item in ITEMS):
            return kind.need
    raise ValueError(user)


def dialogues(path: Path, tool_p: Callable[[str, str], float]) -> list[list[Said]]:
    """The calls of a file of labelled turns, as ``../shared/data/tool_need/tau_turns.jsonl.gz``."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    calls: dict[str, list[Said]] = {}
    for row, following in zip(rows, [*rows[1:], {"d": ""}], strict=True):
        reply = following["p"] if following["d"] == row["d"] else ""
        said = Said(row["u"], bool(row["y"]), tool_p(row["u"], row["p"]), reply or "Goodbye.")
        calls.setdefault(row["d"], []).append(said)
    return list(calls.values())
