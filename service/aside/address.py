"""Where the process beside the calls is reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from service.aside.channel import Channel
from service.aside.programs import Program

T = TypeVar("T")


class Aside:
    """A process beside the calls that somebody else keeps up.

    Args:
        address: its Unix-domain socket, in a folder that only this user can enter.
    """

    def __init__(self, address: Path) -> None:
        self.address = address

    @classmethod
    def handed_down(cls, program: type[Program], environment: Mapping[str, str]) -> Aside | None:
        """The one of this program whose address stands in the environment, if any."""
        address = environment.get(program.variable(), "")
        return cls(Path(address)) if address else None

    def attach(
        self,
        work: str,
        *,
        answered: Callable[[T, Mapping[str, Any]], None],
        dropped: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> Channel[T]:
        """One call's line to its ``work``; needs a running event loop. See :class:`Channel`."""
        return Channel(self.address, work, answered=answered, dropped=dropped, failed=failed)

    def wait_until_ready(self) -> None:
        """Nothing to wait for: whoever started it has waited."""

    def close(self) -> None:
        """Let go of it; whoever started it ends it."""
