"""Calls of invented callers, routed by the real router of a call into a real ledger: what replay reads.

Voices, needs and failures are drawn from a seed; nothing is said in them, and nobody waits.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from classifiers.caller_state import SHIPPED, CallerStateModel
from classifiers.emotion import EmotionReading
from classifiers.tool_need import Earlier, ToolNeed, ToolSet
from compliance.clock import CallClock
from compliance.events import CallStarted, Event, TurnAnswered, UsageIncurred
from compliance.ledger import Ledger
from engines.routing import CallerTurn
from router import Policy
from service.facts import CallFacts, Classifiers
from service.turn_router import TurnRouter
from tests.agreed import Agreed

BEGAN = datetime(2026, 11, 2, 7, tzinfo=UTC)
"""When the first call of a record began, a Monday; each later one began an hour after the one before."""

EVERYTHING = """
policy: {name: support, version: 3, salt: 2026-q4}
params: {tool_p: {value: 0.6, min: 0.3, max: 0.9}, enter: {value: 0.55, min: 0.4, max: 0.9}, leave: {value: 0.35}}
derived:
  upset: {from: emotion.upset, only_if: 'emotion.label != "unknown" && turn.words >= 2', ewma: 0.6, noise: 0.1}
  errand: {from: turn.tool_p, ewma: 0.5, unknown: 0.1}
engines:
  fast: {fallback: [standard]}
  tool: {fallback: [standard]}
  standard: {fallback: [fast]}
  realtime: {fallback: [tool, standard], min_turns: 2, warm: upset >= 0.3}
last_resort: standard
stability: {max_switches: 3, cooldown_turns: 1}
guards:
  - {id: no-consent, when: '!caller.consent_voice_ai', deny: [realtime], because: no voice leaves without consent}
  - {id: over-budget, when: cost.usd > 0.02, deny: [realtime, tool], because: the call has used up its budget}
  - {id: wants-a-person, when: call.asked_human, force: standard, because: the caller asked for a person}
rules:
  - {id: de-escalate, when: upset >= p.enter, hold: upset >= p.leave, route: realtime, else_route: tool,
     because: the caller sounds upset}
  - {id: evening, when: true, route: fast, because: the evening shift is small,
     schedule: {days: mon-fri, from: "18:00", to: "22:00", tz: Europe/Berlin}}
  - {id: digits, when: turn.ends_in_digits, route: standard, endpointing_ms: 900, because: a number is being read out,
     rollout: {percent: 50}}
  - {id: tools, when: turn.tool_p >= p.tool_p, hold: errand >= 0.3, route: tool, because: the reply needs a tool}
  - {id: opening, when: turn.count == 1, route: fast, because: the first turn is short}
  - {id: otherwise, when: true, route: standard, because: nothing else applies}
shadow:
  - {id: try-lower, replaces: tools, when: turn.tool_p >= 0.4, route: tool, because: fewer misses are hoped for}
experiments:
  - {id: tool-or-standard, rule: tools, arms: {control: 50, other: {weight: 50, route: standard}},
     because: is the tool engine worth it?}
never:
  - {id: consent, route: realtime, when: '!caller.consent_voice_ai', because: no voice leaves without consent}
overlays:
  acme:
    params: {tool_p: 0.4}
    disable: [digits]
    insert: [{before: tools, id: acme-first, when: turn.words < 3, route: fast, because: acme likes it quick}]
    guards: [{id: acme-vip, when: call.queue == "vip", deny: [fast], because: acme pays for better}]
