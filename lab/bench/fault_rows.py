"""Which calls the bench of faulty providers makes: rows of one fault each, and who calls whom in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML

from lab.callers import RecordedCall, recorded_call
from lab.faults import Kind, Provider
from lab.rehearsal import planned_policy
from policies import shipped
from router import Policy

ENDPOINTS: Mapping[str, tuple[Provider, ...]] = {
    "openai.chat": ("openai.chat",),
    "openai.realtime": ("openai.realtime",),
    "openai.speech": ("openai.speech",),
    "elevenlabs": ("elevenlabs",),
    "deepgram": ("deepgram",),
    "openai": (
        "openai.chat",
        "openai.realtime",
        "openai.speech",
        "openai.transcription",
        "openai.decisions",
    ),
}
"""What fails at once, by the name of its rows: one endpoint of a provider, or all of OpenAI's."""
KINDS: tuple[Kind, ...] = ("refuse", "hang", "drop", "stall", "malformed", "slow")
SLOWER = 10.0
BEGUN = 2
"""Frames of an answer that has begun."""
ELSEWHERE = "elsewhere"
"""The engine added to the shipped ones: a cascade of a provider that no row strikes."""
SPARE_FIRST = ("openai.speech",)
"""Rows in which the voices are swapped, so that what fails is the voice asked first."""


@dataclass(frozen=True, slots=True)
class Row:
    """What fails and how; both empty for a row in which nothing does."""

    provider: str
    fault: Kind | None

    @property
    def name(self) -> str:
        return f"{self.provider} {self.fault}" if self.provider else "no fault"

    @property
    def endpoints(self) -> tuple[Provider, ...]:
        return ENDPOINTS[self.provider] if self.provider else ()


ROWS = (Row("", None), *(Row(provider, kind) for provider, kind in product(ENDPOINTS, KINDS)))


@dataclass(frozen=True, slots=True)
class Plan:
    """One call of a row."""

    caller: RecordedCall
    route: tuple[str, ...]
    """The engine that each turn is sent to."""
    in_mid_call: bool
    """Whether the fault begins when the first turn is answered, instead of before the call."""
    after: int
    """The frames of an answer that pass before it is cut, stalls or is broken: some, or none."""


ASKS = ("01", ("fast", "standard"), ("fast", "realtime"), ("realtime", "realtime"))
ORDERS = ("02", ("standard", "tool"), ("standard", "realtime"), ("tool", "realtime"))
"""Gives an order number, which has to be looked up."""
CUTS_IN = ("06", ("tool", "standard"), ("realtime", "tool"), ("realtime", "realtime"))
"""Interrupts the first answer."""
_CALLERS = (ASKS, ORDERS, CUTS_IN)
_CASCADES = ("openai.chat", "openai.speech", "elevenlabs")


def plan(row: Row, number: int, *, turns: int = 2) -> Plan:
    """Who calls as ``number`` of ``row``: six in a row are every caller, with the fault from the start and in mid-call.

    Four in a row are answers that have begun and that have not, with the fault from the start and in mid-call.

    Args:
        row: whose fault is to be met: the route leads there.
        number: of the call, from 0.
        turns: what the caller says, of two.
    """
    name, cascades, mixed, realtime = _CALLERS[number % len(_CALLERS)]
    route = (
        realtime if row.provider == "openai.realtime" else cascades if row.provider in _CASCADES else mixed
    )
    caller = recorded_call(name)
    return Plan(
        replace(caller, turns=caller.turns[:turns]),
        route[:turns],
        in_mid_call=turns > 1 and number % 2 == 1,
        after=0 if number % 4 in (2, 3) else BEGUN,
    )


def policy_text(route: Sequence[str]) -> str:
    """A planned policy with the shipped latency budget; the last engine asked is the one of another provider."""
    budget_ms = Policy.load(shipped("default.yaml")).answer_within_ms
    text = planned_policy(route)
    for name in ("fast", "standard"):
        text = text.replace(f"fallback: [{name}]", f"fallback: [{name}, {ELSEWHERE}]")
    return f"answer_within_ms: {budget_ms}\n" + text.replace("engines:\n", f"engines:\n  {ELSEWHERE}: {{}}\n")


def catalogue(file: Path, elsewhere: str, *, spare_first: bool = False) -> Path:
    """Write the shipped catalogue with an engine more; returns ``file``.

    Args:
        file: to be written.
        elsewhere: the base URL of the provider that no row strikes.
        spare_first: whether each engine's voices are swapped.
    """
    yaml = YAML()
    document = cast("dict[str, Any]", yaml.load(shipped("engines.yaml").read_text(encoding="utf-8")))
    engines = document["engines"]
    engines[ELSEWHERE] = {
        "kind": "cascade",
        "model": {
            "plugin": "openai",
            "model": "llama-3.1-8b-instant",
            "base_url": elsewhere,
            "keyless": True,
            "provider": "groq",
        },
        "voices": list(engines["standard"]["voices"]),
        "tools": True,
    }
    if spare_first:
        for engine in engines.values():
            if "voices" in engine:
                engine["voices"] = list(reversed(engine["voices"]))
    with file.open("w", encoding="utf-8") as written:
        yaml.dump(document, written)
    return file


def missing(calls: int, done: frozenset[tuple[str, str, int]]) -> list[tuple[Row, list[int]]]:
    """What is still to be called for so many calls with faults, the rows alike; the row without one has as many.

    Args:
        calls: with a fault, in all.
        done: what was called: provider, fault and number.
    """
    faulty, found = len(ROWS) - 1, []
    for place, row in enumerate(ROWS):
        share = calls // faulty + (0 < place <= calls % faulty)
        numbers = [one for one in range(share) if (row.provider, row.fault or "", one) not in done]
        if numbers:
            found.append((row, numbers))
    return found
