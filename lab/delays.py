"""How long a simulated provider takes: log-normal delays given by their median and 99th percentile.

Defaults are the per-stage latencies published for cascaded and speech-to-speech voice agents (P50/P99):
speech-to-text final 100/250 ms, language model time to first token 150/400 ms, speech time to first byte
100/250 ms, realtime model 250/500 ms, network 10/30 ms each way. They are inputs of a simulation, not claims
about any vendor.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from statistics import NormalDist
from typing import Literal

from lab.errors import LabError

Stage = Literal["stt", "llm_ttft", "tts_ttfb", "realtime", "network"]

_Z99 = NormalDist().inv_cdf(0.99)


@dataclass(frozen=True, slots=True)
class Delay:
    """A log-normal delay; both figures in milliseconds. A median of 0 means no delay at all."""

    p50_ms: float
    p99_ms: float

    def __post_init__(self) -> None:
        if not (0 <= self.p50_ms <= self.p99_ms < math.inf):
            raise LabError(f"a delay needs 0 <= P50 <= P99, got {self.p50_ms}/{self.p99_ms} ms")

    @classmethod
    def parse(cls, text: str) -> Delay:
        """Read ``100/250`` (P50/P99 in ms) or ``100`` (always exactly that). Raises :class:`LabError`."""
        p50, _, p99 = text.partition("/")
        try:
            return cls(float(p50), float(p99 or p50))
        except ValueError as error:
            raise LabError(f"'{text}' is not a delay; write P50/P99 in milliseconds, as 100/250") from error

    def draw_s(self, rng: random.Random) -> float:
        """One delay in **seconds**, drawn from ``rng``."""
        if self.p50_ms == 0:
            return 0.0
        sigma = math.log(self.p99_ms / self.p50_ms) / _Z99
        return self.p50_ms * math.exp(sigma * rng.gauss(0.0, 1.0)) / 1000


@dataclass(frozen=True, slots=True)
class Delays:
    """The delay of every simulated stage. ``network`` is one way; an exchange pays it twice."""

    stt: Delay = Delay(100, 250)
    llm_ttft: Delay = Delay(150, 400)
    tts_ttfb: Delay = Delay(100, 250)
    realtime: Delay = Delay(250, 500)
    network: Delay = Delay(10, 30)

    @classmethod
    def none(cls) -> Delays:
        """Everything at once: for tests of behaviour."""
        zero = Delay(0, 0)
        return cls(zero, zero, zero, zero, zero)

    @classmethod
    def parse(cls, text: str) -> Delays:
        """Read ``none``, nothing (the defaults), or ``stt=80/200,network=0``. Raises :class:`LabError`."""
        text = text.strip()
        base = cls()
        if text.startswith("none"):
            base, text = cls.none(), text.removeprefix("none").lstrip(", ")
        pairs: dict[str, str] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, equals, value = part.partition("=")
            if not equals:
                raise LabError(f"'{part}' is not a delay; write stage=P50/P99, as stt=100/250")
            pairs[name.strip()] = value.strip()
        return base.override(pairs)

    def override(self, values: Mapping[str, object]) -> Delays:
        """These delays with some stages replaced: ``{"stt": "80/200"}`` or ``{"stt": 80}``, as in YAML.

        Raises:
            LabError: a stage that does not exist, or a value that is not a delay.
        """
        stages = [f.name for f in fields(self)]
        unknown = [name for name in values if name not in stages]
        if unknown:
            raise LabError(f"unknown stage '{unknown[0]}' in the delays; there are {', '.join(stages)}")
        return replace(self, **{name: Delay.parse(str(value)) for name, value in values.items()})

    def describe(self) -> str:
        """``stt=100/250,…``: what :meth:`parse` reads."""
        parts = ((f.name, getattr(self, f.name)) for f in fields(self))
        return ",".join(f"{name}={delay.p50_ms:g}/{delay.p99_ms:g}" for name, delay in parts)
