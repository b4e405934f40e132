"""The tools of a call: connected when it is answered, each use put on record."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack

from livekit.agents import llm

from compliance.events import ToolCalled
from engines.errors import ToolsUnavailableError
from engines.tools import Toolbox, ToolHooks, ToolReport
from service.settings import Settings

logger = logging.getLogger(__name__)

WITHOUT = "the call goes on without tools"
"""What is done when they cannot be connected."""


async def connected(
    settings: Settings, hooks: ToolHooks, opened: AsyncExitStack, failed: Callable[[Exception, str], None]
) -> tuple[llm.Tool, ...]:
    """The tools of the line's servers; none if one of these cannot be reached.

    Args:
        settings: of the line.
        hooks: told of every use.
        opened: has them disconnected when it is left.
        failed: told why there are none, and what is done about it.
    """
    try:
        return (await opened.enter_async_context(Toolbox(settings.tool_servers(), hooks))).tools
    except ToolsUnavailableError as error:
        logger.error("%s", error)
        failed(error, WITHOUT)
        return ()


def called(report: ToolReport, *, call_id: str, at_ms: float, turn: int, engine: str) -> ToolCalled:
    """One use of a tool by ``engine``, for the record."""
    return ToolCalled(
        call_id=call_id,
        at_ms=at_ms,
        turn=turn,
        engine=engine,
        name=report.name,
        arguments=report.arguments,
        result=report.result,
        failed=report.failed,
        took_ms=report.took_ms,
    )
