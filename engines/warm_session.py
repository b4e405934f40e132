"""One open realtime session as its agents see it: turns from the feed, words of ours, replies only where wanted.

Agents come and go; what :class:`engines.warm.WarmModel` hands them is this, parked while nobody uses it.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from livekit import rtc
from livekit.agents import NOT_GIVEN, APIConnectionError, NotGivenOr, llm
from livekit.agents.metrics import RealtimeModelMetrics, STTMetrics
from livekit.agents.utils import is_given

from engines.errors import SILENT
from engines.turn_history import without_notes
from engines.warm_reply import Begins, Reply

if TYPE_CHECKING:
    from engines.warm import WarmModel

logger = logging.getLogger(__name__)

_RELAYED = ("input_speech_started", "input_speech_stopped")
_AWAITED = 8
"""Turns whose transcript by the vendor may still come; it takes seconds, and may not come at all."""


class SessionGoneError(llm.RealtimeError):
    """A reply was asked of a session that was let go of before: its vendor was not asked."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """A caller turn in the input buffer: our words for it, its onset (``time.time()``), whom to tell."""

    text: str
    started_at: float | None
    sent: Callable[[], None]


@dataclass(slots=True, eq=False)
class _Ahead:
    """A reply that was asked for before its turn was certain to be over."""

    asked: Begins
    settled: Callable[[bool], None]
    held: list[Callable[[], None]] = field(default_factory=list)
    """What the server said meanwhile, to be told when somebody wants the reply."""
    stored: bool = False
    """Whether the server has given the turn an item."""


class Seeded(llm.RealtimeSession[Any]):
    """A session of a service that keeps no items: it holds the conversation itself, and gives it again when needed."""

    @abstractmethod
    def worded(self, item_id: str, text: str) -> None:
        """A turn that the service heard goes by these words from now on."""


class WarmSession(llm.RealtimeSession[Literal["warm"]]):
    """A realtime session whose audio comes from the turn feed and whose user items carry our transcript.

    It differs from the plugin's session in seven ways. The agent's continuous audio is ignored (the feed sends
    whole turns). A turn is committed together with the request for its reply, not when it ends, so a turn that
    another engine answers leaves no trace. What the caller said is written to the history under the server's
    own item id, in our recogniser's words (livekit/agents#4106). A reply of which nothing is there within
    ``first_reply_s`` fails instead of hanging. A reply that nobody waits for is never spoken. Instructions and tools
    that the server has are not given again. And a reply can be asked for ahead, by :meth:`ask_ahead`: the next
    :meth:`generate_reply` then gives it.
    """

    def __init__(self, model: WarmModel, inner: llm.RealtimeSession[Any], *, first_reply_s: float) -> None:
        super().__init__(model)
        self._model = model
        self._inner = inner
        self._first_reply_s = first_reply_s
        self._parked = True
        self._gone = False
        """Whether it was let go of."""
        self._pending: _Turn | None = None
        self._committed: _Turn | None = None
        """A turn that the server has yet to give an item id."""
        self._ahead: _Ahead | None = None
        self._strays = 0
        """Turns that were asked about and taken back before the server had given them an item."""
        self._given_instructions: str | None = None
        self._given_tools: list[llm.Tool] | None = None
        self._known: Sequence[tuple[str, str]] = ()
        """The conversation as the server was told it last."""
        self._out_of_step: llm.RealtimeError | None = None
        self._asked: Begins | None = None
        """The reply that was asked for last, if somebody may want it."""
        self.busy = False
        """Whether a reply was asked for and is not complete yet; what is complete may still be playing."""
        self._asked_for = 0
        """The generation that the last reply was asked for."""
        self._unheard: dict[str, tuple[int, str]] = {}
        """By item: the generation that answers a turn, and our words for it."""
        self._own: dict[str, str] = {}
        """By item: what the vendor wrote down of a turn that it heard."""
        for event in _RELAYED:
            inner.on(event, self._relay(event))
        inner.on("input_audio_transcription_completed", self._on_own_transcript)
        inner.on("remote_item_added", self._on_item)
        inner.on("generation_created", self._on_generation)
        inner.on("metrics_collected", self._on_metrics)
        inner.on("error", self._on_error)
        inner.on("openai_server_event_received", self._on_server_event)
        inner.on("session_reconnected", self._on_reconnected)

    # -- the agent's side: what LiveKit calls -----------------------------------------------------------
    @property
    def capabilities(self) -> llm.RealtimeCapabilities:
        return self._model.capabilities

    @property
    def chat_ctx(self) -> llm.ChatContext:
        return self._inner.chat_ctx

    @property
    def tools(self) -> llm.ToolContext:
        return self._inner.tools

    async def update_instructions(self, instructions: str) -> None:
        """Ignored where the server has them: every agent that enters gives them, with the caller waiting."""
        if instructions != self._given_instructions:
            await self._inner.update_instructions(instructions)
            self._given_instructions = instructions

    async def update_chat_ctx(self, chat_ctx: llm.ChatContext) -> None:
        """Bring the server's conversation in step, if anybody will be answered from it.

        Raises:
            llm.RealtimeError: the server did not follow within ``first_reply_s``. A reply asked for after that
                fails at once: it would be given without part of the conversation.
        """
        if self._gone:
            return  # an agent that is being left may still have to say something: that is not to wait for this server
        heard = self._as_heard(chat_ctx)
        if self._ahead is not None:
            if _gist(heard) == self._known:
                return  # it lacks the turn that is being answered, which would be deleted
            self._disown_and_tell()
        began_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._first_reply_s):
                await self._inner.update_chat_ctx(heard)
        except (TimeoutError, llm.RealtimeError) as error:
            self._out_of_step = llm.RealtimeError("the conversation is out of step", code="out_of_step")
            raise self._out_of_step from error
        self._out_of_step, self._known = None, _gist(heard)
        self._model.on_synced(1000 * (asyncio.get_running_loop().time() - began_s))

    def _as_heard(self, chat_ctx: llm.ChatContext) -> llm.ChatContext:
        """The same with the vendor's words for turns that it heard.

        The plugin compares texts, and would delete what was heard and put our words in its place.
        """
        return llm.ChatContext(
            [
                item.model_copy(update={"content": [own]})
                if item.type == "message" and (own := self._own.get(item.id)) is not None
                else item
                for item in chat_ctx.items
            ]
        )

    async def update_tools(self, tools: list[llm.Tool]) -> None:
        """Ignored where the server has them, likewise."""
        if tools != self._given_tools:
            await self._inner.update_tools(tools)
            self._given_tools = list(tools)

    def update_options(self, *, tool_choice: NotGivenOr[llm.ToolChoice | None] = NOT_GIVEN) -> None:
        self._inner.update_options(tool_choice=tool_choice)

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        """Ignored: turns come from the feed, so that idle audio is never committed with one."""

    def push_video(self, frame: rtc.VideoFrame) -> None:
        self._inner.push_video(frame)

    def commit_audio(self) -> None:
        """Ignored: the turn is committed with the request for its reply, once the route is certain."""

    def clear_audio(self) -> None:
        """Ignored for the same reason: LiveKit clears on entering, when the turn is already in the buffer."""

    def interrupt(self) -> None:
        self.busy = False
        self._inner.interrupt()

    def truncate(
        self,
        *,
        message_id: str,
        modalities: list[Literal["text", "audio"]],
        audio_end_ms: int,
        audio_transcript: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        self._inner.truncate(
            message_id=message_id,
            modalities=modalities,
            audio_end_ms=audio_end_ms,
            audio_transcript=audio_transcript,
        )

    def generate_reply(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[llm.Tool]] = NOT_GIVEN,
    ) -> Reply:
        why_not = SessionGoneError("the session is gone") if self._gone else self._out_of_step
        if why_not is not None:
            failed: Reply = asyncio.get_running_loop().create_future()
            failed.set_exception(why_not)
            return failed
        otherwise = is_given(instructions) or is_given(tool_choice) or is_given(tools)
        if self._ahead is not None and (otherwise or self._pending is None):
            self._disown_and_tell()
        ahead, self._ahead = self._ahead, None
        if self._pending is not None:
            self._committed, self._pending = self._pending, None
            if ahead is None:
                self._inner.commit_audio()
            self._committed.sent()
        if ahead is not None:
            return self._wanted(ahead)
        number = self._model.generation()
        return self._ask(number, instructions=instructions, tool_choice=tool_choice, tools=tools).reply

    def _ask(self, number: int, **how: Any) -> Begins:
        self._asked_for, self.busy = number, True
        self._asked = Begins(self._inner.generate_reply(**how), self._first_reply_s, self._give_up)
        return self._asked

    async def aclose(self) -> None:
        """Called when an agent lets go: the session is parked, not closed."""
        self.park()

    @property
    def asked_for(self) -> int:
        """The generation that the last reply was asked for."""
        return self._asked_for

    # -- our side -----------------------------------------------------------------------------------------
    def hear(self, frame: rtc.AudioFrame) -> None:
        """Append a frame of the caller's turn to the input buffer."""
        self._inner.push_audio(frame)

    def forget(self) -> None:
        """Empty the input buffer."""
        self._inner.clear_audio()

    def expect(self, text: str, started_at: float | None, *, sent: Callable[[], None] = lambda: None) -> None:
        """The next reply answers the turn in the buffer; ``text`` is what our recogniser heard in it.

        A turn expected before, whose reply was never asked for because the caller went on speaking, is part
        of this one: the server hears both at once.

        Args:
            text: the turn's transcript, for the history.
            started_at: when the caller began to speak, ``time.time()``; orders the turn before its reply.
            sent: called when the turn is committed.
        """
        if self._pending is not None:
            text, started_at = f"{self._pending.text} {text}", self._pending.started_at
        self._pending = _Turn(text, started_at, sent)

    def ask_ahead(self, settled: Callable[[int, bool], None]) -> bool:
        """Ask for the reply to the turn in the buffer, which may not be over. False when that is not possible just now.

        Args:
            settled: told once the reply's number, and whether it was wanted.
        """
        if self._ahead is not None or self._out_of_step is not None:
            return False
        self._inner.commit_audio()
        number = self._model.number()
        self._ahead = _Ahead(self._ask(number), partial(settled, number))
        self._ahead.asked.reply.add_done_callback(self._ahead_failed)
        return True

    def disown(self) -> None:
        """Nobody wants the reply that was asked for ahead; the next :meth:`update_chat_ctx` deletes what is of it."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            self._strays += not ahead.stored
            self._asked = None
            self.interrupt()
            ahead.settled(False)

    def _disown_and_tell(self) -> None:
        self.disown()
        self._model.on_buffer_lost()

    def _wanted(self, ahead: _Ahead) -> Reply:
        self._asked_for = self._model.generation()
        ahead.asked.wanted()
        ahead.settled(True)
        for tell in ahead.held:
            tell()
        return ahead.asked.reply

    def _ahead_failed(self, reply: Reply) -> None:
        error = None if reply.cancelled() else reply.exception()
        mine = self._ahead is not None and self._ahead.asked.reply is reply
        if mine and isinstance(error, Exception):
            self._model.on_lost(error, True)

    def take_back(self) -> llm.ChatMessage | None:
        """A turn that was expected and never committed, as of its onset; the session forgets it."""
        pending, self._pending = self._pending, None
        if pending is None:
            return None
        said = llm.ChatMessage(role="user", content=[pending.text])
        said.created_at = pending.started_at or said.created_at
        return said

    @property
    def left_s(self) -> float | None:
        """How long what is in the reply that was asked for last may still take to begin; None when that is over."""
        return None if self._asked is None else self._asked.left_s

    @property
    def in_use(self) -> bool:
        """Whether an agent has it."""
        return not self._parked

    def take(self) -> WarmSession:
        """An agent takes the session into use."""
        self._parked = False
        return self

    def park(self) -> None:
        """Nobody uses the session now: what still arrives is dropped."""
        self.disown()
        self._parked = True
        self._pending = self._committed = None
        self.interrupt()

    def let_go(self) -> None:
        """Park it for good: an agent that still has it is answered nothing by it."""
        self._gone = True
        self.park()

    async def close(self) -> None:
        """Really close the connection. Never raises: what failed before has been told of."""
        try:
            await self._inner.aclose()
        except Exception as error:  # the plugin raises here whatever ended its connection
            logger.debug("a realtime session had failed before it was closed: %s", type(error).__name__)

    # -- events -------------------------------------------------------------------------------------------
    def _relay(self, event: str) -> Callable[..., None]:
        def relay(*arguments: Any) -> None:
            self.emit(event, *arguments)  # type: ignore[arg-type]

        return relay

    def _on_generation(self, created: llm.GenerationCreatedEvent) -> None:
        if (self._parked and self._ahead is None) or not created.user_initiated:
            # Nobody waits for it: its engine was left, or it came after its limit. LiveKit would speak it.
            self._model.on_late("generation_created", self._asked_for)
            self._inner.interrupt()
        else:
            self.emit("generation_created", created)

    def _on_metrics(self, collected: RealtimeModelMetrics | STTMetrics) -> None:
        if isinstance(collected, RealtimeModelMetrics) and collected.request_id and not collected.cancelled:
            self.busy = False  # they come with the end of a response, and with a connection
        self.emit("metrics_collected", collected)

    def _on_server_event(self, event: Mapping[str, Any]) -> None:
        """As plugins that speak OpenAI's protocol tell it: a reply can fail with its connection in order.

        Source: OpenAI, *Realtime API reference*, ``response.done``.
        """
        response = event.get("response")
        if event.get("type") != "response.done" or not isinstance(response, Mapping):
            return
        if (status := response.get("status")) in ("failed", "incomplete"):
            self._model.on_lost(llm.RealtimeError(f"the reply is {status}", code=str(status)), False)

    def _on_error(self, error: llm.RealtimeModelError) -> None:
        if not error.recoverable or isinstance(error.error, APIConnectionError):
            self._model.on_lost(error.error, not error.recoverable)
        # LiveKit hangs up when a realtime model fails for good; the call goes on with another engine.
        self.emit("error", error.model_copy(update={"recoverable": True}))

    def _on_reconnected(self, event: llm.RealtimeSessionReconnectedEvent) -> None:
        self.disown()
        self._strays = 0
        self._model.on_buffer_lost()
        self.emit("session_reconnected", event)

    def _on_item(self, added: llm.RemoteItemAddedEvent) -> None:
        item, turn = added.item, self._committed
        spoken = item.type == "message" and item.role == "user" and not item.text_content
        if spoken and self._strays:
            self._strays -= 1
            return
        if self._ahead is not None:
            self._ahead.stored |= spoken
            self._ahead.held.append(partial(self._on_item, added))
            return
        if self._parked:
            return
        self.emit("remote_item_added", added)
        if turn is None or not spoken:
            return
        self._committed = None
        self._unheard[item.id] = self._asked_for, turn.text
        if len(self._unheard) > _AWAITED:
            del self._unheard[next(iter(self._unheard))]
        if isinstance(self._inner, Seeded):
            self._inner.worded(item.id, turn.text)
        self.emit(
            "input_audio_transcription_completed",
            llm.InputTranscriptionCompleted(
                item_id=item.id, transcript=turn.text, is_final=True, turn_started_at=turn.started_at
            ),
        )
        if item.type == "message" and turn.text and not self._model.transcribes:
            # A plugin gives a new connection what it knows of the old one's items: of what was audio, our words.
            item.content.append(turn.text)

    def _on_own_transcript(self, heard: llm.InputTranscriptionCompleted) -> None:
        """What the vendor heard goes no further: the history has the turn in our recogniser's words."""
        if self._ahead is not None:
            self._ahead.held.append(partial(self._on_own_transcript, heard))
        elif heard.is_final and (turn := self._unheard.pop(heard.item_id, None)) is not None:
            self._own[heard.item_id] = heard.transcript
            self._model.on_own_transcript(*turn, heard.transcript)

    def _give_up(self, reply: Reply) -> None:
        late = llm.RealtimeError(f"no reply within {self._first_reply_s:g} s", code=SILENT)
        waited_for = self._asked is not None and reply is self._asked.reply and self.busy
        if not reply.done():
            reply.set_exception(late)
            if waited_for:
                self.interrupt()
        elif waited_for and self._ahead is None:
            self._model.on_lost(late, False)


def _gist(chat_ctx: llm.ChatContext) -> Sequence[tuple[str, str]]:
    """What a server keeps of a conversation."""
    kept = without_notes(chat_ctx)
    return [
        (item.id, (item.text_content or "") if item.type == "message" else item.type) for item in kept.items
    ]
