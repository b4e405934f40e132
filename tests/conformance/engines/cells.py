"""What makes an async function of the suite a test, and a cell of the table in docs/conformance.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from tests.conformance.engines.table import BY_NAME, CASES, CELL, PAIRS, TRIGGERS, why_not, why_not_pair
from tests.virtual_time import run_with_sockets


def case(name: str) -> Callable[[Callable[[str], Awaitable[None]]], Callable[..., None]]:
    """A case of every engine that it applies to: the function is given the engine's name."""
    assert name in CASES
    cells = [(engine,) for engine in BY_NAME if why_not(engine, name) is None]
    return lambda check: _test(check, [(*cell, name) for cell in cells], cells)


def trigger(name: str) -> Callable[[Callable[[str, str], Awaitable[None]]], Callable[..., None]]:
    """A hand-off between every ordered pair that it applies to: the function is given both names."""
    assert name in TRIGGERS
    cells = [pair for pair in PAIRS if why_not_pair(*pair, name) is None]
    return lambda check: _test(check, [(*cell, name) for cell in cells], cells)


def _test(
    check: Callable[..., Awaitable[None]],
    cells: Iterable[tuple[str, ...]],
    arguments: Iterable[tuple[str, ...]],
) -> Callable[..., None]:
    def test(cell: tuple[str, ...], of: tuple[str, ...], record_property: Callable[[str, Any], None]) -> None:
        record_property(CELL, list(cell))

        async def checked() -> None:
            await check(*of)

        run_with_sockets(checked)

    test.__doc__ = check.__doc__
    parameters = [pytest.param(*both, id="-".join(both[1])) for both in zip(cells, arguments, strict=True)]
    named: Callable[..., None] = pytest.mark.parametrize(("cell", "of"), parameters)(test)
    return named
