"""Everything said, decided, spent and waited for in a call: one vocabulary of typed events.

The ledger stores these (redacted), telemetry exports them, the report draws them, replay reads them back.

Every text says what it is in its type. Three kinds may hold a caller's data:

* :data:`Spoken`: words of the call; the redactor masks what identifies a person before they are kept.
* :data:`HeardAgain`: the same words a second time; masked by what the call knows, and not counted as said twice.
* :data:`Data`: a JSON value that passed through a tool; its texts are masked the same way.

Any other is a :data:`Fact`, and is kept as it is.

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
    HEARD_AGAIN = "heard again"
    DATA = "data"


class Kept(StrEnum):
    """Why a text is kept as it is."""

    ACTOR = "actor"
    """Names somebody of the staff: personal data, and the purpose of the record."""
    FACT = "fact"
    """An id, a time or a word of a fixed vocabulary, made by Patchbay or set by an operator; nothing that was said."""


Actor = Annotated[str, Kept.ACTOR]
Fact = Annotated[str, Kept.FACT]
Spoken = Annotated[str, Redactable.SPOKEN]
HeardAgain = Annotated[str, Redactable.HEARD_AGAIN]
Data = Annotated[Any, Redactable.DATA]
Speaker = Literal["caller", "agent"]
Part = Literal[
    "router",
    "emotion",
    "tool_need",
    "words",
    "questions",
    "tools",
    "redactor",
    "ledger",
    "transcriber",
    "recording",
    "placeholders",
    "call",
]
Signal = bool | int | float | Fact
Topic = Literal["recording", "emotion", "voice_ai"]
"""What a caller consents to."""
Disclosure = Literal["ai", "recording", "emotion", "voice_ai"]
"""What is disclosed to a caller."""
Proof = Literal["played", "sent"]
"""What it rests on that a disclosure was heard."""
How = Literal["setting", "notice", "by staying", "stated", "revoked"]
"""How a consent came to be given or not."""


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    call_id: Fact
    at_ms: float = Field(ge=0)


class CallStarted(_Event):
    """A call was answered."""

    kind: Literal["call_started"] = "call_started"
    started_at: Fact
    """UTC, ISO 8601: the one wall-clock time of the record; all else is relative to it."""
    source: Fact
    """Where the caller is: ``room:NAME``, ``file:NAME`` or ``lab:CALLER``; ``webrtc:VENDOR`` for a browser that talks
    to a vendor itself."""
    policy: Fact
    """The name of the policy that the call keeps to its end."""
    policy_hash: Fact
    """SHA-256 of what the policy says, in hex."""
    policy_version: int = 0
    """The policy's own version; 0 in records from before it was kept."""
    prices_hash: Fact = ""
    """SHA-256 of the prices that the call is billed by, in hex; empty in records from before it was kept."""
    prices_as_of: Fact = ""
    """The day of those prices, as the price book gives it."""
    tenant: Fact = ""
    """Whose calls the line answers; empty where it has no tenants."""
    simulated: tuple[Fact, ...] = ()
    """Providers that are the lab's, such as ``openai``; empty when every part is a vendor's."""
    without: tuple[Part, ...] = ()
    """Parts that the call cannot have, for its audio does not pass through here: its words are the vendor's own, its
    one engine answers every turn, and no voice is judged, recorded or measured."""


class SpeechHeard(_Event):
    """A stretch of speech on one side of the line."""

    kind: Literal["speech_heard"] = "speech_heard"
    speaker: Speaker
    """Whose speech."""
    start_ms: float
    """When it began."""
    end_ms: float
    """When it ended."""


class CallerSaid(_Event):
    """A final segment of the parallel transcript, whatever engine was in charge."""

    kind: Literal["caller_said"] = "caller_said"
    start_ms: float
    """When it began."""
    end_ms: float
    """When it ended."""
    text: Spoken
    """What the recogniser heard."""
    confidence: float = Field(ge=0, le=1)
    """The recogniser's own."""
    while_agent_spoke: bool = False
    """Whether it was said over the agent."""
    heard_by: Fact = ""
    """The recogniser, such as ``deepgram/nova-3``; empty where an engine wrote it down itself."""


