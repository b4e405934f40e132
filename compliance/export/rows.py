"""An entry as a row of a table: what people look for in columns of their own, and the whole event as JSON.

Spreadsheets run cells that look like formulas, and what a caller says is anybody's text: such a cell gets an
apostrophe in front (OWASP, "CSV injection"), and so does one that has an apostrophe there, so that taking one
apostrophe off gives every text back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from compliance.export.proved import ProvedCall

COLUMNS: dict[str, type[int] | type[float] | type[str]] = {
    "seq": int,
    "recorded_at": str,
    "call_id": str,
    "call_seq": int,
    "kind": str,
    "at_ms": float,
    "turn": int,
    "engine": str,
    "text": str,
    "event": str,
}
"""The columns and their types; every value but ``seq``, ``call_id``, ``call_seq``, ``kind`` and ``recorded_at`` may be
missing."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")


def rows(call: ProvedCall) -> list[dict[str, Any]]:
    """A row for each entry of a call; one that was erased has no event."""
    made = []
    for entry in call.entries:
        row: dict[str, Any] = {
            "seq": entry.seq,
            "recorded_at": moment(entry.recorded_ms),
            "call_id": call.call_id,
            "call_seq": entry.call_seq,
            "kind": entry.kind,
            "event": entry.body,
        }
        for name in ("at_ms", "turn", "engine", "text"):
            row[name] = getattr(entry.event, name, None)
        made.append({name: row[name] for name in COLUMNS})
    return made


def moment(unix_ms: float) -> str:
    """A time in UTC, RFC 3339 with milliseconds."""
    at = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cell(value: object) -> str:
    """A value as the text of a spreadsheet's cell, never a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def text_of(cell: str) -> str:
    """The text that :func:`cell` was given."""
    return cell.removeprefix("'")
