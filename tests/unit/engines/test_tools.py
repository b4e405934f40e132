"""Tools from a real MCP server over the shop, timed and reported."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from livekit.agents import ToolError, function_tool

from engines import tools
from engines.errors import ToolsUnavailableError
from engines.tools import Toolbox, ToolHooks, ToolReport
from lab.shop import ShopProcess

pytestmark = [pytest.mark.unit, pytest.mark.asyncio(loop_scope="module")]


class Reports:
    def __init__(self) -> None:
        self.began = 0
        self.done: list[ToolReport] = []
        self.hooks = ToolHooks(began=self._begin, done=self.done.append)

    def _begin(self) -> None:
        self.began += 1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    folder: Path = tmp_path_factory.mktemp("shop")
    async with ShopProcess(folder / "shop.sqlite") as shop:
        yield shop.url


def named(box: Toolbox, name: str) -> Any:
    return next(tool for tool in box.tools if tool.id == name)


async def test_every_tool_of_the_server_is_offered_with_its_schema(url: str) -> None:
    async with Toolbox([url]) as box:
        names = {tool.id for tool in box.tools}
        schema = named(box, "order_lookup").info.raw_schema
    assert {"order_lookup", "order_refund", "address_change"} <= names
    assert schema["parameters"]["required"] == ["order_number"]


async def test_a_call_returns_what_the_server_holds_and_is_reported(url: str) -> None:
    reports = Reports()
    async with Toolbox([url], reports.hooks) as box:
        result = await named(box, "order_lookup")({"order_number": "441792"})
    assert json.loads(result)["item"] == "coffee machine"
    [report] = reports.done
    assert (report.name, report.arguments, report.failed) == (
        "order_lookup",
        {"order_number": "441792"},
        False,
    )
    assert report.result["item"] == "coffee machine"
    assert report.took_ms > 0
    assert reports.began == 1


async def test_a_refusal_reaches_the_model_and_is_reported_as_failed(url: str) -> None:
    reports = Reports()
    async with Toolbox([url], reports.hooks) as box:
        with pytest.raises(ToolError, match="999999"):
            await named(box, "order_lookup")({"order_number": "999999"})
    [report] = reports.done
    assert report.failed
    assert "999999" in report.result


async def test_a_server_that_cannot_be_reached_is_named() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        there = f"http://127.0.0.1:{nobody.getsockname()[1]}/mcp"
        with pytest.raises(ToolsUnavailableError, match=f"the tool server {there} cannot be reached"):
            async with Toolbox([there]):
                pass


async def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "CONNECT_LIMIT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        there = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        with pytest.raises(ToolsUnavailableError, match="TimeoutError"):
            async with Toolbox([there]):
                pass


async def test_a_good_server_is_let_go_of_when_the_next_cannot_be_reached(url: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(ToolsUnavailableError):
            async with Toolbox([url, f"http://127.0.0.1:{nobody.getsockname()[1]}/mcp"]):
                pass


async def test_no_servers_are_no_tools() -> None:
    async with Toolbox([]) as box:
        assert box.tools == ()


def wrapped(reports: Reports, act: Any) -> Any:
    @function_tool(raw_schema={"name": "slow", "description": "", "parameters": {"type": "object"}})
    async def slow(raw_arguments: dict[str, object]) -> Any:
        return await act()

    return Toolbox([], reports.hooks)._reported(slow)


async def test_a_tool_that_takes_too_long_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "LIMIT_S", 0.01)
    reports = Reports()
    with pytest.raises(ToolError, match="slow: no answer within"):
        await wrapped(reports, asyncio.Event().wait)({})
    assert [(report.failed, report.result) for report in reports.done] == [(True, "no answer within 0.01 s")]


async def test_a_crash_in_a_tool_tells_the_model_nothing_of_its_inside() -> None:
    async def crash() -> None:
        raise ValueError("4111 1111 1111 1111")

    reports = Reports()
    with pytest.raises(ToolError) as caught:
        await wrapped(reports, crash)({})
    assert "4111" not in caught.value.message
    assert [(report.failed, report.result) for report in reports.done] == [(True, "ValueError")]


async def test_a_tool_that_the_caller_interrupts_has_not_failed() -> None:
    reports = Reports()
    call = asyncio.create_task(wrapped(reports, asyncio.Event().wait)({}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [(report.failed, report.result) for report in reports.done] == [(False, "interrupted")]


async def test_a_tool_is_given_values_and_the_model_what_it_may_see() -> None:
    reports = Reports()

    @function_tool(raw_schema={"name": "pay", "description": "", "parameters": {"type": "object"}})
    async def pay(raw_arguments: dict[str, object]) -> Any:
        if raw_arguments["card"] == "4111":
            return {"paid by": raw_arguments["card"]}
        raise ToolError(f"{raw_arguments['card']} is no card")

    async def hidden(result: str) -> str:
        return result.replace("4111", "[CARD_1]").replace("5500", "[CARD_2]")

    values = {"[CARD_1]": "4111", "[CARD_2]": "5500"}
    hooks = reports.hooks
    hooks.for_tool = lambda arguments: {name: values[str(value)] for name, value in arguments.items()}
    hooks.from_tool = hidden
    unguarded: Any = pay
    tool: Any = Toolbox([], hooks)._reported(unguarded)
    assert await tool({"card": "[CARD_1]"}) == '{"paid by": "[CARD_1]"}'
    with pytest.raises(ToolError) as refused:
        await tool({"card": "[CARD_2]"})
    assert refused.value.message == "[CARD_2] is no card"
    assert refused.value.__cause__ is None
    assert [report.arguments for report in reports.done] == [{"card": "4111"}, {"card": "5500"}]
