"""A realtime session with no vendor behind it, which notes what it is told, and audio to tell it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Any, Literal

import numpy as np
from livekit import rtc
from livekit.agents import NOT_GIVEN, llm
from livekit.agents.metrics import RealtimeModelMetrics

CAPABILITIES = llm.RealtimeCapabilities(
    message_truncation=True,
    turn_detection=False,
    user_transcription=False,
    auto_tool_reply_generation=False,
    audio_output=True,
    manual_function_calls=False,
    can_disable_turn_detection=True,
)


def frame(ms: int = 20) -> rtc.AudioFrame:
    samples = np.full(24 * ms, 3000, np.int16)
    return rtc.AudioFrame(samples.tobytes(), 24_000, 1, len(samples))


class FakeRealtime(llm.RealtimeModel):
    """Opens :class:`FakeSession`; all of them are in ``sessions``."""

    def __init__(self) -> None:
        super().__init__(capabilities=CAPABILITIES)
        self.sessions: list[FakeSession] = []
        self.refuses: llm.RealtimeError | None = None
        self.hangs = False
        self.closed = False

    @property
    def model(self) -> str:
        return "fake"

    @property
    def provider(self) -> str:
        return "nobody"

    def session(self, *, turn_detection_disabled: bool = False) -> FakeSession:
        self.sessions.append(FakeSession(self))
        return self.sessions[-1]

    async def aclose(self) -> None:
        self.closed = True


class FakeSession(llm.RealtimeSession[Any]):
    """``told`` lists what it was told, in order; audio as ``audio``."""

    def __init__(self, model: FakeRealtime) -> None:
        super().__init__(model)
        self._of = model
        self.told: list[str] = []
        self.synced: list[list[str]] = []
        self.replies: list[asyncio.Future[llm.GenerationCreatedEvent]] = []
        self._items = llm.ChatContext()

    @property
    def chat_ctx(self) -> llm.ChatContext:
        return self._items

    @property
    def tools(self) -> llm.ToolContext:
        return llm.ToolContext.empty()

    async def update_instructions(self, instructions: str) -> None:
        self.told.append(f"instructions {instructions}")

    async def update_chat_ctx(self, chat_ctx: llm.ChatContext) -> None:
        if self._of.hangs:
            await asyncio.Event().wait()
        if self._of.refuses is not None:
            raise self._of.refuses
        self.told.append("history")
        self.synced.append([item.text_content or "" for item in chat_ctx.items if item.type == "message"])

    async def update_tools(self, tools: list[llm.Tool]) -> None:
        self.told.append(f"{len(tools)} tools")

    def update_options(self, *, tool_choice: Any = NOT_GIVEN) -> None:
        self.told.append("options")

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        self.told.append("audio")

    def push_video(self, frame: rtc.VideoFrame) -> None:
        self.told.append("video")

    def generate_reply(self, **how: Any) -> asyncio.Future[llm.GenerationCreatedEvent]:
        self.told.append("reply")
        self.replies.append(asyncio.get_running_loop().create_future())
        return self.replies[-1]

    def commit_audio(self) -> None:
        self.told.append("commit")

    def clear_audio(self) -> None:
        self.told.append("clear")

    def interrupt(self) -> None:
        self.told.append("interrupt")

    def truncate(
        self,
        *,
        message_id: str,
        modalities: list[Literal["text", "audio"]],
        audio_end_ms: int,
        audio_transcript: Any = NOT_GIVEN,
    ) -> None:
        self.told.append(f"truncate {message_id} {audio_end_ms}")

    async def aclose(self) -> None:
        self.told.append("closed")

    # -- what a server would cause --------------------------------------------------------------------------
    def stores(self, item: llm.ChatItem) -> None:
        self.emit("remote_item_added", llm.RemoteItemAddedEvent(previous_item_id=None, item=item))

    def hears(self, item_id: str, transcript: str, *, final: bool = True) -> None:
        heard = llm.InputTranscriptionCompleted(item_id=item_id, transcript=transcript, is_final=final)
        self.emit("input_audio_transcription_completed", heard)

    def begins(
        self,
        *,
        asked_for: bool = True,
        messages: AsyncIterable[llm.MessageGeneration] | None = None,
        calls: AsyncIterable[llm.FunctionCall] | None = None,
    ) -> llm.GenerationCreatedEvent:
        created = llm.GenerationCreatedEvent(
            message_stream=messages or _nothing(),
            function_stream=calls or _nothing(),
            user_initiated=asked_for,
            response_id="r",
        )
        if asked_for and self.replies and not self.replies[-1].done():
            self.replies[-1].set_result(created)
        self.emit("generation_created", created)
        return created

    def fails(self, error: Exception, *, recoverable: bool) -> None:
        self.emit(
            "error",
            llm.RealtimeModelError(timestamp=0, label="fake", error=error, recoverable=recoverable),
        )

    def ends(self) -> None:
        """Report what a response cost, which comes with its end."""
        details = RealtimeModelMetrics
        self.emit(
            "metrics_collected",
            RealtimeModelMetrics(
                request_id="r",
                timestamp=0,
                duration=0,
                ttft=0,
                cancelled=False,
                label="fake",
                input_tokens=0,
                output_tokens=0,
                total_tokens=0,
                tokens_per_second=0,
                input_token_details=details.InputTokenDetails(
                    audio_tokens=0, text_tokens=0, image_tokens=0, cached_tokens=0, cached_tokens_details=None
                ),
                output_token_details=details.OutputTokenDetails(
                    text_tokens=0, audio_tokens=0, image_tokens=0
                ),
            ),
        )


async def _nothing() -> Any:
    return
    yield
