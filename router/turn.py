"""What the stages of a decision hand to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from router.conditions import Failed
from router.content import Rule
from router.memory import Memory
from router.signals import Scalar
from router.smoothing import View

Outcome = Scalar | Failed


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine as one stage leaves it to the next."""

    rule: str
    engine: str
    reason: str
    endpointing_ms: int | None = None
    arms: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Trace:
    """What was tried in a decision, and what failed."""

    tried: list[tuple[str, str]]
    errors: list[str]

    def note(self, name: str, outcome: str) -> None:
        self.tried.append((name, outcome))

    def failed(self, name: str, failure: Failed, *, counts_as: str) -> None:
        self.tried.append((name, f"failed, counts as {counts_as}: {failure.reason}"))
        self.errors.append(f"{name}: {failure.reason}")


@dataclass(frozen=True, slots=True)
class Slot:
    """A rule, and where the outcomes of its conditions stand among those of all conditions."""

    rule: Rule
    when: int
    hold: int | None


@dataclass(frozen=True, slots=True)
class Turn:
    """What all stages of one decision ask."""

    number: int
    view: View
    outcomes: Sequence[Outcome]
    memory: Memory
    denied: Mapping[str, str]
