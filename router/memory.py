"""What routing remembers of a call from one turn to the next. Small, frozen, and JSON: replay starts from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from router.errors import MemoryRecordError


@dataclass(frozen=True, slots=True)
class Memory:
    """The state of routing after a turn; :meth:`start` is the state before the first."""

    call_id: str
    turn: int = 0
    engine: str | None = None
    """The engine that answered the last turn."""
    rule: str | None = None
    """The rule or guard that put it there."""
    dwell: int = 0
    """Turns in a row that it has answered."""
    switches: int = 0
    switched_at: int | None = None
    """The turn of the last switch."""
    smoothed: tuple[tuple[str, float], ...] = ()
    """The derived signals, in the order of the policy."""

    @classmethod
    def start(cls, call_id: str) -> Memory:
        return cls(call_id)

    def served(
        self, engine: str, rule: str | None, *, turn: int, smoothed: tuple[tuple[str, float], ...]
    ) -> Memory:
        """The memory once ``engine`` answers ``turn``; counts the switch if it is another engine."""
        stays = engine == self.engine
        switched = not stays and self.engine is not None
        return Memory(
            call_id=self.call_id,
            turn=turn,
            engine=engine,
            rule=rule,
            dwell=self.dwell + 1 if stays else 1,
            switches=self.switches + switched,
            switched_at=turn if switched else self.switched_at,
            smoothed=smoothed,
        )

    def moved_to(self, engine: str) -> Memory:
        """The memory when the decided engine failed and ``engine`` answered the same turn instead."""
        if engine == self.engine:
            return self
        return replace(
            self, engine=engine, rule=None, dwell=1, switches=self.switches + 1, switched_at=self.turn
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON values; :meth:`from_dict` reads them back."""
        return {
            "call_id": self.call_id,
            "turn": self.turn,
            "engine": self.engine,
            "rule": self.rule,
            "dwell": self.dwell,
            "switches": self.switches,
            "switched_at": self.switched_at,
            "smoothed": dict(self.smoothed),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Memory:
        """Read what :meth:`as_dict` wrote. Raises :class:`MemoryRecordError`."""
        try:
            return cls(
                call_id=_typed(record, "call_id", str),
                turn=_typed(record, "turn", int),
                engine=_typed(record, "engine", str, None),
                rule=_typed(record, "rule", str, None),
                dwell=_typed(record, "dwell", int),
                switches=_typed(record, "switches", int),
                switched_at=_typed(record, "switched_at", int, None),
                smoothed=tuple((str(name), _finite(value)) for name, value in record["smoothed"].items()),
            )
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise MemoryRecordError(f"not a routing memory: {type(error).__name__} {error}") from error


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)


def _typed(record: Mapping[str, Any], key: str, *kinds: type | None) -> Any:
    value = record[key]
    if isinstance(value, bool) or not any(
        value is None if kind is None else isinstance(value, kind) for kind in kinds
    ):
        raise ValueError(f"`{key}` is {value!r}")
    return value
