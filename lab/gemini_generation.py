"""One generation of the simulated Gemini Live model: thought of by the script, spoken by a real voice, streamed.

Order of messages: Live API reference, *BidiGenerateContentServerContent*: the model's turn in pieces, then
``generationComplete``, and ``turnComplete`` only once the reply is assumed to have been played.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.context import LabContext
from lab.errors import LabError
from lab.faults import Fault, Provider, stall
from lab.gemini_conversation import SPEAKS_HZ, Conversation, Entry
from lab.script import Call, Say

PROVIDER: Provider = "google.live"
_BYTES_PER_MS = SPEAKS_HZ * 2 // 1000
_CHUNK_MS = 100
_PACE = 4
"""How many times faster than it plays the audio is streamed."""
INTERNAL = 1011
_REASONS = {
    "rate_limited": "Resource has been exhausted (e.g. check quota).",
    "server_error": "Internal error encountered.",
}

Send = Callable[[dict[str, Any]], None]
"""Queue one server message, in order."""


@dataclass(slots=True)
class Generation:
    """A reply, or calls of tools, being generated."""

    context: LabContext
    conversation: Conversation
    send: Send
    close: Callable[[int, str], None]
    """Ends the session with a code and a reason."""
    cut: Callable[[], None]
    """Ends it without a word."""
    garble: Callable[[], None]
    """Sends a broken frame."""
    asked_s: float
    """When its turn was complete, by :func:`time.monotonic`: the delay is measured from here."""
    connection: str
    fault: Fault | None = None
    calls: dict[str, str] = field(default_factory=dict)
    """The calls that wait for their responses: the tool of each, by id."""
    _made: Entry | None = None
    _frames: int = 0
    _ended: bool = False
    _task: asyncio.Task[None] | None = None

    @property
    def active(self) -> bool:
        return not self._ended

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"lab generation {self.connection}")

    async def interrupt(self) -> None:
        """The caller cut in: what was sent stays in the history, the rest is discarded."""
        await self.stop()
        if self.calls:
            self.send({"toolCallCancellation": {"ids": list(self.calls)}})
            self.calls = {}
        if not self._ended:
            self._ended = True
            self.send({"serverContent": {"interrupted": True}})
            self._complete()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        try:
            if self.fault is not None and self.fault.kind in _REASONS:
                self.close(INTERNAL, _REASONS[self.fault.kind])
                return
            await self._generate()
        except LabError:
            # The lab's own ears or voice failed: to the client it is the provider's trouble, as it would be.
            self.close(INTERNAL, _REASONS["server_error"])

    async def _generate(self) -> None:
        slow = self.fault.factor if self.fault is not None and self.fault.kind == "slow" else 1.0
        delay_s = self.context.draw_s("realtime", slow=slow)
        reply = self.context.script.reply(await self.conversation.request())
        pcm = b""
        if isinstance(reply, Say):
            pcm = (await self.context.voices.synthesise(reply.text, voice=self.conversation.setup.voice)).pcm
        late_s = time.monotonic() - self.asked_s - delay_s
        if late_s < 0:
            await asyncio.sleep(-late_s)
        elif delay_s > 0:
            self.context.journal.record(
                PROVIDER, self.connection, "lab.overrun", {"ms": round(1000 * late_s)}
            )
        if isinstance(reply, Call):
            await self._call(reply.all)
        else:
            await self._speak(reply.text, pcm)

    async def _call(self, calls: tuple[Call, ...]) -> None:
        self.calls = {self.context.new_id("call_"): call.tool for call in calls}
        wire = []
        for call_id, call in zip(self.calls, calls, strict=True):
            arguments = dict(call.arguments)
            wire.append({"id": call_id, "name": call.tool, "args": arguments})
            self._made = Entry("call", json.dumps(arguments), call.tool)
            self.conversation.entries.append(self._made)
        await self._frame({"toolCall": {"functionCalls": wire}})
        self._ended = True
        self.send({"usageMetadata": self.conversation.usage(self._made)})

    async def _speak(self, text: str, pcm: bytes) -> None:
        made = self._made = Entry("model")
        self.conversation.entries.append(made)
        words, sent = text.split(), 0
        step = _CHUNK_MS * _BYTES_PER_MS
        total = max(1, -(-len(pcm) // step))
        began_s = time.monotonic()
        for index in range(total):
            due = min(len(words), -(-len(words) * (index + 1) // total))
            piece = (" " if sent else "") + " ".join(words[sent:due]) if due > sent else ""
            sent, made.text = due, made.text + piece
            chunk = pcm[index * step : (index + 1) * step]
            made.audio_ms += len(chunk) // _BYTES_PER_MS
            data = {"data": base64.b64encode(chunk).decode(), "mimeType": f"audio/pcm;rate={SPEAKS_HZ}"}
            await self._frame(
                {"serverContent": {"modelTurn": {"role": "model", "parts": [{"inlineData": data}]}}}
            )
            if piece and self.conversation.setup.transcribes_output:
                await self._frame({"serverContent": {"outputTranscription": {"text": piece}}})
            await self._until(began_s + (index + 1) * _CHUNK_MS / 1000 / _PACE)
        self.send({"serverContent": {"generationComplete": True}})
        await self._until(began_s + made.audio_ms / 1000)
        self._ended = True
        self._complete()

    def _complete(self) -> None:
        self.send(
            {"serverContent": {"turnComplete": True}, "usageMetadata": self.conversation.usage(self._made)}
        )

    async def _until(self, due_s: float) -> None:
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    async def _frame(self, message: dict[str, Any]) -> None:
        """Send one piece of the answer, unless a fault strikes at it."""
        if self.fault is not None and self._frames == self.fault.after:
            if self.fault.kind == "malformed":
                self.garble()
            elif self.fault.kind == "drop":
                self.cut()
                await stall()
            elif self.fault.kind == "stall":
                await stall()
        self._frames += 1
        self.send(message)
        await asyncio.sleep(0)
