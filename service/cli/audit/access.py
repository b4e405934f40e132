"""``patchbay audit access``: who saw, held, erased and was let in, from the record itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from compliance.access import Permission
from compliance.oversight import Accessed, OversightEvent
from service.cli.audit.desk import At, overseer
from service.cli.audit.printing import say_table
from service.cli.policy.shared import print_json
from service.history import moment

_LEFT_OUT = ("call_id", "at", "actor", "role", "kind", "digest", "policy")


def access(
    at: At, *, call: str, actor: str, kinds: tuple[str, ...], since: datetime | None, as_json: bool
) -> int:
    """Print the events about the record, the newest last; returns 1 when there is none.

    Args:
        at: the ledger.
        call: only about this call.
        actor: only what somebody did: a name, with or without its ``token:``.
        kinds: only of these kinds.
        since: only from then on.
        as_json: JSON instead of a table.

    Raises:
        compliance.errors.ComplianceError: it is not permitted, or the ledger cannot be read.
    """
    with overseer(at) as desk:
        desk.require(Permission.READ_ACCESS_LOG)
        events = [
            event
            for event in desk.ledger.oversight()
            if (not call or event.call_id == call)
            and (
                not actor
                or actor.casefold() in (event.actor.casefold(), event.actor.casefold().partition(":")[2])
            )
            and (not kinds or event.kind in kinds)
            and (since is None or moment(event.at) >= since)
        ]
        desk.record(Permission.READ_ACCESS_LOG, Accessed, call_id=call, what="access log", events=len(events))
    if as_json:
        print_json([event.model_dump(mode="json") for event in events])
    else:
        say_table(("when (UTC)", "who", "as", "what", "call", "details"), map(_row, events))
    return 0 if events else 1


def _row(event: OversightEvent) -> tuple[str, ...]:
    return (
        moment(event.at).strftime("%Y-%m-%d %H:%M:%S"),
        event.actor,
        event.role,
        event.kind.replace("_", " "),
        event.call_id,
        "; ".join(_details(event.model_dump(mode="json"))),
    )


def _details(said: dict[str, Any]) -> Iterator[str]:
    for name, value in said.items():
        if name not in _LEFT_OUT and value not in ("", {}, []):
            yield f"{name.replace('_', ' ')}: {_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={inner}" for name, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