"""
"""A policy with all that can stick, gate, sort and keep."""

_STATE = CallerStateModel.load(SHIPPED)
_COST_USD = {"fast": 0.001, "standard": 0.002, "tool": 0.006, "realtime": 0.012}
_HEARD_MS = {"fast": 450.0, "standard": 620.0, "tool": 1100.0, "realtime": 380.0}
_WORDS = (
    "hello", "where is my order", "that is not what i said", "it is four four one seven", "yes",
    "as i said where is it", "what is your opening time on a saturday in december",
)  # fmt: skip


class _Caller:
    """Both classifiers: how the caller sounds and what they need, by chance; at times one of them breaks."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._mood = chance.random()

    def reading(self) -> EmotionReading:
        if self._chance.random() < 0.05:
            raise RuntimeError("the model is broken")
        upset = min(1.0, max(0.0, self._mood + self._chance.gauss(0, 0.25)))
        label = "unknown" if self._chance.random() < 0.15 else "upset" if upset > 0.5 else "calm"
        return EmotionReading(label, max(upset, 1 - upset), upset, 4)

    def forget(self) -> None: ...

    def ready(self, agent: str, *, turn: int, earlier: Earlier) -> str:
        return agent

    def judge(self, text: str, ready: str, tools: ToolSet | None) -> ToolNeed:
        need = self._chance.random()
        return ToolNeed(float("nan") if need < 0.04 else need, 1.0)  # no signal takes NaN: routing fails


def record_calls(ledger: Ledger, policy: Policy, calls: int, *, seed: int = 0, prefix: str = "call") -> None:
    """Route and record ``calls`` calls, half of them for the tenant ``acme``; archive the policy."""
    ledger.keep_policy(policy.hash, policy.name, policy.version, policy.content.source)
    events: list[Event] = []
    for number in range(calls):
        events += recorded_call(policy, f"{prefix}-{number:05}", random.Random(f"{seed} {number}"), number)  # noqa: S311
    ledger.append_many(events)


def recorded_call(policy: Policy, call_id: str, chance: random.Random, number: int = 0) -> list[Event]:
    """The events of one call of up to nine turns."""
    began, tenant = BEGAN + timedelta(hours=number), "acme" if number % 2 else ""
    now_s = 0.0
    caller: Any = _Caller(chance)
    events: list[Event] = []
    queue = chance.choice(("support", "vip"))
    agreed = Agreed(voice_ai=chance.random() < 0.7)
    facts = CallFacts(
        queue=queue,
        region=chance.choice(("eu", "us")),
    )
    router = TurnRouter(
        policy.for_tenant(tenant),
        classifiers=Classifiers(caller, _STATE),
        voice=caller,
        facts=facts,
        consents=agreed,
        clock=CallClock(monotonic=lambda: now_s, wall=lambda: now_s),
        emit=events.append,
        call_id=call_id,
        now=lambda: began + timedelta(seconds=now_s),
    )
    events.append(
        CallStarted(
            call_id=call_id,
            at_ms=0,
            started_at=began.isoformat(),
            source=f"lab:{call_id}",
            policy=policy.name,
            policy_hash=policy.hash,
            policy_version=policy.version,
            tenant=tenant,
        )
    )
    for turn in range(1, chance.randint(2, 10)):
        now_s += chance.uniform(2, 9)
        words = "can i talk to a person" if chance.random() < 0.03 else chance.choice(_WORDS)
        said = CallerTurn(words, now_s * 1000 - 1500, now_s * 1000)
        router.preview(words.rpartition(" ")[0])  # the last word is yet to come
        route = router.decide(said)
        engine, failed = route.engine, set[str]()
        while chance.random() < 0.12:
            router.failed(engine)
            failed.add(engine)
            following = router.fallback(route, failed)
            if following is None:
                break
            engine = following
            router.moved(engine)
        now_s += 0.5
        heard_ms = _HEARD_MS[engine] * chance.uniform(0.7, 1.5) + 1500 * len(failed)
        cost_usd = _COST_USD[engine] * chance.uniform(0.5, 1.5)
        router.answered(engine, heard_ms)
        router.tally.cost_usd += cost_usd
        at = {"call_id": call_id, "at_ms": now_s * 1000, "turn": turn, "engine": engine}
        events.append(TurnAnswered(**at, heard_ms=heard_ms, waits={}))
        usage = {"provider": "openai", "model": "m", "quantities": {}, "cost_usd": cost_usd / 2}
        events += [UsageIncurred(**at, **usage), UsageIncurred(**at, **usage)]
    return events
