"""Which engine answers a turn, and why: a policy file applied to the signals of a turn.

Pure and synchronous: the same signals and memory give the same decision, so a call can be replayed and a
decision made on a partial transcript can be thrown away. The stages of a decision, in order:

1. derived signals are smoothed;
2. guards deny engines or force one;
3. the first rule that matches and whose engine is allowed chooses;
4. dwell and stability may keep the engine that is in charge;
5. an engine that is unhealthy is replaced from its fallbacks.

After each of them a denied engine is refused again, so no stage can bring one back.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from policies.document import Document
from router.conditions import Failed, Fused, Language
from router.content import Content, Engine
from router.decision import Decision
from router.memory import Memory
from router.reader import read
from router.signals import CATALOGUE, Scalar, Signals, healthy

Outcome = Scalar | Failed


@dataclass(frozen=True, slots=True)
class _Choice:
    """An engine as one stage leaves it to the next."""

    rule: str
    engine: str
    reason: str


@dataclass(slots=True)
class _Trace:
    """What was tried in a decision, and what failed."""

    tried: list[tuple[str, str]]
    errors: list[str]

    def note(self, name: str, outcome: str) -> None:
        self.tried.append((name, outcome))

    def failed(self, name: str, failure: Failed, *, counts_as: str) -> None:
        self.tried.append((name, f"failed, counts as {counts_as}: {failure.reason}"))
        self.errors.append(f"{name}: {failure.reason}")


@dataclass(frozen=True, slots=True)
class _View:
    """A turn as the conditions see it."""

    facts: Mapping[str, Scalar]
    """Signals, params and derived signals."""
    signals: Mapping[str, Scalar]
    """The same without params: what is logged."""
    smoothed: tuple[tuple[str, float], ...]
    errors: tuple[str, ...]


class Policy:
    """A loaded policy. Never changes: a call keeps the one that it began with."""

    def __init__(self, content: Content) -> None:
        self._content = content
        language = Language(content.variables)
        derived, guards, rules = content.derived, content.guards, content.rules
        self._readings = language.fuse(
            [each.reading for each in derived] + [each.only_if for each in derived if each.only_if]
        )
        self._holding = tuple(rule for rule in rules if rule.hold)
        self._conditions = language.fuse(
            [guard.when for guard in guards]
            + [rule.when for rule in rules]
            + [rule.hold for rule in rules if rule.hold]
        )
        self._guards_only: Fused = language.fuse([guard.when for guard in guards])
        self._unknown = {
            name: spec.unknown for name, spec in content.variables.items() if name not in CATALOGUE
        }

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

    # -- what it says -----------------------------------------------------------------------------------
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
        facts = self._look(signals, memory).facts
        if condition.evaluate(facts) is not True:
            return False
        outcomes = self._guards_only.evaluate(facts)
        return not any(
            engine in guard.deny and outcome is not False
            for guard, outcome in zip(self._content.guards, outcomes, strict=True)
        )

    def decide(self, signals: Signals, memory: Memory) -> tuple[Decision, Memory]:
        """The engine for this turn, and the memory to pass with the next one.

        Nothing is changed here or in ``memory``: to preview a decision on a partial transcript, call this and
        drop the memory that comes back.
        """
        turn = int(signals["turn.count"])
        view = self._look(signals, memory)
        outcomes = self._conditions.evaluate(view.facts)
        trace = _Trace([], list(view.errors))
        denied, forced = self._guard(outcomes, trace)
        choice = (
            self._allowed(forced, denied, trace) if forced else self._rule(outcomes, memory, denied, trace)
        )
        if not forced:
            choice = self._settled(choice, memory, turn, denied, view, trace)
        choice = self._standing(choice, denied, view, trace)
        choice = self._allowed(choice, denied, trace)  # whatever the stages did, a guard has the last word
        after = replace(memory.served(choice.engine, choice.rule, turn=turn), smoothed=view.smoothed)
        decision = Decision(
            turn=turn,
            engine=choice.engine,
            rule=choice.rule,
            reason=choice.reason,
            denied=MappingProxyType(denied),
            tried=tuple(trace.tried),
            policy_hash=self._content.hash,
            signals=MappingProxyType(dict(view.signals)),
            switched=memory.engine not in (None, choice.engine),
            errors=tuple(trace.errors),
        )
        return decision, after

    # -- stages -----------------------------------------------------------------------------------------
    def _look(self, signals: Signals, memory: Memory) -> _View:
        """Smooth the derived signals; a reading that fails or does not count leaves the value as it was."""
        content = self._content
        known = {**self._unknown, **content.params, **signals.values}
        outcomes = self._readings.evaluate(known)
        counts = iter(outcomes[len(content.derived) :])
        before = dict(memory.smoothed)
        smoothed: list[tuple[str, float]] = []
        errors: list[str] = []
        for each, reading in zip(content.derived, outcomes, strict=False):
            counted = next(counts) if each.only_if else True
            value = before.get(each.name, each.unknown)
            failures = (part for part in (reading, counted) if isinstance(part, Failed))
            errors.extend(f"{each.name}: {failure.reason}" for failure in failures)
            if counted is True and isinstance(reading, float) and math.isfinite(reading):
                value = each.ewma * reading + (1.0 - each.ewma) * value
            smoothed.append((each.name, value))
        logged = {**signals.values, **dict(smoothed)}
        return _View({**known, **dict(smoothed)}, logged, tuple(smoothed), tuple(errors))

    def _guard(self, outcomes: Sequence[Outcome], trace: _Trace) -> tuple[dict[str, str], _Choice | None]:
        """The denied engines and the first forced one. A guard that fails counts as true: it fails closed."""
        denied: dict[str, str] = {}
        forced: _Choice | None = None
        for guard, outcome in zip(self._content.guards, outcomes, strict=False):
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
                    forced = _Choice(
                        guard.id, guard.force, guard.because or f"guard {guard.id}: {guard.when.source}"
                    )
        return denied, forced

    def _rule(
        self, outcomes: Sequence[Outcome], memory: Memory, denied: Mapping[str, str], trace: _Trace
    ) -> _Choice:
        """The first rule that matches, or still holds, and has an engine that is allowed."""
        content = self._content
        first = len(content.guards)
        holds = dict(
            zip((rule.id for rule in self._holding), outcomes[first + len(content.rules) :], strict=True)
        )
        for rule, outcome in zip(content.rules, outcomes[first:], strict=False):
            if isinstance(outcome, Failed):
                trace.failed(rule.id, outcome, counts_as="false")
                continue
            held = outcome is not True and memory.rule == rule.id and holds.get(rule.id) is True
            if outcome is not True and not held:
                trace.note(rule.id, "no")
                continue
            reason = rule.because or f"rule {rule.id}: {rule.when.source}"
            if held and rule.hold:
                reason += f" (held: {rule.hold.source})"
            if rule.route not in denied:
                trace.note(rule.id, f"{'held' if held else 'matched'}: {rule.route}")
                return _Choice(rule.id, rule.route, reason)
            by = denied[rule.route]
            if rule.else_route and rule.else_route not in denied:
                trace.note(rule.id, f"{rule.route} denied by {by}, instead {rule.else_route}")
                return _Choice(rule.id, rule.else_route, f"{reason}; {rule.route} is denied by {by}")
            trace.note(rule.id, f"{rule.route} denied by {by}")
        last = content.rules[-1]
        return self._allowed(_Choice(last.id, last.route, last.because or f"rule {last.id}"), denied, trace)

    def _allowed(self, choice: _Choice, denied: Mapping[str, str], trace: _Trace) -> _Choice:
        """The choice, or the next engine that is not denied; the last resort cannot be."""
        if choice.engine not in denied:
            return choice
        engine = self.fallback(choice.engine, denied) or self._content.last_resort
        by = denied[choice.engine]
        trace.note(choice.rule, f"{choice.engine} denied by {by}, instead {engine}")
        return replace(choice, engine=engine, reason=f"{choice.reason}; {choice.engine} is denied by {by}")

    def _settled(
        self,
        choice: _Choice,
        memory: Memory,
        turn: int,
        denied: Mapping[str, str],
        view: _View,
        trace: _Trace,
    ) -> _Choice:
        """Dwell and stability: stay with the engine in charge, if it may and can still answer."""
        current = memory.engine
        if current in (None, choice.engine) or current not in self._content.engines or current in denied:
            return choice
        if not self._healthy(current, view):
            return choice
        stay = self._stays(current, memory, turn)
        if stay is None:
            return choice
        stage, why = stay
        trace.note(stage, f"keeps {current}, not {choice.engine}: {why}")
        reason = f"stays on {current}: {why}; rule {choice.rule} asked for {choice.engine}"
        return _Choice(memory.rule or choice.rule, current, reason)

    def _stays(self, current: str, memory: Memory, turn: int) -> tuple[str, str] | None:
        least, stability = self._engine(current).min_turns, self._content.stability
        if memory.dwell < least:
            return "dwell", f"it has answered {memory.dwell} of at least {least} turns"
        if stability.max_switches is not None and memory.switches >= stability.max_switches:
            return "stability", f"the call has been switched {memory.switches} times, which is the limit"
        if memory.switched_at is not None and turn - memory.switched_at <= stability.cooldown_turns:
            return "stability", f"the call was switched at turn {memory.switched_at}"
        return None

    def _standing(self, choice: _Choice, denied: Mapping[str, str], view: _View, trace: _Trace) -> _Choice:
        """The choice, or the nearest healthy engine that is not denied; the choice itself if there is none."""
        if self._healthy(choice.engine, view):
            return choice
        unhealthy = {engine for engine in self._content.engines if not self._healthy(engine, view)}
        engine = self.fallback(choice.engine, {*denied, *unhealthy})
        if engine is None:
            trace.note("health", f"{choice.engine} is unhealthy, and so is all that could replace it")
            return choice
        trace.note("health", f"{choice.engine} is unhealthy, instead {engine}")
        return replace(choice, engine=engine, reason=f"{choice.reason}; {choice.engine} is unhealthy")

    def _healthy(self, engine: str, view: _View) -> bool:
        return view.facts.get(healthy(engine)) is not False

    def _engine(self, name: str) -> Engine:
        return self._content.engines.get(name) or Engine(name)
