"""``patchbay audit``: what each subcommand is called and takes. What they do stands beside this module."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from service.cli.app import Json, explained, settings
from service.cli.errors import CommandError

audit = typer.Typer(
    name="audit",
    help="Oversee the record: search, hold, erase, retain, reveal, and see who saw what.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
token = typer.Typer(
    name="token",
    help="Let people in: issue, list and revoke local tokens.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
audit.add_typer(token)

LedgerAt = Annotated[
    str, typer.Option("--ledger", help="A path or URL; by default the one that is configured.")
]
Tenant = Annotated[str, typer.Option("--tenant", help="Whose log; by default the one that is configured.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the record, masked.")]
RoleName = Literal["auditor", "privacy_officer", "admin", "service"]


@audit.command()
def search(
    words: Annotated[str, typer.Argument(help="What was said, or passed through a tool; as redacted.")] = "",
    call: Annotated[
        list[str] | None, typer.Option("--call", metavar="ID", help="Only this call; may be given again.")
    ] = None,
    engine: Annotated[str, typer.Option("--engine", help="An engine that answered a turn.")] = "",
    rule: Annotated[str, typer.Option("--rule", help="A guard or rule that decided a turn.")] = "",
    entity: Annotated[
        str, typer.Option("--entity", help="What was masked, such as CREDIT_CARD.", metavar="NAME")
    ] = "",
    tool: Annotated[str, typer.Option("--tool", help="A tool that was called.")] = "",
    failed: Annotated[str, typer.Option("--failed", metavar="PROVIDER", help="A provider that failed.")] = "",
    since: Annotated[
        str, typer.Option("--since", metavar="DAY|TIME", help="Calls that began from then on; UTC.")
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="DAY|TIME", help="Calls that began before, or that day.")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Stop after so many calls; 0 shows all.")
    ] = 100,
    ledger: LedgerAt = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Find calls by what was said and what happened; with --json a line each. Exits 1 if there is none."""
    from service.cli.audit.desk import At
    from service.cli.audit.search import search
    from service.searching import Query

    with explained():
        query = Query(
            words,
            engine,
            rule,
            entity,
            tool,
            failed,
            _moment("--since", since),
            _moment("--until", until, last=True),
        )
        at = At.of(settings(), ledger, tenant)
        raise typer.Exit(search(at, query, calls=tuple(call or ()), limit=limit, as_json=json))


@audit.command()
def verify(
    record: Annotated[
        str,
        typer.Argument(
            help="A ledger's path or URL, or an export; by default the ledger that is configured.",
            show_default=False,
        ),
    ] = "",
    key: Annotated[
        str, typer.Option("--key", metavar="VKEY|FILE", help="The public key, from where it was published.")
    ] = "",
    anchor: Annotated[
        Path | None, typer.Option("--anchor", help="A file that checkpoints were published in.")
    ] = None,
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Was anything changed, removed, added or moved? Names the first bad event; exits 1 if there is one."""
    from service.cli.audit.verify import verify

    with explained():
        raise typer.Exit(verify(settings(), record, tenant=tenant, key=key, anchor=anchor, as_json=json))


@audit.command()
def key(
    new: Annotated[
        bool, typer.Option("--new", help="New secret keys instead, for PATCHBAY_LEDGER_KEYS of a new ledger.")
    ] = False,
    ledger: LedgerAt = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Print the public key of the log: publish it where those who verify will look for it."""
    from service.cli.audit.key import make_keys, show_key

    with explained():
        if new:
            raise typer.Exit(make_keys())
        configured = settings()
        raise typer.Exit(show_key(ledger or configured.ledger, tenant or configured.tenant, as_json=json))


@audit.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="A folder to make; it must not be there, or be empty.")],
    form: Annotated[
        Literal["jsonl", "csv", "parquet", "vcon", "html"], typer.Option("--format", help="What to write.")
    ] = "jsonl",
    call: Annotated[
        list[str] | None, typer.Option("--call", metavar="ID", help="Only this call; may be given again.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="DAY|TIME", help="Calls that began from then on; UTC.")
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="DAY|TIME", help="Calls that began before, or that day.")
    ] = "",
    ledger: LedgerAt = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Take redacted calls away, with proofs that anybody can check offline."""
    from service.cli.audit.desk import At
    from service.cli.audit.export import export_calls

    with explained():
        raise typer.Exit(
            export_calls(
                At.of(settings(), ledger, tenant),
                calls=tuple(call or ()),
                since=_moment("--since", since),
                until=_moment("--until", until, last=True),
                form=form,
                out=out,
                as_json=json,
            )
        )


@audit.command()
def access(
    call: Annotated[str, typer.Option("--call", metavar="ID", help="Only about this call.")] = "",
    who: Annotated[str, typer.Option("--who", help="Only what this person did.")] = "",
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Only this kind of event, such as revealed; may be given again."),
    ] = None,
    since: Annotated[str, typer.Option("--since", metavar="DAY|TIME", help="Only from then on; UTC.")] = "",
    ledger: LedgerAt = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Who saw, exported, held, erased and revealed what, and who was let in. Exits 1 if nobody."""
    from service.cli.audit.access import access
    from service.cli.audit.desk import At

    with explained():
        at, moment = At.of(settings(), ledger, tenant), _moment("--since", since)
        raise typer.Exit(
            access(at, call=call, actor=who, kinds=tuple(kind or ()), since=moment, as_json=json)
        )


