"""The shop's records, and its MCP server through the client that the agents use."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from livekit.agents.llm import ToolError, mcp

from lab.errors import LabError
from lab.shop import ShopProcess
from lab.shop.store import Shop, ShopError

pytestmark = pytest.mark.unit

TODAY = date(2026, 11, 20)  # a Friday
ROOT = Path(__file__).parents[3]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop.sqlite", today=TODAY)


@pytest.mark.parametrize(
    "number",
    [
        "441792",
        "four four one seven nine two",
        "double four one, seven nine two",
        "order 44-17-92",
        "441 792",
    ],
)
def test_an_order_is_found_by_its_number_written_or_spoken(shop: Shop, number: str) -> None:
    order = shop.order(number)
    assert (order.order_number, order.item, order.status) == ("441792", "coffee machine", "on its way")
    assert (order.delivery_date, order.delivery_on) == ("Monday, November 23", "2026-11-23")


@pytest.mark.parametrize(
    ("number", "says"), [("999999", "no order 999999"), ("the blue parcel", "holds no digits")]
)
def test_an_order_that_is_not_there_is_refused_with_what_to_do(shop: Shop, number: str, says: str) -> None:
    for ask in (shop.order, lambda n: shop.refund(n, "late"), lambda n: shop.change_delivery(n, "tomorrow")):
        with pytest.raises(ShopError, match=says):
            ask(number)


def test_a_refund_is_paid_once_however_often_it_is_asked(shop: Shop) -> None:
    first, second = (shop.refund("eight zero five three one six two", "returned") for _ in range(2))
    assert (first.amount_usd, first.already_refunded) == (549.0, False)
    assert (second.refund_number, second.amount_usd, second.already_refunded) == (
        first.refund_number,
        549.0,
        True,
    )
    assert shop.order("8053162").status == "refunded"


def test_what_is_not_delivered_cannot_be_refunded(shop: Shop) -> None:
    with pytest.raises(ShopError, match=r"on its way: it can be refunded once"):
        shop.refund("441792", "changed my mind")


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("next thursday morning", "2026-11-26"),
        ("on Friday", "2026-11-27"),
        ("tomorrow afternoon", "2026-11-21"),
        ("2026-12-01", "2026-12-01"),
    ],
)
def test_a_delivery_is_moved_to_a_day_as_callers_say_it(shop: Shop, day: str, expected: str) -> None:
    assert shop.change_delivery("441792", day).delivery_on == expected
    assert shop.order("441792").delivery_on == expected


@pytest.mark.parametrize(
    ("day", "says"),
    [("today", "too soon"), ("2020-01-01", "too soon"), ("2026-13-45", "not a day"), ("soon", "not a day")],
)
def test_a_day_that_cannot_be_is_refused(shop: Shop, day: str, says: str) -> None:
    with pytest.raises(ShopError, match=says):
        shop.change_delivery("441792", day)


def test_an_address_changes_until_the_parcel_is_delivered(shop: Shop) -> None:
    assert shop.change_address("441792", " 4  Elm Street,  Northam ").address == "4 Elm Street, Northam"
    with pytest.raises(ShopError, match="is delivered"):
        shop.change_address("330518", "4 Elm Street, Northam")
    with pytest.raises(ShopError, match="street and a town"):
        shop.change_address("441792", "Northam")


def test_an_e_mail_is_taken_written_or_spelled(shop: Shop) -> None:
    spelled = shop.change_contact("so m a r k dot s m i t h at example dot com")
    assert spelled.email == "mark.smith@example.com"
    assert shop.change_contact("kit@example.com").confirmation_number != spelled.confirmation_number
    with pytest.raises(ShopError, match="ask the customer to spell it"):
        shop.change_contact("nobody in particular")


def test_what_was_changed_is_there_after_a_restart(tmp_path: Path) -> None:
    Shop(tmp_path / "shop.sqlite", today=TODAY).refund("8053162", "returned")
    assert Shop(tmp_path / "shop.sqlite", today=TODAY).order("8053162").status == "refunded"


def test_there_are_a_dozen_orders(shop: Shop, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.sqlite") as db:
        assert db.execute("SELECT count(*) FROM orders").fetchone() == (12,)
    db.close()


@pytest.mark.parametrize("content", [b"this is no database, it is a letter" * 100, None])
def test_a_database_that_cannot_be_used_is_one_clear_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "shop.sqlite" if content else tmp_path / "no" / "folder.sqlite"
    if content:
        path.write_bytes(content)
    with pytest.raises(LabError, match="cannot be used as the shop's database"):
        Shop(path, today=TODAY)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with ShopProcess(tmp_path_factory.mktemp("shop") / "shop.sqlite") as process:
        yield process.url


def patient(served: str) -> mcp.MCPServer:
    """The server as an agent's client knows it, with all the time that a busy machine takes."""
    return mcp.MCPServerHTTP(served, timeout=60, client_session_timeout_seconds=60)


