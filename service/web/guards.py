"""What a policy says of a call that only one engine can answer: whether that engine still may.

The policy is asked when a turn's words are known, by which time the vendor's model answers them already: what it denies
ends the call, and does not keep that one turn from being answered. A guard that forces a person denies this one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from classifiers.tool_need import ToolSet
from compliance.clock import CallClock
from compliance.events import Part, Topic
from engines.catalogue import EngineSpec
from engines.gates import Gates
from router import Decision, Memory, Policy
from service.emotion_ear import ClosedEar
from service.exchange import Exchange
from service.facts import NO_ANSWERS, CallFacts, Classifiers, Consents, Tally
from service.gathering import Gatherer

UNKNOWN = "the policy does not know this engine"
FAILED = "the policy could not be asked"


def why_closed(exchange: Exchange, engine: EngineSpec, given: Callable[[Topic], bool]) -> str:
    """Why ``engine`` may not hear callers of this line, whatever the policy says; empty when it may."""
    gates = Gates(
        exchange.catalogue,
        region=exchange.settings.region,
        given=given,
        voice_closed=exchange.redaction_policy.placeholders.demanded,
    )
    return gates.why_closed(engine.mind, hears=True)


class Guards:
    """Asks the guards of a policy about one engine, turn by turn. What fails counts as denied.

    Args:
        policy: of the call.
        engine: the only one that can answer.
        people: the engines that are people, whom nobody can pass such a call on to.
        classifiers, tools, facts, clock, consents, failed: see :class:`service.gathering.Gatherer`.
        call_id: the call.
    """

    def __init__(
        self,
        policy: Policy,
        engine: str,
        *,
        people: Collection[str],
        classifiers: Classifiers,
        tools: ToolSet | None,
        facts: CallFacts,
        clock: CallClock,
        consents: Consents,
        call_id: str,
        failed: Callable[[Part, Exception], None],
    ) -> None:
        self._policy = policy
        self._engine = engine
        self._people = people
        self._memory = Memory.start(call_id)
        self._failed = failed
        self._gatherer = Gatherer(
            policy,
            classifiers=classifiers,
            tools=tools,
            voice=ClosedEar(),
            answers=NO_ANSWERS,
            facts=facts,
            clock=clock,
            now=lambda: datetime.now().astimezone(),
            consents=consents,
            failed=failed,
        )

    @property
    def tally(self) -> Tally:
        """What has added up over the call."""
        return self._gatherer.tally

    def tool_called(self, name: str, *, failed: bool) -> None:
        """The engine used a tool."""
        self._gatherer.tool_called(name, failed=failed)

    def before(self) -> str | None:
        """The guard that denies the engine a call that begins now, or why it cannot be asked; else ``None``."""
        if self._engine not in self._policy.engines:
            return UNKNOWN
        try:
            decision, _ = self._policy.decide(self._gatherer.preview("").signals, self._memory)
        except Exception as error:
            self._failed("router", error)
            return FAILED
        return self._denying(decision)

    def turn_ended(self, text: str, start_ms: float, end_ms: float) -> str | None:
        """The same once the words of a turn are known; the call remembers them."""
        try:
            known = self._gatherer.turn_ended(text, start_ms=start_ms, end_ms=end_ms)
            decision, memory = self._policy.decide(known.signals, self._memory)
        except Exception as error:
            self._failed("router", error)
            return FAILED
        self._memory = memory.moved_to(self._engine)
        return self._denying(decision)

    def _denying(self, decision: Decision) -> str | None:
        guards = {guard.id for guard in self._policy.content.guards}
        forced = decision.rule if decision.rule in guards and decision.engine in self._people else None
        return decision.denied.get(self._engine, forced)
