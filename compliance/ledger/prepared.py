"""Statements of the hot path: their text is made once, and the driver runs it.

SQLAlchemy does for each execution what these do once; without that an append takes half the processor time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.expression import Executable

_DIALECTS: Mapping[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": postgresql.psycopg.dialect(),  # type: ignore[no-untyped-call] # SQLAlchemy's
}


class Prepared:
    """A statement whose parameters are texts, whole numbers and bytes, which the drivers take as they are."""

    def __init__(self, statement: Executable) -> None:
        self._texts = {name: str(statement.compile(dialect=dialect)) for name, dialect in _DIALECTS.items()}  # type: ignore[attr-defined]

    def first(self, connection: Connection, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first row, as the driver gives it. Errors are the driver's."""
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._texts[connection.dialect.name], parameters)
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row
        finally:
            cursor.close()

    def run(self, connection: Connection, parameters: Sequence[Mapping[str, Any]]) -> int:
        """Runs it once for each of the parameters; how many rows that changed. Errors are the driver's."""
        cursor = connection.connection.cursor()
        try:
            if len(parameters) == 1:
                cursor.execute(self._texts[connection.dialect.name], parameters[0])
            else:
                cursor.executemany(self._texts[connection.dialect.name], parameters)
            return int(cursor.rowcount)
        finally:
            cursor.close()