class ConsentChanged(_Event):
    """A consent is given or not from this moment on, until the next one of its kind or the end of the call."""

    kind: Literal["consent_changed"] = "consent_changed"
    turn: int
    """The caller turn in which it changed, counted from 1; 0 is the greeting."""
    what: Topic
    """``recording``: the call may be recorded beyond this record. ``emotion``: the voice may be judged. ``voice_ai``:
    the voice may go to a speech-to-speech vendor."""
    given: bool
    """Whether it is given from now on."""
    how: How
    """``setting``: the line has it from elsewhere. ``notice``: the notice was heard, and the rule asks no more.
    ``by staying``: the caller heard the notice and went on. ``stated``: the caller said so. ``revoked``: it was taken
    back."""


class Disclosed(_Event):
    """Something that the law wants said was said, and how much of it the caller heard.

    The proof is by position: how much of its audio had been played when the speech it was in ended or was cut.
    """

    kind: Literal["disclosed"] = "disclosed"
    turn: int
    """The caller turn after which it was said, counted from 1; 0 is the greeting."""
    what: Disclosure
    """``ai``: that this is a machine. Else the notice or the question of that consent."""
    wording: Fact
    """The wording's name in the disclosures document."""
    language: Fact
    """BCP 47 tag of the language it was said in."""
    version: Fact
    """The first 12 hexadecimal digits of the SHA-256 of the words that were to be said."""
    start_ms: float
    """When its first sample was heard."""
    end_ms: float
    """When its last sample was heard, or it was cut."""
    heard_share: float = Field(ge=0, le=1)
    """How much of its audio was heard; of what had been synthesised of it, when it was cut before all was."""
    complete: bool
    """Whether all of it was heard."""
    proof: Proof = "played"
    """What that rests on. ``played``: the position up to which its audio was played. ``sent``: the vendor wrote down
    that its model said these words, and told that it sent their audio to the caller's browser to the end."""


class DisclosureMissed(_Event):
    """The call ended, and what had to be said was never heard to its end; told only when there was any."""

    kind: Literal["disclosure_missed"] = "disclosure_missed"
    what: tuple[Disclosure, ...]
    """What was not heard in full."""


class TurnEnded(_Event):
    """The caller finished a turn; what the router will be asked about.

    Its words are those of the :class:`CallerSaid` segments that lie in it: each word is recorded once.
    """

    kind: Literal["turn_ended"] = "turn_ended"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    start_ms: float
    """When it began."""
    end_ms: float
    """When it ended."""


DEFAULT_ENGINE = "default-engine"
"""What :class:`Decided` names as the rule when routing itself had failed."""


class Decided(_Event):
    """The engine for one turn, and why."""

    kind: Literal["decided"] = "decided"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    engine: Fact
    """The engine by its name in the catalogue."""
    rule: Fact
    """The guard or rule that chose."""
    reason: Fact
    """Why, in words."""
    policy_hash: Fact
    """SHA-256 of what the policy says, in hex."""
    signals: dict[Fact, Signal]
    """All that was known, enough to decide again."""
    tried: tuple[tuple[Fact, Fact], ...] = ()
    """Guards and rules in the order tried, each with its outcome."""
    denied: dict[Fact, Fact] = Field(default_factory=dict)
    """Engines that were denied, and the guard that did it."""
    took_us: float = 0
    """How long deciding took."""
    policy_version: int = 0
    """The policy's own version; 0 in records from before it was kept."""
    arms: dict[Fact, Fact] = Field(default_factory=dict)
    """Experiments that the turn takes part in, and the call's arm in each."""
    shadow: dict[Fact, Fact] = Field(default_factory=dict)
    """Shadow rules, and the engine that would have answered had each been served."""
    endpointing_ms: int | None = None
    """Silence that ends a turn by the rule's hint; without one, as the engine catalogue says."""
    evidence: tuple[Fact, ...] = ()
    """What ``emotion.*`` among the signals rests on, in words, strongest first; counts only, nothing that was said."""


class TurnMoved(_Event):
    """Another engine answers the turn than the one decided, because a provider failed or a person was fetched."""

    kind: Literal["turn_moved"] = "turn_moved"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    from_engine: Fact
    """Who was to answer."""
    to_engine: Fact
    """Who takes over."""


class HandedOff(_Event):
    """A turn is answered by another engine than the turn before."""

    kind: Literal["handed_off"] = "handed_off"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    from_engine: Fact
    """Who answered the turn before."""
    to_engine: Fact
    """Who answers this one."""
    warm: bool
    """Whether a realtime session was open before the decision."""
    turn_as_audio: bool
    """Whether the new engine hears the turn rather than reads it."""
    items: int = Field(ge=0)
    """History items carried over."""
    took_ms: float
    """Decision to the new engine in charge."""


