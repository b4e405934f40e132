"""Reading and writing the rows of one log, in a transaction that the caller began."""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Text,
    bindparam,
    cast,
    insert,
    literal,
    select,
    update,
)

from compliance.errors import LedgerError
from compliance.ledger.checkpoint import Checkpoint
from compliance.ledger.head import Entry, Head
from compliance.ledger.merkle import Frontier, Subtree
from compliance.ledger.prepared import Prepared
from compliance.ledger.recorded import NO_CALL
from compliance.ledger.store import (
    call_keys,
    checkpoints,
    entries,
    heads,
    insert_if_absent,
    policies,
    subtrees,
)
from compliance.ledger.verifier import Row

_STREAMED = {"yield_per": 256}
_ENTRIES_AT_ONCE = 1_000
_RAW = (
    "SELECT seq, convert_to(call_id, 'UTF8'), call_seq, convert_to(kind, 'UTF8'), leaf, leaf_hash"
    " FROM entries WHERE log = %s ORDER BY seq"
)

_COLUMNS = ("seq", "call_id", "call_seq", "kind", "leaf", "leaf_hash")
_ENTRY = tuple(entries.c[name] for name in _COLUMNS)
_ADD = Prepared(insert(entries))
_HEAD = Prepared(
    select(heads.c.size, heads.c.frontier, heads.c.note, heads.c.kept_size, heads.c.kept_ms)
    .where(heads.c.log == bindparam("log"))
    .with_for_update()
)
_NEW_HEAD = update(heads).values(
    {name: bindparam(f"new_{name}") for name in ("size", "frontier", "note", "kept_size", "kept_ms")}
)
_SET_HEAD = Prepared(_NEW_HEAD.where(heads.c.log == bindparam("log")))
_UNCHANGED = (
    select(heads.c.log)
    .where(
        heads.c.log == bindparam("log"),
        heads.c.note == bindparam("known"),
        call_keys.c.log == heads.c.log,
        call_keys.c.call_id == bindparam("call_id"),
        call_keys.c.wrapped == bindparam("wrapped"),
    )
    .with_for_update(skip_locked=True)
    .cte("unchanged")
)
_MOVED = _NEW_HEAD.where(heads.c.log == _UNCHANGED.c.log).returning(heads.c.log).cte("moved")
_ADD_NEXT = Prepared(
    insert(entries).from_select(
        ["log", *_COLUMNS],
        select(_MOVED.c.log, *(bindparam(name, type_=entries.c[name].type) for name in _COLUMNS)),
    )
)
"""For a server. Rows are locked because that checks them anew, with all that was committed since the statement began
(https://www.postgresql.org/docs/current/transaction-iso.html, section 13.2.1), and are passed over where somebody holds
them: so nothing is decided on what is no longer so, and two who lock both rows never wait for each other."""


def head(connection: Connection, log: str) -> Head:
    """The head of a log; in a writing transaction nobody else adds to the log until it ends.

    Raises:
        LedgerError: somebody changed or removed it.
    """
    row = _HEAD.first(connection, {"log": log})
    try:
        if row is None:
            raise ValueError
        size, frontier, signed, kept_size, kept_ms = row
        told = Checkpoint.read(signed)
        return Head(Frontier.from_bytes(size, frontier), told.time_ms, kept_size, kept_ms, told.kept, signed)
    except (ValueError, TypeError, AttributeError):
        raise LedgerError(f"the head of log '{log}' was changed or removed. Verify the ledger.") from None


def note(connection: Connection, log: str) -> str | None:
    """The newest checkpoint of a log, as stored."""
    return connection.scalar(select(heads.c.note).where(heads.c.log == log))


def begin(connection: Connection, log: str, head: Head, signed: str) -> None:
    """Makes a log, unless it is there."""
    insert_if_absent(connection, heads, _head_row(log, head, signed))


def add(
    connection: Connection,
    log: str,
    head: Head,
    added: Sequence[Entry],
    completed: Sequence[Subtree],
    signed: str,
) -> None:
    """Adds entries, and sets the head to the one that has them, with its checkpoint."""
    _ADD.run(connection, [_entry_row(log, entry) for entry in added])
    _SET_HEAD.run(connection, [_new_head_row(log, head, signed)])
    if completed:
        places = [{"log": log, "level": s.level, "place": s.index, "hash": s.hash} for s in completed]
        connection.execute(insert(subtrees), places)
    if head.is_kept:
        connection.execute(insert(checkpoints), {"log": log, "size": head.frontier.size, "note": signed})


def add_next(
    connection: Connection, log: str, known: str, wrapped: bytes, head: Head, entry: Entry, signed: str
) -> bool:
    """Adds one entry and sets the head, in one statement, to a log on a server that is as it is thought to be.

    Args:
        connection: where the statement is a transaction by itself.
        log: the log.
        known: the checkpoint that its head should have.
        wrapped: the key that the call of the entry should have.
        head: the head that has the entry.
        entry: the entry.
        signed: the checkpoint of ``head``.

    Returns:
        Whether that was so; if not, or if somebody else is at it, nothing was done.
    """
    values = {**_new_head_row(log, head, signed), **_entry_row(log, entry)}
    return _ADD_NEXT.run(connection, [{**values, "known": known, "wrapped": wrapped}]) == 1


def calls(connection: Connection, log: str) -> tuple[str, ...]:
    """The ids of the calls, in the order they began."""
    call_id = cast(entries.c.call_id, Text)
    query = select(call_id).where(entries.c.log == log, entries.c.call_seq == 0, call_id != NO_CALL)
    return tuple(connection.scalars(query.order_by(entries.c.seq)))


