"""What calls cost, from their records; and from which volume on one's own line costs less than a price per minute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from compliance.events import CallStarted, Event, PreviewSettled, UsageIncurred
from engines.unfinished import AUDIO_TOKENS, CHARACTERS_PER_TOKEN, OPENAI_AUDIO

By = Literal["call", "day", "engine", "part", "provider", "model"]

SHARED = ("transcriber", "questions")
"""What all engines of a call share, by the names that its use is booked under."""
_OF: Mapping[By, Callable[[CallStarted, UsageIncurred], str]] = {
    "call": lambda call, usage: usage.call_id,
    "day": lambda call, usage: call.started_at[:10],
    "engine": lambda call, usage: usage.engine,
    "part": lambda call, usage: usage.part if usage.engine not in SHARED else usage.engine,
    "provider": lambda call, usage: usage.provider,
    "model": lambda call, usage: f"{usage.provider}/{usage.model}",
}
SAID_TOKENS_PER_S = 3.25
"""Tokens of what somebody says: 150 words a minute, 1.3 tokens each."""
NEEDS: tuple[str, ...] = ("call_started", "usage_incurred", "preview_settled")
"""The kinds of events that a bill is made of."""


@dataclass(frozen=True, slots=True)
class Position:
    """One line of a bill.

    Attributes:
        name: of the call, day (UTC), engine, provider or model.
        calls: in which there was such a use.
        uses: requests, replies and stretches of audio that were charged for.
        cost_usd: all of it.
        again_usd: the part that is for conversation sent again, an estimate.
        unwanted_usd: the part that is for replies which were begun before their turn was over, and which nobody wanted.
        unpriced: uses that cost less than they should, for the price list had no price for all or some of it.
        simulated: whether a provider of it was the lab's: then nothing was paid.
    """

    name: str
    calls: int
    uses: int
    cost_usd: float
    again_usd: float
    unwanted_usd: float
    unpriced: int
    simulated: bool


def bill(calls: Iterable[Iterable[Event]], by: By) -> tuple[Position, ...]:
    """Add up the uses of some calls; days in their order, all else the dearest first.

    Args:
        calls: the events of each; those of :data:`NEEDS` are enough.
        by: what a line of the bill is for.
    """
    uses: dict[str, list[UsageIncurred]] = {}
    simulated: set[str] = set()
    unwanted_usd: defaultdict[str, float] = defaultdict(float)
    for call in calls:
        events, started = tuple(call), None
        wrong = unwanted(events)
        for event in events:
            if isinstance(event, CallStarted):
                started = event
            elif isinstance(event, UsageIncurred) and started is not None:
                name = _OF[by](started, event)
                uses.setdefault(name, []).append(event)
                unwanted_usd[name] += event.cost_usd * (event.generation in wrong)
                if event.provider in started.simulated:
                    simulated.add(name)
    lines = [
        _position(name, some, unwanted_usd[name], simulated=name in simulated) for name, some in uses.items()
    ]
    return tuple(
        sorted(lines, key=lambda line: line.name)
        if by == "day"
        else sorted(lines, key=lambda line: (-line.cost_usd, line.name))
    )


def total(lines: Iterable[Position], calls: int) -> Position:
    """The sum of a bill over ``calls`` calls."""
    lines = list(lines)
    return Position(
        "total",
        calls,
        sum(line.uses for line in lines),
        sum(line.cost_usd for line in lines),
        sum(line.again_usd for line in lines),
        sum(line.unwanted_usd for line in lines),
        sum(line.unpriced for line in lines),
        any(line.simulated for line in lines),
    )


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn to reckon with.

    Attributes:
        caller_s: how long the caller speaks.
        agent_s: how long the agent does.
        characters: of the reply.
        input_tokens: that a language model reads.
        output_tokens: that it writes.
    """

    caller_s: float
    agent_s: float
    characters: int
    input_tokens: int
    output_tokens: int


def use_of(provider: str, units: Collection[str], turn: Turn) -> dict[str, float]:
    """What a model would be used for in a turn, in the units that it has prices for.

    Those tell what it is: who is paid for audio tokens both ways hears and speaks, one way is a recogniser or a voice.
    """
    rates = AUDIO_TOKENS.get(provider, OPENAI_AUDIO)
    hears, speaks = "input_audio_tokens" in units, "output_audio_tokens" in units
    use = {
        "audio_minutes": turn.caller_s / 60,
        "call_minutes": (turn.caller_s + turn.agent_s) / 60,
        "characters": float(turn.characters),
        "input_audio_tokens": turn.caller_s * rates.heard_per_s,
        "output_audio_tokens": turn.agent_s * rates.said_per_s,
    }
    if not hears and not speaks:
        use |= {
            "input_text_tokens": float(turn.input_tokens),
            "output_text_tokens": float(turn.output_tokens),
        }
    elif not speaks:
        use["output_text_tokens"] = turn.caller_s * SAID_TOKENS_PER_S
    elif not hears:
        use["input_text_tokens"] = turn.characters / CHARACTERS_PER_TOKEN
    return {unit: amount for unit, amount in use.items() if unit in units}


def break_even_minutes(*, fixed_usd: float, own_usd: float, against_usd: float) -> float | None:
    """Minutes a month from which one's own line costs less; ``None`` when no volume is large enough.

    Args:
        fixed_usd: what the line costs a month, whatever its volume.
        own_usd: what a minute costs on top of that.
        against_usd: the price of a minute elsewhere.
    """
    saved_usd = against_usd - own_usd
    return fixed_usd / saved_usd if saved_usd > 0 else None


def unwanted(events: Iterable[Event]) -> frozenset[int]:
    """The generations of a call that were begun before their turn was over and not used."""
    return frozenset(
        event.generation for event in events if isinstance(event, PreviewSettled) and not event.used
    ) - {0}


def _position(name: str, uses: list[UsageIncurred], unwanted_usd: float, *, simulated: bool) -> Position:
    return Position(
        name,
        len({use.call_id for use in uses}),
        len(uses),
        sum(use.cost_usd for use in uses),
        sum(use.again_usd for use in uses),
        unwanted_usd,
        sum(bool(use.unpriced) for use in uses),
        simulated,
    )
