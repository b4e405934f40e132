"""The tools of a line as the tool-need model reads them: names and, where a server says it, what they do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from classifiers.tool_need import Tool, ToolSet
from engines.tools import Toolbox, described


def named(names: Iterable[str]) -> ToolSet:
    """Tools of which only the names are known."""
    return ToolSet.of(Tool(name) for name in names)


async def ask(servers: Sequence[str]) -> ToolSet:
    """Ask the MCP servers of a line for its tools.

    Raises:
        engines.errors.ToolsUnavailableError: one cannot be reached.
    """
    async with Toolbox(servers) as box:
        return ToolSet.of(Tool(name, description) for name, description in described(box.tools))
