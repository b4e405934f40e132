"""The tables of a ledger, and the triggers that keep them append-only. SQLite and PostgreSQL have the same.

The triggers stop mistakes. Who owns the database can drop them; verifying against an anchor then shows what was done.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    event,
)
from sqlalchemy.dialects import postgresql, sqlite

FORMAT = 3

schema = MetaData()
format_ = Table("patchbay_ledger", schema, Column("format", Integer, primary_key=True))
entries = Table(
    "entries",
    schema,
    Column("log", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("call_id", Text, nullable=False),
    Column("call_seq", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Index("one_place_in_each_call", "log", "call_id", "call_seq", unique=True),
)
"""One row an entry; ``leaf`` says all that the other columns do, which are there to find it by."""
subtrees = Table(
    "subtrees",
    schema,
    Column("log", Text, primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)
"""Roots of perfect subtrees, so that proofs are quick; see :mod:`compliance.ledger.merkle`. Nobody trusts them."""
heads = Table(
    "heads",
    schema,
    Column("log", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("kept_size", BigInteger, nullable=False),
    Column("kept_ms", BigInteger, nullable=False),
)
"""The newest checkpoint of each log; ``kept_*`` are of the newest one in ``checkpoints``."""
checkpoints = Table(
    "checkpoints",
    schema,
    Column("log", Text, primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
)
call_keys = Table(
    "call_keys",
    schema,
    Column("log", Text, primary_key=True),
    Column("call_id", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=True),
)
"""The wrapped key of each call, NULL once it was destroyed; the call '' has that of events about the record."""
policies = Table(
    "policies",
    schema,
    Column("hash", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
)
"""The text of every policy that routed a call, under the hash that the events name; who reads it hashes it."""


def insert_if_absent(connection: Connection, table: Table, values: Mapping[str, object]) -> None:
    """Adds a row unless its primary key is there."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(table).values(**values).on_conflict_do_nothing())


REFUSAL = "the ledger is append-only"

_REFUSED = (
    (entries, "UPDATE", ""),
    (entries, "DELETE", ""),
    (subtrees, "UPDATE", ""),
    (subtrees, "DELETE", ""),
    (checkpoints, "UPDATE", ""),
    (checkpoints, "DELETE", ""),
    (policies, "UPDATE", ""),
    (policies, "DELETE", ""),
    (heads, "UPDATE", "WHEN (NEW.log <> OLD.log OR NEW.size <= OLD.size)"),
    (heads, "DELETE", ""),
    (
        call_keys,
        "UPDATE",
        "WHEN (NEW.log <> OLD.log OR NEW.call_id <> OLD.call_id OR NEW.wrapped IS NOT NULL)",
    ),
    (call_keys, "DELETE", ""),
)


def _guard(table: Table, what: str, when: str) -> None:
    name = f"{table.name}_no_{what.lower()}"
    for dialect, statement in (
        (
            "sqlite",
            f"CREATE TRIGGER {name} BEFORE {what} ON {table.name} {when} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
        ),
        (
            "postgresql",
            f"CREATE TRIGGER {name} BEFORE {what} ON {table.name} FOR EACH ROW {when} "
            "EXECUTE FUNCTION patchbay_refuse()",
        ),
    ):
        event.listen(table, "after_create", DDL(statement).execute_if(dialect=dialect))  # type: ignore[no-untyped-call] # SQLAlchemy's


event.listen(
    schema,
    "before_create",
    DDL(  # type: ignore[no-untyped-call] # SQLAlchemy's
        "CREATE OR REPLACE FUNCTION patchbay_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    ).execute_if(dialect="postgresql"),
)
for _table, _what, _when in _REFUSED:
    _guard(_table, _what, _when)
for _table in schema.tables.values():
    event.listen(
        _table,
        "after_create",
        DDL(  # type: ignore[no-untyped-call] # SQLAlchemy's
            f"CREATE TRIGGER {_table.name}_no_truncate BEFORE TRUNCATE ON {_table.name} "
            "EXECUTE FUNCTION patchbay_refuse()"
        ).execute_if(dialect="postgresql"),
    )
