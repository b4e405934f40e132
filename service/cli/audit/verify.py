"""``patchbay audit verify``: does a ledger, or an export, hold? The work is the standalone verifier's."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table

from compliance.erasure import lost, sentence_of_lost
from compliance.ledger import Ledger
from compliance.ledger.verifier import Key, Verification, VerifierError, verify_export, verify_ledger
from service.cli.audit.desk import At
from service.cli.errors import CommandError
from service.cli.policy.shared import print_json
from service.settings import Settings


def verify(
    settings: Settings, record: str, *, tenant: str, key: str, anchor: Path | None, as_json: bool
) -> int:
    """Print what was found; returns 1 when the record does not hold.

    Args:
        settings: the configured ledger and anchor, for where ``record`` or ``anchor`` names none.
        record: a ledger's path or URL, or an export: a folder, its ``proofs.jsonl``, or a vCon.
        tenant: whose log.
        key: the public key or a file with it; empty takes the ledger's own, which proves less.
        anchor: a file that checkpoints were published in.
        as_json: print JSON.

    Raises:
        CommandError: there is nothing that could be checked.
        compliance.errors.LedgerError: the ledger cannot be opened.
    """
    at = At.of(settings, record, tenant)
    anchor = anchor or (settings.ledger_anchor if at.anchored else None)
    where = at.settings.ledger
    path = Path(where)
    try:
        with anchor.open("rb") if anchor else nullcontext(()) as lines:
            if path.is_dir() or path.suffix in (".json", ".jsonl"):
                if not key:
                    raise CommandError("an export is checked with --key: the key that the operator published")
                found = verify_export(path, _key(key))
            elif key and "://" not in where:
                found = verify_ledger(path, _key(key), log=tenant, anchor=lines)
            else:
                found = _verify_open(where, at.settings.tenant, key, lines)
    except VerifierError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename}: it cannot be read: {error.strerror}") from error
    if as_json:
        print_json(found.as_json())
    else:
        _show(found, own_key=not key)
    return 0 if found.ok else 1


def _verify_open(where: str, tenant: str, key: str, anchor: Iterable[bytes]) -> Verification:
    """Checks a ledger on a server, or one whose key is not given, by opening it."""
    if "://" not in where and not Path(where).is_file():
        raise CommandError(f"there is no ledger at {where}: name one, or set PATCHBAY_LEDGER")
    with closing(Ledger.open(where, tenant=tenant, must_exist=True)) as ledger:
        if key and _key(key).vkey != ledger.vkey:
            raise CommandError(f"the key given is not that of this log, which is {ledger.vkey}")
        if ledger.path is None:
            found = ledger.verify(anchor=anchor)
        else:
            found = verify_ledger(ledger.path, Key(ledger.vkey), log=ledger.log, anchor=anchor)
        if found.ok:  # what does not hold is not believed about erasures
            for call in lost(ledger):
                found.add(sentence_of_lost(call), call=call)
        return found


def _key(text: str) -> Key:
    file = Path(text)
    if "+" not in text and not file.is_file():
        raise CommandError(f"--key {text}: this is no file, and no key, which reads name+id+base64")
    return Key(file.read_text(encoding="utf-8") if file.is_file() else text)


def _show(found: Verification, *, own_key: bool) -> None:
    console = Console()
    verdict, style = ("✓ holds", "green") if found.ok else ("✗ does not hold", "bold red")
    console.print(f"[{style}]{verdict}[/]  ", end="")
    console.print(found.sentence, markup=False, highlight=False, soft_wrap=True)
    if found.problems:
        table = Table("event", "call", "kind", "finding", box=None, header_style="dim")
        for one in found.problems[:20]:
            place = str(one.seq) if one.seq is not None else f"{one.since}–{max(one.until - 1, one.since)}"
            table.add_row(place, one.call, one.kind, one.what)
        console.print(table)
        if (rest := len(found.problems) - 20 + found.more) > 0:
            console.print(f"and {rest} more", style="dim")
    if own_key:
        console.print(
            "Checked with the ledger's own key. Give --key, from where it was published, to trust nobody.",
            style="dim",
        )
