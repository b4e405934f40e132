"""Legal holds: while one is in force, nothing of the call is erased, whoever asks and whatever a policy says."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable

from compliance.access.overseer import Overseer
from compliance.access.roles import Permission
from compliance.errors import ComplianceError
from compliance.oversight import HoldPlaced, HoldReleased
from compliance.standing import CALL, Standing


class HeldError(ComplianceError):
    """A call is held and may not be erased."""


class HoldError(ComplianceError):
    """A hold cannot be placed or released as asked."""


def hold(overseer: Overseer, call_ids: Iterable[str], *, reason: str) -> tuple[HoldPlaced, ...]:
    """Holds each of the calls; a call may be held for several matters, each ended by itself.

    Raises:
        HoldError: no reason, or a call is erased or about to be; those before it in the list are held all the same.
        compliance.access.AccessError: it is not permitted.
    """
    asked = tuple(dict.fromkeys(call_ids))
    _given(reason, "a hold")
    placed = overseer.record_many(
        Permission.HOLD,
        HoldPlaced,
        [{"call_id": call_id, "hold": secrets.token_hex(6), "reason": reason} for call_id in asked],
    )
    standing = Standing.of(
        overseer.ledger.oversight(kinds=Standing.KINDS)
    )  # an erasure may have been ordered before
    late = [call_id for call_id in asked if standing.is_gone(call_id) or (call_id, CALL) in standing.ordered]
    if late:
        raise HoldError(
            f"too late to hold call {', '.join(late)}: it is erased, or its erasure was ordered before"
        )
    return placed


def release(overseer: Overseer, holds: Collection[str], *, reason: str) -> tuple[HoldReleased, ...]:
    """Ends holds by their names.

    Raises:
        HoldError: no reason, or one of them is not in force; none is then released.
        compliance.access.AccessError: it is not permitted.
    """
    _given(reason, "the end of a hold")
    overseer.require(Permission.HOLD)
    standing = Standing.of(overseer.ledger.oversight(kinds=Standing.KINDS))
    in_force = {placed.hold: placed for each in standing.holds.values() for placed in each}
    if unknown := [name for name in holds if name not in in_force]:
        raise HoldError(
            f"no hold {', '.join(unknown)} is in force. `patchbay audit hold` without a call lists them."
        )
    return overseer.record_many(
        Permission.HOLD,
        HoldReleased,
        [{"call_id": in_force[name].call_id, "hold": name, "reason": reason} for name in holds],
    )


def refuse_held(overseer: Overseer, call_ids: Iterable[str]) -> None:
    """Raises :class:`HeldError` when one of the calls is held."""
    holds = Standing.of(overseer.ledger.oversight(kinds=Standing.KINDS)).holds
    held = [
        f"{call_id} (hold {', '.join(h.hold for h in holds[call_id])})"
        for call_id in call_ids
        if call_id in holds
    ]
    if held:
        raise HeldError(f"held and not erased: call {', '.join(held)}. Release the holds first, if you may.")


def _given(reason: str, what: str) -> None:
    if not reason.strip():
        raise HoldError(f"{what} takes a reason: say which matter it is for")
