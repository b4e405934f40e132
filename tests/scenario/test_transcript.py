"""One recogniser stream through a real AgentSession: hand-offs, finalising, and speech the session is deaf to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import Agent, AgentSession, ModelSettings, StopResponse, inference, llm

from compliance.heard import Segment
from compliance.shared_stt import SharedSTT
from compliance.tap import AgentTap, CallerTap
from compliance.transcriber import Transcriber
from lab.callers import load_pcm, recorded_call
from service.heard import onsets_ms, voiced_spans
from service.line import Line
from tests.level_stt import LevelSTT

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

HANGS_S = 240.0
"""No machine is so busy that anything here takes longer."""


class NoLLM(llm.LLM):
    """Never asked: the agents below answer in their ``llm_node``."""

    def chat(self, **_: Any) -> llm.LLMStream:
        raise NotImplementedError


class Answering(Agent):
    """Answers every turn with 300 ms of sound; hands over to ``following`` first, when there is one."""

    def __init__(self, name: str, turns: list[tuple[str, str]], following: Answering | None = None) -> None:
        super().__init__(instructions="")
        self.name = name
        self.turns = turns
        self.following = following
        self.inherited: llm.ChatMessage | None = None
        self.sound_ms = 300

    async def on_enter(self) -> None:
        if self.inherited is not None:
            self.session.generate_reply(user_input=self.inherited)

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        self.turns.append((self.name, new_message.text_content or ""))
        if self.following is not None:
            self.following.inherited = new_message
            self.session.update_agent(self.following)
            raise StopResponse

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncIterator[str]:
        yield "Certainly."

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncIterator[rtc.AudioFrame]:
        async for _ in text:
            pass
        for _ in range(self.sound_ms // 20):
            yield rtc.AudioFrame(np.full(480, 900, np.int16).tobytes(), 24_000, 1, 480)


class MuteRealtime(llm.RealtimeModel):
    """A realtime model that hears and never speaks; turns are taken on our side."""

    def __init__(self) -> None:
        super().__init__(
            capabilities=llm.RealtimeCapabilities(
                message_truncation=False,
                turn_detection=False,
                user_transcription=False,
                auto_tool_reply_generation=False,
                audio_output=True,
                manual_function_calls=False,
            )
        )

    def session(self, *, turn_detection_disabled: bool = False) -> llm.RealtimeSession[Any]:
        return MuteSession(self)

    async def aclose(self) -> None: ...


class MuteSession(llm.RealtimeSession[Any]):
    @property
    def chat_ctx(self) -> llm.ChatContext:
        return llm.ChatContext.empty()

    @property
    def tools(self) -> llm.ToolContext:
        return llm.ToolContext.empty()

    async def update_instructions(self, instructions: str) -> None: ...

    async def update_chat_ctx(self, chat_ctx: llm.ChatContext, **_: Any) -> None: ...

    async def update_tools(self, tools: list[llm.Tool]) -> None: ...

    def update_options(self, **_: Any) -> None: ...

    def push_audio(self, frame: rtc.AudioFrame) -> None: ...

    def push_video(self, frame: rtc.VideoFrame) -> None: ...

    def generate_reply(self, **_: Any) -> asyncio.Future[llm.GenerationCreatedEvent]:
        raise NotImplementedError

    def commit_audio(self) -> None: ...

    def clear_audio(self) -> None: ...

    def interrupt(self) -> None: ...

    def truncate(self, **_: Any) -> None: ...

    async def aclose(self) -> None: ...


class Realtime(Agent):
    """Tells what text its turns come with, and answers none."""

    def __init__(self) -> None:
        super().__init__(instructions="", llm=MuteRealtime())
        self.turns: asyncio.Queue[str] = asyncio.Queue()

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        self.turns.put_nowait(new_message.text_content or "")
        raise StopResponse


class Call:
    """A session on a line, with tap and transcriber, and the ear of a caller."""

    def __init__(self) -> None:
        self.line = Line()
        self.recogniser = LevelSTT(auto_final=False)
        self.tap = CallerTap(self.line.input, self.line.clock)
        self.transcriber = Transcriber(self.recogniser, self.tap, self.line.clock)
        self.shared = SharedSTT(self.transcriber)
        self.segments: list[Segment] = []
        self.transcriber.on_segment.append(self.segments.append)
        self.agent_tap = AgentTap(self.line.output, self.line.clock)
        self.sounds: list[float] = []
        self.agent_tap.on_first_sound.append(self.sounds.append)
        self.session: AgentSession[None] = AgentSession(
            stt=self.shared,
            llm=NoLLM(),
            vad=inference.VAD(),
            turn_handling={
                "turn_detection": "vad",
                "endpointing": {"min_delay": 0.3},
                "interruption": {"mode": "vad", "resume_false_interruption": False},
                "preemptive_generation": {"enabled": False},
            },
            aec_warmup_duration=None,
        )

    async def __aenter__(self) -> Call:
        self.session.input.audio = self.tap
        self.session.output.audio = self.agent_tap
        self.transcriber.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.line.hang_up()
        await self.session.aclose()
        await self.transcriber.aclose()

    async def recorded(self, count: int) -> None:
        """Wait until so many segments are on record."""
        async with asyncio.timeout(HANGS_S):
            while len(self.segments) < count:  # noqa: ASYNC110 -- the transcriber has no event for it
                await asyncio.sleep(0.02)

    async def answered(self, samples: np.ndarray) -> None:
        """Say it, and hear the reply to its end."""
        said = await self.line.say(samples)
        async with asyncio.timeout(HANGS_S):
            await self.line.agent_started(said.end_ms - 200)
            await self.line.agent_finished(quiet_ms=100)


@pytest.fixture(scope="module")
def goodbye() -> np.ndarray:
    return load_pcm(recorded_call("01").turns[2].path)


async def test_hand_offs_leave_one_recogniser_stream_and_lose_no_turn(goodbye: np.ndarray) -> None:
    turns: list[tuple[str, str]] = []
    third = Answering("third", turns)
    second = Answering("second", turns, third)
    async with Call() as call:
        await call.session.start(Answering("first", turns, second))
        for _ in range(3):
            await call.answered(goodbye)
    assert [name for name, _ in turns] == ["first", "second", "third"]
    assert all(text for _, text in turns)
    assert [text for _, text in turns] == [segment.text for segment in call.segments]
    assert len(call.recogniser.opened) == call.transcriber.streams == 1
    assert call.recogniser.opened[0].flushes >= 3
    # What the taps noted live is what the recording shows afterwards.
    caller, agent = call.line.recording()
    onsets = onsets_ms(agent)  # a reply that a busy machine breaks off and goes on with has several
    assert len(call.sounds) == 3
    assert all(any(abs(onset - sound) <= 20 for onset in onsets) for sound in call.sounds)
    assert call.tap.last_voiced_ms == pytest.approx(voiced_spans(caller)[-1].end_ms, abs=100)
    assert call.shared.withheld == 0


async def test_what_is_said_into_uninterruptible_speech_is_recorded_and_is_no_turn(
    goodbye: np.ndarray,
) -> None:
    turns: list[tuple[str, str]] = []
    async with Call() as call:
        agent = Answering("only", turns)
        agent.sound_ms = 8000
        await call.session.start(agent)
        notice = call.session.generate_reply(user_input="Begin.", allow_interruptions=False)
        await call.line.agent_started(0.0)
        await call.line.say(goodbye)
        assert call.line.agent_speaking
        await notice
        assert not notice.interrupted
        await call.recorded(1)
        assert call.shared.withheld == 1
        agent.sound_ms = 300
        await call.answered(goodbye)
    assert len(turns) == 1
    assert len(call.segments) == 2
    assert call.segments[0].end_ms < call.segments[1].start_ms
    assert turns[0][1] == call.segments[1].text


async def test_in_realtime_mode_turns_come_with_the_words_of_the_same_recogniser(goodbye: np.ndarray) -> None:
    cascade_turns: list[tuple[str, str]] = []
    realtime = Realtime()
    async with Call() as call:
        await call.session.start(Answering("cascade", cascade_turns))
        await call.answered(goodbye)
        call.session.update_agent(realtime)
        async with asyncio.timeout(HANGS_S):
            await call.line.say(goodbye)
            words = await realtime.turns.get()
    assert words == call.segments[1].text
    assert call.transcriber.streams == 1
