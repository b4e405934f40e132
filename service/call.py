"""A call being answered: taps, recogniser, classifiers, router, engines and record, wired around one session."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import aiohttp
from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    CloseEvent,
    CloseReason,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    inference,
)
from livekit.agents.voice.agent_session import SessionConnectOptions
from livekit.agents.voice.transcription import TranscriptSynchronizer

from classifiers.tool_need import Tool, ToolSet
from compliance.clock import CallClock
from compliance.events import (
    AgentSaid,
    CallEnded,
    CallerSaid,
    CallStarted,
    Decided,
    Event,
    HandedOff,
    Part,
    PartFailed,
    Speaker,
    SpeechHeard,
    ToolCalled,
    TurnAnswered,
    TurnEnded,
    UsageIncurred,
    VoiceUnjudged,
)
from compliance.recorder import Recorder
from compliance.redaction import Redactor
from compliance.shared_stt import SharedSTT
from compliance.tap import AgentTap, CallerTap, Playout
from compliance.transcriber import Condition, Ears, Segment, Transcriber
from engines.cascade import ONCE
from engines.desk import Desk
from engines.errors import ToolsUnavailableError
from engines.feed import TurnFeed
from engines.meter import Meter
from engines.tools import Toolbox, ToolHooks, ToolReport, described
from engines.usage import usage
from router.content import Question
from service.cast import cast
from service.decision_signals import DecisionSignals
from service.emotion_ear import ClosedEar, EmotionEar
from service.endpointing import Endpointing
from service.exchange import Exchange
from service.facts import NO_ANSWERS, CallFacts
from service.heard_text import HeardText
from service.latency import waits
from service.ports import Port
from service.turn_router import TurnRouter

logger = logging.getLogger(__name__)


class Call:
    """One call from answer to hang-up. Use as an async context manager around the time the line is open.

    Args:
        exchange: what the line's calls share.
        port: where the audio comes from and goes to.
        clock: the call's clock; by default the call is answered now.
        source: where the caller is, for the record: ``room:NAME``, ``file:NAME`` or ``lab:CALLER``.
        transport: how the caller is connected, a value of the signal ``call.transport``.
        call_id: a new one by default.
        watch: told of every event as it is recorded, redacted.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        port: Port,
        source: str,
        clock: CallClock | None = None,
        transport: str = "in_process",
        codec_hz: int = 24_000,
        call_id: str | None = None,
        watch: Callable[[Event], None] | None = None,
    ) -> None:
        self.call_id = call_id or uuid.uuid4().hex[:12]
        self.clock = clock or CallClock()
        settings = exchange.settings
        self._exchange = exchange
        self._source = source
        self._facts = CallFacts(
            transport=transport,
            codec_hz=codec_hz,
            queue=settings.queue,
            region=settings.region,
            consent_voice_ai=settings.consent_voice_ai,
            consent_emotion=settings.consent_emotion,
            consent_recording=settings.consent_recording,
            budget_usd=settings.budget_usd,
        )
        self._recorder = Recorder(exchange.ledger, Redactor(), self.call_id)
        if watch is not None:
            self._recorder.subscribe(watch)
        self._meter = Meter(exchange.prices)
        self._open = AsyncExitStack()
        self._port = port
        self._closed = asyncio.Event()
        self._reason = "the caller hung up"
        self._waiting_turn = 0
        self._speech_end_ms = 0.0
        self._marks: dict[str, float] = {}
        self._speech_began_ms: float | None = None
        self._agent_speaking = False
        self._deaf = False
        self._ear: EmotionEar | ClosedEar = ClosedEar()
        self._answers: DecisionSignals | None = None

    @property
    def recorder(self) -> Recorder:
        return self._recorder

    async def __aenter__(self) -> Call:
        try:
            await self._answer()
        except BaseException:
            await self._hang_up("the call could not be answered")
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._hang_up(self._reason)

    async def ended(self) -> None:
        """Wait until the session is over: the caller hung up or an error closed it."""
        await self._closed.wait()

    def hang_up(self, reason: str) -> None:
        """Have the call end, for the record because of ``reason``; what came first is the reason."""
        if not self._closed.is_set():
            self._reason = reason
            self._closed.set()

    # -- answering --------------------------------------------------------------------------------------
    async def _answer(self) -> None:
        exchange, catalogue = self._exchange, self._exchange.catalogue
        tenant = exchange.settings.tenant
        policy = exchange.policy.for_tenant(tenant)
        self._emit(
            CallStarted(
                call_id=self.call_id,
                at_ms=0,
                started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                source=self._source,
                policy=policy.name,
                policy_hash=policy.hash,
                policy_version=policy.version,
                tenant=tenant,
                simulated=exchange.simulated,
            )
        )
        http = await self._open.enter_async_context(aiohttp.ClientSession())
        self._cast = cast(catalogue, exchange.endpoints, http, self._metrics)
        self._open.push_async_callback(self._cast.aclose)
        tools = await self._connect_tools()

        self.session: AgentSession[Any] = AgentSession(
            vad=inference.VAD(),
            turn_handling={
                "turn_detection": "vad",
                "endpointing": {"min_delay": catalogue.endpointing_s},
                "interruption": {"mode": "vad", "resume_false_interruption": False},
            },
            # Failures are ours to handle: the session must not hang up because of them.
            conn_options=SessionConnectOptions(
                llm_conn_options=ONCE, tts_conn_options=ONCE, max_unrecoverable_errors=1_000_000
            ),
            user_away_timeout=None,
            aec_warmup_duration=None,
            session_close_transcript_timeout=0.0,  # our transcriber has the last words, not the session
        )
        self._open.push_async_callback(self._port.aclose)
        audio_input, audio_output = await self._port.open(self.session)
        self.tap = CallerTap(audio_input, self.clock)
        self._transcriber = Transcriber(self._cast.transcriber, self.tap, self.clock)
        self._transcriber.on_segment.append(self._segment)
        self._transcriber.on_condition.append(self._ears_changed)
        self._transcriber.start()
        self._open.push_async_callback(self._transcriber.aclose)
        if self._facts.consent_emotion:
            self._ear = ear = EmotionEar(
                exchange.aside, self.tap, heard=self._signals_changed, failed=self._emotion_failed
            )
            self._open.push_async_callback(ear.aclose)
        self._answers = self._ask(policy.content.questions)
        self.router = TurnRouter(
            policy,
            classifiers=exchange.classifiers,
            voice=self._ear,
            facts=self._facts,
            clock=self.clock,
            emit=self._emit,
            call_id=self.call_id,
            answers=self._answers or NO_ANSWERS,
            tools=ToolSet.of(Tool(name, description) for name, description in described(tools)),
        )
        if not self.router.may_judge_voice():
            self._ear.forget()
        self._endpointing = Endpointing(
            catalogue.endpointing_s, preview=self.router.preview, changed=self._endpoint_after
        )
        self.desk = Desk(
            session=self.session,
            clock=self.clock,
            cascades=self._cast.cascades,
            realtime=self._cast.realtime,
            recogniser=SharedSTT(self._transcriber),
            feed=TurnFeed(self.tap),
            routing=self.router,
            emit=self._emit,
            call_id=self.call_id,
            instructions=catalogue.instructions,
            tools=tools,
        )
        self._open.push_async_callback(self.desk.aclose)
        self._agent_tap = AgentTap(audio_output, self.clock)
        self._agent_tap.on_first_sound.append(self._first_sound)
        self._agent_tap.on_finished.append(self._played)
        heard = TranscriptSynchronizer(next_in_chain_audio=self._agent_tap, next_in_chain_text=HeardText())
        self._open.push_async_callback(heard.aclose)
        self.session.input.audio = self.tap
        self.session.output.audio = heard.audio_output
        self.session.output.transcription = heard.text_output
        self.session.on("user_state_changed", self._user_state)
        self.session.on("agent_state_changed", self._agent_state)
        self.session.on("user_input_transcribed", self._transcribed)
        self.session.on("close", self._session_closed)
        # LiveKit's own recording, which a server can ask for, would leave words unredacted elsewhere.
        await self.session.start(self.desk.attach(), record=False)
        self._open.push_async_callback(self.session.aclose)
        self.session.say(catalogue.greeting)

    def _ask(self, questions: Mapping[str, Question]) -> DecisionSignals | None:
        """Have the policy's questions asked, if it has any and the catalogue says whom."""
        spec, model = self._exchange.catalogue.decisions, self._cast.decisions
        if not questions:
            return None
        if spec is None or model is None:
            self._part_failed(
                "questions",
                LookupError(),
                "the engine catalogue names no `decisions` model, so the policy's questions stay unknown",
            )
            return None
        answers = DecisionSignals(
            model,
            {question.name: question.ask for question in questions.values()},
            timeout_s=spec.timeout_s,
            most_per_call=spec.most_per_call,
            settled=self._signals_changed,
        )
        self._open.push_async_callback(answers.aclose)
        return answers

    async def _connect_tools(self) -> tuple[Any, ...]:
        hooks = ToolHooks(began=self._tool_began, done=self._tool_done)
        try:
            box = await self._open.enter_async_context(Toolbox(self._exchange.settings.tool_servers(), hooks))
        except ToolsUnavailableError as error:
            logger.error("%s", error)
            self._part_failed("tools", error, "the call goes on without tools")
            return ()
        return box.tools

    async def _hang_up(self, reason: str) -> None:
        ended_ms = self.clock.now_ms()  # closing takes seconds, in which nobody is on the line
        try:
            await self._open.aclose()
        finally:
            self._tell_what_was_missed(ended_ms)
            self._emit(
                CallEnded(
                    call_id=self.call_id,
                    at_ms=ended_ms,
                    reason=reason,
                    turns=self.router.tally.turns if hasattr(self, "router") else 0,
                    cost_usd=self.router.tally.cost_usd if hasattr(self, "router") else 0.0,
                )
            )
            await self._recorder.aclose()

    def _tell_what_was_missed(self, at_ms: float) -> None:
        missed = asdict(self._ear.counts)
        if any(missed.values()):
            self._emit(VoiceUnjudged(call_id=self.call_id, at_ms=at_ms, **missed))
        if self._answers is not None and (counts := self._answers.counts).failed:
            self._part_failed(
                "questions",
                LookupError(),
                f"{counts.failed} of {counts.asked} requests to the decision model brought no answer",
            )

    # -- the record ---------------------------------------------------------------------------------------
    def _emit(self, event: Event) -> None:
        match event:
            case TurnEnded():
                self._waiting_turn = event.turn
                self._speech_end_ms = self.tap.last_voiced_ms or event.end_ms
                self._marks["endpointing"] = event.at_ms
                self._endpointing.turn_ended()
            case Decided():
                self._marks["decision"] = self.clock.now_ms()
                self._ear.turn_ended()
                self._endpointing.decided(event.endpointing_ms)
            case HandedOff():
                self._marks["hand_off"] = event.at_ms
            case AgentSaid():
                self.router.tally.last_agent_text = event.text
            case _:
                pass
        self._recorder.record(event)

    def _segment(self, segment: Segment) -> None:
        self._emit(
            CallerSaid(
                call_id=self.call_id,
                at_ms=self.clock.now_ms(),
                start_ms=max(0.0, segment.start_ms),
                end_ms=max(0.0, segment.end_ms),
                text=segment.text,
                confidence=min(1.0, max(0.0, segment.confidence)),
                while_agent_spoke=self._agent_speaking,
            )
        )

    def _metrics(self, engine: str, plugin: str, event: object) -> None:
        used = usage(event)
        if used is None:
            return
        charge = self._meter.charge(plugin, used)
        self.router.tally.cost_usd += charge.cost_usd
        generation = self.desk.generations.current()
        self._emit(
            UsageIncurred(
                call_id=self.call_id,
                at_ms=self.clock.now_ms(),
                turn=self.desk.turn if generation is None else generation.turn,
                engine=engine,
                provider=plugin,
                model=used.model,
                quantities=used.quantities,
                cost_usd=charge.cost_usd,
                again_usd=charge.again_usd,
            )
        )

    # -- what the line and the session tell ---------------------------------------------------------------
    def _first_sound(self, at_ms: float) -> None:
        self.desk.first_sound()
        turn, self._waiting_turn = self._waiting_turn, 0
        if not turn:
            return
        generation = self.desk.answering
        marks = dict(self._marks)
        if generation is not None:
            if generation.first_token_ms:
                marks["thinking"] = generation.first_token_ms
            if generation.first_audio_ms:
                marks["voice"] = generation.first_audio_ms
        engine = self.desk.engine if generation is None else generation.engine
        heard_ms = max(0.0, at_ms - self._speech_end_ms)
        self.router.answered(engine, heard_ms)
        self._emit(
            TurnAnswered(
                call_id=self.call_id,
                at_ms=self.clock.now_ms(),
                turn=turn,
                engine=engine,
                heard_ms=heard_ms,
                waits=waits(self._speech_end_ms, self._speech_end_ms + heard_ms, marks),
            )
        )
        self._marks.clear()

    def _played(self, playout: Playout) -> None:
        if playout.heard_ms > 0:
            self._heard("agent", playout.start_ms, playout.start_ms + playout.heard_ms)

    def _heard(self, speaker: Speaker, start_ms: float, end_ms: float) -> None:
        self._emit(
            SpeechHeard(
                call_id=self.call_id,
                at_ms=self.clock.now_ms(),
                speaker=speaker,
                start_ms=max(0.0, start_ms),
                end_ms=max(0.0, end_ms),
            )
        )

    def _user_state(self, event: UserStateChangedEvent) -> None:
        speaking = event.new_state == "speaking"
        self._ear.speech(speaking)
        at_ms = self.clock.from_wall(event.created_at)
        if speaking:
            self._speech_began_ms = at_ms
            return
        if self._speech_began_ms is not None:
            self._heard("caller", self._speech_began_ms, self.tap.last_voiced_ms or at_ms)
            self._speech_began_ms = None

    def _agent_state(self, event: AgentStateChangedEvent) -> None:
        self._agent_speaking = event.new_state == "speaking"

    def _transcribed(self, event: UserInputTranscribedEvent) -> None:
        if event.is_final:
            self._marks["transcription"] = self.clock.now_ms()
        self._endpointing.heard(event)

    def _endpoint_after(self, silence_s: float) -> None:
        self.session.update_options(endpointing_opts={"min_delay": silence_s})

    def _session_closed(self, event: CloseEvent) -> None:
        if event.error is not None:
            self.hang_up(f"an error closed the session: {type(event.error).__name__}")
        elif event.reason is CloseReason.PARTICIPANT_DISCONNECTED:
            self.hang_up("the caller hung up")
        else:
            self.hang_up("the service ended the call")

    # -- what tools and parts tell ------------------------------------------------------------------------
    def _tool_began(self) -> None:
        self.desk.working()

    def _tool_done(self, report: ToolReport) -> None:
        self.desk.working()
        self.router.tool_called(report.name, failed=report.failed)
        generation = self.desk.generations.current()
        self._emit(
            ToolCalled(
                call_id=self.call_id,
                at_ms=self.clock.now_ms(),
                turn=self.desk.turn if generation is None else generation.turn,
                engine=self.desk.engine if generation is None else generation.engine,
                name=report.name,
                arguments=report.arguments,
                result=report.result,
                failed=report.failed,
                took_ms=report.took_ms,
            )
        )

    def _ears_changed(self, condition: Condition) -> None:
        was_deaf, self._deaf = self._deaf, condition.state is Ears.DEAF
        if condition.error is None or was_deaf:
            return
        deaf = self._deaf
        self._part_failed(
            "transcriber",
            condition.error,
            "asked the caller for patience; still trying"
            if deaf
            else "reconnecting; audio is kept meanwhile",
        )
        if deaf:
            self.session.say(self.desk.wording.cannot_help)

    def _signals_changed(self) -> None:
        self.desk.signals_changed()

    def _emotion_failed(self, error: BaseException) -> None:
        self._part_failed("emotion", error, "the call is routed without it")

    def _part_failed(self, part: Part, error: BaseException, action: str) -> None:
        self._emit(
            PartFailed(
                call_id=self.call_id,
                at_ms=self.clock.now_ms(),
                part=part,
                error=type(error).__name__,
                action=action,
            )
        )
