"""The answer that a caller waits for, followed to its end.

A turn has been answered when a reply to it has ended: not when something was said, for a tool may still be at work or
have brought what nobody has spoken of, a model may stall in mid-reply, and a cough may have cut it. In each of these
cases the caller is owed the rest, and gets it from the engine in charge or from the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from livekit.agents import AgentSession, llm
from livekit.agents.voice.speech_handle import SpeechHandle

from engines.duplex import ASKED_AFTER, FullDuplex
from engines.errors import NothingSaidError
from engines.generations import Generation
from engines.watch import SilenceWatch

if TYPE_CHECKING:
    from engines.desk import Desk

NOISE_S = 3.0
"""A reply that was cut goes on when nothing is understood for this long after the sound that cut it."""
TOOL_WAIT_S = 4.0
"""A caller who waits for a tool hears after so much silence that they are not forgotten."""
GO_ON = "A noise on the line cut you off. Say what the caller has not heard of your answer yet."


class AwaitedAnswer:
    """Sees to the rest of an answer where it stops short.

    Args:
        desk: has the turn in hand.
        session: the call's LiveKit session.
        full_duplex: the engines that take turns by themselves.
        silence_limit_s: how long a turn may stay without an audible answer.
    """

    def __init__(
        self, desk: Desk, session: AgentSession[Any], full_duplex: FullDuplex, *, silence_limit_s: float
    ) -> None:
        self._desk = desk
        self._session = session
        self._full_duplex = full_duplex
        self._tools_at_work: list[Generation | None] = []
        """The reply that uses each."""
        self._caller_made_a_sound = False
        """Since the turn was decided, or since it was last gone on from one."""
        self.watch = SilenceWatch(silence_limit_s, paused=self._is_busy, expired=self._unanswered)
        """Runs while the turn in hand waits to be answered, or for the rest of its answer."""
        self._tool_wait = SilenceWatch(TOOL_WAIT_S, paused=self._is_speech, expired=self._still_here)
        """Runs while a tool works."""
        self._cut = SilenceWatch(
            NOISE_S, paused=lambda: session.user_state == "speaking", expired=self._go_on
        )
        """Runs while a reply is cut and nothing has come of the sound that cut it."""

    def begin(self) -> None:
        """A turn is decided: what came before it is nobody's concern any more."""
        self._cut.stop()
        self._caller_made_a_sound = False

    def stop(self) -> None:
        """Nobody waits: the call is over, or somebody has it who sees to it in another way."""
        self.watch.stop()
        self._tool_wait.stop()
        self._cut.stop()

    # -- tools ----------------------------------------------------------------------------------------------
    def tool_began(self) -> None:
        """A tool runs, which has a limit of its own."""
        self._tools_at_work.append(self._desk.generations.current())
        if self._desk.has_turn and not self._desk.takes_no_turns and not self._tool_wait.running:
            self._tool_wait.start()

    def tool_done(self) -> None:
        """A tool of the running task has ended: what is made of it is owed, whatever was said before."""
        reply = self._desk.generations.current()
        self._tools_at_work.remove(reply)
        if not self._tools_at_work:
            self._tool_wait.stop()
        if reply is not None and self._desk.is_in_hand(reply) and self._desk.has_turn:
            self.watch.start(ASKED_AFTER if self._full_duplex.on_its_own else 1.0)

    # -- a reply --------------------------------------------------------------------------------------------
    def reply_begun(self) -> None:
        self._cut.stop()

    def stalled(self, reply: Generation | None) -> None:
        """An engine that had begun to answer sends nothing more, and does not end its answer."""
        if reply is not None and self._desk.is_in_hand(reply):
            # Who notices is part of the reply, which ends by this.
            asyncio.get_running_loop().call_soon(self._unanswered, TimeoutError())

    def reply_over(self, reply: Generation, speech: SpeechHandle, *, at_ms: float) -> None:
        """A reply of the engine in charge to the turn in hand has ended, and nothing follows it by itself."""
        if speech.interrupted:
            if self._caller_made_a_sound and self._desk.has_turn and not self._desk.takes_no_turns:
                self._cut.start()
            return
        silent = self.watch.running and not reply.first_audio_ms
        if (error := speech.exception()) is not None or silent or _owes_words(speech.chat_items):
            self._unanswered(error or NothingSaidError())
        elif not self._tools_at_work:
            self.watch.stop()
            self._full_duplex.reply_ended(at_ms)

    # -- the caller -----------------------------------------------------------------------------------------
    def caller_speaks(self) -> None:
        """The caller makes a sound, which may be a turn."""
        self._caller_made_a_sound = True

    def caller_silent(self) -> None:
        """The sound is over."""
        if self._cut.running:
            self._cut.start()

    def understood(self) -> None:
        """Words are recognised: the sound is a turn, and is answered as one."""
        self._cut.stop()

    # -- what is owed ---------------------------------------------------------------------------------------
    def _is_speech(self) -> bool:
        return "speaking" in (self._session.user_state, self._session.agent_state)

    def _is_busy(self) -> bool:
        return self._is_speech() or bool(self._tools_at_work)

    def _still_here(self) -> None:
        """A tool still works, and nothing is heard."""
        coming = self._session.current_speech is not None or self._desk.hands_over
        if self._is_owed() and not coming:
            self._desk.say_beside(self._desk.wording.still_here)
        else:
            self._tool_wait.start()

    def said_beside(self) -> None:
        """The caller was told so: the wait begins anew."""
        if self._tools_at_work:
            self._tool_wait.start()

    def _is_owed(self) -> bool:
        """Whether the turn in hand is not answered, or not to its end; what older ones left at work is not missed."""
        using = (reply for reply in self._tools_at_work if reply is not None)
        return self.watch.running or any(self._desk.is_in_hand(reply) for reply in using)

    def _unanswered(self, reason: BaseException | None = None) -> None:
        if self._full_duplex.on_its_own:
            self._full_duplex.says_nothing(reason)
        else:
            self._desk.recovery.rescue(reason)

    def _go_on(self) -> None:
        """The reply was cut by a sound that was no turn: the engine in charge gives the rest of it."""
        self._caller_made_a_sound = False
        self.watch.start()
        self._session.generate_reply(instructions=GO_ON)


def _owes_words(items: Sequence[llm.ChatItem]) -> bool:
    """Whether a reply ended when its tools had, and nothing was said of what they brought."""
    brought = [item.created_at for item in items if item.type == "function_call_output"]
    said = [item.created_at for item in items if item.type == "message" and item.role == "assistant"]
    return bool(brought) and max(said, default=0.0) < max(brought)
