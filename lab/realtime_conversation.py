"""The state of one simulated OpenAI Realtime session: its items, their order, what they cost, its configuration.

Pure: no socket, no clock. Source: OpenAI API reference, *Realtime* (GA), client and server events.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.errors import LabError
from lab.script import Engine, Message, Request
from lab.tokens import PER_MESSAGE, count

SAMPLE_RATE_HZ = 24_000
BYTES_PER_MS = SAMPLE_RATE_HZ * 2 // 1000
LEAST_COMMIT_MS = 100
USER_TOKENS_PER_S = 10
AGENT_TOKENS_PER_S = 20
CACHE_STEP_TOKENS = 64
"""Cached input is reported in steps of 64 tokens (OpenAI guide, *Managing realtime costs*)."""

_ENGINE: Engine = "realtime"


class RejectedError(LabError):
    """A client event that cannot be carried out; it becomes an ``error`` event with this code."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens by modality."""

    text: int = 0
    audio: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.text + other.text, self.audio + other.audio)

    @property
    def total(self) -> int:
        return self.text + self.audio


@dataclass(slots=True)
class Item:
    """One conversation item. ``wire`` is its JSON, without audio."""

    id: str
    wire: dict[str, Any]
    audio_ms: int = 0
    """How much audio it holds: heard from the caller, or generated (and then truncated)."""
    transcript: str = ""
    """What the agent said in audio, up to where it was truncated."""
    heard: asyncio.Future[str] | None = None
    """What the caller said in audio, once the recogniser has it."""

    @property
    def kind(self) -> str:
        return str(self.wire.get("type", "message"))

    @property
    def role(self) -> str:
        return str(self.wire.get("role", ""))

    @property
    def text(self) -> str:
        """Its text parts; what was said in audio is in :attr:`transcript` or :attr:`heard`."""
        return " ".join(part["text"] for part in self.wire.get("content") or () if part.get("text"))

    @property
    def tokens(self) -> Tokens:
        rate = AGENT_TOKENS_PER_S if self.role == "assistant" else USER_TOKENS_PER_S
        if self.kind == "function_call":
            text = f"{self.wire.get('name')} {self.wire.get('arguments')}"
        elif self.kind == "function_call_output":
            text = str(self.wire.get("output"))
        else:
            text = self.text if self.audio_ms else f"{self.text} {self.transcript}"
        return Tokens(PER_MESSAGE + count(text), self.audio_ms * rate // 1000)

    async def message(self, tools_called: Mapping[str, str]) -> Message:
        """The item as the script reads it; waits for the recognition of its audio."""
        if self.kind == "function_call":
            return Message("call", str(self.wire.get("arguments") or "{}"), str(self.wire["name"]))
        if self.kind == "function_call_output":
            tool = tools_called.get(str(self.wire.get("call_id")), "")
            return Message("result", str(self.wire.get("output", "")), tool)
        spoken = await asyncio.shield(self.heard) if self.heard is not None else self.transcript
        text = " ".join(filter(None, (self.text, spoken)))
        role = self.role
        return Message("system" if role not in ("user", "assistant") else role, text)  # type: ignore[arg-type]


@dataclass(slots=True)
class Conversation:
    """Items in order, and which of them the last response already paid for."""

    items: list[Item] = field(default_factory=list)
    _billed: list[tuple[str, Tokens]] = field(default_factory=list)

    @property
    def tail_id(self) -> str | None:
        return self.items[-1].id if self.items else None

    def __getitem__(self, item_id: str) -> Item:
        return self.items[self._index(item_id, "item_retrieve_invalid_item_id")]

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Insert ``item`` after another, at the beginning for ``"root"``, or at the end. Returns its predecessor.

        Raises:
            RejectedError: the id is taken, or there is no item ``after``.
        """
        if any(known.id == item.id for known in self.items):
            raise RejectedError(
                "item_create_duplicate_item_id", f"An item with the id '{item.id}' already exists."
            )
        at = len(self.items)
        if after == "root":
            at = 0
        elif after is not None:
            at = self._index(after, "item_create_invalid_previous_item_id") + 1
        self.items.insert(at, item)
        return self.items[at - 1].id if at else None

    def delete(self, item_id: str) -> None:
        del self.items[self._index(item_id, "item_delete_invalid_item_id")]

    def truncate(self, item_id: str, audio_end_ms: int) -> None:
        """Forget what the caller did not hear: the audio after ``audio_end_ms`` and, in proportion, the words."""
        item = self.items[self._index(item_id, "item_truncate_invalid_item_id")]
        if item.role != "assistant":
            raise RejectedError("invalid_value", "Only model output audio messages can be truncated")
        if audio_end_ms > item.audio_ms:
            raise RejectedError(
                "invalid_value",
                f"Audio content of {item.audio_ms}ms is already shorter than {audio_end_ms}ms",
            )
        words = item.transcript.split()
        heard = round(len(words) * audio_end_ms / item.audio_ms) if item.audio_ms else 0
        item.transcript, item.audio_ms = " ".join(words[:heard]), audio_end_ms
        for part in item.wire.get("content") or ():
            part["transcript"] = item.transcript

    async def request(self, instructions: str, tools: frozenset[str]) -> Request:
        """What the script is asked. Waits for the recognition of the caller's audio."""
        called = {
            str(i.wire.get("call_id")): str(i.wire["name"]) for i in self.items if i.kind == "function_call"
        }
        messages = [await item.message(called) for item in list(self.items)]
        system = (Message("system", instructions),) if instructions else ()
        return Request((*system, *messages), tools, _ENGINE)

    def bill(self, instructions: str, tools: list[dict[str, Any]]) -> tuple[Tokens, Tokens]:
        """The input tokens of a response, all of them and the cached ones.

        Cached is what stands, unchanged and in the same place, where the previous response already paid for it.
        """
        preamble = PER_MESSAGE + count(instructions) + count(json.dumps(tools) if tools else "")
        parts = [(f"session {instructions} {json.dumps(tools)}", Tokens(text=preamble))]
        parts += [(item.id, item.tokens) for item in self.items]
        cached = Tokens()
        for part, before in zip(parts, self._billed, strict=False):
            if part != before:
                break
            cached += part[1]
        self._billed = parts
        step = CACHE_STEP_TOKENS
        return sum((tokens for _, tokens in parts), Tokens()), Tokens(
            cached.text - cached.text % step, cached.audio - cached.audio % step
        )

    def _index(self, item_id: str, code: str) -> int:
        for index, item in enumerate(self.items):
            if item.id == item_id:
                return index
        raise RejectedError(code, f"The item with the id '{item_id}' does not exist.")


def usage(read: Tokens, cached: Tokens, written: Tokens) -> dict[str, Any]:
    """The ``usage`` of a response."""
    return {
        "total_tokens": read.total + written.total,
        "input_tokens": read.total,
        "output_tokens": written.total,
        "input_token_details": {
            "text_tokens": read.text,
            "audio_tokens": read.audio,
            "image_tokens": 0,
            "cached_tokens": cached.total,
            "cached_tokens_details": {
                "text_tokens": cached.text,
                "audio_tokens": cached.audio,
                "image_tokens": 0,
            },
        },
        "output_token_details": {"text_tokens": written.text, "audio_tokens": written.audio},
    }


def new_session(session_id: str, model: str) -> dict[str, Any]:
    """The session as the service opens it, before the client's first ``session.update``."""
    pcm = {"type": "audio/pcm", "rate": SAMPLE_RATE_HZ}
    turn_detection = {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "create_response": True,
        "interrupt_response": True,
    }
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "audio": {
            "input": {
                "format": pcm,
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": turn_detection,
            },
            "output": {"format": pcm, "voice": "marin", "speed": 1.0},
        },
    }


def update_session(session: dict[str, Any], change: Mapping[str, Any]) -> None:
    """Merge a ``session.update`` in place: only the fields that are present change; ``null`` switches off."""
    if change.get("type", "realtime") != "realtime":
        raise RejectedError(
            "invalid_value", f"Unsupported session type '{change['type']}'; the lab has 'realtime'."
        )
    for key, value in change.items():
        if key != "audio":
            session[key] = value
            continue
        for side, values in (value or {}).items():
            session["audio"][side].update(values or {})


def tool_names(tools: list[dict[str, Any]], tool_choice: Any) -> frozenset[str]:
    """The tools that a response may call."""
    return frozenset() if tool_choice == "none" else frozenset(_names(tools))


def _names(tools: list[dict[str, Any]]) -> Iterator[str]:
    for tool in tools:
        if name := tool.get("name"):
            yield str(name)
