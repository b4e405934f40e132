"""The formats that calls are exported in: each writes files that people and programs read, beside the proofs."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from compliance.export.errors import ExportError
from compliance.export.proved import ProvedCall, Statement
from compliance.export.rows import COLUMNS, cell, rows
from compliance.export.vcon import vcon

_ROWS_AT_ONCE = 10_000
_LONGEST_NAME = 100


class Format(Protocol):
    """Writes calls into a folder, and passes each on once it is written."""

    def __call__(
        self, calls: Iterable[ProvedCall], statement: Statement, folder: Path
    ) -> Iterator[ProvedCall]: ...


def jsonl(calls: Iterable[ProvedCall], statement: Statement, folder: Path) -> Iterator[ProvedCall]:
    """``events.jsonl``: an event a line, with its place in the log and when it was recorded."""
    with (folder / "events.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for call in calls:
            for row in rows(call):
                event = json.loads(row["event"]) if row["event"] else {"kind": row["kind"], "erased": True}
                line = {
                    "seq": row["seq"],
                    "recorded_at": row["recorded_at"],
                    "call_id": call.call_id,
                    **event,
                }
                file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
            yield call


def csv_(calls: Iterable[ProvedCall], statement: Statement, folder: Path) -> Iterator[ProvedCall]:
    """``events.csv``: for spreadsheets (RFC 4180, UTF-8 with the mark they want); no cell is a formula."""
    with (folder / "events.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for call in calls:
            writer.writerows([cell(value) for value in row.values()] for row in rows(call))
            yield call


def parquet(calls: Iterable[ProvedCall], statement: Statement, folder: Path) -> Iterator[ProvedCall]:
    """``events.parquet``: for analysis. The checkpoint and its key are in the file's metadata.

    Raises:
        ExportError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # type: ignore[import-untyped]
        from pyarrow import parquet as pq
    except ImportError:
        raise ExportError(
            "Parquet needs pyarrow, which is not installed. Install patchbay[export]."
        ) from None
    types = {int: pa.int64(), float: pa.float64(), str: pa.string()}
    metadata = {"patchbay.checkpoint": statement.note, "patchbay.key": statement.vkey}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()], metadata=metadata)
    waiting: list[dict[str, Any]] = []
    with pq.ParquetWriter(folder / "events.parquet", schema, compression="zstd") as writer:
        for call in calls:
            waiting += rows(call)
            if len(waiting) >= _ROWS_AT_ONCE:
                writer.write_table(pa.Table.from_pylist(waiting, schema))
                waiting = []
            yield call
        if waiting:
            writer.write_table(pa.Table.from_pylist(waiting, schema))


def vcons(calls: Iterable[ProvedCall], statement: Statement, folder: Path) -> Iterator[ProvedCall]:
    """``CALL.vcon.json``: a vCon for each call that was not erased, complete in itself with its proofs."""
    for call in calls:
        if not call.erased:
            text = json.dumps(vcon(call, statement), ensure_ascii=False, indent=1)
            (folder / f"{file_name(call.call_id)}.vcon.json").write_text(text + "\n", encoding="utf-8")
        yield call


def file_name(call_id: str) -> str:
    """A name for files of a call, whatever its id is."""
    name = quote(call_id, safe="").replace(".", "%2E")
    if len(name) <= _LONGEST_NAME:
        return name
    return name[:_LONGEST_NAME] + "-" + hashlib.sha256(call_id.encode()).hexdigest()[:16]


FORMATS: dict[str, Format] = {"jsonl": jsonl, "csv": csv_, "parquet": parquet, "vcon": vcons}
"""The formats by name. An HTML transcript is the service's: it is drawn from a summary of the call."""
