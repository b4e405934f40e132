"""Calls as what-if reads them: the signals of each turn, and what is known of how it went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from router.decision import Decision
from router.memory import Memory
from router.policy import Policy
from router.signals import Scalar, Signals


@dataclass(frozen=True, slots=True)
class PastTurn:
    """One caller turn. What is ``None`` is not known."""

    signals: Mapping[str, Scalar]
    """Signals of the catalogue by name; those missing are unknown."""
    engine: str | None = None
    """The engine that was decided."""
    moved: tuple[str, ...] = ()
    """Engines that took the turn over when the decided one failed, in order."""
    routed: bool = True
    """False when routing itself had failed: no memory was kept of the turn."""
    heard_ms: float | None = None
    """What the caller waited."""
    cost_usd: float | None = None
    """What the turn cost."""
    needs_tools: bool | None = None
    """Whether the reply really needed a tool: a label, not the classifier's opinion."""
    upset: bool | None = None
    """Whether the caller really was upset: a label."""
    rule: str = ""
    """The rule that decided it."""
    denied: tuple[str, ...] = ()
    """Engines that might not answer it."""


@dataclass(frozen=True, slots=True)
class PastCall:
    """One call from its first turn to its last."""

    call_id: str
    turns: tuple[PastTurn, ...]
    tenant: str = ""
    policy_hash: str = ""
    """Of the policy that routed it."""


def walk(policy: Policy, call: PastCall) -> Iterator[tuple[PastTurn, Decision]]:
    """Decide every turn of ``call`` anew, from the first, so that all that sticks builds up as it would have.

    The signals are taken as they were, also those that another route would have changed (cost so far, tool
    failures, silence). A provider's failure moves the call as it did only where it was met on the same engine.
    """
    policy, memory = policy.for_tenant(call.tenant), Memory.start(call.call_id)
    for turn in call.turns:
        if not turn.routed:
            continue
        decision, memory = policy.decide(Signals(turn.signals), memory)
        if turn.moved and decision.engine == turn.engine:
            for engine in turn.moved:
                memory = memory.moved_to(engine)
        yield turn, decision
