"""What becomes of a turn when something fails, so that none ends in silence.

The next engine takes it over, with a word to the caller about the delay; when none is left, a person does; and when
there is nobody either, the caller is asked to say it again. No turn goes to an engine that has failed it, or that its
guards denied. Nobody is made to wait twice for one provider of language models while there is another to ask.

A cascade goes on within the reply that failed. A realtime engine hears the turn itself: it is handed the call as the
policy would hand it over, once the reply that failed has ended. A turn that is not over yet moves among cascades only.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from livekit.agents import AgentSession

from engines.errors import timed_out
from engines.gates import GateError
from engines.generations import Failures, Generation
from engines.record import Record
from engines.routing import Route, Routing
from engines.warm_session import SessionGoneError
from engines.watch import SilenceWatch

if TYPE_CHECKING:
    from engines.desk import Desk


class Recovery:
    """Finds who goes on when an engine fails, and says so to routing and to the record.

    Args:
        desk: has the turn in hand, and hands it over.
        session: the call's LiveKit session.
        routing: names the next engine, and hears how each one does.
        record: of the call.
        watch: runs while the turn in hand is unanswered.
        realtime: the realtime engines.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        session: AgentSession[Any],
        routing: Routing,
        record: Record,
        watch: SilenceWatch,
        realtime: Collection[str],
    ) -> None:
        self._desk = desk
        self._session = session
        self._routing = routing
        self._record = record
        self._watch = watch
        self._realtime = realtime
        self._failed = Failures()
        """Who failed the turn in hand."""
        self._told = False
        """Whether the caller was told in this turn that it takes longer."""
        self._apology: str | None = None
        self._promised: tuple[str, int] | None = None
        """Who is handed the turn in hand, and after which generation."""

    def begin_turn(self, preview: Generation | None = None) -> None:
        """A turn is in hand. What failed in its ``preview``, while it was not over, has failed it already."""
        self._failed = Failures() if preview is None else preview.failed
        self._told = preview is not None and preview.apologised
        self._apology = self._promised = None

    def settle(self) -> None:
        """Somebody has the call for good: they have its turn in hand as well, whoever it was to be moved to."""
        self._apology = self._promised = None

    # -- how the engines do ---------------------------------------------------------------------------------
    def asked(self, engine: str) -> None:
        """A request goes to ``engine``."""
        self._routing.asked(engine)

    def worked(self, engine: str) -> None:
        """``engine`` answered as it should."""
        self._routing.worked(engine)

    def _failed_by(self, engine: str, error: BaseException | None) -> None:
        # A gate that is closed to this call, or a session that was lost before, says nothing of the provider now.
        if not isinstance(error, GateError | SessionGoneError):
            self._routing.failed(engine)

    # -- within a reply ---------------------------------------------------------------------------------------
    def stand_in(self, generation: Generation, wished: str | None = None) -> str | None:
        """The cascade that may answer for that of ``generation``: the one wished for, or the next."""
        route, failures = Route(generation.turn, generation.engine, generation.denied), self._of(generation)
        barred = {generation.engine, *generation.denied, *failures.engines}
        if wished is None:
            return self._next(route, failures, over=False)
        return None if wished in barred else wished

    def hedged(self, generation: Generation, winner: str, loser: str) -> None:
        """``winner`` began the reply before ``loser``, which was asked too."""
        self._record.hedged(generation, winner, loser)
        self._bind(generation, winner)

    def fail_over(
        self, generation: Generation, *, provider: str, error: BaseException, failed: str = "", to: str = ""
    ) -> str | None:
        """Who takes over from an engine that failed ``generation``; ``None`` when nobody does, or nobody waits for it.

        A cascade is bound to the generation, which goes on. Others are given the turn when the generation has ended.

        Args:
            generation: the reply.
            provider: of the engine that failed.
            error: what it raised.
            failed: the engine, if not that of ``generation``.
            to: who takes over, if that is certain already.
        """
        failed, failures = failed or generation.engine, self._of(generation)
        failures.engines.add(failed)
        if timed_out(error):
            failures.silent.add(provider)
        self._failed_by(failed, error)
        if generation.closed:
            self._record.failed(generation.turn, failed, provider, error, "nobody waited for it any more")
            return None
        in_hand = self._in_hand(generation)
        taker = to or self._next(Route(generation.turn, failed, generation.denied), failures, over=in_hand)
        if taker is None and in_hand:
            taker = self._desk.people.last_way_out(generation.denied, failures.engines)
        action = f"moved to {taker}" if taker else "apologised: no engine is left"
        self._record.failed(generation.turn, failed, provider, error, action)
        if taker is not None and taker in self._desk.cascades:
            self._bind(generation, taker)
        elif taker is not None and taker in self._realtime:
            self._promise(taker, generation)
        return taker

    def word_of_delay(self, generation: Generation, error: BaseException, *, begun: bool) -> str:
        """What the caller is told within a reply before another engine answers.

        Args:
            generation: the reply.
            error: what the engine raised that failed.
            begun: whether it had begun to answer; then the answer begins anew.
        """
        told = generation.apologised or (self._told and self._in_hand(generation))
        generation.apologised = True
        self._told = self._told or self._in_hand(generation)
        return self._word(told=told, begun=begun, waited=timed_out(error))

    def _word(self, *, told: bool, begun: bool, waited: bool) -> str:
        """That there is a delay: only once, unless the caller has waited since."""
        wording = self._desk.wording
        if begun:
            return wording.start_again
        if told:
            return wording.still_here if waited else ""
        return wording.one_moment

    def reply_over(self, generation: Generation, *, interrupted: bool) -> bool:
        """A reply has ended. True when the turn it was about is somebody else's to answer from here on."""
        if self._promised is None or self._promised[1] != generation.number:
            return False
        if interrupted:  # another turn may come of what the caller says; if none does, this one is still owed
            self._watch.start()
        else:
            self._keep_promise()
        return True

    def _promise(self, engine: str, after: Generation) -> None:
        self._promised = engine, after.number
        self._desk.make_ready(engine)

    def _keep_promise(self) -> None:
        promised, self._promised = self._promised, None
        if promised is not None:
            self._desk.move_on(promised[0])

    def _of(self, generation: Generation) -> Failures:
        return self._failed if self._in_hand(generation) else generation.failed

    def _in_hand(self, generation: Generation) -> bool:
        """Whether it answers the turn in hand; a preview of that turn which was thrown away does not."""
        return generation.confirmed and generation.turn == self._desk.turn

    def _bind(self, generation: Generation, engine: str) -> None:
        generation.engine, generation.first_token_ms = engine, 0.0  # what had come of the answer is void
        if self._in_hand(generation):
            self._desk.bind(engine)

    def next_for(self, route: Route) -> str | None:
        """The next engine for the turn in hand, routed so, that has not failed it."""
        return self._next(route, self._failed, over=True)

    def _next(self, route: Route, failures: Failures, *, over: bool) -> str | None:
        """The next engine that may answer the turn of ``route``, of a provider that has answered if there is one."""
        silent = {name for name, each in self._desk.cascades.items() if each.mind.provider in failures.silent}
        elsewhere = self._next_but(failures.engines | silent, route, over=over)
        return elsewhere or self._next_but(failures.engines, route, over=over)

    def _next_but(self, out: Collection[str], route: Route, *, over: bool) -> str | None:
        """The next engine not in ``out``: a cascade, or a realtime one if the turn is over."""
        tried = set(out)
        while (following := self._routing.fallback(route, tried)) is not None:
            if following in self._desk.cascades or (over and following in self._realtime):
                return following
            tried.add(following)
            route = replace(route, engine=following)
        return None

    # -- without a reply --------------------------------------------------------------------------------------
    def rescue(self, reason: BaseException | None = None) -> None:
        """The turn in hand was not answered, or not to its end: move it on, with a word to the caller."""
        if not self._desk.has_turn:
            return
        if self._promised is not None:
            self._session.interrupt(force=True)
            self._keep_promise()
            return
        failed, begun = self._desk.engine, not self._watch.running
        self._failed.engines.add(failed)
        reply = self._desk.answering if reason is None else None  # else it is known what failed
        voice = reply is not None and reply.voice_at_fault()
        if not voice:
            self._failed_by(failed, reason)
        following = self.next_for(replace(self._desk.route, engine=failed))
        taker = following or self._desk.people.last_way_out(self._desk.route.denied, self._failed.engines)
        action = f"moved to {taker}" if taker else "none left; asked the caller to say it again"
        provider = "voice" if voice else failed
        self._record.failed(self._desk.turn, failed, provider, reason or TimeoutError(), action)
        self._desk.let_go(failed)
        self._session.interrupt(force=True)
        if following is not None:
            self._move_on(following, begun=begun, waited=reason is None or timed_out(reason))
            return
        self._watch.stop()
        if taker is None:
            self._session.say(self._desk.wording.cannot_help)

    def _move_on(self, engine: str, *, begun: bool, waited: bool) -> None:
        word = self._word(told=self._told, begun=begun, waited=waited).lstrip()
        self._told = True
        if engine in self._realtime and word:
            speech = self._session.say(word)
            if (said := self._desk.generations.of(speech.id)) is not None:
                self._watch.start()
                self._promise(engine, said)
                return
        self._apology = word or None
        self._desk.move_on(engine)

    def apology_owed(self, generation: Generation) -> str | None:
        """The words about the delay that this reply begins with, if any: once per failure."""
        if generation.turn != self._desk.turn:
            return None
        owed, self._apology = self._apology, None
        return owed

    # -- besides a turn ---------------------------------------------------------------------------------------
    def next_machine(self) -> str | None:
        """The cascade that goes on when a person, or an engine that had the call for good, has left.

        ``None`` when the guards leave none; one that has failed is better than none.
        """
        denied = self._desk.route.denied
        left = (name for name in self._desk.cascades if name not in denied)
        return self._next(self._desk.route, self._failed, over=False) or next(left, None)

    def lost(self, engine: str, provider: str, error: BaseException, taker: str | None) -> None:
        """An engine that had the call for good has failed, and ``taker`` has it now, if there is anybody."""
        self._failed_by(engine, error)
        action = f"moved to {taker}" if taker else "none left; asked the caller to say it again"
        self._record.failed(self._desk.turn, engine, provider, error, action)

    def owe_a_word(self) -> None:
        """The reply to what is in hand begins with a word about the delay."""
        self._apology, self._told = self._desk.wording.one_moment, True

    def asked_again(self, engine: str, provider: str, error: BaseException) -> None:
        """An engine that has the call for good broke off, and answers on a new connection."""
        self._record.failed(self._desk.turn, engine, provider, error, "asked again on a new connection")

    def warmth_failed(self, engine: str, provider: str, error: BaseException) -> None:
        """The warm session of ``engine`` could not be kept in step, and was let go of."""
        self._failed_by(engine, error)
        self._record.failed(self._desk.turn, engine, provider, error, "closed the warm session")

    def voice_failed(
        self,
        generation: Generation | None,
        error: BaseException,
        action: str = "played the recorded apology",
    ) -> None:
        """Every voice that was to say a reply failed; ``action`` is what was done, if somebody waits for the reply."""
        engine = self._desk.engine if generation is None else generation.engine
        turn = self._desk.turn if generation is None else generation.turn
        cut = generation is not None and generation.closed
        self._record.failed(turn, engine, "voice", error, "nobody waited for it any more" if cut else action)

    def one_voice_failed(self, provider: str, error: BaseException, action: str) -> None:
        """A voice failed; ``action`` is what was done."""
        generation = self._desk.generations.current()
        turn = self._desk.turn if generation is None else generation.turn
        self._record.failed(turn, "voice", provider, error, action)