def without_key(connection: Connection, log: str) -> tuple[str, ...]:
    """The ids of the calls whose key is gone, in the order they began."""
    there = select(call_keys.c.call_id).where(call_keys.c.log == log, call_keys.c.wrapped.is_not(None))
    query = select(entries.c.call_id).where(
        entries.c.log == log,
        entries.c.call_seq == 0,
        entries.c.call_id != NO_CALL,
        entries.c.call_id.not_in(there),
    )
    return tuple(connection.scalars(query.order_by(entries.c.seq)))


def of_call(connection: Connection, log: str, call_id: str, kinds: Collection[str] = ()) -> tuple[Entry, ...]:
    """The entries of a call, in order; of these kinds, if any are named.

    An entry whose call or kind somebody stored as bytes is among them: who reads it sees that its header differs.
    """
    query = select(*_ENTRY).where(entries.c.log == log, _is_of(connection, call_id))
    if kinds:
        query = query.where(cast(entries.c.kind, Text).in_(kinds))
    return tuple(Entry(*row) for row in connection.execute(query.order_by(entries.c.call_seq)))


def page(connection: Connection, log: str, after: int, stop: int | None, most: int) -> tuple[Entry, ...]:
    """The first entries after ``after`` and before ``stop``, ``most`` of them."""
    query = select(*_ENTRY).where(entries.c.log == log, entries.c.seq > after)
    if stop is not None:
        query = query.where(entries.c.seq < stop)
    return tuple(Entry(*row) for row in connection.execute(query.order_by(entries.c.seq).limit(most)))


def hashes(connection: Connection, log: str, level: int, start: int, stop: int) -> Sequence[bytes]:
    """What :data:`compliance.ledger.merkle.Fetch` asks for.

    Raises:
        LedgerError: they are not all there.
    """
    if level == 0:
        place, query = entries.c.seq, select(entries.c.leaf_hash).where(entries.c.log == log)
    else:
        query = select(subtrees.c.hash).where(subtrees.c.log == log, subtrees.c.level == level)
        place = subtrees.c.place
    found = connection.scalars(query.where(place >= start, place < stop).order_by(place)).all()
    if len(found) != stop - start:
        raise LedgerError(
            f"log '{log}' does not have all the entries that were asked for. Ask for fewer, or verify the ledger."
        )
    return found


def leaf_hashes(connection: Connection, log: str, seqs: Collection[int]) -> dict[int, bytes]:
    """The leaf hashes of these entries, of those that are there."""
    query = select(entries.c.seq, entries.c.leaf_hash).where(entries.c.log == log, entries.c.seq.in_(seqs))
    return {seq: hash_ for seq, hash_ in connection.execute(query)}


def raw_entries(connection: Connection, log: str) -> Generator[Row, None, None]:
    """Every entry as it is stored, for :func:`compliance.ledger.verifier.verify_log`: nothing is taken for granted.

    It is for a server's database, read by the driver itself: the rows of a whole log are what takes the time.
    """
    driver: Any = connection.connection.driver_connection
    with driver.cursor("patchbay_entries", binary=True) as cursor:
        cursor.itersize = _ENTRIES_AT_ONCE
        cursor.execute(_RAW, (log,))
        yield from cursor


def raw_head(connection: Connection, log: str) -> tuple[int, bytes, bytes] | None:
    """The head of a log as it is stored."""
    query = select(heads.c.size, heads.c.frontier, heads.c.note).where(heads.c.log == log)
    row = connection.execute(query).first()
    return None if row is None else (row.size, row.frontier, row.note.encode())


def kept_checkpoints(connection: Connection, log: str) -> Generator[tuple[int, bytes], None, None]:
    """The checkpoints that are kept, each with its size, the smallest first."""
    query = select(checkpoints.c.size, checkpoints.c.note).where(checkpoints.c.log == log)
    with connection.execute(query.order_by(checkpoints.c.size), execution_options=_STREAMED) as streamed:
        for size, note in streamed:
            yield size, note.encode()


def archived_policy(connection: Connection, policy_hash: str) -> str | None:
    """The text of a policy."""
    return connection.scalar(select(policies.c.text).where(policies.c.hash == policy_hash))


def archive_policy(connection: Connection, policy_hash: str, name: str, version: int, text: str) -> None:
    """Keeps the text of a policy, unless it is there."""
    values = {"hash": policy_hash, "name": name, "version": version, "text": text}
    insert_if_absent(connection, policies, values)


def _is_of(connection: Connection, call_id: str) -> ColumnElement[bool]:
    """SQLite takes the same characters stored as bytes for another value."""
    if connection.dialect.name != "sqlite":
        return entries.c.call_id == call_id
    # IN, and not OR, which SQLite would not look up in the index
    return entries.c.call_id.in_([literal(call_id), cast(literal(call_id), LargeBinary)])


def _head_row(log: str, head: Head, signed: str) -> dict[str, Any]:
    return {
        "log": log,
        "size": head.frontier.size,
        "frontier": head.frontier.to_bytes(),
        "note": signed,
        "kept_size": head.kept_size,
        "kept_ms": head.kept_ms,
    }


def _new_head_row(log: str, head: Head, signed: str) -> dict[str, Any]:
    return {"log": log, **{f"new_{name}": value for name, value in _head_row(log, head, signed).items()}}


def _entry_row(log: str, entry: Entry) -> dict[str, Any]:
    return {"log": log, **{name: getattr(entry, name) for name in _COLUMNS}}
