"""What a call's summary is made of. Times are milliseconds since the call was answered, money is US dollars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compliance.events import (
    ConsentChanged,
    Disclosed,
    Disclosure,
    EngineHeard,
    Part,
    PartFailed,
    Refused,
    Signal,
    Topic,
    VoiceUnjudged,
)


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """What verifying a call's hash chain found: what officers are shown.

    ``sentence`` says it in words; ``head`` is the hash of the last entry, in hex.
    """

    ok: bool
    events: int
    head: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Emotion:
    """The caller's emotion in one turn; ``confidence`` and ``upset`` are from 0 to 1."""

    label: str
    confidence: float
    upset: float
    evidence: tuple[str, ...] = ()
    """What it rests on, in words, strongest first."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A named part of what the caller waited for."""

    name: str
    took_ms: float


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One tool call of a turn; arguments and result are redacted JSON values."""

    name: str
    arguments: Any
    result: Any
    failed: bool
    took_ms: float
    at_ms: float


@dataclass(frozen=True, slots=True)
class HandOff:
    """The engine before, the engine after, and what the change took."""

    from_engine: str
    to_engine: str
    warm: bool
    turn_as_audio: bool
    items: int
    took_ms: float
    at_ms: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A provider's failure in a turn and what was done about it."""

    engine: str
    provider: str
    error: str
    action: str
    at_ms: float


@dataclass(frozen=True, slots=True)
class Move:
    """A provider failed, and another engine took the turn over."""

    from_engine: str
    to_engine: str
    at_ms: float


@dataclass(frozen=True, slots=True)
class Said:
    """A reply as the caller heard it, or what a person said who had the call."""

    engine: str
    generation: int
    """Of the reply; 0 of what a person said."""
    start_ms: float
    end_ms: float
    text: str
    interrupted: bool
    person: str | None = None
    """The person who said it, empty where it is not known who; ``None``: a machine did."""

    @property
    def who(self) -> str:
        """The engine, and the person if one spoke."""
        return self.engine if self.person is None else f"{self.engine} ({self.person or 'a person'})"


