"""What is shown while a command runs: on standard error, and only to people."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.live import Live

from service.live import LiveCalls


def starting() -> AbstractContextManager[object]:
    """Says that the lab is being started, until it is."""
    console = Console(stderr=True)
    return console.status("Starting the lab …") if console.is_terminal else nullcontext()


def following(calls: LiveCalls) -> AbstractContextManager[object]:
    """Shows the calls as they go; nothing is left of it in the end."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return nullcontext()  # a table redrawn eight times a second is no log
    return Live(calls, console=console, transient=True, refresh_per_second=8)
