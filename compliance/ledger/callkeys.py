"""The key of each call: made with its first entry, wrapped in the database, open in memory while it is used.

Every use reads the wrapped key in the same transaction, so a key that another process destroyed is gone here as well.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from threading import Lock

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, bindparam, func, insert, select, update

from compliance.errors import ErasedError, LedgerKeysError
from compliance.ledger.keys import KEY_BYTES, LogKeys
from compliance.ledger.leaf import key_name
from compliance.ledger.prepared import Prepared
from compliance.ledger.store import call_keys, entries

_MOST_OPEN = 1024
_STATE = Prepared(
    select(
        call_keys.c.wrapped,
        select(func.max(entries.c.call_seq))
        .where(entries.c.log == bindparam("log"), entries.c.call_id == bindparam("call"))
        .scalar_subquery(),
    ).where(call_keys.c.log == bindparam("log"), call_keys.c.call_id == bindparam("call"))
)


@dataclass(frozen=True, slots=True)
class DataKey:
    """The key of one call, ready for use."""

    secret: bytes = field(repr=False)
    cipher: AESGCM = field(repr=False)
    name: str


@dataclass(frozen=True, slots=True)
class CallState:
    """What adding to a call needs."""

    key: DataKey
    length: int
    """How many entries it has."""


class CallKeys:
    """The keys of one log's calls. Threads may share it."""

    def __init__(self, log: str, keys: LogKeys) -> None:
        self._log = log
        self._keys = keys
        self._open: OrderedDict[str, tuple[bytes, DataKey]] = OrderedDict()
        self._lock = Lock()

    def find(self, connection: Connection, call_id: str) -> DataKey | None:
        """The key of a call; ``None`` when it never had one.

        Raises:
            ErasedError: it was destroyed.
            LedgerKeysError: it does not open.
        """
        query = select(call_keys.c.wrapped).where(
            call_keys.c.log == self._log, call_keys.c.call_id == call_id
        )
        row = connection.execute(query).first()
        return None if row is None else self._opened(call_id, row.wrapped)

    def remembered(self, call_id: str) -> tuple[bytes, DataKey] | None:
        """The key of a call that was in use, wrapped and ready: whether it was destroyed is for who uses it to ask."""
        with self._lock:
            return self._open.get(call_id)

    def states(self, connection: Connection, call_ids: Collection[str]) -> dict[str, CallState]:
        """The state of each call, in a transaction that holds the head of the log; calls that are new get a key.

        Raises:
            ErasedError: the key of one was destroyed.
            LedgerKeysError: one does not open.
        """
        states: dict[str, CallState] = {}
        new: dict[str, bytes] = {}
        for call_id in call_ids:
            row = _STATE.first(connection, {"log": self._log, "call": call_id})
            if row is None:
                new[call_id] = secrets.token_bytes(KEY_BYTES)
            else:
                wrapped, last = row
                states[call_id] = CallState(self._opened(call_id, wrapped), 0 if last is None else last + 1)
        if new:
            made = []
            for call_id, secret in new.items():
                wrapped = self._keys.wrap(secret, self._purpose(call_id))
                states[call_id] = CallState(self._remember(call_id, wrapped, secret), 0)
                made.append({"log": self._log, "call_id": call_id, "wrapped": wrapped})
            connection.execute(insert(call_keys), made)
        return states

    def destroy(self, connection: Connection, call_id: str) -> bool:
        """Destroys the key of a call, in a writing transaction; whether there was one."""
        with self._lock:
            self._open.pop(call_id, None)
        done = connection.execute(
            update(call_keys)
            .where(
                call_keys.c.log == self._log, call_keys.c.call_id == call_id, call_keys.c.wrapped.is_not(None)
            )
            .values(wrapped=None)
        )
        return bool(done.rowcount)

    def _opened(self, call_id: str, wrapped: bytes | None) -> DataKey:
        with self._lock:
            known = self._open.get(call_id)
            if known is not None and known[0] == wrapped:
                self._open.move_to_end(call_id)
                return known[1]
            self._open.pop(call_id, None)
        if wrapped is None:
            raise ErasedError(f"call {call_id} was erased: its key is destroyed, its record cannot be read.")
        try:
            secret = self._keys.unwrap(wrapped, self._purpose(call_id))
        except LedgerKeysError as error:
            raise LedgerKeysError(f"call {call_id}: {error}") from error
        return self._remember(call_id, wrapped, secret)

    def _remember(self, call_id: str, wrapped: bytes, secret: bytes) -> DataKey:
        key = DataKey(secret, AESGCM(secret), key_name(secret))
        with self._lock:
            self._open[call_id] = wrapped, key
            while len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
        return key

    def _purpose(self, call_id: str) -> str:
        return f"call\x00{self._log}\x00{call_id}"
