"""The desk: hands a call from one engine to another, within one LiveKit session.

It keeps the rules that make a hand-off clean, whatever the pair of engines: the turn is answered by the engine
that was decided, once; a reply begun early is used if it was the right engine's and thrown away if not; the
history goes along as the caller heard it; a warm realtime session has heard the turn; nothing of a left engine
is spoken; and a turn that stays unanswered goes to the next engine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from livekit.agents import (
    NOT_GIVEN,
    Agent,
    AgentSession,
    SpeechCreatedEvent,
    UserStateChangedEvent,
    llm,
    stt,
    tts,
)
from livekit.agents.voice.speech_handle import SpeechHandle

from compliance.clock import CallClock
from compliance.events import Event
from compliance.tap import CallerTap
from engines.cascade import Cascade, CascadeAgent
from engines.duplex import FullDuplex
from engines.errors import NothingSaidError
from engines.feed import TurnFeed
from engines.gates import GateError
from engines.generations import Generation, Generations
from engines.human import People
from engines.previews import Previews
from engines.realtime import RealtimeAgent
from engines.record import Record
from engines.routing import CallerTurn, Route, Routing
from engines.vault import NO_VEIL, Veil
from engines.warm import WarmModel
from engines.warmth import Warmth
from engines.watch import SilenceWatch
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
        unread: told of a voice and the characters that it was given, when it failed or was cut.
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
        voices: Mapping[str, tts.TTS[Any]] | None = None,
        wording: Wording | None = None,
        silence_limit_s: float = SILENCE_LIMIT_S,
        people: People | None = None,
        full_duplex: FullDuplex | None = None,
        unread: Callable[[tts.TTS[Any], int], None] = lambda voice, characters: None,
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
        self._full_duplex.attach(self)
        self.tools = tools = (*tools, *self.people.tools)
        self.veil = veil
        self.wording = wording or Wording()
        self.unread = unread
        self.generations = Generations()
        self._session = session
        self._clock = clock
        self._record = Record(emit, clock, call_id)
        aware = {name for name, cascade in cascades.items() if cascade.audio_aware or cascade.voices_when}
        self._previews = Previews(cascades, self._record, aware=aware)
        self._watch = SilenceWatch(
            silence_limit_s, paused=lambda: session.user_state == "speaking", expired=self.rescue
        )
        self._realtime = realtime
        self._voices = dict(voices or {})
        self._warmth = {
            name: Warmth(
                model,
                TurnFeed(tap),
                session,
                wanted=partial(self._wants_warm, name),
                instructions=instructions,
                tools=tools,
                failed=partial(self._warmth_failed, name, model.provider),
                worked=partial(routing.worked, name),
            )
            for name, model in realtime.items()
        }
        self._routing = routing
        self._engine = self.first_cascade.name
        self._message: llm.ChatMessage | None = None
        self._turn_ctx: llm.ChatContext | None = None
        self._apology: str | None = None
        self._failed: set[str] = set()
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
            one for one in self.generations if one.turn == self._route.turn and one.engine == self._engine
        ]
        return replies[-1] if replies else None

    @property
    def turn(self) -> int:
        """The turn being answered; 0 before the caller's first."""
        return self._route.turn

    @property
    def denied(self) -> frozenset[str]:
        """The engines that may not answer the turn in hand."""
        return self._route.denied

    def attach(self) -> CascadeAgent:
        """Listen to the session; returns the agent to start it with."""
        self._session.on("speech_created", self._speech_created)
        self._session.on("user_state_changed", self._user_state_changed)
        for name, model in self._realtime.items():
            model.generation = self._asked_for
            model.on_late = partial(self._record.late, name)
            model.on_own_transcript = partial(self._heard_by_engine, name)
            model.on_lost = partial(self._connection_lost, name)
        self._keep_warm()
        return CascadeAgent(self)

    async def aclose(self) -> None:
        """Let go of the warm sessions. Safe to call twice."""
        self._closed = True
        self._watch.stop()
        for warmth in self._warmth.values():
            await warmth.aclose()

    # -- a turn ends --------------------------------------------------------------------------------------
    def turn_completed(self, turn_ctx: llm.ChatContext, message: llm.ChatMessage) -> bool:
        """Route a finished turn. True when the agent asked must not answer it, because another one will."""
        turn = CallerTurn(
            text=message.text_content or "",
            start_ms=self._ms_of(message.metrics.get("started_speaking_at")),
            end_ms=self._ms_of(message.metrics.get("stopped_speaking_at")),
        )
        route = self._routing.decide(turn)
        self._failed = set()
        return self._answer(route, message, turn_ctx)

    def _answer(self, route: Route, message: llm.ChatMessage, turn_ctx: llm.ChatContext) -> bool:
        fits = self._previews.decided(route)
        if route.engine in self.people:
            self._route, self._message, self._turn_ctx = route, message, turn_ctx
            self._session.history.insert(message)
            self.people.fetch(route.engine, "policy")
            return True
        if route.engine in self._full_duplex:
            self._route, self._message, self._turn_ctx = route, message, turn_ctx
            self._full_duplex.take(route.engine, message)
            self._watch.start()
            return True
        if (preview := self._previews.adopted) is not None:
            self._failed = preview.failed
            if preview.engine != route.engine:  # it failed, and the next one has begun already
                route = replace(route, engine=preview.engine)
                self._routing.moved(preview.engine)
        previous, self._engine = self._engine, route.engine
        self._route, self._message, self._turn_ctx = route, message, turn_ctx
        if preview is not None and preview.engine in preview.failed:
            self.people.last_way_out(
                route.denied, preview.failed
            )  # every engine had failed before the turn's end
        self._watch.start()
        for warmth in self._warmth.values():
            warmth.turn_ended()
        to_realtime = route.engine in self._realtime
        from_realtime = previous in self._realtime or previous in self._full_duplex
        if not fits and not to_realtime:
            # LiveKit reuses a reply begun early unless the context changed; this changes it, and no provider
            # ever sees it.
            turn_ctx.items.append(llm.AgentHandoff(new_agent_id=f"engine:{route.engine}"))
        if not to_realtime:
            self._take_back(turn_ctx)
        for name, warmth in self._warmth.items():
            if name != route.engine:
                warmth.feed.discard()
            elif (started_at := message.metrics.get("started_speaking_at")) is not None:
                warmth.feed.complete(self._clock.from_wall(started_at))
        if previous == route.engine:
            return False
        if route.turn == 1 and not to_realtime and not from_realtime:
            return False  # nobody has answered yet: the greeting is no turn
        warm = to_realtime and self._warmth[route.engine].ready
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
        self._watch.stop()
        for warmth in self._warmth.values():
            warmth.turn_ended()
            warmth.feed.discard()
            warmth.refresh()  # what the caller says to a person goes to no vendor that need not hear it
        self._session.interrupt(force=True)
        self._session.update_agent(agent)

    def _take_back(self, turn_ctx: llm.ChatContext) -> None:
        """Keep the words of a turn that a realtime engine was to answer and was never asked about."""
        for model in self._realtime.values():
            words = None if model.warm is None else model.warm.take_back()
            if words is not None:
                unanswered = llm.ChatMessage(role="user", content=[words])
                for history in (turn_ctx, self._session.history):
                    history.insert(unanswered)

    def _hand_over(self, turn_ctx: llm.ChatContext, message: llm.ChatMessage) -> None:
        if (model := self._realtime.get(self._engine)) is not None:
            if model.warm is None:
                onset_ms = self._ms_of(message.metrics.get("started_speaking_at"))
                self._warmth[self._engine].open_now(onset_ms)
            self._session.update_agent(
                RealtimeAgent(self, name=self._engine, model=model, chat_ctx=turn_ctx, answering=message)
            )
        else:
            self._session.update_agent(CascadeAgent(self, chat_ctx=turn_ctx, answering=message))

    def entered(self) -> None:
        """The engine that was handed the call is in charge."""
        if self._leaving is None:
            return
        (previous, decided_ms, warm), self._leaving = self._leaving, None
        self._record.handed_off(
            self._route.turn,
            previous,
            self._engine,
            since_ms=decided_ms,
            warm=warm,
            as_audio=self._engine in self._warmth and self._warmth[self._engine].feed.has_turn,
            items=len(self._turn_ctx.items) if self._turn_ctx else 0,
        )

    def expect_audio_reply(self, message: llm.ChatMessage) -> bool:
        """Make the realtime session answer the turn in its buffer. False when it has not heard enough of it."""
        model, feed = self._realtime[self._engine], self._warmth[self._engine].feed
        if not feed.has_turn or model.warm is None:
            return False
        started_at = message.metrics.get("started_speaking_at")
        model.warm.expect(message.text_content or "", started_at, sent=feed.commit)
        return True

    def history(self) -> llm.ChatContext:
        """The conversation as the caller heard it, for another agent."""
        return self._session.history.copy(
            exclude_handoff=True, exclude_config_update=True, exclude_instructions=True
        )

    def next_machine(self) -> str:
        """The cascade that goes on when a person has not come or has left."""
        return self._next_cascade(self._route, self._failed) or self.first_cascade.name

    def _ms_of(self, stamp_s: float | None) -> float:
        """The call time of one of LiveKit's stamps; now when it gave none."""
        return self._clock.now_ms() if stamp_s is None else self._clock.from_wall(stamp_s)

    # -- a reply is made ------------------------------------------------------------------------------------
    def begin_reply(self, chat_ctx: llm.ChatContext) -> Generation | None:
        """The generation the running task makes, bound to its engine; None when a cascade has nothing to say.

        A reply to a turn that is not over yet is a preview: the engine is the one that would be chosen now.
        """
        generation = self.generations.current()
        if generation is None or generation.closed:
            return None
        if generation.confirmed:
            return generation  # the next step of a reply, after a tool
        asked = _last_user_message(chat_ctx)
        if asked is None or (self._message is not None and asked.id == self._message.id):
            if self._engine not in self.cascades:
                return None
            self._previews.thrown_away()
            generation.engine, generation.turn, generation.confirmed = self._engine, self._route.turn, True
            generation.denied, generation.manner = self._route.denied, self._route.manner
            return generation
        self._previews.begin(generation, self._routing.preview(asked.text_content or ""))
        return None if generation.closed else generation

    def thought(self, generation: Generation) -> None:
        """A token of ``generation`` arrived."""
        if not generation.first_token_ms:
            generation.first_token_ms = self._clock.now_ms()

    def voiced(self, generation: Generation | None) -> None:
        """Audio of ``generation`` arrived."""
        if generation is not None and not generation.first_audio_ms:
            generation.first_audio_ms = self._clock.now_ms()
            generation.voice_known.set()

    def voiceless(self, generation: Generation | None) -> None:
        """No voice has audio for ``generation``: the recorded apology stands in for its words."""
        if generation is not None:
            generation.voiceless = True
        self.voiced(generation)

    def voice_for(self, generation: Generation | None) -> tts.TTS[Any]:
        if generation is not None and (cascade := self.cascades.get(generation.engine)) is not None:
            return cascade.voice_for(generation.manner)
        return self.voice_of(self._engine if generation is None else generation.engine)

    def speaks_for_itself(self, engine: str) -> bool:
        """Whether it needs no voice of ours."""
        return engine in self._full_duplex or (engine in self._realtime and engine not in self._voices)

    def voice_of(self, engine: str) -> tts.TTS[Any]:
        """The voice of an engine; of one that speaks for itself, what says the words of the service."""
        return self._voices.get(engine) or self.cascades.get(engine, self.first_cascade).voice

    def apology_owed(self, generation: Generation) -> str | None:
        """The words about the delay that this reply begins with, if any: once per failure."""
        if generation.turn != self._route.turn:
            return None
        owed, self._apology = self._apology, None
        return owed

    # -- things fail --------------------------------------------------------------------------------------
    def asked(self, engine: str) -> None:
        """A request goes to ``engine``."""
        self._routing.asked(engine)

    def worked(self, engine: str) -> None:
        """``engine`` answered as it should."""
        self._routing.worked(engine)

    def stand_in(self, generation: Generation, wished: str | None = None) -> str | None:
        """The cascade that may answer for that of ``generation``: the one wished for, or the next."""
        route, tried = Route(generation.turn, generation.engine, generation.denied), self._tried(generation)
        barred = {generation.engine, *generation.denied, *tried}
        return self._next_cascade(route, tried) if wished is None else None if wished in barred else wished

    def hedged(self, generation: Generation, winner: str, loser: str) -> None:
        """``winner`` began the reply before ``loser``, which was asked too."""
        self._record.hedged(generation, winner, loser)
        self._bind(generation, winner)

    def _tried(self, generation: Generation) -> set[str]:
        return self._failed if self._in_hand(generation) else generation.failed

    def _in_hand(self, generation: Generation) -> bool:
        """Whether it answers the turn in hand; a preview of that turn which was thrown away does not."""
        return generation.confirmed and generation.turn == self._route.turn

    def _bind(self, generation: Generation, engine: str) -> None:
        generation.engine = engine
        if self._in_hand(generation):
            self._engine = engine
            self._routing.moved(engine)

    def _failed_by(self, engine: str, error: BaseException | None) -> None:
        if not isinstance(
            error, GateError
        ):  # a gate that is closed to this call says nothing of the provider
            self._routing.failed(engine)

    def fail_over(
        self, generation: Generation, *, provider: str, error: BaseException, failed: str = "", to: str = ""
    ) -> bool:
        """Bind ``generation`` to the next cascade after a failure. False when none is left, or nobody waits for it.

        Args:
            generation: the reply.
            provider: of the engine that failed.
            error: what it raised.
            failed: the engine, if not that of ``generation``.
            to: who takes over, if that is certain already.
        """
        failed, tried = failed or generation.engine, self._tried(generation)
        tried.add(failed)
        self._failed_by(failed, error)
        if generation.closed:
            self._record.failed(generation.turn, failed, provider, error, "nobody waited for it any more")
            return False
        following = to or self._next_cascade(Route(generation.turn, failed, generation.denied), tried)
        in_hand = following is None and self._in_hand(generation)
        taker = following or (self.people.last_way_out(generation.denied, tried) if in_hand else None)
        action = f"moved to {taker}" if taker else "apologised: no engine is left"
        self._record.failed(generation.turn, failed, provider, error, action)
        if following is None:
            return False
        self._bind(generation, following)
        return True

    def _next_cascade(self, route: Route, have_failed: Collection[str]) -> str | None:
        """The next cascade that may answer the turn of ``route``; a failed turn is never handed to a realtime one."""
        tried = set(have_failed)
        while (following := self._routing.fallback(route, tried)) is not None:
            if following in self.cascades:
                return following
            tried.add(following)
            route = replace(route, engine=following)
        return None

    def voice_failed(self, generation: Generation | None, error: BaseException) -> None:
        engine = self._engine if generation is None else generation.engine
        turn = self._route.turn if generation is None else generation.turn
        self._record.failed(turn, engine, "voice", error, "played the recorded apology")

    def one_voice_failed(self, provider: str, error: BaseException) -> None:
        """A voice failed; where there is another, that one speaks."""
        generation = self.generations.current()
        turn = self._route.turn if generation is None else generation.turn
        self._record.failed(turn, "voice", provider, error, "the next voice speaks, if there is one")

    def rescue(self, reason: BaseException | None = None) -> None:
        """The turn in hand was not answered, or not to its end: move it on, with a word to the caller."""
        if self._closed or self._message is None:
            return
        failed, begun = self._engine, not self._watch.running
        self._failed.add(failed)
        self._failed_by(failed, reason)
        following = self._next_cascade(replace(self._route, engine=failed), self._failed)
        taker = following or self.people.last_way_out(self._route.denied, self._failed)
        action = f"moved to {taker}" if taker else "none left; asked the caller to say it again"
        self._record.failed(self._route.turn, failed, failed, reason or TimeoutError(), action)
        if failed in self._realtime:
            self._warmth[failed].drop()
        self._session.interrupt(force=True)
        if following is None:
            self._watch.stop()
            if taker is None:
                self._session.say(self.wording.cannot_help)
            return
        self._apology = self.wording.start_again.lstrip() if begun else self.wording.one_moment
        self._routing.moved(following)
        message = self._in_history(self._message)
        turn_ctx = self._session.history.copy(
            exclude_handoff=True, exclude_config_update=True, exclude_instructions=True
        )
        if self._answer(replace(self._route, engine=following), message, turn_ctx):
            return
        known = self._session.history.get_by_id(message.id) is not None
        self._session.generate_reply(user_input=NOT_GIVEN if known else message)

    def _in_history(self, message: llm.ChatMessage) -> llm.ChatMessage:
        """The turn as the history holds it: a realtime engine stores it under its server's own id."""
        stored = _last_user_message(self._session.history)
        same = stored is not None and stored.text_content == message.text_content
        return stored if stored is not None and same else message

    def lost(self, engine: str, provider: str, error: BaseException) -> None:
        """An engine that had the call for good has failed; who takes it is the caller's to say."""
        self._failed.add(engine)
        self._failed_by(engine, error)
        self._record.failed(self._route.turn, engine, provider, error, f"moved to {self.next_machine()}")

    def _warmth_failed(self, engine: str, provider: str, error: BaseException) -> None:
        self._failed_by(engine, error)
        self._record.failed(self._route.turn, engine, provider, error, "closed the warm session")

    def first_sound(self) -> None:
        """The caller hears the reply: the turn is answered."""
        self._watch.stop()
        self._previews.heard()
        if (reply := self.answering) is not None and reply.engine in self._realtime and reply.first_audio_ms:
            self._routing.worked(reply.engine)

    def working(self) -> None:
        """A tool runs for the turn: allow it the time."""
        self._watch.extend()

    # -- the session's events -------------------------------------------------------------------------------
    def _speech_created(self, event: SpeechCreatedEvent) -> None:
        speech = event.speech_handle
        self.generations.open(speech.id, engine=self._engine, turn=self._route.turn)
        speech.add_done_callback(self._speech_done)

    def _speech_done(self, speech: SpeechHandle) -> None:
        generation = self.generations.finish(speech.id)
        if generation is None or self._closed:
            return
        for item in speech.chat_items:
            if item.type == "message" and item.role == "assistant" and item.text_content:
                self._record.said(generation, self.veil.reply_heard(item, generation.engine))
        waiting = self._watch.running and generation.turn == self._route.turn and not speech.interrupted
        if waiting and generation.engine == self._engine and not generation.first_audio_ms:
            self.rescue(speech.exception() or NothingSaidError())
        self._keep_warm()

    def _user_state_changed(self, event: UserStateChangedEvent) -> None:
        for warmth in self._warmth.values():
            if event.new_state == "speaking":
                warmth.speech_started(self._clock.now_ms() - ONSET_MS)
            else:
                warmth.speech_stopped()

    def _connection_lost(self, engine: str, error: Exception, for_good: bool) -> None:
        """A realtime engine's connection broke. In mid-reply the next engine takes over, whatever the plugin does."""
        if engine == self._engine and self._replying:
            self.rescue(error)
        elif for_good:
            self._warmth[engine].lost(error)

    @property
    def _replying(self) -> bool:
        """Whether a realtime engine in charge is in the middle of its answer to the turn in hand."""
        reply, model = self.answering, self._realtime.get(self._engine)
        session = None if model is None else model.warm
        return reply is not None and not reply.closed and session is not None and session.busy

    def _wants_warm(self, engine: str) -> bool:
        wanted = not self._closed and self._engine not in self.people and self._routing.warm(engine)
        if wanted and not self._warmth[engine].ready:
            self._routing.asked(engine)  # to open a session tries an engine without a caller waiting for it
        return wanted

    def _keep_warm(self) -> None:
        if not self._closed and self._engine in self.cascades:
            for warmth in self._warmth.values():
                warmth.refresh()

    def signals_changed(self) -> None:
        """Something new is known of the running turn: the realtime engine may be wanted after all."""
        if not any(warmth.ready for warmth in self._warmth.values()):
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


def _last_user_message(chat_ctx: llm.ChatContext) -> llm.ChatMessage | None:
    for item in reversed(chat_ctx.items):
        if item.type == "message" and item.role == "user":
            return item
    return None
