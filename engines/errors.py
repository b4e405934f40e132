"""What can go wrong when engines are built or asked to answer."""

from __future__ import annotations

from livekit.agents import APITimeoutError, llm

SILENT = "silent"
"""The code of a realtime engine's error where its reply did not begin in time."""


class EngineError(Exception):
    """Base of all errors of this package."""


class EngineNotConfiguredError(EngineError):
    """A provider lacks what it needs to run, such as a key. The message says what to set."""


class ToolsUnavailableError(EngineError):
    """The tool server cannot be reached."""


class NothingSaidError(EngineError):
    """An engine ended its reply without a word."""


def timed_out(error: BaseException) -> bool:
    """Whether the caller has waited for whoever failed: nothing came in time, where others refuse at once."""
    silent = isinstance(error, llm.RealtimeError) and error.code == SILENT
    return silent or isinstance(error, TimeoutError | APITimeoutError)
