"""Events about the record itself: who looked, what is held, what was erased. Kept in the same log as the calls.

They are appended like the events of calls and are proved by the same tree, but they are not of a call: erasing a call
leaves them readable, so that who saw it, and who erased it, stays known.

Every text says what it is: :data:`compliance.events.Spoken` and :data:`compliance.events.Data` are typed by people and
masked before they are kept; an :data:`Actor` is one of the staff, and a :data:`compliance.events.Fact` is as in a call.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from compliance.events import Data, Fact, Kept, Spoken


def _is_moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time without its zone")
    return text


Actor = Annotated[str, Kept.ACTOR]
Time = Annotated[str, Kept.FACT, AfterValidator(_is_moment)]
RoleName = Annotated[Literal["auditor", "privacy_officer", "admin", "service"], Kept.FACT]


class _Oversight(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    call_id: Fact = ""
    """The call it is about; empty when it is about several or none."""
    at: Time
    """When, UTC, ISO 8601."""
    actor: Actor
    """Who: ``local:NAME`` of the operating system, ``token:NAME`` or ``oidc:SUBJECT``."""
    role: Fact
    """The role that permitted it."""


class Accessed(_Oversight):
    """Something of the record was read."""

    kind: Literal["accessed"] = "accessed"
    what: Fact
    """What for, such as ``search`` or ``access log``."""
    events: int = Field(ge=0)
    """How many events were shown."""


class Searched(_Oversight):
    """The record was searched; each call that was then shown is an :class:`Accessed` of its own."""

    kind: Literal["searched"] = "searched"
    words: Spoken
    """The words searched for, masked."""
    facts: Data
    """What else a call had to have, by name; masked."""
    since: Fact = ""
    """Only calls that began from then on; empty for all."""
    until: Fact = ""
    """Only calls that began before; empty for all."""
    calls: int = Field(ge=0)
    """How many calls were looked through."""


class Processed(_Oversight):
    """A command read calls to say something of them all, such as what another policy would have done."""

    kind: Literal["processed"] = "processed"
    what: Fact
    """The command, such as ``policy replay``."""
    calls: int = Field(ge=0)
    """How many calls the ledger had for it."""


class Exported(_Oversight):
    """A copy of calls left the ledger."""

    kind: Literal["exported"] = "exported"
    format: Fact
    """Such as ``jsonl`` or ``vcon``."""
    calls: int = Field(ge=0)
    """How many calls."""
    events: int = Field(ge=0)
    """How many events."""


class AccessRefused(_Oversight):
    """Somebody asked for what their roles do not permit."""

    kind: Literal["access_refused"] = "access_refused"
    permission: Fact
    """What they would have needed."""


class RevealRequested(_Oversight):
    """Somebody asks to see values of a call that were masked and sealed."""

    kind: Literal["reveal_requested"] = "reveal_requested"
    request: Fact
    """Names the request."""
    numbers: tuple[int, ...]
    """Which sealed values of the call."""
    reason: Spoken
    """Why, masked."""
    expires_at: Time
    """The request, approved or not, is void from then on. UTC, ISO 8601."""


class RevealApproved(_Oversight):
    """Another person agrees to a request."""

    kind: Literal["reveal_approved"] = "reveal_approved"
    request: Fact
    """The request."""


class Revealed(_Oversight):
    """The values of an approved request are about to be shown; on record before they are."""

    kind: Literal["revealed"] = "revealed"
    request: Fact
    """The request."""
    numbers: tuple[int, ...]
    """Which sealed values of the call."""


class HoldPlaced(_Oversight):
    """From now on nothing of the call may be erased, by anybody or any policy."""

    kind: Literal["hold_placed"] = "hold_placed"
    hold: Fact
    """Names the hold; a call may be held for several matters."""
    reason: Spoken
    """Why, masked."""


class HoldReleased(_Oversight):
    """One hold on a call ends."""

    kind: Literal["hold_released"] = "hold_released"
    hold: Fact
    """The hold."""
    reason: Spoken
    """Why, masked."""


class ErasureOrdered(_Oversight):
    """Something of a call is about to be destroyed.

    On record before it is, so that a hold and an erasure at the same moment are decided by their order in the log: an
    order that finds the call held has no effect, and neither has a hold on a call whose erasure was ordered.
    """

    kind: Literal["erasure_ordered"] = "erasure_ordered"
    what: Fact
    """``call`` for all of it, or one kind of thing kept of it, such as ``recording``."""
    reason: Spoken
    """Why, masked; empty when a policy ordered it."""
    rule: Fact = ""
    """The rule of the retention policy that ordered it; empty when somebody did."""
    policy: Fact = ""
    """The name, version and hash of that policy."""


class Erased(_Oversight):
    """The tombstone of what somebody had erased: its key is destroyed, nobody can read it again."""

    kind: Literal["erased"] = "erased"
    what: Fact
    """``call``, or one kind of thing kept of it."""
    items: int = Field(ge=0)
    """Keys and files that were destroyed."""


class Retained(_Oversight):
    """The tombstone of what was kept as long as the retention policy says, and then destroyed."""

    kind: Literal["retained"] = "retained"
    what: Fact
    """``call``, or one kind of thing kept of it."""
    items: int = Field(ge=0)
    """Keys and files that were destroyed."""
    rule: Fact
    """The rule of the policy."""


class TokenIssued(_Oversight):
    """Somebody was given a role, with a token to prove it by."""

    kind: Literal["token_issued"] = "token_issued"
    token: Fact
    """Names the token."""
    name: Actor
    """The person it was issued to."""
    grants: RoleName
    """The role."""
    digest: Fact
    """SHA-256 of the token, in hex; the token itself is nowhere."""
    expires_at: Time
    """It is void from then on. UTC, ISO 8601."""


class TokenRevoked(_Oversight):
    """A token is void from now on."""

    kind: Literal["token_revoked"] = "token_revoked"
    token: Fact
    """The token."""


OversightEvent = Annotated[
    Accessed
    | Searched
    | Processed
    | Exported
    | AccessRefused
    | RevealRequested
    | RevealApproved
    | Revealed
    | HoldPlaced
    | HoldReleased
    | ErasureOrdered
    | Erased
    | Retained
    | TokenIssued
    | TokenRevoked,
    Field(discriminator="kind"),
]

OVERSIGHT: TypeAdapter[OversightEvent] = TypeAdapter(OversightEvent)
"""Reads an event back: ``OVERSIGHT.validate_json(text)``."""

KINDS: frozenset[str] = frozenset(
    kind.model_fields["kind"].default for kind in get_args(get_args(OversightEvent)[0])
)
"""The ``kind`` of every event about the record."""
