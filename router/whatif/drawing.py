"""Made-up calls with known truth, drawn from a mix: what each turn really needs, and what the signals make of it.

The truth comes first, as a chain over the turns of a call for each need; the signals follow from it with the
classifiers' noise. Turns do not depend on what answered those before. Whatever rests on these calls is *simulated*.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from statistics import NormalDist
from typing import Any

import numpy as np

from router.signals import healthy
from router.whatif.calls import PastCall, PastTurn
from router.whatif.mix import Caller, Chain, Mix, Provider, Spread

BLOCK = 250
"""Calls that are drawn together; each block has a generator of its own, so blocks can be drawn anywhere."""

_NORMAL = NormalDist()
_Z99 = _NORMAL.inv_cdf(0.99)
_WORDS_A_SECOND = 2.5
_CHARS_A_WORD = 5.2
_REPLY_MS = 9000
_TELLING_WORDS = 3
"""Fewer do not tell their language."""
_PAUSE = Spread(700.0, 3500.0)
_LONG_SILENCE_MS = 8000.0
_VERDICT_AT = 0.5  # the tool-need classifier's own threshold
_CODEC_HZ = {"sip": 8_000, "webrtc": 48_000, "in_process": 24_000}
_P95_SPREAD = 0.1
_MOST_WORDS, _LONGEST_MS, _MOST_USD = 2000, 86_400_000, 10_000.0  # what the signals may be

Array = np.ndarray[Any, np.dtype[Any]]


def blocks(calls: int) -> list[int]:
    """How many calls each block has."""
    return [BLOCK] * (calls // BLOCK) + ([calls % BLOCK] if calls % BLOCK else [])


def draw(mix: Mix, calls: int, *, seed: int = 0, tenant: str = "") -> tuple[PastCall, ...]:
    """``calls`` calls with labels. The same mix and seed give the same calls, however many are asked for."""
    sizes = blocks(calls)
    return tuple(
        call
        for number, size in enumerate(sizes)
        for call in draw_block(mix, number, seed=seed, tenant=tenant)[:size]
    )


def draw_block(mix: Mix, number: int, *, seed: int = 0, tenant: str = "") -> tuple[PastCall, ...]:
    """The calls of one block. Their ids begin with the kind of caller: ``furious-0-17``."""
    random = np.random.default_rng([seed, number])
    drawing = _Drawing(mix, random)
    columns = {**drawing.words(), **drawing.judged(), **drawing.history(), **drawing.circumstances()}
    names = tuple(columns)
    labels = zip(drawing.needs_tools.tolist(), drawing.upset.tolist(), strict=True)
    turns = [
        PastTurn(dict(zip(names, row, strict=True)), needs_tools=needs_tools, upset=upset)
        for row, (needs_tools, upset) in zip(
            zip(*(column.tolist() for column in columns.values()), strict=True), labels, strict=True
        )
    ]
    ends = np.cumsum(drawing.turns).tolist()
    return tuple(
        PastCall(
            f"{mix.callers[kind].name}-{seed}-{number * BLOCK + index}",
            tuple(turns[begin:end]),
            tenant=tenant,
        )
        for index, (kind, begin, end) in enumerate(
            zip(drawing.kinds.tolist(), [0, *ends], ends, strict=False)
        )
    )


def kind_of(call_id: str) -> str:
    """The kind of caller in the id of a drawn call."""
    return call_id.rsplit("-", 2)[0]


class _Drawing:
    """One block, as arrays over its turns, which stand call after call."""

    def __init__(self, mix: Mix, random: np.random.Generator) -> None:
        self._mix, self._random = mix, random
        self.kinds = self._choose([caller.share for caller in mix.callers], BLOCK)
        """Of each call."""
        least, most = self._of(lambda caller: caller.least_turns), self._of(lambda caller: caller.most_turns)
        more = random.poisson(self._of(lambda caller: caller.mean_turns) - least)
        self.turns: Array = np.minimum(least + more, most).astype(np.intp)
        """Of each call."""
        self._call = np.repeat(np.arange(BLOCK), self.turns)
        self._begin = np.cumsum(self.turns) - self.turns
        self._total = len(self._call)
        self._number = np.arange(self._total) - self._begin[self._call] + 1
        self._silent = self._happens(lambda caller: caller.silent)
        self.needs_tools = self._chain(lambda caller: caller.needs_tools) & ~self._silent
        self.upset = self._chain(lambda caller: caller.upset)

    # -- columns ----------------------------------------------------------------------------------------
    def words(self) -> Mapping[str, Array]:
        kinds = self._mix.callers
        p50 = np.array([caller.words.p50 for caller in kinds])[self.kinds][self._call]
        p99 = np.array([caller.words.p99 for caller in kinds])[self.kinds][self._call]
        sigma = np.log(p99 / p50) / _Z99
        words = np.clip(
            np.rint(p50 * np.exp(sigma * self._random.standard_normal(self._total))), 1, _MOST_WORDS
        )
        self._words = np.where(self._silent, 0, words).astype(np.int64)
        chars = np.rint(
            self._words * _CHARS_A_WORD * np.exp(0.15 * self._random.standard_normal(self._total))
        )
        read_out = self.needs_tools & (self._random.random(self._total) < self._mix.line.digits)
        digits = np.where(read_out, self._random.integers(4, 13, self._total), 0)
        return {
            "turn.count": self._number,
            "turn.words": self._words,
            "turn.chars": chars.astype(np.int64),
            "turn.digits": digits,
            "turn.ends_in_digits": read_out,
            # What the words give away is drawn as if it were never misheard.
            "turn.reading_out": read_out.astype(np.float64),
            "turn.complains": self.upset & ~self._silent,
            "turn.asks_if_machine": np.zeros(self._total, np.bool_),
            "turn.topic_change": (
                (self._number > 1) & (self.needs_tools != np.roll(self.needs_tools, 1))
            ).astype(np.float64),
            "call.spoken_language": np.where(self._words >= _TELLING_WORDS, "en", "und").astype(object),
        }

    def judged(self) -> Mapping[str, Array]:
        """What the classifiers make of it."""
        consent = self._random.random(BLOCK) < self._mix.line.consent_emotion
        listened = consent[self._call]
        tool_p = self._tool_p()
        label, confidence, upset = self._heard()
        return {
            "turn.tool_p": tool_p,
            "turn.needs_tools": tool_p >= _VERDICT_AT,
            "emotion.label": np.where(listened, label, "unknown"),
            "emotion.confidence": np.where(listened, confidence, 0.0),
            "emotion.upset": np.where(listened, upset, 0.0),
            "emotion.voice": np.where(listened, upset, 0.0),
            "caller.consent_emotion": listened,
        }

    def _tool_p(self) -> Array:
        """A normal score for turns with and without need, turned into the probability that it stands for."""
        need = self._mix.tool_need
        apart = math.sqrt(2) * _NORMAL.inv_cdf(need.auroc)
        score = self._random.standard_normal(self._total) + np.where(self.needs_tools, apart, -apart) / 2
        prior = math.log(need.base_rate / (1 - need.base_rate))
        probability = 1 / (1 + np.exp(-(apart * score + prior)))
        return np.where(self._silent, need.base_rate, probability)

    def _heard(self) -> tuple[Array, Array, Array]:
        """Label, confidence and p(upset) of each turn by :class:`~.voice.Voice`, for all turns at once."""
        return self._mix.voice.readings(
            self.upset, self._words, self._random.standard_normal(BLOCK)[self._call], self._random
        )

    def history(self) -> Mapping[str, Array]:
        """What adds up over a call."""
        line = self._mix.line
        pause = self._spread(_PAUSE) + self._silent * _LONG_SILENCE_MS
        spoken_ms = self._words / _WORDS_A_SECOND * 1000
        replies_ms = (self._number - 1) * _REPLY_MS
        failures = self.needs_tools & (self._random.random(self._total) < line.tool_failures)
        usd = self._spread(line.turn_usd)
        self._elapsed_ms = self._running(pause + spoken_ms) + replies_ms
        return {
            "call.asked_human": self._running(
                self._happens(lambda caller: caller.asks_for_person) & ~self._silent
            )
            > 0,
            "call.repeats": self._counted(self._happens(lambda caller: caller.repeats)),
            "call.corrections": self._counted(self._happens(lambda caller: caller.corrections)),
            "call.tool_failures": self._counted(failures) - failures,
            "call.silence_ms": np.rint(pause).astype(np.int64),
            "call.duration_ms": np.rint(np.minimum(self._elapsed_ms, _LONGEST_MS)).astype(np.int64),
            "cost.usd": np.clip(np.round(self._running(usd) - usd, 6), 0.0, _MOST_USD),
        }

    def circumstances(self) -> Mapping[str, Array]:
        """What does not depend on the caller."""
        line = self._mix.line
        transport = self._named(line.transports)
        columns: dict[str, Array] = {
            "call.transport": transport,
            "call.codec_hz": np.array([_CODEC_HZ[name] for name in transport.tolist()]),
            "call.queue": self._named(line.queues),
            "call.language": np.full(self._total, "en", object),
            "caller.region": self._named(line.regions),
            "call.ai_disclosed": np.ones(self._total, np.bool_),
            "human.available": self._call % 2 == 0,  # somebody is free for half of the calls
            "caller.consent_voice_ai": (self._random.random(BLOCK) < line.consent_voice_ai)[self._call],
            "caller.consent_recording": (self._random.random(BLOCK) < line.consent_recording)[self._call],
            "cost.budget_usd": self._named(line.budget_usd),
            **self._clock(),
        }
        for provider in self._mix.providers:
            columns |= self._provider(provider)
        return columns

    def _clock(self) -> Mapping[str, Array]:
        line = self._mix.line
        midnight = int(datetime.combine(line.since, datetime.min.time(), UTC).timestamp())
        day = self._random.integers(0, line.days, BLOCK)
        hour = self._choose(line.hours, BLOCK)
        within = self._random.integers(0, 3600, BLOCK)
        offset = line.utc_offset_h * 3600
        answered = midnight + day * 86_400 + hour * 3600 + within - offset
        now = answered[self._call] + (self._elapsed_ms // 1000).astype(np.int64)
        local = now + offset
        return {
            "time.unix_s": now,
            "time.hour": local // 3600 % 24,
            "time.weekday": (local // 86_400 + 3) % 7 + 1,  # 1970-01-01 was a Thursday
        }

    def _provider(self, provider: Provider) -> Mapping[str, Array]:
        falls = self._random.random(BLOCK) < provider.down
        begins = 1 + np.floor(self._random.random(BLOCK) * self.turns)
        lasts = self._random.geometric(1 / provider.down_turns, BLOCK)
        down = (
            falls[self._call]
            & (self._number >= begins[self._call])
            & (self._number < (begins + lasts)[self._call])
        )
        slow = self._random.random(BLOCK) < provider.slow
        p95 = np.where(slow, provider.slow_ms, provider.p95_ms)[self._call]
        p95 = p95 * np.exp(_P95_SPREAD * self._random.standard_normal(self._total))
        return {
            healthy(provider.engine): ~down,
            f"provider.{provider.engine}_p95_ms": np.rint(p95).astype(np.int64),
        }

    # -- draws ------------------------------------------------------------------------------------------
    def _of(self, figure: Callable[[Caller], float]) -> Array:
        """A figure of each call's kind of caller."""
        return np.array([figure(caller) for caller in self._mix.callers], np.float64)[self.kinds]

    def _choose(self, shares: Sequence[float], size: int) -> Array:
        weights = np.asarray(shares, np.float64)
        return self._random.choice(len(weights), size, p=weights / weights.sum())

    def _named(self, shares: Mapping[Any, float]) -> Array:
        """For each turn, what was chosen for its call."""
        names = np.array(list(shares), object)
        return names[self._choose(list(shares.values()), BLOCK)][self._call]

    def _happens(self, chance: Callable[[Caller], float]) -> Array:
        return self._random.random(self._total) < self._of(chance)[self._call]

    def _spread(self, spread: Spread) -> Array:
        sigma = math.log(spread.p99 / spread.p50) / _Z99
        return spread.p50 * np.exp(sigma * self._random.standard_normal(self._total))

    def _chain(self, of: Callable[[Caller], Chain]) -> Array:
        first = self._of(lambda caller: of(caller).first)
        begins = self._of(lambda caller: of(caller).begins)
        stays = self._of(lambda caller: of(caller).stays)
        longest = int(self.turns.max())
        draws = self._random.random((longest, BLOCK))
        states = np.zeros((longest, BLOCK), np.bool_)
        states[0] = draws[0] < first
        for turn in range(1, longest):
            states[turn] = draws[turn] < np.where(states[turn - 1], stays, begins)
        found: Array = states[self._number - 1, self._call]
        return found

    def _running(self, amounts: Array) -> Array:
        """The sum over the call so far, this turn included."""
        total = np.cumsum(amounts)
        before = np.concatenate([[0], total])[self._begin]
        running: Array = total - before[self._call]
        return running

    def _counted(self, happened: Array) -> Array:
        return self._running(happened.astype(np.int64))
