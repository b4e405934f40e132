"""``patchbay audit export``: calls to take away, with proofs. That they leave is on record before they do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from rich.console import Console

from compliance.access import Permission
from compliance.erasure import lost, sentence_of_lost
from compliance.export import FORMATS, Format, ProvedCall, Statement, export, file_name
from compliance.ledger import Ledger, verifier
from compliance.ledger.leaf import UnreadableLeafError, header_of
from compliance.oversight import Exported
from service.cli.audit.desk import At, known_calls, overseer
from service.cli.errors import CommandError
from service.cli.policy.shared import each, print_json
from service.report import ReportCall, render_report
from service.summary import LedgerCheck
from service.words import count


def export_calls(
    at: At,
    *,
    calls: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    form: str,
    out: Path,
    as_json: bool,
) -> int:
    """Write calls into the folder ``out``; returns 1 when the key of one is gone though nobody erased it.

    Args:
        at: the ledger.
        calls: these; all of them when empty.
        since: only calls whose record begins from then on.
        until: only those whose record begins before then.
        form: the format's name.
        out: a folder that is not there, or empty.
        as_json: print JSON.

    Raises:
        compliance.errors.ComplianceError: it is not permitted, or a call is not what was signed.
        CommandError: there is no such format.
    """
    formats: dict[str, Format] = {**FORMATS, "html": html}
    if form not in formats:
        raise CommandError(f"there is no format '{form}': there are {', '.join(formats)}")
    messages = Console(stderr=True)
    with overseer(at) as desk:
        desk.require(Permission.EXPORT)
        names = known_calls(desk.ledger, calls) if calls else desk.ledger.calls()
        chosen = [name for name in names if _began(desk.ledger, name, since, until)]
        if not chosen:
            raise CommandError("no call is recorded in that time, so nothing was written")

        def record(call: ProvedCall) -> None:
            desk.record(
                Permission.EXPORT,
                Exported,
                call_id=call.call_id,
                format=form,
                calls=1,
                events=len(call.events),
            )

        exported, events, erased = 0, 0, 0
        written = export(desk.ledger, each(chosen, "Exporting"), formats[form], out, before=record)
        for call in written:
            exported += 1
            events += len(call.events)
            erased += call.erased
        key = desk.ledger.vkey
        strays = [name for name in lost(desk.ledger) if name in chosen] if erased else []
    for name in strays:
        messages.print(sentence_of_lost(name), style="red", markup=False, highlight=False, soft_wrap=True)
    status = 1 if strays else 0
    if as_json:
        told = {
            "folder": str(out),
            "calls": exported,
            "events": events,
            "erased": erased,
            "lost": strays,
            "key": key,
        }
        print_json(told)
        return status
    console = Console()
    gone = f"; {count(erased, 'call')} erased, of which only the proofs are left" if erased else ""
    console.print(f"{count(exported, 'call')}, {count(events, 'event')} in {out}{gone}", soft_wrap=True)
    console.print(
        f"Whoever receives it checks it with {Path(verifier.__file__).name} and the key", soft_wrap=True
    )
    console.print(key, markup=False, highlight=False, soft_wrap=True)
    return status


def html(calls: Iterable[ProvedCall], statement: Statement, folder: Path) -> Iterator[ProvedCall]:
    """``CALL.html``: the redacted transcript of each call that was not erased, for people; the page loads nothing."""
    root = statement.root.hex()
    for call in calls:
        if not call.erased:
            check = LedgerCheck(
                True, len(call.entries), root, f"proved to be in the log of {statement.size} events"
            )
            try:
                page = render_report([ReportCall(call.events, ledger=check)], title=f"Call {call.call_id}")
            except ValueError:  # a record too small to draw, such as one of which only a failure is there
                page = render_report([], title=f"Call {call.call_id}: nothing to draw")
            (folder / f"{file_name(call.call_id)}.html").write_text(page, encoding="utf-8")
        yield call


def _began(ledger: Ledger, call_id: str, since: datetime | None, until: datetime | None) -> bool:
    """Whether the record of a call begins in that time; told by its first entry's header, also of an erased call."""
    if since is None and until is None:
        return True
    first = ledger.call_entries(call_id)[:1]
    try:
        at_s = header_of(first[0].leaf).time_ms / 1000
    except (IndexError, UnreadableLeafError):
        return False
    return (since is None or at_s >= since.timestamp()) and (until is None or at_s < until.timestamp())
