"""Adding events to a log: those of several threads in one transaction, those of a failed append at most once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from sqlalchemy import Connection

from compliance.errors import ErasedError, LedgerError, LedgerKeysError
from compliance.ledger import rows
from compliance.ledger.callkeys import CallKeys, CallState
from compliance.ledger.database import Database
from compliance.ledger.doubts import Doubt, Doubts, Receipt
from compliance.ledger.grouping import Grouped
from compliance.ledger.head import Entry, Head
from compliance.ledger.known import Known
from compliance.ledger.recorded import Recorded, call_of, canonical_body

_MOST_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class _Append:
    """What one caller wants to be appended: events, and call id, kind and JSON of each."""

    events: tuple[Recorded, ...]
    items: tuple[tuple[str, str, bytes], ...]


class Appender:
    """Appends to one log. Threads may share it.

    Args:
        database: where the log is.
        log: its name.
        calls: the keys of its calls.
        sign: gives the checkpoint of a head.
        clock: Unix time in seconds.
        kept: called with each checkpoint that is kept, once it is on disk.
    """

    def __init__(
        self,
        database: Database,
        log: str,
        calls: CallKeys,
        sign: Callable[[Head], str],
        clock: Callable[[], float],
        kept: Callable[[str], None],
    ) -> None:
        self._database = database
        self._log = log
        self._calls = calls
        self._sign = sign
        self._clock = clock
        self._kept = kept
        self._doubts = Doubts()
        self._known: Known | None = None
        self._appends = Grouped(self._commit, most=_MOST_AT_ONCE, apart=(ErasedError, LedgerKeysError))

    def append(self, events: Sequence[Recorded]) -> tuple[Receipt, ...]:
        """Appends events in order, all or none. Raises as :meth:`compliance.ledger.Ledger.append_many`."""
        items = tuple((call_of(event), event.kind, canonical_body(event).encode()) for event in events)
        return self._appends.do(_Append(tuple(events), items)) if items else ()

    def _commit(self, appends: Sequence[_Append]) -> list[tuple[Receipt, ...]]:
        doubts = [self._doubts.take(append.events) for append in appends]
        now_ms = int(self._clock() * 1000)
        known, self._known = self._known, None  # a commit that fails leaves nothing known
        try:
            return self._next(known, appends, doubts, now_ms) or self._more(known, appends, doubts, now_ms)
        except LedgerError:
            for doubt in filter(None, doubts):
                self._doubts.keep(doubt)
            raise

    def _next(
        self, known: Known | None, appends: Sequence[_Append], doubts: list[Doubt | None], now_ms: int
    ) -> list[tuple[Receipt, ...]]:
        """Adds one event to a log that is known, which asks a server once; nothing where that cannot be.

        ``doubts`` are replaced by those about this commit, here and in :meth:`_more`.
        """
        if known is None or self._database.path is not None or doubts != [None] or len(appends[0].items) > 1:
            return []
        ((call_id, _, _),) = appends[0].items
        length, opened = known.lengths.get(call_id), self._calls.remembered(call_id)
        if length is None or opened is None:
            return []
        wrapped, key = opened
        calls = {call_id: CallState(key, length)}
        head, added, completed = known.head.grown(self._log, appends[0].items, calls, now_ms)
        if completed or head.is_kept:
            return []
        signed = self._sign(head)
        receipts = (_receipt(added[0]),)
        doubts[:] = [Doubt(appends[0].events, receipts)]
        with self._database.transaction(single=True) as connection:
            done = rows.add_next(connection, self._log, known.head.note, wrapped, head, added[0], signed)
        if not done:
            doubts[:] = [None]
            return []
        self._known = Known.left(known, known.head, head, added, signed)
        return [receipts]

    def _more(
        self, known: Known | None, appends: Sequence[_Append], doubts: list[Doubt | None], now_ms: int
    ) -> list[tuple[Receipt, ...]]:
        """Adds all events, to the head that the log has."""
        with self._database.transaction(write=True) as connection:
            before = rows.head(connection, self._log)
            calls = self._calls.states(connection, dict.fromkeys(i[0] for a in appends for i in a.items))
            had = [self._already(connection, doubt) for doubt in doubts]
            new = [
                item
                for append, there in zip(appends, had, strict=True)
                for item in append.items[len(there) :]
            ]
            head, added, completed = before.grown(self._log, new, calls, now_ms)
            signed = self._sign(head)
            if added:
                rows.add(connection, self._log, head, added, completed, signed)
            written = map(_receipt, added)
            receipts = [
                (*there, *islice(written, len(append.items) - len(there)))
                for append, there in zip(appends, had, strict=True)
            ]
            doubts[:] = [Doubt(append.events, got) for append, got in zip(appends, receipts, strict=True)]
        if added:
            self._known = Known.left(known, before, head, added, signed)
            if head.is_kept:
                self._kept(signed)
        return receipts

    def _already(self, connection: Connection, doubt: Doubt | None) -> tuple[Receipt, ...]:
        """The first receipts of ``doubt`` that the log has after all."""
        if doubt is None:
            return ()
        there = rows.leaf_hashes(connection, self._log, [receipt.seq for receipt in doubt.receipts])
        return tuple(takewhile(lambda r: there.get(r.seq) == bytes.fromhex(r.hash), doubt.receipts))


def _receipt(entry: Entry) -> Receipt:
    return Receipt(entry.seq, entry.leaf_hash.hex())
