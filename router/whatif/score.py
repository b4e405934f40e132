"""What becomes of calls when given engines answer their turns, under stated assumptions.

Nothing is drawn at random: quality is a probability, and the wait is a distribution of which the mean excess and
the percentiles are worked out exactly. So two policies over the same calls differ by what they decided alone.

The utility of a call is the mean over its turns, in turns answered well (see :class:`~.assumptions.Value`), of

    quality - usd * dollars - late_s * seconds beyond late_over_ms - switch * switched - violation * violated

so 1 is every turn answered well, at once and for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from router.errors import RouterError
from router.signals import Scalar, healthy
from router.whatif.assumptions import Assumptions, EngineAssumptions, Need
from router.whatif.calls import PastCall, PastTurn

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.intp]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

COLD, WARM = 0, 1
"""The first axis of what depends on whether an engine was kept warm."""
_STEPS = 60  # halvings: far finer than a microsecond
_LEAST_SIGMA = 1e-9  # of a wait that never varies


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call; all of it expected, none of it drawn."""

    call_id: str
    turns: int
    quality: float
    """Mean over its turns of the probability that the turn is answered well."""
    usd: float
    """The whole call."""
    heard_p50_ms: float
    heard_p95_ms: float
    late_s: float
    """Mean over its turns of the wait beyond what callers put up with."""
    switches: int
    violations: int
    """Turns answered by an engine that a guard denies."""
    utility: float


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of many calls: an entry per call in each array, in the order of the calls."""

    call_ids: tuple[str, ...]
    turns: Ints
    quality: Floats
    usd: Floats
    late_s: Floats
    switches: Ints
    violations: Ints
    utility: Floats
    waits: Floats = field(repr=False)
    """Turns x (mu, sigma, ms added) of each turn's wait; calls one after the other."""

    @classmethod
    def joined(cls, parts: Sequence[Outcomes]) -> Outcomes:
        """The outcomes of several lots of calls, one lot after the other; at least one is needed."""
        ids = tuple(call_id for part in parts for call_id in part.call_ids)
        arrays = {
            each.name: np.concatenate([getattr(part, each.name) for part in parts])
            for each in fields(cls)[1:]
        }
        return cls(ids, **arrays)

    def __len__(self) -> int:
        return len(self.call_ids)

    def __getitem__(self, index: int) -> Outcome:
        begin = int(self.turns[:index].sum())
        waits = self.waits[begin : begin + int(self.turns[index])]
        return Outcome(
            call_id=self.call_ids[index],
            turns=int(self.turns[index]),
            quality=float(self.quality[index]),
            usd=float(self.usd[index]),
            heard_p50_ms=_percentile(waits, 0.50),
            heard_p95_ms=_percentile(waits, 0.95),
            late_s=float(self.late_s[index]),
            switches=int(self.switches[index]),
            violations=int(self.violations[index]),
            utility=float(self.utility[index]),
        )

    def heard_ms(self, share: float) -> float:
        """The wait in ms that this share of all turns stays within: 0.95 for the 95th percentile."""
        return _percentile(self.waits, share)


