"""What several ``patchbay policy`` commands need."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import track

from compliance.access.roles import Permission
from compliance.errors import LedgerError
from compliance.ledger import Ledger
from compliance.oversight import Processed
from router import Scalar
from router.whatif.figures import Stated
from router.whatif.statistics import Interval
from service.cli.app import settings
from service.cli.errors import CommandError
from service.whole_file import write_whole

T = TypeVar("T")


def each(items: Sequence[T], doing: str) -> Iterable[T]:
    """The items, with a bar on standard error for people while they are worked through; nothing is left of it."""
    console = Console(stderr=True)
    return track(items, doing, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def opened(where: str) -> Iterator[Ledger]:
    """A ledger that must exist, by path or URL, at the log of the configured tenant.

    Raises:
        compliance.errors.LedgerError: there is none, or it cannot be opened.
    """
    if "://" not in where and not Path(where).is_file():
        raise LedgerError(f"there is no ledger at {where}: name one with --ledger, or set PATCHBAY_LEDGER")
    ledger = Ledger.open(where, tenant=settings().tenant, must_exist=True)
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def reading(where: str, what: str) -> Iterator[Ledger]:
    """The same, of which calls are read: if whoever asks may, and after it is on record that they did.

    Args:
        where: a path or URL.
        what: the command that reads them.

    Raises:
        compliance.errors.LedgerError: there is none, it cannot be opened, or reading cannot be recorded.
        compliance.access.AccessError: it is not permitted, or who asks cannot be told.
    """
    from service.cli.audit.desk import At, overseer

    with overseer(At.of(settings(), where)) as desk:
        desk.record(Permission.READ, Processed, what=what, calls=len(desk.ledger.calls()))
        yield desk.ledger


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; one that is there keeps its mode, and a link stays a link.

    Raises:
        CommandError: it cannot be written.
    """
    target = path.resolve()
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
        write_whole(target, text.encode(), mode=mode)
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {error.strerror}") from error


def print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    print()


def interval_json(interval: Interval | None) -> dict[str, float | None] | None:
    """``value``, and the bounds ``low`` and ``high`` of its confidence interval."""
    return None if interval is None else {"value": interval.value, "low": interval.low, "high": interval.high}


def stated_json(stated: Sequence[Stated]) -> list[dict[str, str]]:
    """Each block of figures with its source, or why it is assumed."""
    return [{"block": one.block, "assumed" if one.assumed else "source": one.source} for one in stated]


def value_text(value: Scalar) -> str:
    """A signal's or param's value, short enough for a line of many."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.3g}"
        case str():
            return value or "empty"
        case int():
            return str(value)
