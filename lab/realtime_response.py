"""One reply of the simulated realtime model: thought of by the script, spoken by a real voice, streamed.

Order of events: OpenAI guide, *Realtime conversations*: ``response.created``, ``output_item.added``,
``conversation.item.added``, ``content_part.added``, deltas, the dones, ``response.done``.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.context import LabContext
from lab.errors import LabError
from lab.faults import Fault, stall
from lab.realtime_conversation import (
    AGENT_TOKENS_PER_S,
    BYTES_PER_MS,
    Conversation,
    Item,
    Tokens,
    tool_names,
    usage,
)
from lab.script import Call, Say
from lab.tokens import count

_DELTA_MS = 100
_PACE = 4
"""How many times faster than it plays the audio is streamed."""
_WORDS_AHEAD = 1
_FAILURES: dict[str, dict[str, str]] = {
    "rate_limited": {
        "type": "rate_limit_error",
        "code": "rate_limit_exceeded",
        "message": "Rate limit reached.",
    },
    "server_error": {
        "type": "server_error",
        "code": "server_error",
        "message": "The server had an error.",
    },
}

_VERBATIM = re.compile(r'word for word[^"]*"(.+)"', re.DOTALL)
"""A model that is told to say something word for word does so."""

Send = Callable[..., None]
"""``send(type, **fields)``: queue one server event, in order."""


@dataclass(slots=True)
class Response:
    """A response being generated. ``id`` is the vendor-style identifier; ``params`` the client's ``response``."""

    context: LabContext
    conversation: Conversation
    session: dict[str, Any]
    params: dict[str, Any]
    send: Send
    asked_s: float
    """When ``response.create`` arrived, by :func:`time.monotonic`: the delay is measured from here."""
    connection: str
    id: str
    fault: Fault | None = None
    _items: list[Item] = field(default_factory=list)
    _item: Item | None = None
    """The one being written."""
    _content: dict[str, Any] | None = None
    _written: Tokens = field(default_factory=Tokens)
    _billed: tuple[Tokens, Tokens] = (Tokens(), Tokens())
    _frames: int = 0
    _ended: bool = False
    _task: asyncio.Task[None] | None = None

    @property
    def active(self) -> bool:
        return not self._ended

    def start(self) -> None:
        """Begin to generate."""
        self._task = asyncio.create_task(self._run(), name=f"lab response {self.id}")

    async def cancel(self, reason: str = "client_cancelled") -> None:
        """Stop generating; the response ends with status ``cancelled`` and what was already said."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if not self._ended:
            self._end("cancelled", {"type": "cancelled", "reason": reason})

    async def _run(self) -> None:
        try:
            if self.fault is not None and self.fault.kind in _FAILURES:
                self._end("failed", {"type": "failed", "error": _FAILURES[self.fault.kind]})
                return
            await self._generate()
        except LabError:
            # The lab's own ears or voice failed: to the client it is the provider's trouble, as it would be.
            self._end("failed", {"type": "failed", "error": _FAILURES["server_error"]})
            return
        self._end("completed")

    def _end(self, status: str, details: dict[str, Any] | None = None) -> None:
        self._ended = True
        self._close_item("completed" if status == "completed" else "incomplete")
        self.send("response.done", response=self.wire(status, details))

    async def _generate(self) -> None:
        slow = self.fault.factor if self.fault is not None and self.fault.kind == "slow" else 1.0
        delay_s = self.context.draw_s("realtime", slow=slow)
        instructions = self.params.get("instructions") or self.session.get("instructions") or ""
        tools = self.params.get("tools") or self.session.get("tools") or []
        names = tool_names(tools, self.params.get("tool_choice") or self.session.get("tool_choice"))
        self._billed = self.conversation.bill(instructions, tools)
        told = _VERBATIM.search(str(self.params.get("instructions") or ""))
        request = await self.conversation.request(instructions, names)
        reply = Say(told[1]) if told else self.context.script.reply(request)
        modality = (self.params.get("output_modalities") or self.session["output_modalities"])[0]
        pcm = b""
        if isinstance(reply, Say) and modality == "audio":
            voice = str(self.session["audio"]["output"].get("voice") or "agent")
            pcm = (await self.context.voices.synthesise(reply.text, voice=voice)).pcm
        late_s = time.monotonic() - self.asked_s - delay_s
        if late_s < 0:
            await asyncio.sleep(-late_s)
        elif delay_s > 0:
            # Decoding the caller or speaking the reply took longer than the model was to take.
            self.context.journal.record(
                "openai.realtime", self.connection, "lab.overrun", {"ms": round(1000 * late_s)}
            )
        if isinstance(reply, Call):
            for call in reply.all:
                self._close_item("completed")
                await self._call(call)
        elif modality == "audio":
            await self._speak(reply.text, pcm)
        else:
            await self._write(reply.text)

    async def _call(self, call: Call) -> None:
        wire = {
            "type": "function_call",
            "name": call.tool,
            "call_id": self.context.new_id("call_"),
            "arguments": "",
            "status": "in_progress",
        }
        item = self._open_item(wire)
        arguments = call.arguments_json
        half = max(1, len(arguments) // 2)
        for fragment in (arguments[:half], arguments[half:]):
            await self._frame(
                "response.function_call_arguments.delta", call_id=wire["call_id"], delta=fragment
            )
        item.wire["arguments"] = arguments
        self._written += Tokens(text=count(f"{call.tool} {arguments}"))
        self.send(
            "response.function_call_arguments.done",
            **self._address(),
            call_id=wire["call_id"],
            name=call.tool,
            arguments=arguments,
        )

    async def _speak(self, text: str, pcm: bytes) -> None:
        item = self._open_item(
            {"type": "message", "role": "assistant", "content": [], "status": "in_progress"}
        )
        self._open_part({"type": "audio", "transcript": ""})
        words, sent_words = text.split(), 0
        step = _DELTA_MS * BYTES_PER_MS
        total = max(1, -(-len(pcm) // step))
        began_s = time.monotonic()
        for index in range(total):
            due = min(len(words), -(-len(words) * (index + 1) // total) + _WORDS_AHEAD)
            if due > sent_words:
                delta = ("" if sent_words == 0 else " ") + " ".join(words[sent_words:due])
                sent_words, item.transcript = due, item.transcript + delta
                self._written += Tokens(text=count(delta))
                await self._frame("response.output_audio_transcript.delta", content_index=0, delta=delta)
            chunk = pcm[index * step : (index + 1) * step]
            item.audio_ms += len(chunk) // BYTES_PER_MS
            await self._frame(
                "response.output_audio.delta", content_index=0, delta=base64.b64encode(chunk).decode()
            )
            ahead_s = began_s + (index + 1) * _DELTA_MS / 1000 / _PACE - time.monotonic()
            await asyncio.sleep(max(0.0, ahead_s))

    async def _write(self, text: str) -> None:
        item = self._open_item(
            {"type": "message", "role": "assistant", "content": [], "status": "in_progress"}
        )
        self._open_part({"type": "text", "text": ""})
        for index, word in enumerate(text.split()):
            delta = word if index == 0 else f" {word}"
            item.transcript += delta
            self._written += Tokens(text=count(delta))
            await self._frame("response.output_text.delta", content_index=0, delta=delta)

    # -- the envelope -----------------------------------------------------------------------------------
    def _open_item(self, wire: dict[str, Any]) -> Item:
        item = Item(self.context.new_id("item_"), wire)
        wire |= {"id": item.id, "object": "realtime.item"}
        self._item = item
        self._items.append(item)
        after = self.conversation.add(item)
        where = {"response_id": self.id, "output_index": len(self._items) - 1}
        self.send("response.output_item.added", **where, item=dict(wire))
        self.send("conversation.item.added", previous_item_id=after, item=dict(wire))
        return item

    def _open_part(self, part: dict[str, Any]) -> None:
        self._content = part
        self.send("response.content_part.added", **self._address(), content_index=0, part=part)

    def _close_item(self, status: str) -> None:
        item = self._item
        if item is None:
            return
        item.wire["status"] = status
        if self._content is not None:
            key = "transcript" if self._content["type"] == "audio" else "text"
            kind = "output_audio" if key == "transcript" else "output_text"
            part = {**self._content, key: item.transcript}
            where = {**self._address(), "content_index": 0}
            if key == "transcript":
                self.send("response.output_audio.done", **where)
                self.send("response.output_audio_transcript.done", **where, transcript=item.transcript)
            else:
                self.send("response.output_text.done", **where, text=item.transcript)
            self.send("response.content_part.done", **where, part=part)
            item.wire["content"] = [{"type": kind, key: item.transcript}]
        where = {"response_id": self.id, "output_index": len(self._items) - 1}
        self.send("response.output_item.done", **where, item=dict(item.wire))
        self.send("conversation.item.done", previous_item_id=None, item=dict(item.wire))
        if self._content is not None and self._content["type"] == "text":
            item.transcript = ""  # the words live in the content now

    async def _frame(self, event: str, **fields: Any) -> None:
        """Send one piece of the answer, unless a fault strikes at it."""
        if self.fault is not None and self._frames == self.fault.after:
            if self.fault.kind == "malformed":
                self.send("lab.malformed")
            elif self.fault.kind == "drop":
                self.send("lab.drop")
                await stall()
            elif self.fault.kind == "stall":
                await stall()
        self._frames += 1
        self.send(event, **self._address(), **fields)
        await asyncio.sleep(0)

    def _address(self) -> dict[str, Any]:
        item_id = self._item.id if self._item is not None else None
        return {"response_id": self.id, "item_id": item_id, "output_index": max(0, len(self._items) - 1)}

    def wire(self, status: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
        """The response object in ``response.created`` and ``response.done``."""
        done = status != "in_progress"
        if self._item is not None:
            self._written = Tokens(self._written.text, self._item.audio_ms * AGENT_TOKENS_PER_S // 1000)
        return {
            "object": "realtime.response",
            "id": self.id,
            "conversation_id": "conv_lab",
            "status": status,
            "status_details": details,
            "output": [dict(item.wire) for item in self._items] if done else [],
            "output_modalities": self.params.get("output_modalities") or self.session["output_modalities"],
            "max_output_tokens": self.session["max_output_tokens"],
            "metadata": self.params.get("metadata"),
            "usage": usage(*self._billed, self._written) if done else None,
        }
