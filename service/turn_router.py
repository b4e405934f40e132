"""Routes a call's turns: gathers the signals, asks the policy, and remembers.

This is where what is heard and meant meets the policy. Whatever fails in here, the call goes on: the turn is
answered by the policy's default engine and the record says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime

from classifiers.tool_need import ToolSet
from compliance.clock import CallClock
from compliance.events import (
    DEFAULT_ENGINE,
    Decided,
    Event,
    Part,
    PartFailed,
    TurnEnded,
    TurnMoved,
)
from engines.routing import CallerTurn, Route
from router import Decision, Memory, Policy
from service.facts import (
    NO_ANSWERS,
    NO_CONSENTS,
    Answers,
    CallFacts,
    Classifiers,
    Consents,
    Tally,
    Voice,
)
from service.gathering import Gatherer
from service.health import CallHealth, Health, SharedCircuits


class TurnRouter:
    """Implements :class:`engines.routing.Routing` with a policy.

    Args:
        policy: decides, as it is for the call's tenant; a call keeps it to its end.
        classifiers: judge what is meant and how the caller is.
        voice: reads the caller's voice.
        facts: of the call.
        clock: the call's clock.
        emit: takes events for the record.
        call_id: goes into every event.
        tools: those that the call's engines have.
        answers: to the policy's questions.
        consents: are told what the caller says, and say what the caller agrees to.
        now: the time of day at the line, with its zone.
        health: of the engines' providers; by default what this call finds out itself.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        classifiers: Classifiers,
        voice: Voice,
        facts: CallFacts,
        clock: CallClock,
        emit: Callable[[Event], None],
        call_id: str,
        tools: ToolSet | None = None,
        answers: Answers = NO_ANSWERS,
        consents: Consents = NO_CONSENTS,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
        health: Health | None = None,
    ) -> None:
        self._health = health or CallHealth(
            SharedCircuits(now_s=lambda: clock.now_ms() / 1000),
            {name: name for name in policy.engines},
            call_id,
        )
        self._policy = policy
        self._memory = Memory.start(call_id)
        self._gatherer = Gatherer(
            policy,
            classifiers=classifiers,
            tools=tools,
            voice=voice,
            answers=answers,
            facts=facts,
            clock=clock,
            now=now,
            consents=consents,
            failed=self._part_failed,
            may_ask=self._health.may_ask,
        )
        self._clock = clock
        self._emit = emit
        self._call_id = call_id
        self._engine = policy.default_engine
        self._decided = False
        """Whether the policy decided the turn in hand; else routing had failed, and memory knows nothing of it."""

    @property
    def tally(self) -> Tally:
        """What has added up over the call."""
        return self._gatherer.tally

    def listen_with(self, voice: Voice) -> None:
        """Read the caller's voice with ``voice`` from now on."""
        self._gatherer.listen_with(voice)

    def may_judge_voice(self) -> bool:
        """Whether the caller's voice may be judged, as far as is known without the running turn's words."""
        try:
            return self._gatherer.may_judge_voice()
        except Exception as error:
            self._part_failed("emotion", error)
            return False

    # -- engines.routing.Routing ------------------------------------------------------------------------
    def preview(self, text: str) -> Route:
        try:
            known = self._gatherer.preview(text)
            decision, _ = self._policy.decide(known.signals, self._memory)
        except Exception:
            return self._without_policy(self.tally.turns + 1)  # the decision itself will report what is wrong
        return _route(decision, known.manner)

    def decide(self, turn: CallerTurn) -> Route:
        number, at_ms = self.tally.turns + 1, self._clock.now_ms()
        self._emit(
            TurnEnded(
                call_id=self._call_id,
                at_ms=at_ms,
                turn=number,
                start_ms=max(0.0, turn.start_ms),
                end_ms=max(0.0, turn.end_ms),
            )
        )
        began = time.perf_counter()
        try:
            known = self._gatherer.turn_ended(turn.text, start_ms=turn.start_ms, end_ms=turn.end_ms)
            decision, self._memory = self._policy.decide(known.signals, self._memory)
        except Exception as error:
            route, self._decided = self._without_policy(number), False
            self._engine = route.engine
            self._emit(
                PartFailed(
                    call_id=self._call_id,
                    at_ms=at_ms,
                    part="router",
                    error=type(error).__name__,
                    action=f"turn {number} goes to the default engine, {route.engine}",
                )
            )
            self._emit(
                Decided(
                    call_id=self._call_id,
                    at_ms=at_ms,
                    turn=number,
                    engine=route.engine,
                    rule=DEFAULT_ENGINE,
                    reason="The router failed, so the policy's default engine answers.",
                    policy_hash=self._policy.hash,
                    policy_version=self._policy.version,
                    signals={},
                    denied=dict.fromkeys(sorted(route.denied), DEFAULT_ENGINE),
                )
            )
            return route
        self._engine, self._decided = decision.engine, True
        took_us = (time.perf_counter() - began) * 1e6
        self._emit(
            Decided(
                call_id=self._call_id,
                at_ms=at_ms,
                turn=number,
                engine=decision.engine,
                rule=decision.rule,
                reason=decision.reason,
                policy_hash=decision.policy_hash,
                policy_version=decision.policy_version,
                signals=dict(decision.signals),
                tried=tuple(decision.tried),
                denied=dict(decision.denied),
                took_us=took_us,
                arms=dict(decision.arms),
                shadow=dict(decision.shadow),
                endpointing_ms=decision.endpointing_ms,
                evidence=known.evidence,
            )
        )
        return _route(decision, known.manner)

    def fallback(self, route: Route, failed: Collection[str]) -> str | None:
        out = {route.engine, *route.denied, *failed}
        sick = {engine for engine in self._policy.engines if not self._health.may_ask(engine)}
        for excluded in (out | sick, out):  # one that is not well is better than none
            named = self._policy.fallback(route.engine, excluded)
            left = (engine for engine in self._policy.engines if engine not in excluded)
            if (found := named or next(left, None)) is not None:
                return found
        return None

    def warm(self, engine: str) -> bool:
        if not self._health.may_ask(engine):
            return False
        try:
            return self._policy.warm(self._gatherer.preview("").signals, self._memory, engine=engine)
        except Exception:
            return False  # the decision will report it; warmth is only a head start

    def moved(self, engine: str) -> None:
        if engine == self._engine:
            return
        self._emit(
            TurnMoved(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                turn=self.tally.turns,
                from_engine=self._engine,
                to_engine=engine,
            )
        )
        self._engine = engine
        if self._decided:
            self._memory = self._memory.moved_to(engine)

    def asked(self, engine: str) -> None:
        self._health.asked(engine)

    def worked(self, engine: str) -> None:
        self._health.worked(engine)

    def failed(self, engine: str) -> None:
        self._health.failed(engine)

    # -- what the call tells ------------------------------------------------------------------------------
    def tool_called(self, name: str, *, failed: bool) -> None:
        """An engine used a tool."""
        self._gatherer.tool_called(name, failed=failed)

    def people_seen(self, available: bool) -> None:
        """Whether a person can be fetched now, as far as is known."""
        self.tally.person_available = available

    def person_came(self) -> None:
        """The caller was with a person: they no longer wait for one."""
        self._gatherer.person_came()

    def answered(self, engine: str, heard_ms: float) -> None:
        """A turn was heard to be answered ``heard_ms`` after the caller stopped."""
        self.tally.heard_ms.setdefault(engine, []).append(heard_ms)

    # -- what the gatherer tells ----------------------------------------------------------------------------
    def _part_failed(self, part: Part, error: Exception) -> None:
        self._emit(
            PartFailed(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                part=part,
                error=type(error).__name__,
                action="the turn is routed without it",
            )
        )

    def _without_policy(self, turn: int) -> Route:
        """Where a turn goes that the policy cannot decide: to the one engine that no guard may deny."""
        default = self._policy.default_engine
        return Route(turn, default, frozenset(self._policy.engines) - {default})


def _route(decision: Decision, manner: str) -> Route:
    return Route(decision.turn, decision.engine, frozenset(decision.denied), decision.endpointing_ms, manner)