@dataclass(frozen=True, slots=True)
class Usage:
    """What one provider's model was used for, summed over the call."""

    provider: str
    model: str
    quantities: tuple[tuple[str, float], ...]
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Nearest-rank percentiles (each one a value that occurred) of ``count`` heard latencies."""

    count: int
    p50_ms: float
    p95_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class TurnSummary:
    """One caller utterance and the reply to it.

    ``route`` is the engine that was decided, ``engine`` the one that answered: they differ only after a
    provider failed. ``arms`` are experiments and the call's arm in each, ``shadow`` rules that are only logged and
    the engine each would have chosen. Text is as stored, that is redacted.
    """

    turn: int
    start_ms: float | None = None
    end_ms: float | None = None
    caller_text: str = ""
    decided_ms: float | None = None
    route: str | None = None
    engine: str | None = None
    rule: str = ""
    reason: str = ""
    signals: tuple[tuple[str, Signal], ...] = ()
    tried: tuple[tuple[str, str], ...] = ()
    denied: tuple[tuple[str, str], ...] = ()
    deciding_us: float = 0
    arms: tuple[tuple[str, str], ...] = ()
    shadow: tuple[tuple[str, str], ...] = ()
    endpointing_ms: int | None = None
    """Silence that the rule asked for; ``None``: as the engine catalogue says."""
    moves: tuple[Move, ...] = ()
    emotion: Emotion | None = None
    heard_ms: float | None = None
    waits: tuple[Wait, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    hand_offs: tuple[HandOff, ...] = ()
    previews_used: int = 0
    previews_discarded: int = 0
    said: tuple[Said, ...] = ()
    failures: tuple[Failure, ...] = ()
    cost_usd: float = 0

    @property
    def agent_text(self) -> str:
        """All that the agent said in the turn; without what a person said."""
        return " ".join(said.text for said in self.said if said.text and said.person is None)

    @property
    def interrupted(self) -> bool:
        """Whether the caller cut a reply of the turn short."""
        return any(said.interrupted for said in self.said)


@dataclass(frozen=True, slots=True)
class CallSummary:
    """One call. Times are milliseconds since it was answered, money is US dollars."""

    call_id: str
    source: str
    started_at: str | None
    simulated: tuple[str, ...]
    policy: str
    policy_hash: str
    prices_hash: str
    prices_as_of: str
    policy_version: int
    """0 when it is not on record."""
    tenant: str
    """Empty where the line has no tenants."""
    duration_ms: float
    ended: str | None
    """Why the call ended; ``None`` when its end is not on record."""
    greeting: tuple[Said, ...]
    """What the agent said before the first turn."""
    turns: tuple[TurnSummary, ...]
    cost_usd: float
    again_usd: float
    """The part of the cost that is for conversation sent again, an estimate."""
    cut_usd: float
    """The part of the cost that is for requests that failed or were cut, an estimate."""
    unwanted_usd: float
    """The part of the cost that is for replies that were begun early and thrown away."""
    unpriced: int
    """Uses for some of which the price list had no price."""
    hedges: int
    """Replies for which a second engine was asked, because the first was late."""
    refused: tuple[Refused, ...]
    """What the policy let through to somebody who may not have it, and was stopped."""
    without: tuple[Part, ...]
    """Parts that the call could not have."""
    cost_by_provider: tuple[tuple[str, float], ...]
    cost_by_engine: tuple[tuple[str, float], ...]
    usage: tuple[Usage, ...]
    hand_offs: int
    late_dropped: int
    previews_used: int
    previews_discarded: int
    heard: Percentiles | None
    part_failures: tuple[PartFailed, ...]
    consents: tuple[ConsentChanged, ...]
    """What the caller consented to or took back, and what the line had from elsewhere."""
    disclosed: tuple[Disclosed, ...]
    """What the law wants said and was said, and how much of it was heard."""
    undisclosed: tuple[Disclosure, ...]
    """What of it was never heard to its end."""
    unjudged: VoiceUnjudged | None
    """What of the caller's voice was not judged in time; ``None``: all of it was."""
    heard_otherwise: tuple[EngineHeard, ...]
    """What engines heard in other words than the record."""
    heard_alike: int
    """Turns that engines heard in the same words; with the others, all of which a second transcript came."""
    events: int

    @property
    def remarks(self) -> tuple[str, ...]:
        """What else is to be known of the call, each in a sentence."""
        found = [_said_of(change) for change in self.consents if change.how != "setting"]
        if self.undisclosed:
            never = ", ".join(_DISCLOSED[what] for what in self.undisclosed)
            found.append(f"The caller never heard to its end: {never}.")
        if self.unjudged is not None:
            missed = self.unjudged
            found.append(
                f"Of the caller's voice, {missed.dropped_frames} frames were not judged, {missed.late} scores came too "
                f"late, and {missed.stale} turns were routed without it."
            )
        found += (
            f"In turn {one.turn} {one.engine} heard {one.substituted + one.inserted + one.deleted} of {one.words} "
            "words otherwise than the record."
            for one in self.heard_otherwise
        )
        if self.heard_twice:
            found.append(
                f"An engine's own transcript differs from the record in {len(self.heard_otherwise)} of "
                f"{self.heard_twice} turns that were compared."
            )
        found += (
            f"In turn {one.turn} nothing was given to {one.provider} ({one.used_by}), though the policy let it: "
            f"{one.because}."
            for one in self.refused
        )
        if self.without:
            found.append(f"This call could not have: {', '.join(self.without)}.")
        return tuple(found)

    @property
    def heard_twice(self) -> int:
        """Turns of which an engine's own transcript came, and was compared with the record."""
        return len(self.heard_otherwise) + self.heard_alike

    @property
    def name(self) -> str:
        """What people call the call: its caller, file or room without the kind of source."""
        return self.source.partition(":")[2] or self.source or self.call_id

    @property
    def interruptions(self) -> int:
        """Turns in which the caller cut the agent short."""
        return sum(turn.interrupted for turn in self.turns) + any(said.interrupted for said in self.greeting)

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines of the call in the order of their first turn."""
        return tuple(dict.fromkeys(turn.engine for turn in self.turns if turn.engine))

    @property
    def most_upset(self) -> Emotion | None:
        """The emotion of the turn in which the caller was most upset."""
        heard = [turn.emotion for turn in self.turns if turn.emotion is not None]
        return max(heard, key=lambda emotion: emotion.upset, default=None)


_CONSENTS: Mapping[Topic, str] = {
    "recording": "to be recorded",
    "emotion": "to have the voice judged for emotion",
    "voice_ai": "to have the voice heard by a voice AI",
}
_DISCLOSED: Mapping[Disclosure, str] = {
    "ai": "that this is a machine",
    "recording": "that the call is to be recorded",
    "emotion": "that the voice is judged for emotion",
    "voice_ai": "that a voice AI hears the voice",
}


def _said_of(change: ConsentChanged) -> str:
    """A change of consent, in a sentence."""
    what = _CONSENTS[change.what]
    when = f"In turn {change.turn}" if change.turn else "In the greeting"
    match change.given, change.how:
        case False, "revoked":
            return f"{when} the caller took back the consent {what}."
        case False, _:
            return f"{when} the caller refused {what}."
        case True, "stated":
            return f"{when} the caller gave the consent {what}."
        case True, "by staying":
            return f"{when} the caller, having heard the notice, went on: the consent {what} counts as given."
        case _:
            return f"{when} the caller heard the notice: the consent {what} counts as given."
