"""The state of one simulated Gemini Live session: its setup, what was said in it, what it costs.

Pure: no socket, no clock. Source: Gemini API reference, *Live API - WebSockets API reference*, and the guide
*Live API capabilities*.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.errors import LabError
from lab.script import Message, Request
from lab.tokens import PER_MESSAGE, count

HEARS_HZ = 16_000
SPEAKS_HZ = 24_000
AUDIO_TOKENS_PER_S = 25
"""Audio, heard or spoken (Live API guide, *Token count*)."""

INVALID_ARGUMENT = 1007
"""The close code of a session that was sent something it does not take."""

Kind = Literal["user", "model", "call", "result"]


class ClosedError(LabError):
    """The service closes the session; there are no error messages in this protocol."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        super().__init__(reason)


@dataclass(slots=True)
class Entry:
    """One thing that was said or done. ``text`` of a call is its arguments as JSON."""

    kind: Kind
    text: str = ""
    tool: str = ""
    audio_ms: int = 0
    heard: asyncio.Future[str] | None = None
    """What the caller said in audio, once the recogniser has it."""

    @property
    def tokens(self) -> tuple[int, int]:
        """Of text and of audio; what was said in audio costs audio only."""
        if self.audio_ms:
            return PER_MESSAGE, self.audio_ms * AUDIO_TOKENS_PER_S // 1000
        return PER_MESSAGE + count(f"{self.tool} {self.text}"), 0

    async def message(self) -> Message:
        """As the script reads it; waits for the recognition of its audio."""
        if self.kind in ("call", "result"):
            return Message(self.kind, self.text, self.tool)
        text = await asyncio.shield(self.heard) if self.heard is not None else self.text
        return Message("user" if self.kind == "user" else "assistant", text)


@dataclass(frozen=True, slots=True)
class Setup:
    """What the first message of a client says of the session."""

    model: str
    instructions: str
    tools: tuple[Mapping[str, Any], ...]
    voice: str
    history_first: bool
    """Whether the history comes first, in client content that asks for no reply."""
    transcribes_input: bool
    transcribes_output: bool

    @classmethod
    def read(cls, setup: Mapping[str, Any]) -> Setup:
        """Raises :class:`ClosedError` for what the lab does not have."""
        generation = setup.get("generationConfig") or {}
        if (modalities := generation.get("responseModalities", ["AUDIO"])) != ["AUDIO"]:
            raise ClosedError(
                INVALID_ARGUMENT,
                f"The requested combination of response modalities ({', '.join(modalities)}) is not supported "
                "by the model.",
            )
        detection = (setup.get("realtimeInputConfig") or {}).get("automaticActivityDetection") or {}
        if not detection.get("disabled"):
            raise ClosedError(
                INVALID_ARGUMENT,
                "The lab detects no activity: set automaticActivityDetection.disabled and send the activities.",
            )
        voice = ((generation.get("speechConfig") or {}).get("voiceConfig") or {}).get("prebuiltVoiceConfig")
        declared = [
            tool for group in setup.get("tools") or () for tool in group.get("functionDeclarations") or ()
        ]
        return cls(
            model=str(setup.get("model", "")),
            instructions=text_of(setup.get("systemInstruction") or {}),
            tools=tuple(declared),
            voice=str((voice or {}).get("voiceName") or "agent"),
            history_first=bool((setup.get("historyConfig") or {}).get("initialHistoryInClientContent")),
            transcribes_input=setup.get("inputAudioTranscription") is not None,
            transcribes_output=setup.get("outputAudioTranscription") is not None,
        )

    @property
    def seeds_only(self) -> bool:
        """Whether the model takes client content for its initial history and nothing else: since Gemini 3."""
        version = re.search(r"\d+", self.model)
        return version is None or int(version[0]) >= 3


@dataclass(slots=True)
class Conversation:
    """Everything of a session in order."""

    setup: Setup
    entries: list[Entry] = field(default_factory=list)
    _history_given: bool = False

    def client_content(self, content: Mapping[str, Any]) -> bool:
        """Append turns. True when the model is to answer now.

        Raises:
            ClosedError: the model does not take client content, or not any more.
        """
        seeding = self.setup.history_first and not self._history_given
        if self.setup.seeds_only and not seeding:
            raise ClosedError(INVALID_ARGUMENT, "Request contains an invalid argument.")
        for turn in content.get("turns") or ():
            kind: Kind = "model" if turn.get("role") == "model" else "user"
            if turn.get("role") not in ("user", "model", None):
                raise ClosedError(INVALID_ARGUMENT, "Please use a valid role: user, model.")
            self.entries.append(Entry(kind, text_of(turn)))
        complete = bool(content.get("turnComplete"))
        if seeding:
            self._history_given = complete
            return False
        return complete

    async def request(self) -> Request:
        """What the script is asked. Waits for the recognition of the caller's audio."""
        names = frozenset(str(tool.get("name")) for tool in self.setup.tools)
        messages = [await entry.message() for entry in list(self.entries)]
        system = (Message("system", self.setup.instructions),) if self.setup.instructions else ()
        return Request((*system, *messages), names, "realtime")

    def usage(self, made: Entry | None) -> dict[str, Any]:
        """The ``usageMetadata`` of a generation: everything in the context is billed with every turn."""
        tools = json.dumps(self.setup.tools) if self.setup.tools else ""
        text, audio = PER_MESSAGE + count(self.setup.instructions) + count(tools), 0
        for entry in self.entries:
            if entry is not made:
                text, audio = text + entry.tokens[0], audio + entry.tokens[1]
        wrote, spoke = (0, 0) if made is None else made.tokens
        if spoke:
            wrote = 0  # the words of speech are not billed beside it
        details = {
            "promptTokensDetails": _details(text, audio),
            "responseTokensDetails": _details(wrote, spoke),
        }
        return {
            "promptTokenCount": text + audio,
            "responseTokenCount": wrote + spoke,
            "totalTokenCount": text + audio + wrote + spoke,
            **{name: value for name, value in details.items() if value},
        }


def text_of(content: Mapping[str, Any]) -> str:
    """The text parts of a content."""
    return " ".join(part["text"] for part in content.get("parts") or () if part.get("text"))


def _details(text: int, audio: int) -> list[dict[str, Any]]:
    counts = (("TEXT", text), ("AUDIO", audio))
    return [{"modality": name, "tokenCount": tokens} for name, tokens in counts if tokens]
