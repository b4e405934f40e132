"""Writes an export: the format's files, the proofs, and the signed list of both. Whole, or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from compliance.export.errors import ExportError
from compliance.export.formats import Format
from compliance.export.proved import ProvedCall, Statement, proved_call
from compliance.ledger import Ledger


def export(
    ledger: Ledger,
    call_ids: Iterable[str],
    write: Format,
    folder: Path,
    *,
    before: Callable[[ProvedCall], None] = lambda call: None,
) -> Iterator[ProvedCall]:
    """Writes calls into a new folder, one at a time as it is iterated over; it appears when the last is written.

    Args:
        ledger: where they are.
        call_ids: the calls, in the order in which they are written.
        write: one of :data:`compliance.export.FORMATS`, or another.
        folder: where to; it must not be there, or be empty.
        before: called with each call before anything of it is written: to put on record that it leaves.

    Raises:
        ExportError: an entry is not what was signed, or the folder cannot be written.
        compliance.errors.LedgerError: the ledger cannot be read.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError(f"{folder}: there is something already. Name a folder that is not there or empty.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            yield from _written(ledger, call_ids, write, draft, before)
            if folder.exists():
                folder.rmdir()
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise ExportError(f"{folder}: it cannot be written: {error.strerror}.") from error


def _written(
    ledger: Ledger,
    call_ids: Iterable[str],
    write: Format,
    folder: Path,
    before: Callable[[ProvedCall], None],
) -> Iterator[ProvedCall]:
    statement = Statement.of(ledger)

    def calls() -> Iterator[ProvedCall]:
        for call_id in call_ids:
            call = proved_call(ledger, call_id, statement)
            before(call)
            yield call

    yield from _with_proofs(write(calls(), statement, folder), statement, folder)
    (folder / "checkpoint.txt").write_text(statement.note, encoding="utf-8")
    (folder / "key.txt").write_text(statement.vkey + "\n", encoding="utf-8")
    lines = [f"{ledger.origin}/export\n"]
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    (folder / "manifest.txt").write_text(ledger.sign("".join(lines)), encoding="utf-8")


def _with_proofs(calls: Iterable[ProvedCall], statement: Statement, folder: Path) -> Iterator[ProvedCall]:
    with (folder / "proofs.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(statement.as_json()) + "\n")
        for call in calls:
            for entry in call.entries:
                file.write(json.dumps(entry.as_json(), ensure_ascii=False) + "\n")
            yield call
