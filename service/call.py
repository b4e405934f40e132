"""A call being answered: taps, recogniser, classifiers, router, engines and record, wired around one session."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
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
    Topic,
    TurnAnswered,
    TurnEnded,
    UsageIncurred,
    VoiceUnjudged,
)
from compliance.keeping import Keeping
from compliance.recorder import Recorder
from compliance.redaction.spans import Span
from compliance.shared_stt import SharedSTT
from compliance.tap import AgentTap, CallerTap, Playout
from compliance.transcriber import Condition, Ears, Segment, Transcriber
from engines.cascade import ONCE
from engines.catalogue import PERSON
from engines.desk import Desk
from engines.duplex import FullDuplex
from engines.errors import ToolsUnavailableError
from engines.gated_routing import GatedRouting
from engines.gates import GateError
from engines.human import People
from engines.meter import Meter
from engines.tools import Toolbox, ToolHooks, ToolReport, described
from engines.usage import Usage, usage
from router.content import Question
from service.cast import cast
from service.consents import CallConsents
from service.decision_signals import DecisionSignals
from service.disclosing import Disclosing
from service.distances import Distances
from service.emotion_ear import ClosedEar, EmotionEar
from service.endpointing import Endpointing
from service.exchange import Exchange
from service.facts import NO_ANSWERS, CallFacts
from service.health import CallHealth, providers
from service.heard_text import HeardText
from service.latency import TurnWait
from service.patience import silence_limit_s, within
from service.placeholders import QUESTIONS
from service.ports import Port
from service.privacy import CallPrivacy
from service.provider_names import named
from service.record_demand import REASON, RecordDemand
from service.recording import CallRecording
from service.redaction_line import RedactionLine
from service.sealing import Sealing
from service.transfer import CALLER_LEFT, NUMBER, Line, transfers
from service.turn_router import TurnRouter
from service.unheard import Unheard

logger = logging.getLogger(__name__)

NOT_HERE = "the transcriber may not hear callers of this line"
GOODBYE_S = 15.0
"""A call that ends without a record is not kept longer by the words that say so."""


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
            budget_usd=settings.budget_usd,
        )
        self._recording = CallRecording(
            settings,
            exchange.ledger,
            self.call_id,
            clock=self.clock,
            emit=lambda event: self._recorder.record(event),
        )
        self._redactor = RedactionLine(
            exchange.redaction.address,
            came_back=lambda *what: self._recorder.remark(*what),
            closing_s=settings.redaction_closing_s,
        )
        self._recorder = Recorder(
            exchange.ledger,
            self._redactor,
            self.call_id,
            on_redacted=self._redacted,
            seal=Sealing(exchange.ledger, self.call_id, exchange.redaction_policy),
            on_keeping=self._record_kept_in,
        )
        self._demand = RecordDemand(
            fail_open=settings.fail_open_audio,
            grace_s=settings.record_grace_s,
            retry=self._recorder.flush,
            end=self._end_without_record,
        )
        if watch is not None:
            self._recorder.subscribe(watch)
        for watcher in exchange.watchers:
            self._recorder.subscribe(watcher)
        self._meter = Meter(exchange.prices)
        self._open = AsyncExitStack()
        self._port = port
        self._closed = asyncio.Event()
        self._reason = CALLER_LEFT
        self._wait = TurnWait()
        self._speech_began_ms: float | None = None
        self._agent_speaking = False
        self._deaf = False
        self._unheard = Unheard(
            lambda: self.session.say(self.desk.wording.cannot_help),
            lambda: self.desk.people.last_way_out(self.desk.route.denied, ()) is not None,
        )
        self._ear: EmotionEar | ClosedEar = ClosedEar()
        self._consents = CallConsents(
            exchange.rules,
            wanted=settings.wanted(),
            language=str(exchange.catalogue.transcriber.options.get("language", self._facts.language)),
            clock=self.clock,
            emit=self._emit,
            call_id=self.call_id,
            changed=self._consent_changed,
        )
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
            self._port.hang_up()

    # -- answering --------------------------------------------------------------------------------------
    async def _answer(self) -> None:
        exchange, tenant = self._exchange, self._exchange.settings.tenant
        policy = exchange.policy.for_tenant(tenant)
        catalogue = within(exchange.catalogue, policy.answer_within_ms)
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
        self._distances = Distances(catalogue, exchange.endpoints)
        round_trips = self._distances.round_trips
        http = await self._open.enter_async_context(
            aiohttp.ClientSession(trace_configs=[round_trips.of_session()])
        )
        self._privacy = CallPrivacy(
            exchange.redaction_policy,
            exchange.redaction,
            catalogue,
            region=self._facts.region,
            given=self._consents.given,
            clock=self.clock,
            emit=self._emit,
            call_id=self.call_id,
        )
        self._open.push_async_callback(self._privacy.aclose)
        gates, veil = self._privacy.gates, self._privacy.veil
        health = CallHealth(exchange.circuits, providers(catalogue), self.call_id)
        self._cast = cast(
            catalogue,
            exchange.endpoints,
            http,
            self._metrics,
            gates=gates,
            veil=veil,
            health=health,
            round_trips=round_trips,
            on_voice_failed=lambda *failed: self.desk.recovery.one_voice_failed(*failed),
        )
        for name, model in self._cast.realtime.items():
            model.on_synced = partial(self._synced, name)
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
        self._answers = self._ask(policy.content.questions)
        self._privacy.where = self._where
        self.router = TurnRouter(
            policy,
            classifiers=exchange.classifiers,
            voice=self._ear,
            facts=self._facts,
            clock=self.clock,
            emit=self._emit,
            call_id=self.call_id,
            answers=self._answers or NO_ANSWERS,
            consents=self._consents,
            tools=ToolSet.of(Tool(name, description) for name, description in described(tools)),
            health=health,
        )
        self._endpointing = Endpointing(
            catalogue.endpointing_s, preview=self.router.preview, changed=self._endpoint_after
        )
        self.desk = Desk(
            session=self.session,
            clock=self.clock,
            cascades=self._cast.cascades,
            realtime=self._cast.realtime,
            recogniser=SharedSTT(self._transcriber),
            tap=self.tap,
            voices=self._cast.half_cascades,
            full_duplex=FullDuplex(self._cast.duplex),
            routing=GatedRouting(self.router, gates),
            veil=veil,
            emit=self._emit,
            call_id=self.call_id,
            instructions=catalogue.instructions,
            tools=tools,
            people=People(catalogue.people),
            silence_limit_s=silence_limit_s(policy.answer_within_ms),
            unread=self._cast.unread,
        )
        self._open.push_async_callback(self.desk.aclose)
        self._agent_tap = AgentTap(audio_output, self.clock)
        self._agent_tap.on_first_sound.append(self._first_sound)
        self._agent_tap.on_finished.append(self._played)
        self._recording.follow(self.tap, self._agent_tap)
        heard = TranscriptSynchronizer(next_in_chain_audio=self._agent_tap, next_in_chain_text=HeardText())
        self._open.push_async_callback(heard.aclose)
        self.session.input.audio = self.tap
        self.session.output.audio = heard.audio_output
        self.session.output.transcription = heard.text_output
        line = Line(
            session=self.session,
            caller=self.tap,
            ear=heard.audio_output,
            desk=self.desk,
            clock=self.clock,
            recogniser=self._cast.transcriber,
            recorder=self._recorder,
            emit=self._emit,
            pass_on=self._port.pass_on,
            hang_up=self.hang_up,
            bill=lambda engine, minutes: self._used(engine, PERSON, Usage(engine, {"call_minutes": minutes})),
            met=self.router.person_came,
            reason=lambda: self._reason,
            keeps_numbers=exchange.redaction_policy.may_reveal(NUMBER),
        )
        self._transfers = transfers(line, catalogue.people, self._facts, changed=self.router.people_seen)
        self.session.on("user_state_changed", self._user_state)
        self.session.on("agent_state_changed", self._agent_state)
        self.session.on("user_input_transcribed", self._transcribed)
        self.session.on("close", self._session_closed)
        # LiveKit's own recording, which a server can ask for, would leave words unredacted elsewhere.
        await self.session.start(self.desk.attach(), record=False)
        self._open.push_async_callback(self.session.aclose)
        self._open.push_async_callback(self._transfers.aclose)
        self._open.callback(self._unheard.close)
        self._disclosing = Disclosing(
            self.session, self.desk, self._consents, last_words=lambda: self.router.tally.last_agent_text
        )
        self._open.callback(self._disclosing.stop)
        self._agent_tap.on_finished.append(self._disclosing.played)
        self._consents.answered()
        if gates.why_closed(catalogue.transcriber):  # nobody may hear the caller
            ending = asyncio.create_task(
                self._end_with(self.desk.wording.not_here, NOT_HERE), name="patchbay.refused"
            )
            self._open.callback(ending.cancel)
            return
        self._disclosing.greet(catalogue.greeting, catalogue.offer)
        self._transfers.look()

    def _listen(self) -> None:
        """Have the caller's voice judged from now on, if the policy allows it too."""
        if not self.router.may_judge_voice():
            return
        self._ear = ear = EmotionEar(
            self._exchange.aside, self.tap, heard=self._signals_changed, failed=self._emotion_failed
        )
        self._open.push_async_callback(ear.aclose)
        self.router.listen_with(ear)

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
            hide=partial(self._privacy.veil.lines, QUESTIONS),
        )
        self._open.push_async_callback(answers.aclose)
        return answers

    async def _connect_tools(self) -> tuple[Any, ...]:
        privacy = self._privacy
        hooks = ToolHooks(self._tool_began, self._tool_done, privacy.for_tool, privacy.from_tool)
        try:
            box = await self._open.enter_async_context(Toolbox(self._exchange.settings.tool_servers(), hooks))
        except ToolsUnavailableError as error:
            logger.error("%s", error)
            self._part_failed("tools", error, "the call goes on without tools")
            return ()
        return box.tools

    async def _hang_up(self, reason: str) -> None:
        ended_ms = self.clock.now_ms()  # closing takes seconds, in which nobody is on the line
        self._redactor.closing()
        await self._demand.aclose()
        try:
            await self._open.aclose()
        finally:
            self._tell_what_was_missed(ended_ms)
            try:
                await self._recording.aclose(self._recorder.flush)
            finally:
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
        self._consents.ended(at_ms)
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
        event = named(event, self._exchange.catalogue)
        match event:
            case TurnEnded():
                speech_end_ms = self.tap.last_voiced_ms or event.end_ms
                self._wait.turn_ended(event.turn, speech_end_ms=speech_end_ms, at_ms=event.at_ms)
                self._endpointing.turn_ended()
            case Decided():
                self._wait.mark("decision", self.clock.now_ms())
                self._ear.turn_ended()
                self._endpointing.decided(event.endpointing_ms)
            case HandedOff():
                self._wait.mark("hand_off", event.at_ms)
            case AgentSaid():
                self.router.tally.last_agent_text = event.text
            case _:
                pass
        self._recorder.record(event)

    def _redacted(self, event: Event, spans: Sequence[Span]) -> None:
        """Told on the recorder's thread."""
        self._recording.redacted(event, spans, suspended=self._recorder.suspends_recording)

    def _segment(self, segment: Segment) -> None:
        self._recording.said(segment)
        self._unheard.heard()
        self._privacy.veil.caller_said(segment.text)
        # Whatever engine is in charge and whatever it makes of them, these words are heard.
        self._consents.heard(segment.text, self._turn_in_hand, ended=False)
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

    def _metrics(self, engine: str, provider: str, event: object) -> None:
        if (used := usage(event)) is not None:
            self._used(engine, provider, used)

    def _used(self, engine: str, provider: str, used: Usage) -> None:
        charge = self._meter.charge(provider, used)
        self.router.tally.cost_usd = self._meter.cost_usd
        generation = self.desk.generations.current()
        self._emit(
            UsageIncurred(
                call_id=self.call_id,
                at_ms=self.clock.now_ms(),
                turn=self.desk.turn if generation is None else generation.turn,
                engine=engine,
                provider=provider,
                model=used.model,
                quantities=used.quantities,
                cost_usd=charge.cost_usd,
                again_usd=charge.again_usd,
                estimated=used.estimated,
            )
        )

    # -- what the line and the session tell ---------------------------------------------------------------
    def _first_sound(self, at_ms: float) -> None:
        self.desk.first_sound()
        generation = self.desk.answering
        engine = self.desk.engine if generation is None else generation.engine
        heard = self._wait.sounded(
            at_ms,
            thinking_ms=0.0 if generation is None else generation.first_token_ms,
            voice_ms=0.0 if generation is None else generation.first_audio_ms,
            trips=self._distances.of(engine),
        )
        if heard is None:
            return
        self.router.answered(engine, heard.heard_ms)
        self._emit(
            TurnAnswered(
                call_id=self.call_id,
                at_ms=self.clock.now_ms(),
                turn=heard.turn,
                engine=engine,
                heard_ms=heard.heard_ms,
                waits=heard.waits,
            )
        )

    def _synced(self, engine: str, took_ms: float) -> None:
        if hasattr(self, "desk") and engine == self.desk.engine:
            self._wait.within("context_sync", took_ms, until_ms=self.clock.now_ms())

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
        self._ear.speech(speaking and not self.desk.people.coming)  # nothing is routed by it meanwhile
        self._transfers.look()
        self._unheard.caller(speaking=speaking)
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
        if (
            event.is_final and event.item_id is None
        ):  # one with an id is our own words, as history is told them
            self._wait.mark("transcription", self.clock.now_ms())
        if (
            not self.desk.people.coming
        ):  # what is said to a person is no turn, and no decision model's to read
            self._endpointing.heard(event)

    def _consent_changed(self, what: Topic, given: bool) -> None:
        match what, given:
            case "emotion", True:
                self._listen()
            case "emotion", False:
                self._ear.forget()
            case "voice_ai", _:
                self.desk.consent_changed()
            case "recording", _:
                self._recording.consent(given=given)
            case _:
                pass

    @property
    def _turn_in_hand(self) -> int:
        """The turn that the caller is in, counted from 1."""
        return self.router.tally.turns + 1

    def _where(self) -> tuple[int, str]:
        """The turn and the engine that the running task works for."""
        if not hasattr(self, "desk"):
            return 0, ""
        generation = self.desk.generations.current()
        return (
            (self.desk.turn, self.desk.engine) if generation is None else (generation.turn, generation.engine)
        )

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
        if isinstance(condition.error, GateError):
            return  # its gate has told why, and the call is being ended
        self._unheard.ears(condition.state)
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

    def _record_kept_in(self, keeping: Keeping) -> None:
        self._demand.kept_in(keeping)

    async def _end_without_record(self) -> None:
        await self._end_with(self.desk.wording.no_record if hasattr(self, "desk") else "", REASON)

    async def _end_with(self, words: str, reason: str) -> None:
        if words:
            # The session has not begun yet, or is over; or the goodbye takes too long.
            with suppress(RuntimeError, TimeoutError):
                self.session.interrupt(force=True)
                goodbye = self.session.say(words, allow_interruptions=False)
                async with asyncio.timeout(GOODBYE_S):
                    await goodbye.wait_for_playout()
        self.hang_up(reason)

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
