"""``patchbay audit reveal`` and ``approve``: sealed values, seen by one person when another agrees."""

from __future__ import annotations

from datetime import timedelta

from compliance.access import Permission
from compliance.oversight import Accessed
from compliance.reveal import LONGEST, approve, request, requests, reveal, sealed_values
from service.cli.audit.desk import At, known_calls, overseer
from service.cli.audit.printing import say, say_table
from service.cli.errors import CommandError
from service.cli.policy.shared import print_json


def list_sealed(at: At, call: str, *, as_json: bool) -> int:
    """What of a call is sealed; returns 1 when nothing is."""
    with overseer(at) as desk:
        sealed = sealed_values(desk, *known_calls(desk.ledger, [call]))
    if as_json:
        print_json([{"number": one.number, "entity": one.entity, "at_ms": one.at_ms} for one in sealed])
    else:
        rows = [(str(one.number), one.entity, f"{one.at_ms / 1000:.1f} s") for one in sealed]
        if rows:
            say_table(("value", "what", "said at"), rows)
        else:
            say("no value of this call is sealed")
    return 0 if sealed else 1


def ask(at: At, call: str, numbers: tuple[int, ...], *, reason: str, hours: float, as_json: bool) -> int:
    """Ask to see values of a call.

    Raises:
        CommandError: a request cannot stand that long.
        compliance.errors.ComplianceError: it is not permitted, or there are no such values.
    """
    if not 0 < hours <= LONGEST / timedelta(hours=1):  # nor is it "nan"
        raise CommandError(
            f"--hours {hours:g}: a request stands for more than 0 and up to {LONGEST.days * 24} hours"
        )
    with overseer(at) as desk:
        (name,) = known_calls(desk.ledger, [call])
        asked = request(desk, name, numbers, reason=reason, lasting=timedelta(hours=hours))
    if as_json:
        print_json(asked.model_dump(mode="json"))
    else:
        say(
            f"request {asked.request}: another person runs `patchbay audit approve {asked.request}` before "
            f"{asked.expires_at}, then you run `patchbay audit reveal --request {asked.request}`"
        )
    return 0


def show(at: At, name: str, *, as_json: bool) -> int:
    """Show the values of a request that was approved."""
    with overseer(at) as desk:
        values = reveal(desk, name)
    if as_json:
        print_json([{"number": one.number, "entity": one.entity, "value": one.value} for one in values])
    else:
        say_table(
            ("value", "what", "in the clear"), ((str(one.number), one.entity, one.value) for one in values)
        )
    return 0


def list_requests(at: At, *, as_json: bool) -> int:
    """The requests that stand, approved or not; returns 1 when there is none."""
    with overseer(at) as desk:
        desk.require(Permission.READ_ACCESS_LOG)
        now = desk.now()
        standing = [one for one in requests(desk.ledger.oversight()).values() if one.is_open(now)]
        desk.record(Permission.READ_ACCESS_LOG, Accessed, what="requests", events=len(standing))
    if as_json:
        print_json(
            [
                {**one.asked.model_dump(mode="json"), "approved_by": one.approved and one.approved.actor}
                for one in standing
            ]
        )
    elif standing:
        say_table(
            ("request", "by", "call", "values", "reason", "until", "approved by"),
            [
                (
                    one.asked.request,
                    one.asked.actor,
                    one.asked.call_id,
                    ", ".join(map(str, one.asked.numbers)),
                    one.asked.reason,
                    one.asked.expires_at,
                    one.approved.actor if one.approved else "",
                )
                for one in standing
            ],
        )
    else:
        say("nobody asks for sealed values")
    return 0 if standing else 1


def agree(at: At, name: str, *, as_json: bool) -> int:
    """Agree to somebody else's request."""
    with overseer(at) as desk:
        approved = approve(desk, name)
    if as_json:
        print_json(approved.model_dump(mode="json"))
    else:
        say(f"request {name} is approved")
    return 0


def chosen(call: str, name: str) -> None:
    """Raises :class:`CommandError` unless a call or a request is named, and not both."""
    if bool(call) == bool(name):
        raise CommandError(
            "name a call, to see what of it is sealed and to ask for it, or an approved --request"
        )
