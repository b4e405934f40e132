"""What a text does not tell of a call, drawn at random: how the caller sounds, what they agreed to, what is down.

No free corpus labels the emotion of English support callers, so it is overlaid by the process that a mix states, and
the classifier's reading of it is as good as the mix says. Whatever rests on this is *simulated*.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Any, TypeVar

import numpy as np

from router.signals import Scalar, healthy
from router.whatif.calls import PastCall
from router.whatif.mix import Chain, Mix, Provider, Spread

_T = TypeVar("_T")
_Z99 = NormalDist().inv_cdf(0.99)


def around(call: PastCall, mix: Mix, *, seed: int = 0) -> PastCall:
    """``call`` with signals and labels of a caller and a line drawn from ``mix`` laid over its own.

    A kind of caller is drawn for how they feel from turn to turn; then consents, region, queue, budget, what the call
    has cost so far whatever answered, and outages. Each call has a generator of its own: the same seed and call give
    the same draws, whatever other calls there are.
    """
    random = np.random.default_rng([seed, zlib.crc32(call.call_id.encode())])
    turns = len(call.turns)
    kind = _pick({at: caller.share for at, caller in enumerate(mix.callers)}, random)
    upset = _chain(mix.callers[kind].upset, turns, random)
    line = mix.line
    of_call: dict[str, Scalar] = {
        "caller.consent_voice_ai": bool(random.random() < line.consent_voice_ai),
        "caller.consent_recording": bool(random.random() < line.consent_recording),
        "call.ai_disclosed": True,
        "human.available": zlib.crc32(call.call_id.encode()) % 2
        == 0,  # somebody is free for half of the calls
        "caller.region": _pick(line.regions, random),
        "call.queue": _pick(line.queues, random),
        "cost.budget_usd": _pick(line.budget_usd, random),
    }
    listened = bool(random.random() < line.consent_emotion)
    words = np.array([int(turn.signals.get("turn.words", 0)) for turn in call.turns])
    caller = np.full(turns, random.standard_normal())
    heard = zip(*mix.voice.readings(np.array(upset), words, caller, random), strict=True)
    spent = np.concatenate([[0.0], np.cumsum(_spread(line.turn_usd, turns, random))])
    states = [_fares(provider, turns, random) for provider in mix.providers]
    return replace(
        call,
        turns=tuple(
            replace(
                turn,
                upset=upset[number],
                signals={
                    **turn.signals,
                    **of_call,
                    "cost.usd": float(spent[number]),
                    **_emotion(*reading, listened=listened),
                    **{name: value for state in states for name, value in state[number].items()},
                },
            )
            for number, (turn, reading) in enumerate(zip(call.turns, heard, strict=True))
        ),
    )


def _emotion(label: str, confidence: float, upset: float, *, listened: bool) -> Mapping[str, Scalar]:
    """Without the caller's consent the voice is not judged, and nothing is known."""
    consent = {"caller.consent_emotion": listened}
    if not listened:
        return consent
    return {
        **consent,
        "emotion.label": str(label),
        "emotion.confidence": float(confidence),
        "emotion.upset": float(upset),
        "emotion.voice": float(upset),
    }


def _fares(provider: Provider, turns: int, random: np.random.Generator) -> Sequence[Mapping[str, Scalar]]:
    """The provider's signals in each turn."""
    down_from = int(random.integers(turns)) if random.random() < provider.down else turns
    down_to = down_from + int(random.geometric(1 / provider.down_turns))
    p95_ms = round(provider.slow_ms if random.random() < provider.slow else provider.p95_ms)
    return [
        {
            healthy(provider.engine): not down_from <= number < down_to,
            f"provider.{provider.engine}_p95_ms": p95_ms,
        }
        for number in range(turns)
    ]


def _chain(chain: Chain, turns: int, random: np.random.Generator) -> list[bool]:
    states: list[bool] = []
    for draw in random.random(turns).tolist():
        chance = chain.first if not states else chain.stays if states[-1] else chain.begins
        states.append(draw < chance)
    return states


def _pick(shares: Mapping[_T, float], random: np.random.Generator) -> _T:
    weights = np.array(list(shares.values()))
    return list(shares)[int(random.choice(len(weights), p=weights / weights.sum()))]


def _spread(spread: Spread, count: int, random: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float64]]:
    sigma = math.log(spread.p99 / spread.p50) / _Z99
    drawn: np.ndarray[Any, np.dtype[np.float64]] = spread.p50 * np.exp(sigma * random.standard_normal(count))
    return drawn