async def call(server: mcp.MCPServer, name: str, **arguments: str) -> Any:
    """A tool as LiveKit Agents calls it: the text of its result, as JSON."""
    tools = {tool.id: tool for tool in await server.list_tools()}
    return json.loads(json.loads(await tools[name](arguments))["text"])


@pytest.mark.asyncio(loop_scope="module")
async def test_the_server_offers_five_described_tools(served: str) -> None:
    server = patient(served)
    await server.initialize()
    try:
        schemas = [tool.info.raw_schema for tool in await server.list_tools()]
    finally:
        await server.aclose()
    assert {s["name"]: list(s["parameters"]["properties"]) for s in schemas} == {
        "order_lookup": ["order_number"],
        "order_refund": ["order_number", "reason"],
        "address_change": ["order_number", "address"],
        "delivery_change": ["order_number", "date"],
        "contact_change": ["email"],
    }
    assert all(len(s["description"]) > 20 for s in schemas)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_agents_client_reads_and_changes_the_shop(served: str) -> None:
    server = patient(served)
    await server.initialize()
    try:
        found = await call(server, "order_lookup", order_number="four four one seven nine two")
        assert found["item"] == "coffee machine"
        paid = [
            await call(server, "order_refund", order_number="8053162", reason="returned") for _ in range(2)
        ]
        assert [p["already_refunded"] for p in paid] == [False, True]
        moved = await call(server, "delivery_change", order_number="441792", date="next thursday morning")
        assert moved["delivery_date"].startswith("Thursday")
        with pytest.raises(ToolError, match="There is no order 123456"):
            await call(server, "order_lookup", order_number="123456")
        with pytest.raises(ToolError, match="order_number"):
            await call(server, "order_lookup")
    finally:
        await server.aclose()


@pytest.mark.asyncio(loop_scope="module")
async def test_two_agents_use_the_shop_at_once(served: str) -> None:
    servers = [patient(served) for _ in range(2)]
    await asyncio.gather(*(server.initialize() for server in servers))
    try:
        calls = [
            call(s, "order_refund", order_number="330518", reason="broken") for s in servers for _ in range(4)
        ]
        assert sorted(r["already_refunded"] for r in await asyncio.gather(*calls)) == [False] + [True] * 7
    finally:
        await asyncio.gather(*(server.aclose() for server in servers))


async def test_the_shop_speaks_stdio_too(tmp_path: Path) -> None:
    server = mcp.MCPServerStdio(
        sys.executable,
        ["-m", "lab.shop", "--stdio", "--database", str(tmp_path / "shop.sqlite")],
        cwd=ROOT,
        client_session_timeout_seconds=60,
    )
    await server.initialize()
    try:
        assert (await call(server, "order_lookup", order_number="441792"))["status"] == "on its way"
    finally:
        await server.aclose()


@pytest.mark.parametrize("how", ["SIGTERM", "parent gone"])
async def test_the_server_ends_when_told_or_when_its_parent_is_gone(tmp_path: Path, how: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lab.shop", "--database", str(tmp_path / "shop.sqlite")),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert json.loads(await process.stdout.readline())["url"].startswith("http://127.0.0.1:")
    if how == "SIGTERM":
        os.kill(process.pid, signal.SIGTERM)
    process.stdin.close()
    async with asyncio.timeout(60):
        await process.wait()


async def test_a_shop_that_cannot_start_says_how_to_find_out_why(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"did not start \(exit status 1\)"):
        async with ShopProcess(tmp_path / "no" / "folder.sqlite"):
            pass
