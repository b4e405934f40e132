"""What can go wrong when engines are built or asked to answer."""

from __future__ import annotations


class EngineError(Exception):
    """Base of all errors of this package."""


class EngineNotConfiguredError(EngineError):
    """A provider lacks what it needs to run, such as a key. The message says what to set."""


class ToolsUnavailableError(EngineError):
    """The tool server cannot be reached."""


class NothingSaidError(EngineError):
    """An engine ended its reply without a word."""
