"""What is told of a conversation that a vendor has with a caller, and to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engines.usage import Usage


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants a tool; ``arguments`` is the text it wrote, JSON if it kept to that."""

    call_id: str
    name: str
    arguments: str


@dataclass(slots=True)
class Reply:
    """One response of the model. Times in ms on the call's clock."""

    id: str
    turn: int
    number: int
    label: str = ""
    """What we called it when we asked for it; empty when the vendor began it by itself."""
    start_ms: float | None = None
    end_ms: float | None = None
    text: str = ""
    done: bool = False
    sent: bool = False
    """Whether the vendor told that all of its audio was sent."""
    broken: bool = False
    """Whether the vendor did not make all of it."""
    cut: bool = False
    """Whether it was not heard out."""
    ended: bool = False


class Listener(Protocol):
    """Who acts on what is told."""

    def turn_ended(self, *, typed: bool) -> None:
        """The caller waits for an answer; to what was typed the vendor begins none by itself."""

    def turn_said(self, turn: int, text: str, start_ms: float, end_ms: float) -> None:
        """The words of a caller turn are known; empty when the vendor could not make them out."""

    def reply_began(self, reply: Reply) -> None: ...
    def reply_done(self, reply: Reply, tools: Sequence[ToolCall], *, status: str) -> None:
        """The model has made its reply, or not, by the vendor's ``status``; its audio may still be on its way."""

    def reply_over(self, reply: Reply) -> None:
        """All of a spoken reply was sent, or it was cut."""

    def used(self, turn: int, used: Usage) -> None: ...