@audit.command()
def hold(
    calls: Annotated[
        list[str] | None, typer.Argument(metavar="[CALL]...", help="Calls; without any, lists the holds.")
    ] = None,
    reason: Reason = "",
    ledger: LedgerAt = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Keep calls from being erased, by anybody and any policy, until the hold is released."""
    from service.cli.audit.desk import At
    from service.cli.audit.keeping import hold_calls

    with explained():
        raise typer.Exit(
            hold_calls(At.of(settings(), ledger, tenant), tuple(calls or ()), reason=reason, as_json=json)
        )


@audit.command()
def release(
    holds: Annotated[list[str], typer.Argument(metavar="HOLD...", help="Holds, as `hold` names them.")],
    reason: Reason = "",
    ledger: LedgerAt = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """End holds. A call that is held for another matter as well stays held."""
    from service.cli.audit.desk import At
    from service.cli.audit.keeping import release_holds

    with explained():
        raise typer.Exit(
            release_holds(At.of(settings(), ledger, tenant), tuple(holds), reason=reason, as_json=json)
        )


@audit.command()
def erase(
    calls: Annotated[list[str], typer.Argument(metavar="CALL...", help="Calls, by their whole ids.")],
    what: Annotated[
        Literal["call", "recording", "sealed"],
        typer.Option("--what", help="All of it, or its recording or sealed values alone."),
    ] = "call",
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether you are sure.")] = False,
    ledger: LedgerAt = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Destroy calls for ever: their keys, recordings and sealed values. The record still verifies."""
    from service.cli.audit.desk import At
    from service.cli.audit.keeping import erase_calls

    with explained():
        at = At.of(settings(), ledger, tenant)
        raise typer.Exit(erase_calls(at, tuple(calls), what=what, reason=reason, sure=yes, as_json=json))


@audit.command()
def retain(
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="A retention policy; by default the one that is configured."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is due and destroy nothing.")] = False,
    ledger: LedgerAt = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Destroy what was kept as long as the retention policy says. Exits 1 if a call cannot be read."""
    from service.cli.audit.desk import At
    from service.cli.audit.keeping import retain

    with explained():
        raise typer.Exit(retain(At.of(settings(), ledger, tenant), policy, dry_run=dry_run, as_json=json))


@audit.command()
def reveal(
    call: Annotated[str, typer.Argument(help="A call: without --value, lists what of it is sealed.")] = "",
    value: Annotated[
        list[int] | None, typer.Option("--value", min=1, help="Ask for this value; may be given again.")
    ] = None,
    reason: Reason = "",
    hours: Annotated[float, typer.Option("--hours", help="How long the request stands.")] = 24.0,
    request: Annotated[
        str, typer.Option("--request", metavar="ID", help="Show the values of a request that was approved.")
    ] = "",
    ledger: LedgerAt = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """See values that were masked and sealed: ask, let another person approve, see. Never cards, CVVs or PINs."""
    from service.cli.audit.desk import At
    from service.cli.audit.revealing import ask, chosen, list_sealed, show

    with explained():
        chosen(call, request)
        at = At.of(settings(), ledger, tenant)
        if request:
            raise typer.Exit(show(at, request, as_json=json))
        if value:
            raise typer.Exit(ask(at, call, tuple(value), reason=reason, hours=hours, as_json=json))
        raise typer.Exit(list_sealed(at, call, as_json=json))


@audit.command()
def recording(
    call: Annotated[str, typer.Argument(help="A call, by its whole id.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.wav", help="Write a copy for listening.")
    ] = None,
    peaks: Annotated[
        bool, typer.Option("--peaks", help="Print peaks for drawing, as audiowaveform's JSON.")
    ] = False,
    ledger: LedgerAt = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """What was kept of a call's audio; the caller is left, the agent right. Exits 1 if it is not as it was kept."""
    from service.cli.audit.desk import At
    from service.cli.audit.recording import recording

    with explained():
        if out is not None and peaks:
            raise CommandError("--out and --peaks do not go together: one writes a copy, the other prints")
        at = At.of(settings(), ledger, tenant)
        raise typer.Exit(recording(at, call, out=out, drawn=peaks, as_json=json))


@audit.command()
def approve(
    request: Annotated[
        str, typer.Argument(help="Somebody else's request; without one, lists those that stand.")
    ] = "",
    ledger: LedgerAt = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Agree that somebody else sees sealed values; takes a token or sign-in of your own."""
    from service.cli.audit.desk import At
    from service.cli.audit.revealing import agree, list_requests

    with explained():
        if not request:
            raise typer.Exit(list_requests(At.of(settings(), ledger, tenant), as_json=json))
        raise typer.Exit(agree(At.of(settings(), ledger, tenant), request, as_json=json))


@token.command("issue")
def issue_token(
    name: Annotated[str, typer.Argument(help="The person, such as jane.miller.")],
    role: Annotated[RoleName, typer.Option("--role", help="What they may do.")],
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How long it is good for.")] = 90,
    ledger: LedgerAt = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Give a person a role: prints a token, once. From the first one on, nobody reads without one."""
    from compliance.access import Role
    from service.cli.audit.desk import At
    from service.cli.audit.tokens import issue_token

    with explained():
        at = At.of(settings(), ledger, tenant)
        raise typer.Exit(issue_token(at, name, role=Role(role), days=days, as_json=json))


@token.command("list")
def list_tokens(ledger: LedgerAt = "", tenant: Tenant = "", json: Json = False) -> None:
    """The tokens that were ever issued: to whom, by whom, until when."""
    from service.cli.audit.desk import At
    from service.cli.audit.tokens import list_tokens

    with explained():
        raise typer.Exit(list_tokens(At.of(settings(), ledger, tenant), as_json=json))


@token.command("revoke")
def revoke_token(
    token_id: Annotated[str, typer.Argument(metavar="TOKEN", help="A token, as `list` names it.")],
    ledger: LedgerAt = "",
    tenant: Tenant = "",
    json: Json = False,
) -> None:
    """Make a token void from now on."""
    from service.cli.audit.desk import At
    from service.cli.audit.tokens import revoke_token

    with explained():
        raise typer.Exit(revoke_token(At.of(settings(), ledger, tenant), token_id, as_json=json))


def _moment(option: str, text: str, *, last: bool = False) -> datetime | None:
    from service.history import moment

    try:
        return moment(text, last=last) if text else None
    except ValueError:
        raise CommandError(
            f"{option} '{text}' is no time: write 2026-11-01, or 2026-11-01T09:00+01:00"
        ) from None
