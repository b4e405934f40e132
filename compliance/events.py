"""Everything said, decided, spent and waited for in a call: one vocabulary of typed events.

The ledger stores these (redacted), telemetry exports them, the report draws them, replay reads them back.

Two kinds of text are marked in the types, and only these two may hold a caller's data:

* :data:`Spoken`: words of the call; the redactor masks what identifies a person before they are kept.
* :data:`Data`: a JSON value that passed through a tool; its texts are masked the same way.

All times named ``*_ms`` are milliseconds since the call was answered, on the call's own monotonic clock.
Money is US dollars, in ``*_usd``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Redactable(StrEnum):
    """How a marked field is masked."""

    SPOKEN = "spoken"
    DATA = "data"


Spoken = Annotated[str, Redactable.SPOKEN]
Data = Annotated[Any, Redactable.DATA]
Speaker = Literal["caller", "agent"]
Part = Literal["router", "emotion", "tool_need", "tools", "redactor", "ledger", "transcriber", "call"]
Signal = bool | int | float | str


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    call_id: str
    at_ms: float = Field(ge=0)


class CallStarted(_Event):
    """A call was answered."""

    kind: Literal["call_started"] = "call_started"
    started_at: str
    """UTC, ISO 8601: the one wall-clock time of the record; all else is relative to it."""
    source: str
    """Where the caller is: ``room:NAME``, ``file:NAME`` or ``lab:CALLER``."""
    policy: str
    policy_hash: str
    simulated: tuple[str, ...] = ()
    """Providers that are the lab's, such as ``openai``; empty when every part is a vendor's."""


class SpeechHeard(_Event):
    """A stretch of speech on one side of the line."""

    kind: Literal["speech_heard"] = "speech_heard"
    speaker: Speaker
    start_ms: float
    end_ms: float


class CallerSaid(_Event):
    """A final segment of the parallel transcript, whatever engine was in charge."""

    kind: Literal["caller_said"] = "caller_said"
    start_ms: float
    end_ms: float
    text: Spoken
    confidence: float = Field(ge=0, le=1)
    while_agent_spoke: bool = False


class EmotionHeard(_Event):
    """What the emotion classifier heard in one caller turn."""

    kind: Literal["emotion_heard"] = "emotion_heard"
    turn: int
    label: str
    confidence: float = Field(ge=0, le=1)
    upset: float = Field(ge=0, le=1)
    windows: int = Field(ge=0)
    """Voiced windows it is based on; 0 means nothing was heard and ``label`` is ``unknown``."""


class TurnEnded(_Event):
    """The caller finished a turn; what the router will be asked about.

    Its words are those of the :class:`CallerSaid` segments that lie in it: each word is recorded once.
    """

    kind: Literal["turn_ended"] = "turn_ended"
    turn: int
    start_ms: float
    end_ms: float


class Decided(_Event):
    """The engine for one turn, and why."""

    kind: Literal["decided"] = "decided"
    turn: int
    engine: str
    rule: str
    reason: str
    policy_hash: str
    signals: dict[str, Signal]
    tried: tuple[tuple[str, str], ...] = ()
    """Guards and rules in the order tried, each with its outcome."""
    denied: dict[str, str] = Field(default_factory=dict)
    """Engines that were denied, and the guard that did it."""
    took_us: float = 0


class HandedOff(_Event):
    """A turn is answered by another engine than the turn before."""

    kind: Literal["handed_off"] = "handed_off"
    turn: int
    from_engine: str
    to_engine: str
    warm: bool
    turn_as_audio: bool
    items: int = Field(ge=0)
    """History items carried over."""
    took_ms: float
    """Decision to the new engine in charge."""


class PreviewSettled(_Event):
    """What became of a reply that was begun before the turn was certain to be over."""

    kind: Literal["preview_settled"] = "preview_settled"
    turn: int
    engine: str
    used: bool


class ToolCalled(_Event):
    """An engine used a tool."""

    kind: Literal["tool_called"] = "tool_called"
    turn: int
    engine: str
    name: str
    arguments: Data
    result: Data
    failed: bool
    took_ms: float


class AgentSaid(_Event):
    """A reply as the caller heard it: cut where the caller cut it."""

    kind: Literal["agent_said"] = "agent_said"
    turn: int
    engine: str
    generation: int
    """Counts the replies of a call; every event of an engine carries the generation it belongs to."""
    start_ms: float
    end_ms: float
    text: Spoken
    interrupted: bool


class LateEventDropped(_Event):
    """Something of a closed generation arrived and was neither spoken nor stored."""

    kind: Literal["late_event_dropped"] = "late_event_dropped"
    generation: int
    engine: str
    what: str
    count: int


class TurnAnswered(_Event):
    """What the caller waited for, measured on the audio, and what it was spent on.

    ``heard_ms`` runs from the caller's last voiced sample to the first reply sample at the caller's ear.
    ``waits`` are named, in order, and sum to ``heard_ms``.
    """

    kind: Literal["turn_answered"] = "turn_answered"
    turn: int
    engine: str
    heard_ms: float
    waits: dict[str, float]


class UsageIncurred(_Event):
    """What a provider was used for, and what it costs by the price list."""

    kind: Literal["usage_incurred"] = "usage_incurred"
    turn: int
    engine: str
    provider: str
    model: str
    quantities: dict[str, float]
    """Keys name their unit: ``input_text_tokens``, ``cached_text_tokens``, ``audio_minutes``."""
    cost_usd: float = Field(ge=0)


class ProviderFailed(_Event):
    """A provider refused, failed or hung, and what was done about it."""

    kind: Literal["provider_failed"] = "provider_failed"
    turn: int
    engine: str
    provider: str
    error: str
    """The class and code of the error, never its text, which may quote the caller."""
    action: str


class PartFailed(_Event):
    """Routing, classifying, redacting or recording failed; the call went on."""

    kind: Literal["part_failed"] = "part_failed"
    part: Part
    error: str
    action: str


class CallEnded(_Event):
    """The call is over."""

    kind: Literal["call_ended"] = "call_ended"
    reason: str
    turns: int
    cost_usd: float


Event = Annotated[
    CallStarted
    | SpeechHeard
    | CallerSaid
    | EmotionHeard
    | TurnEnded
    | Decided
    | HandedOff
    | PreviewSettled
    | ToolCalled
    | AgentSaid
    | LateEventDropped
    | TurnAnswered
    | UsageIncurred
    | ProviderFailed
    | PartFailed
    | CallEnded,
    Field(discriminator="kind"),
]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads an event back: ``EVENT.validate_python(mapping)`` or ``EVENT.validate_json(text)``."""


def redactable(event: Event) -> dict[str, Redactable]:
    """The fields of ``event`` that hold words or data of the call, and how each is masked."""
    marked = {}
    for name, info in type(event).model_fields.items():
        for mark in info.metadata:
            if isinstance(mark, Redactable):
                marked[name] = mark
    return marked