class PreviewSettled(_Event):
    """What became of a reply that was begun before the turn was certain to be over."""

    kind: Literal["preview_settled"] = "preview_settled"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    engine: Fact
    """The engine by its name in the catalogue."""
    used: bool
    """Whether the caller heard it."""
    generation: int = 0
    """The reply, as in :class:`UsageIncurred`: what it cost if nobody wanted it is what those cost."""


class ToolCalled(_Event):
    """An engine used a tool."""

    kind: Literal["tool_called"] = "tool_called"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    engine: Fact
    """The engine by its name in the catalogue."""
    name: Fact
    """The tool."""
    arguments: Data
    """What the engine passed."""
    result: Data
    """What came back, or why it failed."""
    failed: bool
    """Whether it failed, or was too slow."""
    took_ms: float
    """How long it took."""


class AgentSaid(_Event):
    """A reply as the caller heard it: cut where the caller cut it."""

    kind: Literal["agent_said"] = "agent_said"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    engine: Fact
    """The engine by its name in the catalogue."""
    generation: int
    """Counts the replies of a call; every event of an engine carries the generation it belongs to."""
    start_ms: float
    """When it began."""
    end_ms: float
    """When it ended."""
    text: Spoken
    """What was heard of it."""
    interrupted: bool
    """Whether the caller cut it."""


class HumanSaid(_Event):
    """A final segment of what a person said who has the call, transcribed as the caller is, on a stream of their own.

    What a machine says while a person is fetched, or after they left, is :class:`AgentSaid`.
    """

    kind: Literal["human_said"] = "human_said"
    turn: int
    """The caller turn in which the person was fetched, counted from 1."""
    engine: Fact
    """The person's engine by its name in the catalogue."""
    person: Actor
    """Who, by the identity in the room; empty where it is not known."""
    start_ms: float
    """When it began; the caller heard it within a few tenths of a second."""
    end_ms: float
    """When it ended."""
    text: Spoken
    """What the recogniser heard."""
    confidence: float = Field(ge=0, le=1)
    """The recogniser's own."""


class EngineHeard(_Event):
    """What a realtime engine itself heard in a turn, where that differs from the record.

    Words are compared by meaning ("four four one" is "441"), before redaction; the counts are of an alignment with the
    fewest changes.
    """

    kind: Literal["engine_heard"] = "engine_heard"
    turn: int
    """The caller turn, counted from 1."""
    engine: Fact
    """The engine by its name in the catalogue."""
    record: HeardAgain
    """The turn in the words of the record's recogniser, which the engine's history holds."""
    engine_text: HeardAgain
    """The same turn as the engine's provider wrote it down."""
    words: int = Field(ge=0)
    """Words of the record."""
    substituted: int = Field(ge=0)
    """Words that the engine heard as others."""
    inserted: int = Field(ge=0)
    """Words that only the engine heard."""
    deleted: int = Field(ge=0)
    """Words that only the record has."""
    word_error_rate: float = Field(ge=0)
    """Changed words per word of the record."""


class HeardAlike(_Event):
    """What a realtime engine itself heard in a turn is on record: with ``engine_heard``, every turn compared."""

    kind: Literal["heard_alike"] = "heard_alike"
    turn: int
    """The caller turn, counted from 1."""
    engine: Fact
    """The engine by its name in the catalogue."""
    words: int = Field(ge=0)
    """Words of the record."""


class LateEventDropped(_Event):
    """Something of a closed generation arrived and was neither spoken nor stored."""

    kind: Literal["late_event_dropped"] = "late_event_dropped"
    generation: int
    """The closed generation it belongs to."""
    engine: Fact
    """The engine by its name in the catalogue."""
    what: Fact
    """What came."""
    count: int
    """How often."""


class TurnAnswered(_Event):
    """What the caller waited for, measured on the audio, and what it was spent on.

    ``heard_ms`` runs from the caller's last voiced sample to the answer's first sample at the caller's ear. That there
    is none yet, or none, is not an answer: a turn of which nothing else was heard has no such event.
    ``waits`` are named, in order, and sum to ``heard_ms``.
    """

    kind: Literal["turn_answered"] = "turn_answered"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    engine: Fact
    """The engine by its name in the catalogue."""
    heard_ms: float
    """What the caller waited."""
    told_of_delay_ms: float | None = None
    """When the caller was told that it takes longer, if they were, as ``heard_ms``."""
    waits: dict[Fact, float]
    """What it was spent on, in ms by stage."""


