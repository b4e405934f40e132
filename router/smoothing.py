"""Derived signals: readings smoothed over the turns of a call, and a turn as the conditions see it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from router.conditions import Failed, Language
from router.content import Content
from router.memory import Memory
from router.signals import CATALOGUE, Scalar, Signals, healthy


@dataclass(frozen=True, slots=True)
class View:
    """A turn as the conditions see it."""

    facts: Mapping[str, Scalar]
    """Signals, params and derived signals."""
    smoothed: tuple[tuple[str, float], ...]
    """The derived signals, in the order of the policy."""
    errors: tuple[str, ...]

    def is_healthy(self, engine: str) -> bool:
        return self.facts.get(healthy(engine)) is not False


class Smoother:
    """Computes the derived signals of a policy."""

    def __init__(self, content: Content, language: Language) -> None:
        self._derived = content.derived
        self._readings = language.fuse(
            [each.reading for each in self._derived]
            + [each.only_if for each in self._derived if each.only_if]
        )
        self._unknown = {
            name: spec.unknown for name, spec in content.variables.items() if name not in CATALOGUE
        }

    def view(self, signals: Signals, memory: Memory, params: Mapping[str, Scalar]) -> View:
        """The turn's facts; a reading that fails or does not count leaves the value as it was."""
        facts = {**self._unknown, **params, **signals.as_dict()}
        outcomes = self._readings.evaluate(facts)
        counts = iter(outcomes[len(self._derived) :])
        before = dict(memory.smoothed)
        smoothed: list[tuple[str, float]] = []
        errors: list[str] = []
        for each, reading in zip(self._derived, outcomes, strict=False):
            counted = next(counts) if each.only_if else True
            value = before.get(each.name, each.unknown)
            errors.extend(
                [f"{each.name}: {part.reason}" for part in (reading, counted) if isinstance(part, Failed)]
            )
            if counted is True and isinstance(reading, float) and math.isfinite(reading):
                value = each.ewma * reading + (1.0 - each.ewma) * value
            smoothed.append((each.name, value))
        facts.update(smoothed)
        return View(facts, tuple(smoothed), tuple(errors))
