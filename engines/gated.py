"""Plugin objects behind the gates of a call: a plugin is asked only while its gate is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

from livekit import rtc
from livekit.agents import NOT_GIVEN, APIConnectOptions, NotGivenOr, llm, stt, tts, utils
from livekit.agents.llm import Decision, DecisionResponse
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

from engines.component import Component, Role
from engines.gates import GateError, Gates
from engines.utterances import Utterances

Shown = Callable[[llm.ChatContext], llm.ChatContext]
"""The conversation as somebody may see it."""
_EVENTS = ("metrics_collected", "error")


class _Door:
    """The gate of one part."""

    def __init__(self, gates: Gates, component: Component, used_by: str, *, hears: bool = False) -> None:
        self._gates, self._component, self._used_by, self._hears = gates, component, used_by, hears

    @property
    def is_open(self) -> bool:
        return not self._gates.why_closed(self._component, hears=self._hears)

    def pass_through(self) -> None:
        self._gates.pass_through(self._component, self._used_by, hears=self._hears)


class _OpenDoor:
    """No gate."""

    is_open = True

    def pass_through(self) -> None: ...


_OPEN = _OpenDoor()


def gated(role: Role, part: Any, component: Component, used_by: str, gates: Gates) -> Any:
    """``part`` behind its gate; as it is where the catalogue names nothing that could close it."""
    if not gates.guarded(component, hears=role == "realtime"):
        return part
    return _WRAPPERS[role](part, _Door(gates, component, used_by, hears=role == "realtime"))


def shown_by(model: llm.RealtimeModel, shown: Shown) -> llm.RealtimeModel:
    """``model``, whose sessions are told of the conversation as ``shown`` gives it."""
    return _Realtime(model, _OPEN, shown)


class _Behind:
    """Goes by the name of what is behind the gate, and closes it."""

    _inner: Any

    @property
    def model(self) -> str:
        return str(self._inner.model)

    @property
    def provider(self) -> str:
        return str(self._inner.provider)

    async def aclose(self) -> None:
        await self._inner.aclose()


class _LLM(_Behind, llm.LLM[Any]):
    _inner: llm.LLM[Any]

    def __init__(self, inner: llm.LLM[Any], door: _Door) -> None:
        super().__init__()
        self._inner, self._door = inner, door
        _relay(inner, self)

    def chat(self, **asked: Any) -> llm.LLMStream:
        self._door.pass_through()
        return self._inner.chat(**asked)

    def prewarm(self, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        if self._door.is_open:
            self._inner.prewarm(loop=loop)


class _TTS(_Behind, tts.TTS[Any]):
    _inner: tts.TTS[Any]

    def __init__(self, inner: tts.TTS[Any], door: _Door) -> None:
        super().__init__(
            capabilities=inner.capabilities, sample_rate=inner.sample_rate, num_channels=inner.num_channels
        )
        self._inner, self._door = inner, door
        _relay(inner, self)

    @property
    def markup(self) -> tts.TTS.Markup:
        return self._inner.markup

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        self._door.pass_through()
        return self._inner.synthesize(text, conn_options=conn_options)

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.SynthesizeStream:
        self._door.pass_through()
        return self._inner.stream(conn_options=conn_options)

    def prewarm(self) -> None:
        if self._door.is_open:
            self._inner.prewarm()


class _STT(_Behind, stt.STT[Any]):
    _inner: stt.STT[Any]

    def __init__(self, inner: stt.STT[Any], door: _Door) -> None:
        super().__init__(capabilities=inner.capabilities)
        self._inner, self._door = inner, door
        if isinstance(inner, Utterances):
            # It keeps what it takes from its stream until an utterance is over.
            inner.before_sending = door.pass_through
        _relay(inner, self)

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        self._door.pass_through()
        return await self._inner.recognize(buffer, language=language, conn_options=conn_options)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        self._door.pass_through()
        stream = self._inner.stream(language=language, conn_options=conn_options)
        # From there a plugin takes what it sends. Asked where audio is pushed, the gate would not know of what waits.
        stream._input_ch = _Audio(self._door)
        return stream

    def prewarm(self) -> None:
        if self._door.is_open:
            self._inner.prewarm()


class _Audio(utils.aio.Chan[Any]):
    """What a stream was given and has not sent yet: nothing of it leaves once the gate is closed.

    Who takes something from it then is refused, which ends the stream.
    """

    def __init__(self, door: _Door) -> None:
        super().__init__()
        self._door = door

    def recv_nowait(self) -> Any:
        self._door.pass_through()
        return super().recv_nowait()


class _Decisions(_Behind, llm.DecisionModel):
    _inner: llm.DecisionModel

    def __init__(self, inner: llm.DecisionModel, door: _Door) -> None:
        super().__init__(capabilities=inner.capabilities)
        self._inner, self._door = inner, door
        self._label = inner.label
        _relay(inner, self)

    async def evaluate(
        self,
        *,
        input: str | llm.ChatContext,
        decisions: Mapping[str, Decision],
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> DecisionResponse:
        self._door.pass_through()
        return await self._inner.evaluate(input=input, decisions=decisions, conn_options=conn_options)

    async def _evaluate_impl(self, **asked: Any) -> DecisionResponse:
        raise NotImplementedError("the model behind the gate evaluates")


class _Realtime(_Behind, llm.RealtimeModel):
    _inner: llm.RealtimeModel

    def __init__(
        self, inner: llm.RealtimeModel, door: _Door | _OpenDoor, shown: Shown = lambda chat_ctx: chat_ctx
    ) -> None:
        super().__init__(capabilities=inner.capabilities)
        self._inner, self._door, self._shown = inner, door, shown
        self._label = inner.label

    def session(self, *, turn_detection_disabled: bool = False) -> llm.RealtimeSession[Any]:
        self._door.pass_through()
        session = self._inner.session(turn_detection_disabled=turn_detection_disabled)
        return cast(llm.RealtimeSession[Any], _Session(session, self._door, self._shown))


class _Session:
    """An open session whose gate may close while it is open: nothing more is sent then."""

    def __init__(self, inner: llm.RealtimeSession[Any], door: _Door | _OpenDoor, shown: Shown) -> None:
        self._inner, self._door, self._shown = inner, door, shown

    @property  # type: ignore[misc] # mypy takes it for a plain attribute
    def __class__(self) -> type:  # whoever asks what kind of session this is means the plugin's
        return self._inner.__class__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        if self._door.is_open:
            self._inner.push_audio(frame)

    def push_video(self, frame: rtc.VideoFrame) -> None:
        if self._door.is_open:
            self._inner.push_video(frame)

    def commit_audio(self) -> None:
        if self._door.is_open:
            self._inner.commit_audio()

    async def update_instructions(self, instructions: str) -> None:
        self._or_fail()
        await self._inner.update_instructions(instructions)

    async def update_chat_ctx(self, chat_ctx: llm.ChatContext) -> None:
        self._or_fail()
        await self._inner.update_chat_ctx(self._shown(chat_ctx))

    async def update_tools(self, tools: list[llm.Tool]) -> None:
        self._or_fail()
        await self._inner.update_tools(tools)

    def generate_reply(self, **asked: Any) -> asyncio.Future[llm.GenerationCreatedEvent]:
        try:
            self._or_fail()
        except llm.RealtimeError as error:
            refused: asyncio.Future[llm.GenerationCreatedEvent] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused
        return self._inner.generate_reply(**asked)

    def _or_fail(self) -> None:
        try:
            self._door.pass_through()
        except GateError as error:
            raise llm.RealtimeError(error.message, code="gate") from error


_WRAPPERS: Mapping[Role, Any] = {
    "llm": _LLM,
    "tts": _TTS,
    "stt": _STT,
    "realtime": _Realtime,
    "decisions": _Decisions,
}


def _relay(inner: Any, outer: Any) -> None:
    """What the plugin object tells, its wrapper tells."""
    for name in _EVENTS:

        def tell(*told: Any, name: str = name) -> None:
            outer.emit(name, *told)

        inner.on(name, tell)
