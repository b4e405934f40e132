"""The conversation of a call: who hears the caller, decides, answers and is told, wired around one session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

import aiohttp
from livekit.agents import UserInputTranscribedEvent, UserStateChangedEvent, llm
from livekit.agents.voice import io
from livekit.agents.voice.transcription import TranscriptSynchronizer

from classifiers.tool_need import Tool, ToolSet
from compliance.events import AgentSaid, Decided, Event, Part, Topic, TurnEnded
from compliance.heard import Condition, Ears, Segment
from compliance.recognisers import RecogniserStalledError
from compliance.shared_stt import SharedSTT
from compliance.tap import AgentTap, CallerTap
from compliance.transcriber import Transcriber
from engines.catalogue import PERSON, Catalogue
from engines.desk import Desk
from engines.duplex import FullDuplex
from engines.gated_routing import GatedRouting
from engines.gates import GateError
from engines.human import People
from engines.tools import ToolHooks, ToolReport, described
from engines.usage import Usage
from router import Policy
from service.answer_times import AnswerTimes
from service.bill import Bill, Work
from service.call_record import CallRecord
from service.call_session import call_session
from service.call_tools import called, connected
from service.cast import cast
from service.consents import CallConsents
from service.disclosing import Disclosing
from service.distances import Distances
from service.ending import Ending
from service.endpointing import Endpointing
from service.exchange import Exchange
from service.facts import CallFacts, Tally
from service.health import CallHealth, providers
from service.heard_text import HeardText
from service.hearing_failures import HearingFailures
from service.hearing_health import HearingHealth
from service.judges import Judges
from service.patience import silence_limit_s, within
from service.placeholders import QUESTIONS
from service.ports import Port
from service.privacy import CallPrivacy
from service.provider_names import named
from service.record_demand import REASON
from service.recording import CallRecording
from service.speech_record import SpeechRecord
from service.transfer import NUMBER, Line, transfers
from service.turn_router import TurnRouter
from service.unheard import Unheard

NOT_HERE = "the transcriber may not hear callers of this line"
KEPT = "reconnecting; audio is kept meanwhile"
PASSED_ON = "the next recogniser hears the caller; audio is kept meanwhile"
LOST = "asked the caller for patience; still trying"
"""What is done when a recogniser fails on the caller's stream."""