class UsageIncurred(_Event):
    """What a provider was used for, and what it costs by the price list."""

    kind: Literal["usage_incurred"] = "usage_incurred"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    engine: Fact
    """The engine by its name in the catalogue; ``transcriber`` or ``questions`` for what all engines share."""
    part: Literal["model", "voice"] = "model"
    """``voice``: it read the engine's words aloud. Else what the engine is, or the recogniser or judge of all."""
    generation: int = 0
    """The reply that it was for, counted over the call; 0 where that is not known, or for none."""
    provider: Fact
    """Who is paid: the plugin's vendor, or as the engine catalogue names it."""
    model: Fact
    """The model."""
    quantities: dict[Fact, float]
    """Keys name their unit: ``input_text_tokens``, ``cached_text_tokens``, ``audio_minutes``."""
    cost_usd: float = Field(ge=0)
    """By the price list of that day."""
    again_usd: float = Field(default=0, ge=0)
    """The part of it that is for conversation that had been sent before, an estimate from token counts."""
    unpriced: tuple[Fact, ...] = ()
    """Units of the quantities that should have a price and had none: what they cost is in no figure."""
    estimated: bool = False
    """Whether the quantities are an estimate, because the request failed or was cut before the provider told them."""


class Hedged(_Event):
    """An engine did not begin its reply in time, so another was asked too: the first to speak won, both are paid."""

    kind: Literal["hedged"] = "hedged"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    engine: Fact
    """Who was asked first."""
    winner: Fact
    """Who began to speak first, and answers."""
    loser: Fact
    """Who was told to stop."""


class ProviderFailed(_Event):
    """A provider refused, failed or hung, and what was done about it."""

    kind: Literal["provider_failed"] = "provider_failed"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    engine: Fact
    """The engine by its name in the catalogue."""
    provider: Fact
    """As its use is billed, or `voice` for all voices of an engine."""
    error: Fact
    """The class and code of the error, never its text, which may quote the caller."""
    action: Fact
    """What was done about it."""


class Refused(_Event):
    """Something of the call was about to go to a provider that may not have it: the policy let it through.

    It was stopped before anything was sent.
    """

    kind: Literal["refused"] = "refused"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    used_by: Fact
    """The engine by its name in the catalogue, or `voice`, `transcriber` or `questions`."""
    provider: Fact
    """Who would have had it."""
    because: Fact
    """What the engine catalogue needs of the call for it."""


class PartFailed(_Event):
    """Routing, classifying, redacting or recording failed; the call went on."""

    kind: Literal["part_failed"] = "part_failed"
    part: Part
    """Which part."""
    error: Fact
    """The class of the error."""
    action: Fact
    """What was done about it."""


class VoiceUnjudged(_Event):
    """What of the caller's voice was not judged in time, over the call; told only when there was any."""

    kind: Literal["voice_unjudged"] = "voice_unjudged"
    dropped_frames: int = Field(ge=0)
    """Frames of audio that the process beside the calls could not take."""
    late: int = Field(ge=0)
    """Scores that came when their turn was over, and were dropped."""
    stale: int = Field(ge=0)
    """Turns that were routed without the voice because its score was too far behind."""
    restarts: int = Field(ge=0)
    """How often the process was lost."""


class ValueSealed(_Event):
    """A value that was masked in the words of the call, encrypted for whoever may one day reveal it.

    Only of entities that the redaction policy says so of, and never a card number, CVV or PIN.
    """

    kind: Literal["value_sealed"] = "value_sealed"
    entity: Fact
    """What it is, as in its mask."""
    number: int = Field(ge=1)
    """Counts the sealed values of the call, in the order in which they were said."""
    sealed: Fact
    """Nonce and AES-256-GCM ciphertext in Base64, under a key of this call alone; see :mod:`compliance.reveal`."""


class RecordingKept(_Event):
    """Audio of the call was kept, encrypted, in two channels: the caller's, and the agent's as it was heard."""

    kind: Literal["recording_kept"] = "recording_kept"
    file: Fact
    """Its name in the folder of recordings."""
    sha256: Fact
    """Of the encrypted file, in hex."""
    size_bytes: int = Field(ge=0)
    """Of the encrypted file."""
    duration_ms: float = Field(ge=0)
    """How long it is, from the moment the call was answered; of one that is not complete, at most."""
    muted_ms: float = Field(ge=0)
    """How much of it is silent because something was masked there."""
    suspended_ms: float = Field(ge=0)
    """How much of it is silent because a CVV or PIN was expected."""
    withheld_ms: float = Field(ge=0)
    """How much of it is silent on one channel or both because it is not known what was said there."""
    complete: bool
    """Whether it has its end; it has not where recording failed."""


