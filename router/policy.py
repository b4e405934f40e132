"""Which engine answers a turn, and why: a policy file applied to the signals of a turn.

Pure and synchronous: the same signals and memory give the same decision, so a call can be replayed and a
decision made on a partial transcript can be thrown away. The stages of a decision, in order:

1. derived signals are smoothed;
2. guards deny engines or force one, and what must never answer is denied with them;
3. the first rule that matches, that exists for this call at this hour, and whose engine is allowed chooses; an
   experiment on that rule may choose otherwise;
4. dwell and stability may keep the engine that is in charge;
5. an engine that is unhealthy is replaced from its fallbacks.

After each of them a denied engine is refused again, so no stage can bring one back. Shadow rules then go through
stages 3 to 5 once more, for the record only.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from policies.document import Document
from router import overlay
from router.choosing import Chooser
from router.conditions import Condition, Failed, Language
from router.content import Content, Engine, Rule
from router.decision import Decision
from router.memory import Memory
from router.reader import read
from router.signals import Scalar, Signals
from router.smoothing import Smoother
from router.turn import Choice, Outcome, Slot, Trace, Turn


class Policy:
    """A loaded policy. Never changes: a call keeps the one that it began with."""

    def __init__(self, content: Content) -> None:
        self._content = content
        language = Language(content.variables)
        self._smoother = Smoother(content, language)
        conditions: list[Condition] = []

        def place(condition: Condition) -> int:
            conditions.append(condition)
            return len(conditions) - 1

        def slot(rule: Rule) -> Slot:
            return Slot(rule, place(rule.when), place(rule.hold) if rule.hold else None)

        barring = [guard.when for guard in content.guards] + [each.when for each in content.never]
        conditions += barring
        self._rules = tuple(slot(rule) for rule in content.rules)
        self._shadow = tuple((one, self._instead(slot(one.rule), one.replaces)) for one in content.shadow)
        self._conditions = language.fuse(conditions)
        self._barring = language.fuse(barring)
        self._chooser = Chooser(content)
        self._params = {param.name: param.value for param in content.params.values()}
        self._tenants: dict[str, Policy] = {}

    def _instead(self, shadow: Slot, replaces: str | None) -> tuple[Slot, ...]:
        if replaces is None:
            return (shadow, *self._rules)
        # Under the id of the rule in whose place it stands: by that go hold, rollout and experiments.
        instead = replace(shadow, rule=replace(shadow.rule, id=replaces))
        return tuple(instead if slot.rule.id == replaces else slot for slot in self._rules)

    @classmethod
    def load(cls, path: Path, *, engines: Collection[str] | None = None) -> Policy:
        """Read a policy file. ``engines`` are the names in the engine catalogue; ``None`` does not check them.

        Raises:
            policies.DocumentError: the file cannot be used; lists every reason as ``file:line:column: message``.
        """
        return cls(read(Document.load(path), engines=engines))

    @classmethod
    def parse(cls, text: str, *, file: str = "<text>", engines: Collection[str] | None = None) -> Policy:
        """The same from text; ``file`` names it in errors."""
        return cls(read(Document.parse(text, file=file), engines=engines))

    # -- others like it ---------------------------------------------------------------------------------
    def for_tenant(self, tenant: str) -> Policy:
        """The policy with the overlay of ``tenant`` over it; itself for a tenant without one."""
        if tenant not in self._content.overlays:
            return self
        if tenant not in self._tenants:
            self._tenants[tenant] = Policy(overlay.for_tenant(self._content, tenant))
        return self._tenants[tenant]

    def with_params(self, values: Mapping[str, Scalar]) -> Policy:
        """The policy with other values for some params, by the name conditions use. Nothing is compiled anew.

        Raises:
            router.ParamError: a name that is no param, or a value outside the param's type and range.
        """
        changed = copy.copy(self)
        changed._content = overlay.with_params(self._content, values)
        changed._params = {param.name: param.value for param in changed._content.params.values()}
        changed._tenants = {}
        return changed

    # -- what it says -----------------------------------------------------------------------------------
    @property
    def content(self) -> Content:
        """All that it says, for whoever explains, compares or proves it."""
        return self._content

    @property
    def tenants(self) -> tuple[str, ...]:
        """The tenants that have an overlay, in the order of the file."""
        return tuple(self._content.overlays)

    @property
    def name(self) -> str:
        return self._content.name

    @property
    def version(self) -> int:
        return self._content.version

    @property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of what the policy says, whatever its layout and comments."""
        return self._content.hash

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines that it may choose, in the order of the file."""
        return tuple(self._content.engines)

    @property
    def default_engine(self) -> str:
        """The last resort: the engine that no guard may deny, and that serves when routing itself fails."""
        return self._content.last_resort

    @property
    def answer_within_ms(self) -> int | None:
        """What a caller may wait for an answer; ``None``: as the engine catalogue says."""
        return self._content.answer_within_ms

    def fallback(self, engine: str, denied_or_failed: Collection[str]) -> str | None:
        """The next engine to try when ``engine`` cannot answer: its fallbacks, theirs, then the last resort.

        ``None`` when all of those are among ``denied_or_failed``.
        """
        queue, seen = list(self._engine(engine).fallback), {engine}
        while queue:
            name = queue.pop(0)
            if name in seen:
                continue
            seen.add(name)
            if name not in denied_or_failed:
                return name
            queue += self._engine(name).fallback
        last = self._content.last_resort
        return None if last == engine or last in denied_or_failed else last

    # -- what it answers --------------------------------------------------------------------------------
    def warm(self, signals: Signals, memory: Memory, *, engine: str = "realtime") -> bool:
        """Whether ``engine`` is worth keeping warm: its ``warm`` condition holds and no guard denies it.

        A condition that cannot be evaluated is false: warmth costs money and only saves time.
        """
        condition = self._engine(engine).warm
        if condition is None:
            return False
        facts = self._smoother.view(signals, memory, self._params).facts
        if condition.evaluate(facts) is not True:
            return False
        outcomes = self._barring.evaluate(facts)
        barred = [guard.deny for guard in self._content.guards] + [
            each.routes for each in self._content.never
        ]
        return not any(
            engine in engines and outcome is not False
            for engines, outcome in zip(barred, outcomes, strict=True)
        )

    def judges_voice(self, signals: Signals) -> bool:
        """Whether the caller's voice may be judged: the caller consents and ``emotion.unless`` is false.

        One that cannot be evaluated is true: where it is not known whether listening is allowed, it is not.
        """
        if signals["caller.consent_emotion"] is not True:
            return False
        deaf = self._content.emotion
        return deaf is None or deaf.unless.evaluate({**self._params, **signals.as_dict()}) is False

    def decide(self, signals: Signals, memory: Memory) -> tuple[Decision, Memory]:
        """The engine for this turn, and the memory to pass with the next one.

        Nothing is changed here or in ``memory``: to preview a decision on a partial transcript, call this and
        drop the memory that comes back.
        """
        view = self._smoother.view(signals, memory, self._params)
        outcomes = self._conditions.evaluate(view.facts)
        trace = Trace([], list(view.errors))
        denied, forced = self._guard(outcomes, trace)
        turn = Turn(int(signals["turn.count"]), view, outcomes, memory, denied)
        choice = self._serve(forced, self._rules, turn, trace)
        after = memory.served(choice.engine, choice.rule, turn=turn.number, smoothed=view.smoothed)
        content = self._content
        logged = signals.as_dict()
        logged.update(view.smoothed)
        decision = Decision(
            turn=turn.number,
            engine=choice.engine,
            rule=choice.rule,
            reason=choice.reason,
            denied=MappingProxyType(denied),
            tried=tuple(trace.tried),
            policy=content.name,
            policy_version=content.version,
            policy_hash=content.hash,
            signals=MappingProxyType(logged),
            switched=memory.engine not in (None, choice.engine),
            endpointing_ms=choice.endpointing_ms,
            arms=choice.arms,
            shadow={
                shadow.rule.id: self._serve(forced, slots, turn, Trace([], [])).engine
                for shadow, slots in self._shadow
            },
            errors=tuple(trace.errors),
        )
        return decision, after

    # -- stages -----------------------------------------------------------------------------------------
    def _serve(self, forced: Choice | None, rules: Sequence[Slot], turn: Turn, trace: Trace) -> Choice:
        """Stages 3 to 5, with the denials checked after each."""
        if forced:
            choice = self._allowed(forced, turn.denied, trace)
        else:
            chosen = self._allowed(self._chooser.choose(rules, turn, trace), turn.denied, trace)
            choice = self._settled(chosen, turn, trace)
        choice = self._standing(choice, turn, trace)
        return self._allowed(choice, turn.denied, trace)  # whatever the stages did, a guard has the last word

    def _guard(self, outcomes: Sequence[Outcome], trace: Trace) -> tuple[dict[str, str], Choice | None]:
        """The denied engines and the first forced one. A guard that fails counts as true: it fails closed."""
        denied: dict[str, str] = {}
        forced: Choice | None = None
        guards, never = self._content.guards, self._content.never
        for guard, outcome in zip(guards, outcomes, strict=False):
            if outcome is False:
                trace.note(guard.id, "no")
                continue
            if isinstance(outcome, Failed):
                trace.failed(guard.id, outcome, counts_as="true")
            for engine in guard.deny:
                denied.setdefault(engine, guard.id)
            if guard.deny:
                trace.note(guard.id, f"denies {', '.join(guard.deny)}")
            if guard.force:
                trace.note(guard.id, f"forces {guard.force}")
                if forced is None:
                    forced = Choice(guard.id, guard.force, guard.because)
        for each, outcome in zip(never, outcomes[len(guards) :], strict=False):
            if outcome is False:
                continue
            if isinstance(outcome, Failed):
                trace.failed(each.id, outcome, counts_as="true")
            left = [engine for engine in each.routes if engine not in denied]
            denied.update(dict.fromkeys(left, each.id))
            if left:
                trace.note(each.id, f"never {', '.join(left)}, which no guard denies")
        return denied, forced

    def _allowed(self, choice: Choice, denied: Mapping[str, str], trace: Trace) -> Choice:
        """The choice, or the next engine that is not denied; the last resort cannot be."""
        if choice.engine not in denied:
            return choice
        engine = self.fallback(choice.engine, denied) or self._content.last_resort
        by = denied[choice.engine]
        trace.note(choice.rule, f"{choice.engine} denied by {by}, instead {engine}")
        return replace(choice, engine=engine, reason=f"{choice.reason}; {choice.engine} is denied by {by}")

    def _settled(self, choice: Choice, turn: Turn, trace: Trace) -> Choice:
        """Dwell and stability: stay with the engine in charge, if it may and can still answer."""
        memory = turn.memory
        current = memory.engine
        if current in (None, choice.engine) or current not in self._content.engines:
            return choice
        if current in turn.denied or not turn.view.is_healthy(current):
            return choice
        stay = self._stays(current, memory, turn.number)
        if stay is None:
            return choice
        stage, why = stay
        trace.note(stage, f"keeps {current}, not {choice.engine}: {why}")
        reason = f"stays on {current}: {why}; rule {choice.rule} asked for {choice.engine}"
        return Choice(memory.rule or choice.rule, current, reason, choice.endpointing_ms)

    def _stays(self, current: str, memory: Memory, turn: int) -> tuple[str, str] | None:
        least, stability = self._engine(current).min_turns, self._content.stability
        if memory.dwell < least:
            return "dwell", f"it has answered {memory.dwell} of at least {least} turns"
        if stability.max_switches is not None and memory.switches >= stability.max_switches:
            return "stability", f"the call has been switched {memory.switches} times, which is the limit"
        if memory.switched_at is not None and turn - memory.switched_at <= stability.cooldown_turns:
            return "stability", f"the call was switched at turn {memory.switched_at}"
        return None

    def _standing(self, choice: Choice, turn: Turn, trace: Trace) -> Choice:
        """The choice, or the nearest healthy engine that is not denied; the choice itself if there is none."""
        view = turn.view
        if view.is_healthy(choice.engine):
            return choice
        unhealthy = {engine for engine in self._content.engines if not view.is_healthy(engine)}
        engine = self.fallback(choice.engine, {*turn.denied, *unhealthy})
        if engine is None:
            trace.note("health", f"{choice.engine} is unhealthy, and so is all that could replace it")
            return choice
        trace.note("health", f"{choice.engine} is unhealthy, instead {engine}")
        return replace(choice, engine=engine, reason=f"{choice.reason}; {choice.engine} is unhealthy")

    def _engine(self, name: str) -> Engine:
        return self._content.engines.get(name) or Engine(name)