class Scorer:
    """Calls as the assumptions see them: what each engine would make of each turn.

    Matrices are turns x engines, with the turns of all calls one after the other and the engines in the order
    of :attr:`engines`. Turns for which routing had failed are left out, as :func:`~.calls.walk` does.

    Args:
        assumptions: the table.
        calls: with labels. A label that is not known counts as no, unless the turn has none at all.
        engines: those to score; by default all of the table.

    Raises:
        router.RouterError: a turn without any label.
        policies.DocumentError: an engine of which nothing is assumed.
    """

    def __init__(
        self, assumptions: Assumptions, calls: Sequence[PastCall], *, engines: Sequence[str] | None = None
    ) -> None:
        self.assumptions = assumptions
        self.calls = tuple(calls)
        self.engines = tuple(assumptions.engines if engines is None else engines)
        assumptions.require(self.engines)
        self.index = {name: column for column, name in enumerate(self.engines)}
        turns = [(call, turn) for call in self.calls for turn in call.turns if turn.routed]
        self.turns: Ints = np.array([sum(turn.routed for turn in call.turns) for call in self.calls], np.intp)
        """Turns of each call."""
        self.begins: Ints = np.concatenate([[0], np.cumsum(self.turns)]).astype(np.intp)
        """The first turn of each call, and the end of the last."""
        self.call_of: Ints = np.repeat(np.arange(len(self.calls)), self.turns)
        self.first: Flags = np.zeros(len(turns), np.bool_)
        """The turn is its call's first, so nothing is switched."""
        self.first[self.begins[:-1][self.turns > 0]] = True
        self.need: Ints = np.array([_need(call, turn) for call, turn in turns], np.intp)
        """:class:`~.assumptions.Need` of each turn."""
        self._earlier = (np.arange(len(turns)) - self.begins[self.call_of]).astype(np.float64)
        words = np.array([float(turn.signals.get("turn.words", 0)) for _, turn in turns])
        self._caller_minutes = words / assumptions.words_per_minute
        self._down, self._slower = self._state([turn for _, turn in turns])
        self._mu, self._sigma = self._waits()
        self.quality: Floats = self._quality()
        self.usd: Floats = self._usd()
        """Of the turn itself; a switch comes on top."""
        table = [assumptions.engines[name].switch for name in self.engines]
        self.switch_ms: Floats = np.array([[each.cold_ms for each in table], [each.ms for each in table]])
        """(cold, warm) x engines: the wait that handing over to it adds."""
        self.switch_usd: Floats = self._per_engine([each.usd for each in table]) + self._earlier[:, None] * (
            self._per_engine([each.usd_context_turn for each in table])
        )
        self._warm_usd = np.array([each.warm_usd for each in table])

    @cached_property
    def worth(self) -> Floats:
        """The utility of a turn that the engine of the turn before, or none, answers."""
        value = self.assumptions.value
        late_s = self._late_s(self._mu, self._sigma, np.zeros_like(self._mu))
        found: Floats = self.quality - value.usd * self.usd - value.late_s * late_s
        return found

    @cached_property
    def switch_worth(self) -> Floats:
        """(cold, warm) x turns x engines: what a switch to that engine adds to its worth; below 0."""
        value = self.assumptions.value
        at_once = self._late_s(self._mu, self._sigma, np.zeros_like(self._mu))
        later = [
            self._late_s(self._mu, self._sigma, np.broadcast_to(self.switch_ms[step], self._mu.shape))
            for step in (COLD, WARM)
        ]
        found: Floats = (
            -value.switch - value.usd * self.switch_usd - value.late_s * (np.stack(later) - at_once)
        )
        return found

    def routes(self, engines: Sequence[Sequence[str]]) -> Ints:
        """Engines by call and turn as the indices that :meth:`score` takes."""
        return np.array([self.index[name] for call in engines for name in call], np.intp)

    def fixed(self, engine: str) -> Ints:
        """Every turn answered by one engine."""
        return np.full(len(self.need), self.index[engine], np.intp)

    def score(self, routes: Ints, *, denied: Flags | None = None, warm: Flags | None = None) -> Outcomes:
        """What becomes of the calls.

        Args:
            routes: the index of the engine that answers each turn.
            denied: turns x engines: a guard denies it. Nothing is denied by default.
            warm: turns x engines: the engine was kept warm when the turn began. None is by default.
        """
        at = np.arange(len(routes))
        switched = ~self.first & (routes != np.roll(routes, 1))
        was_warm = warm[at, routes] if warm is not None else np.zeros(len(routes), np.bool_)
        step = np.where(was_warm, WARM, COLD)
        violated = denied[at, routes] if denied is not None else np.zeros(len(routes), np.bool_)
        usd = self.usd[at, routes] + switched * self.switch_usd[at, routes]
        if warm is not None and self._warm_usd.any():
            unused = warm.copy()
            unused[at, routes] = False
            usd = usd + unused @ self._warm_usd
        added = switched * self.switch_ms[step, routes]
        mu, sigma = self._mu[at, routes], self._sigma[at, routes]
        late_s = self._late_s(mu, sigma, added)
        value = self.assumptions.value
        quality = self.quality[at, routes]
        utility = (
            quality
            - value.usd * usd
            - value.late_s * late_s
            - value.switch * switched
            - value.violation * violated
        )
        return Outcomes(
            call_ids=tuple(call.call_id for call in self.calls),
            turns=self.turns,
            quality=self._mean(quality),
            usd=self._sum(usd),
            late_s=self._mean(late_s),
            switches=self._sum(switched).astype(np.intp),
            violations=self._sum(violated).astype(np.intp),
            utility=self._mean(utility),
            waits=np.column_stack([mu, sigma, added]),
        )

    # -- by turn and engine -----------------------------------------------------------------------------
    def _state(self, turns: Sequence[PastTurn]) -> tuple[Flags, Floats]:
        """Which engine is down at each turn, and how many times slower than assumed it is."""
        states = [healthy(name) for name in self.engines]
        speeds = [f"provider.{name}_p95_ms" for name in self.engines]
        shape = (len(turns), len(self.engines))
        down = np.array([[turn.signals.get(name) is False for name in states] for turn in turns], np.bool_)
        seen = np.array([[turn.signals.get(name, 0) for name in speeds] for turn in turns], np.float64)
        assumed = np.array([engine.wait_with_tools.p95_ms for engine in self._table()])
        return down.reshape(shape), np.maximum(1.0, seen.reshape(shape) / assumed)

    def _waits(self) -> tuple[Floats, Floats]:
        """mu and sigma of the logarithm of each wait in ms."""
        down = self.assumptions.down.wait
        mu, sigma = np.empty_like(self._slower), np.empty_like(self._slower)
        for column, engine in enumerate(self._table()):
            waits = [engine.wait, engine.wait_with_tools]
            with_tools = self._with_tools()
            mu[:, column] = np.array([wait.mu for wait in waits])[with_tools] + np.log(
                self._slower[:, column]
            )
            sigma[:, column] = np.array([wait.sigma for wait in waits])[with_tools]
        return np.where(self._down, down.mu, mu), np.where(self._down, down.sigma, sigma)

    def _quality(self) -> Floats:
        table = np.array([engine.quality for engine in self._table()]).reshape(-1, len(Need))
        found: Floats = np.where(self._down, self.assumptions.down.quality, table.T[self.need])
        return found

    def _usd(self) -> Floats:
        bills = [engine.usd for engine in self._table()]
        agent_minutes = self.assumptions.reply_s / 60
        found: Floats = (
            self._per_engine([bill.turn + bill.agent_minute * agent_minutes for bill in bills])
            + self._with_tools()[:, None] * self._per_engine([bill.tools for bill in bills])
            + self._caller_minutes[:, None] * self._per_engine([bill.caller_minute for bill in bills])
            + self._earlier[:, None] * self._per_engine([bill.context_turn for bill in bills])
        )
        return found

    def _late_s(self, mu: Floats, sigma: Floats, added_ms: Floats) -> Floats:
        """Mean seconds by which waits, with ``added_ms`` on top, are longer than callers put up with.

        For a log-normal X and a limit k, E[max(0, X - k)] = E[X] N(d + sigma) - k N(d), d = (mu - ln k) / sigma.
        """
        limit = self.assumptions.value.late_over_ms - added_ms
        always = limit <= 0
        sigma = np.maximum(sigma, _LEAST_SIGMA)
        mean = np.exp(mu + sigma**2 / 2)
        d = (mu - np.log(np.where(always, 1.0, limit))) / sigma
        over = mean * _normal_cdf(d + sigma) - limit * _normal_cdf(d)
        return np.asarray(np.where(always, mean - limit, np.maximum(over, 0.0)) / 1000, np.float64)

    def _with_tools(self) -> Ints:
        return np.isin(self.need, (Need.NEEDS_TOOLS, Need.BOTH)).astype(np.intp)

    def _table(self) -> list[EngineAssumptions]:
        return [self.assumptions.engines[name] for name in self.engines]

    def _per_engine(self, figures: Sequence[float]) -> Floats:
        return np.array(figures, np.float64)[None, :]

    # -- by call ----------------------------------------------------------------------------------------
    def _sum(self, per_turn: Floats | Flags) -> Floats:
        return np.bincount(self.call_of, weights=per_turn, minlength=len(self.calls)).astype(np.float64)

    def _mean(self, per_turn: Floats) -> Floats:
        return self._sum(per_turn) / np.maximum(self.turns, 1)


