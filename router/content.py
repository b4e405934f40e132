"""What a policy file says, once read: frozen records, every condition compiled, every name known to exist."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from policies.document import LARGEST
from router.conditions import Condition
from router.gates import Rollout, Schedule
from router.signals import Scalar, Spec


@dataclass(frozen=True, slots=True)
class Param:
    """A named threshold. Tenants and ``tune`` may move it between ``low`` and ``high``."""

    name: str
    """As conditions write it: ``p.fast_chars``."""
    value: Scalar
    low: float
    high: float
    line: int
    column: int

    @property
    def range(self) -> str:
        """Where it may be, for people."""
        if math.isinf(self.low) or math.isinf(self.high):
            both = math.isinf(self.low) and math.isinf(self.high)
            return (
                "any number"
                if both
                else f"at least {self.low:g}"
                if math.isinf(self.high)
                else f"at most {self.high:g}"
            )
        return f"{self.low:g} to {self.high:g}"

    def allows(self, value: Scalar) -> bool:
        """Whether it may have this value: of its type, and in its range."""
        return not isinstance(value, bool | str) and (
            isinstance(value, int) == isinstance(self.value, int)
            and self.low <= value <= self.high
            and abs(value) <= LARGEST
        )


@dataclass(frozen=True, slots=True)
class Derived:
    """A smoothed signal: an exponentially weighted moving average over the turns of the call.

    ``value = ewma * reading + (1 - ewma) * value before``; a turn for which ``only_if`` is false leaves it as it was.
    """

    name: str
    reading: Condition
    only_if: Condition | None
    ewma: float
    unknown: float
    """Its value before the first reading."""
    noise: float


@dataclass(frozen=True, slots=True)
class Engine:
    """What the policy says about one engine."""

    name: str
    fallback: tuple[str, ...] = ()
    """Engines to try, in order, when this one is unhealthy or fails."""
    min_turns: int = 0
    """Dwell: rules do not leave it earlier."""
    warm: Condition | None = None
    """When it is worth paying to keep it warm."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a decision model is asked about every turn; the answer is the signal ``question.NAME``."""

    name: str
    ask: str
    spec: Spec


@dataclass(frozen=True, slots=True)
class Deaf:
    """When the caller's voice is not judged although the caller consents."""

    unless: Condition
    because: str


@dataclass(frozen=True, slots=True)
class Stability:
    """Limits on switching by rules; guards and failing engines are not bound by them."""

    max_switches: int | None = None
    cooldown_turns: int = 0
    """After a switch, rules do not switch again for this many turns."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Takes engines away, or forces one. One that cannot be evaluated counts as true."""

    id: str
    when: Condition
    deny: tuple[str, ...]
    force: str | None
    because: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """Sends a turn to ``route`` when ``when`` is true, or when it did last time and ``hold`` still is."""

    id: str
    when: Condition
    hold: Condition | None
    route: str
    else_route: str | None
    """Taken when a guard denies ``route``."""
    because: str
    schedule: Schedule | None = None
    """The hours in which the rule exists at all."""
    rollout: Rollout | None = None
    """The share of calls for which it exists at all."""
    endpointing_ms: int | None = None
    """Silence that ends a caller's turn while this rule would answer it, and in the turn after it."""
    line: int = 0
    column: int = 0

    @property
    def gated(self) -> bool:
        """Whether it exists only for some calls or at some hours."""
        return self.schedule is not None or self.rollout is not None


@dataclass(frozen=True, slots=True)
class Shadow:
    """A rule that is evaluated and logged in the place of another, or before all, and never served."""

    rule: Rule
    replaces: str | None


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of an experiment. Without a ``route`` it is the rule as it stands: the control."""

    name: str
    weight: float
    route: str | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """Sends the calls for which ``rule`` chooses to its ``arms``, by weight; a call keeps its arm."""

    id: str
    rule: str
    by: str
    arms: tuple[Arm, ...]
    until: date | None
    because: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Never:
    """None of ``routes`` answers a turn for which ``when`` is true: proved by lint, enforced at run time."""

    id: str
    routes: tuple[str, ...]
    when: Condition
    because: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Overlay:
    """What one tenant has otherwise. It can add guards and never remove one."""

    tenant: str
    params: Mapping[str, Scalar]
    """Values by the name conditions use."""
    disable: frozenset[str]
    """Rules that do not exist for this tenant."""
    insert: tuple[tuple[str, Rule], ...]
    """Rules of its own, each with the rule before which it stands."""
    guards: tuple[Guard, ...]
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Content:
    """A whole policy."""

    name: str
    version: int
    hash: str
    salt: str
    """Goes into every hash by which calls are sorted into rollouts and arms."""
    params: Mapping[str, Param]
    """By the name conditions use."""
    variables: Mapping[str, Spec]
    """Everything a condition may name: signals, params, derived signals."""
    derived: tuple[Derived, ...]
    engines: Mapping[str, Engine]
    last_resort: str
    """The engine that no guard may deny."""
    stability: Stability
    guards: tuple[Guard, ...]
    rules: tuple[Rule, ...]
    shadow: tuple[Shadow, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    never: tuple[Never, ...] = ()
    emotion: Deaf | None = None
    """When the caller's voice is not judged; without it, wherever the caller consents it is."""
    questions: Mapping[str, Question] = field(default_factory=dict)
    """By name."""
    answer_within_ms: int | None = None
    """What a caller may wait for an answer; ``None``: as the engine catalogue says."""
    overlays: Mapping[str, Overlay] = field(default_factory=dict)
    """By tenant. The content of a tenant's policy has none."""
    tenant: str = ""
    """Whose policy this is; empty: of all who have no overlay."""
    file: str = "<text>"
    source: str = ""
    """The document as it was read."""

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        """Every condition, each with the id or name of what it belongs to; those of tenants are not among them."""
        if self.emotion:
            yield "emotion", self.emotion.unless
        for derived in self.derived:
            yield derived.name, derived.reading
            if derived.only_if:
                yield derived.name, derived.only_if
        for engine in self.engines.values():
            if engine.warm:
                yield engine.name, engine.warm
        for guard in self.guards:
            yield guard.id, guard.when
        for rule in (*self.rules, *(shadow.rule for shadow in self.shadow)):
            yield rule.id, rule.when
            if rule.hold:
                yield rule.id, rule.hold
        for never in self.never:
            yield never.id, never.when

    @property
    def reads(self) -> frozenset[str]:
        """The names of the signals, params and derived signals that any of its conditions reads."""
        return frozenset[str]().union(*(condition.reads for _, condition in self.conditions()))