class Conversation:
    """The conversation of one call.

    Args:
        exchange: what the line's calls share.
        port: where the audio comes from and goes to.
        facts: of the call.
        record: takes what happens.
        recording: follows both sides of the line.
        ending: is brought about when it cannot go on.
        opened: closes what was opened, the last first, when it is left.

    Attributes:
        consents: what the caller consents to.
        judges: judge it beside its words.
        cast, tap, session, router, desk: there from when they are built; see :meth:`open`.
    """

    def __init__(
        self,
        exchange: Exchange,
        port: Port,
        facts: CallFacts,
        *,
        record: CallRecord,
        recording: CallRecording,
        ending: Ending,
        opened: AsyncExitStack,
    ) -> None:
        self._exchange = exchange
        self._port = port
        self._facts = facts
        self._record = record
        self._call_id, self._clock = record.call_id, record.clock
        self._recording = recording
        self._ending = ending
        self._open = opened
        self._refusal: asyncio.Task[None] | None = None
        self._bill = Bill(exchange.prices, clock=self._clock, emit=self._emit, call_id=self._call_id)
        self._distances = Distances(exchange.catalogue, exchange.endpoints)
        self._times = AnswerTimes(
            self._distances,
            lambda: self.tap.last_voiced_ms,
            clock=self._clock,
            emit=self._emit,
            measured=lambda *answer: self.router.answered(*answer),
            call_id=self._call_id,
        )
        self.judges = Judges(
            exchange,
            opened,
            changed=lambda: self.desk.signals_changed(),
            failed=self._part_failed,
            emit=self._emit,
            call_id=self._call_id,
        )
        self.consents = CallConsents(
            exchange.rules,
            wanted=exchange.settings.wanted(),
            language=str(exchange.catalogue.transcriber.options.get("language", facts.language)),
            clock=self._clock,
            emit=self._emit,
            call_id=self._call_id,
            changed=self._consent_changed,
        )

    async def open(self, policy: Policy) -> None:
        """Build all that takes part in it, under ``policy``, and greet the caller."""
        exchange = self._exchange
        catalogue = within(exchange.catalogue, policy.answer_within_ms)
        health = CallHealth(exchange.circuits, providers(catalogue), self._call_id)
        await self._build_engines(catalogue, health)
        heard_by = dict(zip(self.cast.transcribers, catalogue.transcribers, strict=True))
        self._hearing = HearingHealth(heard_by, health, self._privacy.gates)
        privacy = self._privacy
        hooks = ToolHooks(
            lambda: self.desk.tool_began(), self._tool_done, privacy.for_tool, privacy.from_tool
        )
        tools = await connected(exchange.settings, hooks, self._open, partial(self._part_failed, "tools"))
        self.session = call_session(catalogue.endpointing_s)
        self._open.push_async_callback(self._port.aclose)
        audio_input, audio_output = await self._port.open(self.session)
        self._hear(audio_input, catalogue)
        self._route(policy, tools, health)
        self._open_desk(policy, catalogue, tools)
        self._speak(audio_output)
        self.session.on("user_state_changed", self._user_state)
        self.session.on("agent_state_changed", self._speech.agent_state)
        self.session.on("user_input_transcribed", self._transcribed)
        self.session.on("close", self._ending.session_closed)
        # LiveKit's own recording, which a server can ask for, would leave words unredacted elsewhere.
        await self.session.start(self.desk.attach(), record=False)
        self._open.push_async_callback(self.session.aclose)
        self._open.push_async_callback(self._transfers.aclose)
        self._open.callback(self._unheard.close)
        self._begin(catalogue)

    def ended(self, at_ms: float) -> None:
        """The call is over: what was missed in it is put on record."""
        self.consents.ended(at_ms)
        self.judges.ended(at_ms)

    async def end_without_record(self) -> None:
        """Tell the caller that there is no record, and end the call."""
        if hasattr(self, "desk"):
            await self._ending.begin_with(self.desk.wording.no_record, self.session, REASON)
        else:
            self._ending.begin(REASON)

    @property
    def tally(self) -> Tally:
        """What has added up so far."""
        return self.router.tally if hasattr(self, "router") else Tally()

    # -- what it is made of -------------------------------------------------------------------------------
    async def _build_engines(self, catalogue: Catalogue, health: CallHealth) -> None:
        exchange, round_trips = self._exchange, self._distances.round_trips
        http = await self._open.enter_async_context(
            aiohttp.ClientSession(trace_configs=[round_trips.of_session()])
        )
        self._privacy = CallPrivacy(
            exchange.redaction_policy,
            exchange.redaction,
            catalogue,
            region=self._facts.region,
            given=self.consents.given,
            clock=self._clock,
            emit=self._emit,
            call_id=self._call_id,
        )
        self._privacy.where = self._where
        self._open.push_async_callback(self._privacy.aclose)
        self.cast = cast(
            catalogue,
            exchange.endpoints,
            http,
            self._metrics,
            gates=self._privacy.gates,
            veil=self._privacy.veil,
            health=health,
            round_trips=round_trips,
            on_voice_failed=lambda *failed: self.desk.recovery.one_voice_failed(*failed),
        )
        for name, model in self.cast.realtime.items():
            model.on_synced = partial(self._synced, name)
        self._open.push_async_callback(self.cast.aclose)

    def _hear(self, audio: io.AudioInput, catalogue: Catalogue) -> None:
        """Have the caller heard, for the record and the engines."""
        self.tap = CallerTap(audio, self._clock)
        self._speech = SpeechRecord(self.tap, clock=self._clock, emit=self._emit, call_id=self._call_id)
        self._unheard = Unheard(self._not_understood, self._fetches, lambda: self._with_person)
        failures = HearingFailures(
            partial(self._part_failed, "transcriber"), kept=KEPT, passed_on=PASSED_ON, lost=LOST
        )
        self._hears = partial(
            Transcriber,
            self.cast.transcriber,
            clock=self._clock,
            fallbacks=self.cast.transcribers[1:],
            well=self._hearing,
            patience=catalogue.patience,
        )
        self._transcriber = self._hears(self.tap)
        self._transcriber.on_segment.append(self._segment)
        self._transcriber.on_condition += [self._ears_changed, failures.changed]
        self._transcriber.on_nothing.append(self._unheard.nothing)
        self._transcriber.start()
        self._open.push_async_callback(self._transcriber.aclose)

    def _route(self, policy: Policy, tools: Sequence[llm.Tool], health: CallHealth) -> None:
        answers = self.judges.ask(
            policy.content.questions, self.cast.decisions, partial(self._privacy.veil.lines, QUESTIONS)
        )
        self.router = TurnRouter(
            policy,
            classifiers=self._exchange.classifiers,
            voice=self.judges.voice,
            facts=self._facts,
            clock=self._clock,
            emit=self._emit,
            call_id=self._call_id,
            answers=answers,
            consents=self.consents,
            tools=ToolSet.of(Tool(name, description) for name, description in described(tools)),
            health=health,
        )
        self._endpointing = Endpointing(
            self._exchange.catalogue.endpointing_s, preview=self.router.preview, changed=self._endpoint_after
        )

    def _open_desk(self, policy: Policy, catalogue: Catalogue, tools: Sequence[llm.Tool]) -> None:
        self.desk = Desk(
            session=self.session,
            clock=self._clock,
            cascades=self.cast.cascades,
            realtime=self.cast.realtime,
            recogniser=SharedSTT(self._transcriber),
            tap=self.tap,
            voices=self.cast.half_cascades,
            full_duplex=FullDuplex(self.cast.duplex),
            routing=GatedRouting(self.router, self._privacy.gates),
            veil=self._privacy.veil,
            emit=self._emit,
            call_id=self._call_id,
            instructions=catalogue.instructions,
            tools=tools,
            people=People(catalogue.people),
            silence_limit_s=silence_limit_s(policy.answer_within_ms),
        )
        self._open.push_async_callback(self.desk.aclose)

    def _speak(self, audio: io.AudioOutput) -> None:
        """Have the caller hear the engines, and the people to whom they are given."""
        self._agent_tap = AgentTap(audio, self._clock)
        self._agent_tap.on_first_sound.append(self._first_sound)
        self._agent_tap.on_answer.append(self._answer)
        self._agent_tap.on_finished.append(self._speech.played)
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
            clock=self._clock,
            hears=self._hears,
            recorder=self._record.recorder,
            emit=self._emit,
            pass_on=self._port.pass_on,
            hang_up=self._ending.begin,
            bill=lambda engine, minutes: self._used(engine, PERSON, Usage(engine, {"call_minutes": minutes})),
            met=self.router.person_came,
            reason=lambda: self._ending.reason,
            keeps_numbers=self._exchange.redaction_policy.may_reveal(NUMBER),
        )
        people = self._exchange.catalogue.people
        self._transfers = transfers(line, people, self._facts, changed=self.router.people_seen)

    def _begin(self, catalogue: Catalogue) -> None:
        """Greet the caller, or say why they cannot be answered."""
        self._disclosing = Disclosing(
            self.session, self.desk, self.consents, last_words=lambda: self.router.tally.last_agent_text
        )
        self._open.callback(self._disclosing.stop)
        self._agent_tap.on_finished.append(self._disclosing.played)
        self.consents.answered()
        if self._if_nobody_may_hear():
            return
        self._disclosing.greet(catalogue.greeting, catalogue.offer)
        self._transfers.look()

    def _if_nobody_may_hear(self) -> bool:
        """End the call where no recogniser may be given what the caller says, or may any more."""
        closed = all(map(self._privacy.gates.why_closed, self._exchange.catalogue.transcribers))
        closed = closed and not self._with_person
        if closed and self._refusal is None:  # said once, or it would be cut by itself
            words = self._ending.begin_with(self.desk.wording.not_here, self.session, NOT_HERE)
            self._refusal = asyncio.create_task(words, name="patchbay.refused")
            self._open.callback(self._refusal.cancel)
        return closed

    # -- the record ---------------------------------------------------------------------------------------
    def _emit(self, event: Event) -> None:
        event = named(event, self._exchange.catalogue)
        self._times.take(event)
        match event:
            case TurnEnded():
                self._endpointing.turn_ended()
            case Decided():
                self.judges.voice.turn_ended()
                self._endpointing.decided(event.endpointing_ms)
            case AgentSaid():
                self.router.tally.last_agent_text = event.text
            case _:
                pass
        self._record.emit(event)

    def _metrics(self, engine: str, provider: str, event: object) -> None:
        self._bill.measured(event, self._work(), engine=engine, provider=provider)
        self.router.tally.cost_usd = self._bill.cost_usd

    def _used(self, engine: str, provider: str, used: Usage) -> None:
        self._bill.add(used, turn=self._where()[0], engine=engine, provider=provider)
        self.router.tally.cost_usd = self._bill.cost_usd

    def _part_failed(self, part: Part, error: BaseException, action: str) -> None:
        self._record.part_failed(part, type(error).__name__, action)

    # -- what the line and the session tell ---------------------------------------------------------------
    def _segment(self, segment: Segment) -> None:
        self._recording.said(segment)
        self._unheard.heard()
        self._privacy.veil.caller_said(segment.text)
        # Whatever engine is in charge and whatever it makes of them, these words are heard.
        self.consents.heard(segment.text, self.router.tally.turns + 1, ended=False)
        self._speech.said(segment, heard_by=self._hearing.name(self._transcriber.recogniser))
        self.desk.caller_said(segment.text, segment.end_ms)

    @property
    def _with_person(self) -> bool:
        """Whether the caller talks with a person or waits for one: no recogniser needs to understand them then."""
        return self.desk.people.coming and not self._transfers.asking

    def _not_understood(self) -> None:
        if self._transfers.asking:
            self.desk.people.listener("")  # whoever asks knows what is to be said again
        else:
            self.session.say(self.desk.wording.cannot_help)

    def _fetches(self) -> bool:
        """Have a person hear the caller whom no recogniser does; nobody comes to who is asked for a number."""
        return not self._transfers.asking and self.desk.people.last_way_out(self.desk.denied, ()) is not None

    def _ears_changed(self, condition: Condition) -> None:
        if isinstance(condition.error, GateError):
            return  # where no gate is open, the call ends
        # What one tells nothing of may be a cough, and is heard again.
        if not isinstance(condition.error, RecogniserStalledError) or condition.state is Ears.DEAF:
            self._unheard.ears(condition.state)

    def _first_sound(self, at_ms: float) -> None:
        self.desk.first_sound()
        self._times.first_sound(at_ms)

    def _answer(self, at_ms: float) -> None:
        generation = self.desk.answering
        engine = self.desk.engine if generation is None else generation.engine
        self._times.answer(at_ms, engine, generation)

    def _synced(self, engine: str, took_ms: float) -> None:
        if hasattr(self, "desk") and engine == self.desk.engine:
            self._times.synced(took_ms)

    def _user_state(self, event: UserStateChangedEvent) -> None:
        speaking = event.new_state == "speaking"
        self._if_nobody_may_hear()  # it may have become so while a person had the call
        # While a person is fetched or there, nothing is routed by how the caller sounds.
        self.judges.voice.speech(speaking and not self.desk.people.coming)
        self._transfers.look()
        if not speaking and self.desk.takes_no_turns:
            self._transcriber.finalize()  # which the session does where it takes the turns
        self._unheard.caller(speaking=speaking)
        self._speech.user_state(event)

    def _transcribed(self, event: UserInputTranscribedEvent) -> None:
        # One with an id is our own words, as history is told them.
        if event.is_final and event.item_id is None:
            self._times.transcribed()
        # What is said to a person is no turn, and no decision model's to read.
        if not self.desk.people.coming:
            self._endpointing.heard(event)

    def _endpoint_after(self, silence_s: float) -> None:
        self.session.update_options(endpointing_opts={"min_delay": silence_s})

    # -- what tools and parts tell ------------------------------------------------------------------------
    def _tool_done(self, report: ToolReport) -> None:
        self.desk.tool_done()
        self.router.tool_called(report.name, failed=report.failed)
        turn, engine = self._where()
        at_ms = self._clock.now_ms()
        self._emit(called(report, call_id=self._call_id, at_ms=at_ms, turn=turn, engine=engine))

    def _work(self) -> Work:
        generation = self.desk.generations.current() if hasattr(self, "desk") else None
        return Work(*self._where(), 0 if generation is None else generation.number)

    def _where(self) -> tuple[int, str]:
        """The turn and the engine that the running task works for."""
        if not hasattr(self, "desk"):
            return 0, ""
        generation = self.desk.generations.current()
        return (
            (self.desk.turn, self.desk.engine) if generation is None else (generation.turn, generation.engine)
        )

    def _consent_changed(self, what: Topic, given: bool) -> None:
        self.desk.consent_changed()
        self._if_nobody_may_hear()
        self._transcriber.reconsider()
        match what, given:
            case "emotion", True:
                if self.router.may_judge_voice():
                    self.router.listen_with(self.judges.listen(self.tap))
            case "emotion", False:
                self.judges.voice.forget()
            case "recording", _:
                self._recording.consent(given=given)
            case _:
                pass
