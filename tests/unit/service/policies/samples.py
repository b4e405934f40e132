"""Small policies, bundles of them, and a clock, for tests of the life of a policy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from policies import DocumentError
from router import Policy
from service.policies.bundles import Bundle
from service.policies.gate import Gate
from service.policies.keys import Keyring, PrivateKey
from service.policies.offers import LocalSource
from service.policies.shelf import Shelf
from service.policies.store import PolicyStore

KEY, OTHER_KEY = PrivateKey.generate(), PrivateKey.generate()
KEYRING = Keyring((KEY.public,))
ENGINES = ("fast", "tool", "standard", "realtime")
PATIENCE_S = 60.0
"""A look at a source takes as long as the machine needs; a test of one that hangs says less."""
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

BAD = """\
policy: {name: support, version: 9}
engines: {standard: {}, fastt: {}}
last_resort: standard
rules:
  - {id: chat, when: 'turn.cout < 3', route: standard, because: a greeting}
  - {id: rest, when: 'true', route: standard, because: anything else}
"""
"""Wrong in two places: line 2, column 25 and line 5, column 23."""


def text(version: int = 1, *, name: str = "support", route: str = "standard") -> str:
    """A policy."""
    return (
        f"policy: {{name: {name}, version: {version}}}\n"
        "engines: {standard: {}, tool: {}}\n"
        "last_resort: standard\n"
        "rules:\n"
        f"  - {{id: rest, when: 'true', route: {route}, because: anything else}}\n"
        "never:\n"
        "  - {id: consent, route: tool, when: '!caller.consent_recording', because: they did not agree}\n"
    )


def signed(version: int = 1, *, key: PrivateKey = KEY, policy: str = "", **claims: Any) -> bytes:
    """A bundle, of which any claim may be another than is true."""
    source = policy or text(version, name=claims.get("name", "support"))
    facts: dict[str, Any] = {
        "name": "support",
        "version": version,
        "policy_hash": _hash(source),
        "created": START,
        "policy": source,
    }
    return Bundle(**{**facts, **claims}).sealed(key)


def _hash(source: str) -> str:
    try:
        return Policy.parse(source).hash
    except DocumentError:
        return "0" * 64


@dataclass
class Clock:
    """Time that passes when a test says so."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def time_s(self) -> float:
        return self.now.timestamp()

    def passes(self, **time: float) -> None:
        self.now += timedelta(**time)

    def write(self, path: Path, data: str | bytes, *, ago_s: float = 60.0) -> Path:
        """Write a file that bears a time of this clock."""
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        os.utime(path, (self.time_s() - ago_s,) * 2)
        return path


def store_of(
    place: Path | None, cache: Path, clock: Clock, *, keyring: Keyring | None = None, **options: Any
) -> PolicyStore:
    """A store as a process of a worker has it; a new one is a new process."""
    source = options.pop("source", None if place is None else LocalSource(place, clock.time_s))
    gate = Gate(ENGINES, keyring, now=clock, allow_downgrade=options.pop("allow_downgrade", False))
    shelf = Shelf.of(cache, str(place), signed=keyring is not None)
    usual = {"now": clock, "pause": lambda s: clock.passes(seconds=s), "patience_s": PATIENCE_S}
    return PolicyStore(source, gate, shelf, **{**usual, **options})
