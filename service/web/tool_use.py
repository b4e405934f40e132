"""Runs the tools that a vendor's model asks for, here: the page never does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from livekit.agents import ToolError, llm

from engines.tools import ToolHooks, ToolReport
from service.web.listener import ToolCall


async def use(tools: Mapping[str, llm.RawFunctionTool[..., Any]], call: ToolCall, hooks: ToolHooks) -> str:
    """What the model is answered: the tool's result, or why there is none. The use is reported whatever comes of it.

    Args:
        tools: by name; those of a :class:`engines.tools.Toolbox` report themselves.
        call: what the model wants.
        hooks: told of what no tool can report.
    """
    tool = tools.get(call.name)
    arguments = _object(call.arguments)
    if tool is None or arguments is None:
        wrong = "there is no such tool" if tool is None else "the arguments are no JSON object"
        name = "unknown" if tool is None else call.name  # a name that a model made up may quote the caller
        hooks.done(ToolReport(name, {"text": call.arguments}, wrong, failed=True, took_ms=0.0))
        return wrong
    try:
        return str(await tool(raw_arguments=arguments))
    except ToolError as error:
        return error.message


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
