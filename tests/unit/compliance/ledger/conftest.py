"""The stores that a ledger can be kept in: each test of a ledger runs on both."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from compliance.events import SpeechHeard, ToolCalled
from compliance.ledger import Ledger
from compliance.ledger.keys import Keyring
from lab.postgres import Postgres, binaries, running

KEYS = Keyring(b"s" * 32, b"e" * 32)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ledger is kept in one test."""

    where: str
    """A path or URL."""

    @property
    def is_file(self) -> bool:
        return "://" not in self.where

    def open(self, **options: Any) -> Ledger:
        return Ledger.open(self.where, **{"keys": KEYS, **options})

    def execute(self, *statements: str) -> list[Any]:
        """Does something to the database directly; returns the rows of the last statement."""
        url = f"sqlite:///{self.where}" if self.is_file else self.where.replace("://", "+psycopg://", 1)
        engine = create_engine(url, poolclass=NullPool)
        with engine.begin() as connection:
            for statement in statements:
                done = connection.exec_driver_sql(statement)
            return list(done) if done.returns_rows else []

    def tamper(self, *statements: str) -> None:
        """The same, once the triggers are gone that would refuse it."""
        if self.is_file:
            names = self.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            self.execute(*(f"DROP TRIGGER {name}" for (name,) in names), *statements)
        else:
            self.execute("SET session_replication_role = replica", *statements)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    found = binaries()
    missing = "PostgreSQL: `apt-get install postgresql`" if found is None else ""
    if importlib.util.find_spec("psycopg") is None:
        missing = "psycopg: `uv sync --extra postgres`"
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"CI runs on both stores, but lacks {missing}")
    if found is None or missing:
        pytest.skip(f"not installed: {missing}")
    with running(found) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(str(tmp_path / "ledger.sqlite"))
    server: Postgres = request.getfixturevalue("postgres")
    return Place(server.url())


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    with closing(place.open()) as ledger:
        yield ledger


@pytest.fixture
def two_calls(ledger: Ledger) -> Ledger:
    """Six entries: calls ``a`` and ``b`` in turn."""
    ledger.append_many([heard("ab"[i % 2], i) for i in range(6)])
    return ledger


def heard(call_id: str, at_ms: float) -> SpeechHeard:
    return SpeechHeard(call_id=call_id, at_ms=at_ms, speaker="caller", start_ms=at_ms, end_ms=at_ms + 0.5)


def tool(call_id: str, result: object) -> ToolCalled:
    return ToolCalled(
        call_id=call_id,
        at_ms=1,
        turn=1,
        engine="tool",
        name="find",
        arguments={},
        result=result,
        failed=False,
        took_ms=1,
    )