class RecordingDestroyed(_Event):
    """What had been kept of the call's audio was destroyed while the call was on."""

    kind: Literal["recording_destroyed"] = "recording_destroyed"
    reason: Fact
    """Why."""


TransferWay = Literal["warm", "blind", "callback"]
"""``warm``: a person is told what it is about and then connected. ``blind``: the caller is passed on (SIP REFER).
``callback``: the caller is called back."""


class TransferAsked(_Event):
    """A person is wanted on the line; until the next transfer event the caller waits."""

    kind: Literal["transfer_asked"] = "transfer_asked"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    engine: Fact
    """The person's engine by its name in the catalogue."""
    cause: Literal["policy", "tool", "failure"]
    """A rule of the policy, an engine by its tool, or that no other engine was left."""
    reason: Spoken
    """What the engine gave as its reason; empty where the decision of the turn says why."""


class TransferAnswered(_Event):
    """The caller is with a person from now on, or passed on to one."""

    kind: Literal["transfer_answered"] = "transfer_answered"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    engine: Fact
    """The person's engine by its name in the catalogue."""
    way: TransferWay
    """How."""
    to: Fact
    """Where they were reached, as the catalogue writes it."""
    person: Actor
    """Who, by the identity in the room; empty where it is not known."""
    waited_ms: float = Field(ge=0)
    """Since a person was wanted."""


class TransferFailed(_Event):
    """Nobody came by one way of transfer."""

    kind: Literal["transfer_failed"] = "transfer_failed"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    engine: Fact
    """The person's engine by its name in the catalogue."""
    way: TransferWay
    """How it was tried."""
    to: Fact
    """Where, as the catalogue writes it; empty for a callback."""
    error: Fact
    """Why not: a word of ours, or the class and code of an error."""


class TransferEnded(_Event):
    """The person is no longer on the line."""

    kind: Literal["transfer_ended"] = "transfer_ended"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    engine: Fact
    """The person's engine by its name in the catalogue."""
    person: Actor
    """Who, as in :class:`TransferAnswered`."""
    by: Literal["person", "caller", "service"]
    """Who left, or ended it."""
    duration_ms: float = Field(ge=0)
    """How long they were connected."""
    spoke_ms: float = Field(ge=0)
    """How much of that the person was heard."""


class CallbackAsked(_Event):
    """The caller is to be called back. The number is sealed where the redaction policy lets it be revealed."""

    kind: Literal["callback_asked"] = "callback_asked"
    turn: int
    """The caller turn, counted from 1; 0 is the greeting."""
    engine: Fact
    """The person's engine by its name in the catalogue."""
    number: Spoken
    """The telephone number, masked."""
    best_time: Spoken
    """When it suits the caller, in their words."""


class CallEnded(_Event):
    """The call is over."""

    kind: Literal["call_ended"] = "call_ended"
    reason: Fact
    """How it ended."""
    turns: int
    """Caller turns."""
    cost_usd: float
    """What all of it cost."""


Event = Annotated[
    CallStarted
    | SpeechHeard
    | CallerSaid
    | ConsentChanged
    | Disclosed
    | DisclosureMissed
    | TurnEnded
    | Decided
    | TurnMoved
    | HandedOff
    | PreviewSettled
    | ToolCalled
    | AgentSaid
    | HumanSaid
    | EngineHeard
    | HeardAlike
    | LateEventDropped
    | TurnAnswered
    | UsageIncurred
    | Hedged
    | ProviderFailed
    | Refused
    | PartFailed
    | VoiceUnjudged
    | ValueSealed
    | RecordingKept
    | RecordingDestroyed
    | TransferAsked
    | TransferAnswered
    | TransferFailed
    | TransferEnded
    | CallbackAsked
    | CallEnded,
    Field(discriminator="kind"),
]

Utterance = CallerSaid | AgentSaid | HumanSaid
"""Somebody's words, and when they were said."""

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads an event back: ``EVENT.validate_python(mapping)`` or ``EVENT.validate_json(text)``."""


def redactable(event: BaseModel) -> dict[str, Redactable]:
    """The fields of ``event`` that hold words or data of the call, and how each is masked."""
    marked = {}
    for name, info in type(event).model_fields.items():
        for mark in info.metadata:
            if isinstance(mark, Redactable):
                marked[name] = mark
    return marked
