"""Google's Gemini Live as a realtime model that keeps to what the caller heard.

A Gemini Live session is append-only: nothing in it can be truncated, deleted or corrected, and it ends after some ten
minutes. So a connection serves one stay: it is given the conversation as the caller heard it right before its first
turn, and goes on from there. When the conversation takes a course that the service does not know (the caller cut in,
another engine answered, the instructions changed) or the service is about to hang up, a fresh connection takes its
place: opened ahead of the next turn, and told nothing before that turn is certain to be its own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextvars import Context
from dataclasses import replace
from typing import Literal

from livekit import rtc
from livekit.agents import NOT_GIVEN, APIConnectionError, NotGivenOr, llm, utils
from livekit.agents.metrics import RealtimeModelMetrics
from livekit.plugins.google.realtime import realtime_api as plugin

from engines.gemini_history import HeardHistory
from engines.gemini_link import Link, LinkHooks, Reply
from engines.resampled import Resampled
from engines.warm_session import Seeded

logger = logging.getLogger(__name__)

GOODBYE_S = 1.5
"""A connection that was left in mid-reply may take this long to say what the reply cost."""
LOSSES = 3
"""A connection that nobody needs just now is replaced without a word this often before a turn."""


class GeminiModel(llm.RealtimeModel):
    """The plugin's model, whose sessions are :class:`GeminiSession`.

    Args:
        inner: the plugin's model, with automatic activity detection off and without retries.
    """

    def __init__(self, inner: plugin.RealtimeModel) -> None:
        super().__init__(
            capabilities=replace(
                inner.capabilities,
                message_truncation=True,  # in the next connection
                auto_tool_reply_generation=False,  # results are sent when their reply is asked for
                can_disable_turn_detection=True,
                mutable_chat_context=True,
                mutable_instructions=True,
                mutable_tools=True,
            )
        )
        self.inner = inner
        self._label = inner.label

    @property
    def model(self) -> str:
        return self.inner.model

    @property
    def provider(self) -> str:
        return self.inner.provider

    def session(self, *, turn_detection_disabled: bool = False) -> GeminiSession:
        return GeminiSession(self)

    async def aclose(self) -> None:
        await self.inner.aclose()


class GeminiSession(Seeded):
    """One conversation, over as many connections as it takes."""

    def __init__(self, model: GeminiModel) -> None:
        super().__init__(model)
        self._plugin = model.inner
        self._hooks = LinkHooks(
            self._generated, self._done, self._heard, self._measured, self._ending, self._lost
        )
        self._instructions = ""
        self._tools: list[llm.Tool] = []
        self._tool_choice: NotGivenOr[llm.ToolChoice | None] = NOT_GIVEN
        self._history = HeardHistory()
        self._link: Link | None = None
        self._opening: asyncio.Handle | None = None
        self._buffer = Resampled(plugin.INPUT_AUDIO_SAMPLE_RATE)
        self._turn: list[bytes] | None = None
        """The caller's turn that is to be answered, in audio."""
        self._asked_about = ""
        """The item of the turn that was asked about last."""
        self._unheard = ""
        """The newest reply, while the service assumes that it is being played."""
        self._cut_off = False
        """Whether a connection went that waited for the results of tools."""
        self._losses = 0
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    # -- what it is told -------------------------------------------------------------------------------
    @property
    def chat_ctx(self) -> llm.ChatContext:
        return self._history.context

    @property
    def tools(self) -> llm.ToolContext:
        return llm.ToolContext([*self._tools])

    async def update_instructions(self, instructions: str) -> None:
        if instructions != self._instructions:
            self._instructions = instructions
            self._leave()
        self._open_soon()

    async def update_tools(self, tools: list[llm.Tool]) -> None:
        if llm.ToolContext([*tools]) != self.tools:
            self._tools = [*tools]
            self._leave()
        self._open_soon()

    async def update_chat_ctx(self, chat_ctx: llm.ChatContext) -> None:
        self._history.replace(chat_ctx)
        self._losses = 0
        self._keep_if_it_goes_on()
        self._open_soon()

    def update_options(self, *, tool_choice: NotGivenOr[llm.ToolChoice | None] = NOT_GIVEN) -> None:
        self._tool_choice = tool_choice
        if self._link is not None:
            self._link.update_options(tool_choice=tool_choice)

    def worded(self, item_id: str, text: str) -> None:
        self._history.worded(item_id, text)

    # -- turns -----------------------------------------------------------------------------------------
    def push_audio(self, frame: rtc.AudioFrame) -> None:
        """Kept here: what was sent could not be taken back if another engine answers the turn."""
        self._buffer.push(frame)
        self._open_soon()

    def push_video(self, frame: rtc.VideoFrame) -> None:
        """Ignored: this is a telephone."""

    def clear_audio(self) -> None:
        self._buffer.clear()

    def commit_audio(self) -> None:
        self._turn = self._buffer.take()

    def generate_reply(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[llm.Tool]] = NOT_GIVEN,
    ) -> Reply:
        try:
            reply = self._ask(instructions or "")
        except llm.RealtimeError as error:
            reply = asyncio.get_running_loop().create_future()
            reply.set_exception(error)
        return reply

    def _ask(self, instructions: str) -> Reply:
        if self._closed:
            raise llm.RealtimeError("the session is closed", code="closed")
        pieces, self._turn = self._turn, None
        cut_off, self._cut_off = self._cut_off, False
        if cut_off and pieces is None:
            raise llm.RealtimeError("the session ended while it waited for tools", code="session_lost")
        link = self._opened()
        if pieces is None and (results := self._history.results(link.waiting)) is not None:
            return self._watched(link, link.answer(results))
        if link.waiting or link.ending:  # nothing but the results it waits for may follow its calls
            self._leave()
            link = self._opened()
        asked = [] if pieces else self._history.unanswered(link.known)
        if not link.used:
            link.seed(self._history.without(asked))
        if pieces:
            reply = link.ask_heard(pieces)
            self._asked_about = self._stored(link)
            return self._watched(link, reply)
        words = "\n".join([*(item.text_content or "" for item in asked), *filter(None, [instructions])])
        if not words:
            raise llm.RealtimeError("there is nothing to answer", code="nothing_to_answer")
        link.known |= {item.id: item.text_content or "" for item in asked}
        return self._watched(link, link.ask_written(words))

    def _stored(self, link: Link) -> str:
        """Note the turn that is being asked about; who listens gives it its words."""
        item = llm.ChatMessage(id=utils.shortuuid("turn_"), role="user", content=[])
        before = self._history.last_id
        self._history.said(item)
        link.known[item.id] = ""
        told = item.model_copy(deep=True)  # whoever listens may write the turn's words into it
        self.emit("remote_item_added", llm.RemoteItemAddedEvent(previous_item_id=before, item=told))
        return item.id

    def _watched(self, link: Link, reply: Reply) -> Reply:
        def given_up(done: Reply) -> None:
            if done.cancelled() and link is self._link:
                self.interrupt()

        self._unheard = ""
        reply.add_done_callback(given_up)
        return reply

    def interrupt(self) -> None:
        link = self._link
        if link is None:
            return
        # Asking for the reply to results of tools begins with an interruption: those are not lost.
        if link.busy:  # what was heard of the reply comes with `truncate`, if anything was
            self._history.forget(self._unheard)
        if link.busy or (link.waiting and self._history.results(link.waiting) is None):
            self._leave()

    def truncate(
        self,
        *,
        message_id: str,
        modalities: list[Literal["text", "audio"]],
        audio_end_ms: int,
        audio_transcript: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        """Only ``audio_transcript`` of the reply was heard: the next connection is told so."""
        self._history.forget(message_id)
        if audio_transcript:
            self._history.said(
                llm.ChatMessage(id=message_id, role="assistant", content=[audio_transcript], interrupted=True)
            )
        self._keep_if_it_goes_on()

    # -- connections -----------------------------------------------------------------------------------
    def _keep_if_it_goes_on(self) -> None:
        if self._link is not None and self._link.used and not self._history.goes_on_from(self._link.known):
            self._leave()

    def _opened(self) -> Link:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._link is None and not self._closed:
            # A context of its own, or what it uses would be booked on the reply in whose context it was opened.
            self._link = Context().run(Link, self._plugin, self._instructions, self._tools, self._hooks)
            self._link.update_options(tool_choice=self._tool_choice)
        if self._link is None:
            raise llm.RealtimeError("the session is closed", code="closed")
        return self._link

    def _open_soon(self) -> None:
        """Open a connection once all is said that it depends on."""
        if self._link is None and self._opening is None and not self._closed:
            self._opening = asyncio.get_running_loop().call_soon(self._opened, context=Context())

    def _leave(self) -> None:
        """Let go of the connection: nothing of it goes any further but what it cost."""
        if (link := self._link) is None:
            return
        self._link = None
        link.stop()
        task = asyncio.get_running_loop().create_task(
            _goodbye(link), name="patchbay.gemini.goodbye", context=Context()
        )
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def aclose(self) -> None:
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
        self._leave()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    # -- events ----------------------------------------------------------------------------------------
    def _generated(self, link: Link, created: llm.GenerationCreatedEvent) -> None:
        if link is self._link:
            self._losses = 0
            self.emit("generation_created", created)

    def _done(self, link: Link, message_id: str, text: str) -> None:
        if link is not self._link:
            return
        if (said := text.strip()) and not self._history.has(message_id):
            self._history.said(llm.ChatMessage(id=message_id, role="assistant", content=[said]))
            link.known[message_id] = said
            self._unheard = message_id
        if link.ending and not link.busy and not link.waiting:
            # The plugin is in the middle of the message that ended the reply.
            asyncio.get_running_loop().call_soon(self._ending, link, context=Context())

    def _heard(self, link: Link, transcript: str, final: bool) -> None:
        if link is self._link:
            heard = llm.InputTranscriptionCompleted(
                item_id=self._asked_about, transcript=transcript, is_final=final
            )
            self.emit("input_audio_transcription_completed", heard)

    def _measured(self, link: Link, metrics: RealtimeModelMetrics) -> None:
        # What a connection that was left still costs is no news of the reply in hand.
        left = link is not self._link
        self.emit("metrics_collected", metrics.model_copy(update={"cancelled": True}) if left else metrics)

    def _ending(self, link: Link) -> None:
        """The connection will be closed: another takes its place as soon as it is in the middle of nothing."""
        if link is self._link and not link.busy and not link.waiting:
            self._leave()
            self._open_soon()

    def _lost(self, link: Link, error: Exception) -> None:
        if link is not self._link:
            return
        self._cut_off = bool(link.waiting)
        needed = link.busy or self._losses >= LOSSES or not link.connected
        link.busy = False  # nothing more comes of it
        self._leave()
        if needed:
            lost = APIConnectionError(f"the connection to Gemini Live was lost ({type(error).__name__})")
            self.emit(
                "error",
                llm.RealtimeModelError(
                    timestamp=time.time(), label=self.realtime_model.label, error=lost, recoverable=False
                ),
            )
            return
        self._losses += 1
        self._open_soon()


async def _goodbye(link: Link) -> None:
    """Close a connection, once it has said what a reply that was cut costs."""
    try:
        if link.busy and link.connected:
            async with asyncio.timeout(GOODBYE_S):
                await link.settled.wait()
    except TimeoutError:
        logger.debug("a connection to Gemini Live did not say what its last reply cost")
    finally:
        try:
            await link.aclose()
        except Exception as error:  # it may have failed long before
            logger.debug("a connection to Gemini Live did not close: %s", type(error).__name__)
