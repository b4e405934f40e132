"""The desk: hands a call from one engine to another, within one LiveKit session.

It keeps the rules that make a hand-off clean, whatever the pair of engines: the turn is answered by the engine
that was decided, once; a reply begun early is used if it was the right engine's and thrown away if not; the
history goes along as the caller heard it; a warm realtime session has heard the turn; nothing of a left engine
is spoken; and a turn that stays unanswered goes to the next engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from livekit.agents import (
    NOT_GIVEN,
    Agent,
    AgentSession,
    SpeechCreatedEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    llm,
    stt,
)
from livekit.agents.voice.speech_handle import SpeechHandle

from compliance.clock import CallClock
from compliance.events import Event
from compliance.tap import CallerTap
from engines.ahead import AskedAhead
from engines.awaited import AwaitedAnswer
from engines.cascade import Cascade, CascadeAgent
from engines.duplex import FullDuplex
from engines.generations import Generation, Generations
from engines.human import People
from engines.previews import Previews
from engines.realtime import RealtimeAgent
from engines.realtime_engines import RealtimeEngines
from engines.record import Record
from engines.recovery import Recovery
from engines.routing import CallerTurn, Route, Routing
from engines.turn_history import (
    as_stored,
    drop_answers,
    insert_before,
    is_worked_on,
    last_asked,
    unanswered,
    without_notes,
)
from engines.vault import NO_VEIL, Veil
from engines.voices import Voices
from engines.warm import WarmModel
from engines.wording import Wording

ONSET_MS = 150.0
"""The voice detector reports speech this long after its onset: 50 ms of it, and its own windows."""
SILENCE_LIMIT_S = 8.0
"""A turn that nobody has begun to answer aloud for this long goes to the next engine."""


class Desk:
    """Moves one call among its engines.

    Args:
        session: the call's LiveKit session; the desk listens to it from :meth:`attach` on.
        clock: the call's clock.
        cascades: the cascade engines by name; the first is the one that greets.
        realtime: the realtime engines by name.
        recogniser: the session's view of the call's one recogniser.
        tap: where realtime engines hear the caller's turns.
        voices: what each half-cascade engine is voiced with, by the engine's name.
        routing: decides.
        emit: takes the desk's events for the record.
        call_id: goes into every event.
        instructions: what every engine is told to be.
        tools: the tools of engines that may use them.
        wording: what the caller hears when something fails.
        silence_limit_s: how long a turn may stay without an audible answer.
        people: those who can be fetched, if any.
        full_duplex: the engines that take turns by themselves, if any.
        veil: puts values back into what the caller hears.
    """

    def __init__(
        self,
        *,
        session: AgentSession[Any],
        clock: CallClock,
        cascades: Mapping[str, Cascade],
        realtime: Mapping[str, WarmModel],
        recogniser: stt.STT[Any],
        tap: CallerTap,
        routing: Routing,
        emit: Callable[[Event], None],
        call_id: str,
        instructions: str,
        tools: Sequence[llm.Tool],
        voices: Mapping[str, Voices] | None = None,
        wording: Wording | None = None,
        silence_limit_s: float = SILENCE_LIMIT_S,
        people: People | None = None,
        full_duplex: FullDuplex | None = None,
        veil: Veil = NO_VEIL,
    ) -> None:
        self._closed = False
        self._route = Route(0, next(iter(cascades)))
        self.cascades = cascades
        self.instructions = instructions
        self.recogniser = recogniser
        self.people = people or People({})
        self.people.attach(self)
        self._full_duplex = full_duplex or FullDuplex({})
        self.tools = tools = (*tools, *self.people.tools)
        self.veil = veil
        self.wording = wording or Wording()
        self.generations = Generations(clock)
        self._session = session
        self._clock = clock
        self._record = Record(emit, clock, call_id)
        aware = {name for name, cascade in cascades.items() if cascade.audio_aware or cascade.voices_when}
        self._previews = Previews(cascades, self._record, aware=aware)
        self._awaited = AwaitedAnswer(self, session, self._full_duplex, silence_limit_s=silence_limit_s)
        self._full_duplex.attach(self, self._awaited.watch)
        self.recovery = Recovery(
            self,
            session=session,
            routing=routing,
            record=self._record,
            watch=self._awaited.watch,
            realtime=realtime,
        )
        self._voices = dict(voices or {})
        self._realtime = RealtimeEngines(
            realtime,
            session=session,
            tap=tap,
            wanted=self._wants_warm,
            instructions=instructions,
            tools=tools,
            failed=self.recovery.warmth_failed,
            worked=routing.worked,
        )
        self._ahead = AskedAhead(
            self._realtime,
            self._record,
            asked=routing.asked,
            silent=lambda: session.user_state != "speaking",
        )
        self._routing = routing
        self._engine = self.first_cascade.name
        self._message: llm.ChatMessage | None = None
        self._turn_ctx: llm.ChatContext | None = None
        self._leaving: tuple[str, float, bool] | None = None

    # -- the parts --------------------------------------------------------------------------------------
    @property
    def first_cascade(self) -> Cascade:
        return next(iter(self.cascades.values()))

    @property
    def engine(self) -> str:
        """The engine in charge."""
        return self._engine

    @property
    def answering(self) -> Generation | None:
        """The newest reply to the turn in hand, if one has been begun."""
        replies = [
            one
            for one in self.generations
            if one.turn == self._route.turn and one.engine == self._engine and not one.beside
        ]
        return replies[-1] if replies else None

    @property
    def turn(self) -> int:
        """The turn being answered; 0 before the caller's first."""
        return self._route.turn

    @property
    def route(self) -> Route:
        """How the turn in hand was decided."""
        return self._route

    @property
    def takes_no_turns(self) -> bool:
        """Whether the engine in charge takes turns by itself: the session does not read the recogniser then."""
        return self._engine in self._full_duplex

    @property
    def denied(self) -> frozenset[str]:
        """Who may not be given the call: as the turn in hand was decided, or by now where no turn is decided on."""
        return self._routing.preview("").denied if self._full_duplex.on_its_own else self._route.denied

    @property
    def has_turn(self) -> bool:
        """Whether there is a turn to answer: not before the caller's first, and not after the call."""
        return self._message is not None and not self._closed

    @property
    def hands_over(self) -> bool:
        """Whether an engine was handed the call and is not in charge yet: nothing can be said meanwhile."""
        return self._leaving is not None

    def attach(self) -> CascadeAgent:
        """Listen to the session; returns the agent to start it with."""
        self._session.on("speech_created", self._speech_created)
        self._session.on("user_state_changed", self._user_state_changed)
        self._session.on("user_input_transcribed", self._understood)
        for name, model in self._realtime.models.items():
            model.generation = self._asked_for
            model.number = self.generations.number
            model.on_late = partial(self._record.late, name)
            model.on_own_transcript = partial(self._heard_by_engine, name)
            model.on_lost = partial(self._connection_lost, name)
        self._keep_warm()
        return CascadeAgent(self)

    async def aclose(self) -> None:
        """Let go of the warm sessions. Safe to call twice."""
        self._closed = True
        self._awaited.stop()
        await self._realtime.aclose()

    # -- a turn ends --------------------------------------------------------------------------------------
    def turn_completed(self, turn_ctx: llm.ChatContext, message: llm.ChatMessage) -> bool:
        """Route a finished turn. True when the agent asked must not answer it, because another one will."""
        turn = CallerTurn(
            text=message.text_content or "",
            start_ms=self._ms_of(message.metrics.get("started_speaking_at")),
            end_ms=self._ms_of(message.metrics.get("stopped_speaking_at")),
        )
        route = self._routing.decide(turn)
        self.recovery.begin_turn()
        return self._answer(route, message, turn_ctx)

    def _answer(self, route: Route, message: llm.ChatMessage, turn_ctx: llm.ChatContext) -> bool:
        self._awaited.begin()
        fits = self._previews.decided(route)
        self._ahead.decided(route)
        self._route, self._message, self._turn_ctx = route, message, turn_ctx
        if route.engine in self.people:
            self._session.history.insert(message)
            self.people.fetch(route.engine, "policy")
            return True
        if route.engine in self._full_duplex:
            self._full_duplex.take(route.engine, message)
            self._awaited.watch.start()
            return True
        if (preview := self._previews.adopted) is not None:
            self.recovery.begin_turn(preview)
            out = preview.engine in preview.failed.engines  # every cascade had failed before the turn's end
            if out and (hears := self.recovery.next_for(route)) is not None:
                self._previews.thrown_away()
                preview, route = None, replace(route, engine=hears)
                self._routing.moved(hears)
            elif preview.engine != route.engine:  # it failed, and the next one has begun already
                route = replace(route, engine=preview.engine)
                self._routing.moved(preview.engine)
        previous, self._engine, self._route = self._engine, route.engine, route
        if preview is not None and preview.engine in preview.failed.engines:
            self.people.last_way_out(route.denied, preview.failed.engines)
        self._awaited.watch.start()
        self._realtime.turn_ended()
        to_realtime = route.engine in self._realtime
        from_realtime = previous in self._realtime or previous in self._full_duplex
        if not fits and not to_realtime:
            # LiveKit reuses a reply begun early unless the context changed; this changes it, and no provider
            # ever sees it.
            turn_ctx.items.append(llm.AgentHandoff(new_agent_id=f"engine:{route.engine}"))
        if not to_realtime:
            self._take_back(turn_ctx, message)
        started_at = message.metrics.get("started_speaking_at")
        started_ms = None if started_at is None else self._clock.from_wall(started_at)
        self._realtime.turn_goes_to(route.engine, started_ms)
        if previous == route.engine and not self._realtime.lacks_session(route.engine):
            return False
        if route.turn == 1 and not to_realtime and not from_realtime:
            return False  # nobody has answered yet: the greeting is no turn
        warm = to_realtime and self._realtime[route.engine].ready
        if to_realtime:
            self._routing.asked(route.engine)
        self._leaving = (previous, self._clock.now_ms(), warm)
        if not to_realtime and not from_realtime:
            self.entered()
            return False
        self._hand_over(turn_ctx, message)
        return True

    def take_over(self, engine: str, agent: Agent) -> None:
        """Put ``agent`` in charge as ``engine``, whoever has the turn in hand: a person's line, or back from one."""
        self._leaving, self._engine = (self._engine, self._clock.now_ms(), False), engine
        self._routing.moved(engine)
        self.recovery.settle()
        self._awaited.stop()
        for warmth in self._realtime.values():
            warmth.turn_ended()
            warmth.feed.discard()
            warmth.refresh()  # what the caller says to a person goes to no vendor that need not hear it
        self._session.interrupt(force=True)
        self._session.update_agent(agent)

    def resume(self, asked: llm.ChatMessage | None = None) -> None:
        """Who had the call for good leaves it: what is in hand is what was ``asked`` last, under today's guards."""
        now = self._routing.preview("" if asked is None else asked.text_content or "")
        self._route = replace(self._route, denied=now.denied, manner=now.manner)
        self._message = asked or self._message
        self.recovery.begin_turn()

    def _take_back(self, turn_ctx: llm.ChatContext, message: llm.ChatMessage) -> None:
        """Keep the words of a turn before ``message`` that a realtime engine was to answer and was not asked about."""
        for earlier in self._realtime.taken_back():
            insert_before(message, earlier, turn_ctx, self._session.history)

    def _hand_over(self, turn_ctx: llm.ChatContext, message: llm.ChatMessage) -> None:
        if (model := self._realtime.models.get(self._engine)) is not None:
            self.make_ready(self._engine)
            self._asked_once(turn_ctx, message)
            self._session.update_agent(
                RealtimeAgent(self, name=self._engine, model=model, chat_ctx=turn_ctx, answering=message)
            )
        else:
            self._session.update_agent(CascadeAgent(self, chat_ctx=turn_ctx, answering=message))

    def _asked_once(self, turn_ctx: llm.ChatContext, message: llm.ChatMessage) -> None:
        """A turn that another engine failed is in the history: leave it out there where it is heard again.

        Where tools have worked on it, it is not: they would do so again.
        """
        feed = self._realtime[self._engine].feed
        if turn_ctx.get_by_id(message.id) is None:
            return
        if is_worked_on(message, turn_ctx) or not feed.has_turn:
            feed.discard()
            return
        for history in (turn_ctx, self._session.history):
            history.remove(message.id)

    def entered(self) -> None:
        """The engine that was handed the call is in charge."""
        if self._leaving is None:
            return
        (previous, decided_ms, warm), self._leaving = self._leaving, None
        if previous == self._engine:
            return  # no hand-off: it goes on with another session
        self._record.handed_off(
            self._route.turn,
            previous,
            self._engine,
            since_ms=decided_ms,
            warm=warm,
            as_audio=self._realtime.has_heard(self._engine),
            items=len(self._turn_ctx.items) if self._turn_ctx else 0,
        )

    def expect_audio_reply(self, message: llm.ChatMessage) -> bool:
        """Make the realtime session answer the turn in its buffer. False when it has not heard enough of it."""
        return self._realtime.expect(self._engine, message)

    def history(self) -> llm.ChatContext:
        """The conversation as the caller heard it, for another agent."""
        self._full_duplex.keep_words(self._engine, self._session.history)
        return without_notes(self._session.history)

    def _ms_of(self, stamp_s: float | None) -> float:
        """The call time of one of LiveKit's stamps; now when it gave none."""
        return self._clock.now_ms() if stamp_s is None else self._clock.from_wall(stamp_s)

    # -- a reply is made ------------------------------------------------------------------------------------
    def begin_reply(self, chat_ctx: llm.ChatContext) -> Generation | None:
        """The generation the running task makes, bound to its engine; None when a cascade has nothing to say.

        A reply to a turn that is not over yet, whose words are in nobody's history, is a preview: the engine is the
        one that would be chosen now.
        """
        generation = self.generations.current()
        if generation is None or generation.closed:
            return None
        if generation.confirmed:
            return generation  # the next step of a reply, after a tool
        asked = last_asked(chat_ctx)
        in_hand = self._message is not None and asked is not None and asked.id == self._message.id
        if asked is None or in_hand or self._session.history.get_by_id(asked.id) is not None:
            if self._engine not in self.cascades:
                return None
            self._previews.thrown_away()
            generation.engine, generation.turn, generation.confirmed = self._engine, self._route.turn, True
            generation.denied, generation.manner = self._route.denied, self._route.manner
            return generation
        route = self._routing.preview(asked.text_content or "")
        self._previews.begin(generation, route)
        self._ahead.meant(route)
        return None if generation.closed else generation

    def voice_for(self, generation: Generation | None) -> Voices:
        if generation is not None and (cascade := self.cascades.get(generation.engine)) is not None:
            return cascade.voice_for(generation.manner)
        return self.voice_of(self._engine if generation is None else generation.engine)

    def speaks_for_itself(self, engine: str) -> bool:
        """Whether it needs no voice of ours."""
        return engine in self._full_duplex or (engine in self._realtime and engine not in self._voices)

    def voice_of(self, engine: str) -> Voices:
        """The voice of an engine; of one that speaks for itself, what says the words of the service."""
        return self._voices.get(engine) or self.cascades.get(engine, self.first_cascade).voice

    # -- a turn is moved on ---------------------------------------------------------------------------------
    def bind(self, engine: str) -> None:
        """``engine``, a cascade, goes on with the reply to the turn in hand in place of another."""
        self._engine = engine
        self._routing.moved(engine)

    def let_go(self, engine: str) -> None:
        """Nothing more is wanted of the session of ``engine``, if it has one."""
        if engine in self._realtime:
            self._realtime[engine].drop()

    def make_ready(self, engine: str) -> None:
        """Have a session of ``engine``, a realtime one, that hears the turn in hand."""
        if not self._realtime[engine].ready and self._message is not None:
            self._realtime[engine].open_now(self._ms_of(self._message.metrics.get("started_speaking_at")))

    @property
    def owes_an_answer(self) -> bool:
        """Whether the caller is being answered, or waits for it."""
        return self._session.current_speech is not None or unanswered(self._session.history) is not None

    def say_beside(self, words: str) -> None:
        """Have ``words`` heard while a reply waits for its tools.

        They are on record and in no history: an engine that found them there would take them for its answer.
        """
        speech = self._session.say(words, add_to_chat_ctx=False)
        if (said := self.generations.of(speech.id)) is not None:
            said.beside = words

    def ask_again(self) -> None:
        """Have the engine in charge answer what was said last."""
        self._session.generate_reply()

    def move_on(self, engine: str) -> None:
        """Have ``engine`` answer the turn in hand from the beginning."""
        if self._message is None:
            return
        self._routing.moved(engine)
        message, turn_ctx = as_stored(self._message, self._session.history), self.history()
        if engine in self._realtime:  # what was said about the delay is not what it goes on from
            drop_answers(message, turn_ctx)
        if self._answer(replace(self._route, engine=engine), message, turn_ctx):
            return
        known = self._session.history.get_by_id(message.id) is not None
        self._session.generate_reply(user_input=NOT_GIVEN if known else message)

    # -- a reply is heard -----------------------------------------------------------------------------------
    def first_sound(self) -> None:
        """The caller hears the reply: the turn is answered."""
        if any(one.beside and one.first_audio_ms and not one.closed for one in self.generations):
            return  # no answer, and nobody else is heard before it is over
        self._awaited.watch.stop()
        self._full_duplex.sounded(self._clock.now_ms())
        self._previews.heard()
        if (reply := self.answering) is not None and reply.engine in self._realtime and reply.first_audio_ms:
            self._routing.worked(reply.engine)

    def tool_began(self) -> None:
        """A tool runs."""
        self._awaited.tool_began()

    def tool_done(self) -> None:
        """A tool of the running task has ended."""
        self._awaited.tool_done()

    def stalled(self, generation: Generation | None) -> None:
        """An engine that had begun to answer sends nothing more, and does not end its answer."""
        self._awaited.stalled(generation)

    def is_in_hand(self, reply: Generation) -> bool:
        """Whether it answers the turn in hand for the engine in charge, and somebody waits for it."""
        return not reply.closed and reply.turn == self._route.turn and reply.engine == self._engine

    # -- the session's events -------------------------------------------------------------------------------
    def _speech_created(self, event: SpeechCreatedEvent) -> None:
        self._awaited.reply_begun()
        speech = event.speech_handle
        self.generations.open(speech.id, engine=self._engine, turn=self._route.turn)
        speech.add_done_callback(self._speech_done)

    def _speech_done(self, speech: SpeechHandle) -> None:
        generation = self.generations.finish(speech.id)
        if generation is None or self._closed:
            return
        if generation.beside:
            if generation.first_audio_ms:
                text = self.wording.recorded_words if generation.voiceless else generation.beside.strip()
                self._record.said_beside(generation, text, interrupted=speech.interrupted)
            self._awaited.said_beside()
            return
        said = [item for item in speech.chat_items if item.type == "message" and item.role == "assistant"]
        generation.put_right(said)
        for item in said:
            if item.text_content:
                self._record.said(generation, self.veil.reply_heard(item, generation.engine))
        mine = generation.turn == self._route.turn and generation.engine == self._engine
        goes_on = self.recovery.reply_over(generation, interrupted=speech.interrupted) or (
            self._full_duplex.goes_on(generation.engine, speech)
        )
        if mine and not goes_on and not self.people.coming:
            self._awaited.reply_over(generation, speech, at_ms=self._clock.now_ms())
        self._keep_warm()

    def caller_said(self, text: str, end_ms: float) -> None:
        """The recogniser has heard words, which ended at ``end_ms``, whoever has the call."""
        self._full_duplex.caller_said(text, end_ms)
        self._if_silent()

    def _if_silent(self) -> None:
        if "speaking" not in (self._session.user_state, self._session.agent_state):
            self._full_duplex.fell_silent()

    def _user_state_changed(self, event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self._awaited.caller_speaks()
            self._ahead.caller_speaks()
            self._realtime.speech_started(self._clock.now_ms() - ONSET_MS)
        else:
            self._awaited.caller_silent()
            self._realtime.speech_stopped()
            self._ahead.caller_silent()
            self._if_silent()

    def _understood(self, event: UserInputTranscribedEvent) -> None:
        if event.transcript.strip():
            self._awaited.understood()

    def _connection_lost(self, engine: str, error: Exception, for_good: bool) -> None:
        """A realtime engine's connection broke. In mid-reply the next engine takes over, whatever the plugin does."""
        if engine == self._engine and self._replying:
            self.recovery.rescue(error)
        elif for_good:
            self._realtime[engine].lost(error)

    @property
    def _replying(self) -> bool:
        """Whether a realtime engine in charge is in the middle of its answer to the turn in hand."""
        reply = self.answering
        return reply is not None and not reply.closed and self._realtime.is_replying(self._engine)

    def _wants_warm(self, engine: str) -> bool:
        wanted = not self._closed and self._engine not in self.people and self._routing.warm(engine)
        if wanted and not self._realtime[engine].ready:
            self._routing.asked(engine)  # to open a session tries an engine without a caller waiting for it
        return wanted

    def _keep_warm(self) -> None:
        if not self._closed and self._engine in self.cascades:
            self._realtime.refresh()

    def signals_changed(self) -> None:
        """Something new is known of the running turn: the realtime engine may be wanted after all."""
        if not self._realtime.any_ready:
            self._keep_warm()

    def consent_changed(self) -> None:
        """The caller allows more or less than before: a session that is no longer wanted is closed at once."""
        if self._engine in self._full_duplex and self._engine in self._routing.preview("").denied:
            self._full_duplex.leave()
        self._keep_warm()

    def _heard_by_engine(self, engine: str, generation: int, record: str, heard: str) -> None:
        turn = next((one.turn for one in self.generations if one.number == generation), self.turn)
        self._record.heard_by_engine(engine, turn, record, heard)

    def _asked_for(self) -> int:
        generation = self.generations.current()
        return 0 if generation is None else generation.number
