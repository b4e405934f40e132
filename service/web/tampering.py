"""Whether a page meddles with the session it shares with us. Pure.

A page that talks to the vendor has a data channel on which it can send every client event there is: other instructions,
other tools, tool results of its own making, no transcription. The vendor tells both sides of what changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


class SessionWatch:
    """What is ours of one session.

    Args:
        transcribed_by: the model that writes down what the caller says.
    """

    def __init__(self, transcribed_by: str) -> None:
        self.tools: Collection[str] = ()
        """Names of those that run here."""
        self._transcribed_by = transcribed_by
        self._instructions: set[str] = set()
        self._answered: set[str] = set()

    def instructed(self, instructions: str) -> None:
        """We gave it these instructions; those before may still be on their way back."""
        self._instructions.add(instructions)

    def answered(self, call_id: str) -> None:
        """We answered this tool call."""
        self._answered.add(call_id)

    def foreign(self, event: Mapping[str, Any]) -> str | None:
        """What of an event of the vendor is a page's doing that no page may do, in words; ``None`` for any other."""
        if event["type"] == "session.updated":
            return changed_session(
                event["session"],
                instructions=self._instructions,
                tools=self.tools,
                transcribed_by=self._transcribed_by,
            )
        return foreign_item(event["item"], answered=self._answered)


def changed_session(
    session: Mapping[str, Any], *, instructions: Collection[str], tools: Collection[str], transcribed_by: str
) -> str | None:
    """What of a session is not as we set it up, in words; ``None`` when all is.

    Args:
        session: as the vendor has it (``session.updated``).
        instructions: texts that we gave it, the latest and those that may still be on their way.
        tools: names of those that run here.
        transcribed_by: the model that writes down what the caller says.
    """
    if session.get("instructions") not in instructions:
        return "its instructions"
    if {tool.get("name") for tool in session.get("tools") or ()} != set(tools):
        return "its tools"
    transcription = ((session.get("audio") or {}).get("input") or {}).get("transcription") or {}
    if transcription.get("model") != transcribed_by:
        return "its transcription"
    return None


def foreign_item(item: Mapping[str, Any], *, answered: Collection[str]) -> str | None:
    """What an item is that only a page can have added and no page may; ``None`` for any other.

    Args:
        item: as the vendor has it (``conversation.item.added``).
        answered: ids of the tool calls that were answered here.
    """
    if item.get("type") == "function_call_output" and item.get("call_id") not in answered:
        return "a tool's result"
    if item.get("role") == "system":
        return "a system message"
    return None