def _need(call: PastCall, turn: PastTurn) -> int:
    """The value of :class:`~.assumptions.Need`, by its definition: a look-up in the enum takes too long."""
    if turn.needs_tools is None and turn.upset is None:
        number: Scalar = turn.signals.get("turn.count", "?")
        raise RouterError(
            f"call {call.call_id}, turn {number} has no label: what it really needed is not known, so no quality is"
        )
    return bool(turn.needs_tools) + 2 * bool(turn.upset)


def _normal_cdf(x: Floats) -> Floats:
    """The standard normal distribution function; few values are distinct, and each is worked out once."""
    values, where = np.unique(x, return_inverse=True)
    return np.array([math.erfc(-value / math.sqrt(2)) / 2 for value in values])[where].reshape(x.shape)


def _percentile(waits: Floats, share: float) -> float:
    """The percentile of a mixture of log-normals, each moved up by what is added to it, in ms; 0 without any."""
    if not len(waits):
        return 0.0
    kinds, counts = np.unique(waits, axis=0, return_counts=True)
    mu, sigma, added = kinds[:, 0], np.maximum(kinds[:, 1], _LEAST_SIGMA), kinds[:, 2]
    low, high = 0.0, float(np.max(added + np.exp(mu + 8 * sigma)))
    for _ in range(_STEPS):
        middle = (low + high) / 2
        beyond = np.maximum(middle - added, 1e-12)
        within = _normal_cdf((np.log(beyond) - mu) / sigma) @ counts / len(waits)
        low, high = (middle, high) if within < share else (low, middle)
    return high
