"""Whether a page meddles with the session it shares with us. Pure.

A page that talks to the vendor has a data channel on which it can send every client event there is: other instructions,
other tools, tool results of its own making, replies to its own taste, no transcription. The vendor tells both sides of
what changed, and each new connection how the session stands.

Source: OpenAI API reference, *Realtime server events*. Items and responses are told without who asked for them, so what
the vendor itself begins is known by what came before it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from service.web.replies import LABEL


class SessionWatch:
    """What is ours of one session.

    Args:
        asked: the session as the vendor was asked for it.
    """

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self._asked = asked
        self._instructions = {asked["instructions"]}
        self._deaf = False
        self._labels: set[str] = set()
        self._answered: set[str] = set()
        self._spoken: set[str] = set()
        self._due = 0
        self._missed = True

    def sent(self, event: Mapping[str, Any]) -> None:
        """We sent this client event. What held before may still be on its way back."""
        session, item = event.get("session") or {}, event.get("item") or {}
        if "instructions" in session:
            self._instructions.add(session["instructions"])
        if "audio" in session:
            self._deaf = session["audio"]["input"]["turn_detection"] is None
        if event["type"] == "response.create":
            self._labels.add(event["response"]["metadata"][LABEL])
        if item.get("type") == "function_call_output":
            self._answered.add(item["call_id"])

    def lost(self) -> None:
        """Events were missed: a reply may begin to what was said meanwhile."""
        self._missed = True

    def foreign(self, event: Mapping[str, Any]) -> str | None:
        """What of an event of the vendor is a page's doing that no page may do, in words; ``None`` for any other."""
        match event.get("type"):
            case "session.created" | "session.updated":
                return changed_session(
                    event["session"], self._asked, instructions=self._instructions, deaf=self._deaf
                )
            # Of speech that was under way when we came we are told the end alone.
            case "input_audio_buffer.speech_started" | "input_audio_buffer.speech_stopped":
                self._spoken.add(event["item_id"])
            case "input_audio_buffer.committed":
                self._due += (
                    event["item_id"] in self._spoken
                )  # a page can commit as well, which begins no reply
                self._spoken.add(event["item_id"])
            case "conversation.item.added":
                return foreign_item(event["item"], answered=self._answered, spoken=self._spoken)
            case "conversation.item.deleted":
                return "what was said before"
            case "response.created":
                return self._foreign_reply(event["response"].get("metadata") or {})
        return None

    def _foreign_reply(self, metadata: Mapping[str, Any]) -> str | None:
        if metadata:
            label = metadata.get(LABEL)
            if label not in self._labels:
                return "its replies"
            self._labels.remove(label)
        elif self._due or self._missed:
            self._due, self._missed = max(0, self._due - 1), False
        else:
            return "its replies"
        return None


def changed_session(
    session: Mapping[str, Any], asked: Mapping[str, Any], *, instructions: Collection[str], deaf: bool = False
) -> str | None:
    """What of a session is not as we set it up, in words; ``None`` when all is.

    Args:
        session: as the vendor has it (``session.created``, ``session.updated``).
        asked: as it was asked for.
        instructions: texts that we gave it, the latest and those that may still be on their way.
        deaf: whether we had it hear no more turns.
    """
    if session.get("instructions") not in instructions or session.get("prompt"):
        return "its instructions"
    if _tools(session) != _tools(asked) or session.get("tool_choice", "auto") != asked["tool_choice"]:
        return "its tools"
    if session.get("output_modalities", asked["output_modalities"]) != asked["output_modalities"]:
        return "how it answers"
    heard, ours = (session.get("audio") or {}).get("input") or {}, asked["audio"]["input"]
    if not _written_as(heard.get("transcription") or {}, ours["transcription"]):
        return "its transcription"
    turns = heard.get("turn_detection")
    if not (deaf and turns is None) and not _has(turns or {}, ours["turn_detection"]):
        return "its turn detection"
    return None


def foreign_item(
    item: Mapping[str, Any], *, answered: Collection[str], spoken: Collection[str]
) -> str | None:
    """What an item is that only a page can have added and no page may; ``None`` for any other.

    Args:
        item: as the vendor has it (``conversation.item.added``): the model's own are empty then.
        answered: ids of the tool calls that were answered here.
        spoken: ids of the items that were heard on the line.
    """
    if item.get("type") == "function_call_output" and item.get("call_id") not in answered:
        return "a tool's result"
    if item.get("type") == "function_call" and item.get("arguments"):
        return "a tool's call"
    if item.get("role") == "system":
        return "a system message"
    content = item.get("content") or ()
    if item.get("role") == "assistant" and any(
        part.get("text") or part.get("transcript") for part in content
    ):
        return "the agent's words"
    typed = all(part.get("type") == "input_text" for part in content)
    if item.get("role") == "user" and not typed and item.get("id") not in spoken:
        return "sounds or pictures of its own"
    return None


def _tools(session: Mapping[str, Any]) -> Mapping[str, tuple[str, Any]]:
    """What the model knows of each tool, by name."""
    return {
        tool.get("name"): (tool.get("description") or "", tool.get("parameters"))
        for tool in session.get("tools") or ()
    }


def _written_as(transcription: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether what the caller says is written down as we asked: by that model, in that language, without hints."""
    same = all(transcription.get(key) == value for key, value in ours.items())
    return (
        same
        and not transcription.get("prompt")
        and transcription.get("language") in (None, ours.get("language"))
    )


def _has(turns: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Whether turns are taken as we asked, and silence begins no reply (``idle_timeout_ms``)."""
    return not turns.get("idle_timeout_ms") and all(turns.get(key) == value for key, value in ours.items())
