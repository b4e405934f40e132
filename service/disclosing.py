"""Says what must be said to a caller, in its own words, and has it compared with what was played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from livekit.agents import AgentSession, SpeechCreatedEvent
from livekit.agents.voice.speech_handle import SpeechHandle

from compliance.consent import Passage
from compliance.redaction.entities import asked_for
from compliance.tap import Playout
from engines.desk import Desk
from engines.recital import Recital
from service.consents import CallConsents


class Disclosing:
    """The disclosures of one call on its way to the caller's ear.

    What is owed after the greeting is said after a reply that the caller heard out, and not after one that asked for
    personal data: the answer comes next, and the redactor must still know what was asked.

    Args:
        session: says it; it is listened to from now on.
        desk: has the voice.
        consents: know what is owed, and put on record what was heard.
        last_words: what the agent said last.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        desk: Desk,
        consents: CallConsents,
        *,
        last_words: Callable[[], str],
    ) -> None:
        self._session = session
        self._desk = desk
        self._consents = consents
        self._last_words = last_words
        self._recital: Recital | None = None
        self._playout: Playout | None = None
        self._over = False
        session.on("speech_created", self._speech_created)

    def greet(self, greeting: str, offer: str) -> None:
        """Begin the call."""
        self._recite(self._consents.greeting(greeting, offer))

    def played(self, playout: Playout) -> None:
        """A stretch of the agent's audio was heard, or as much of it as was."""
        if self._recital is not None and self._recital.begun:
            self._playout = playout

    def stop(self) -> None:
        """The call is over: nothing more is said."""
        self._over = True

    def _recite(self, passages: Sequence[Passage]) -> None:
        recital = Recital(self._desk, [passage.words for passage in passages])
        turn = self._desk.turn
        self._recital, self._playout = recital, None

        def over(_: SpeechHandle) -> None:
            self._recital = None
            self._consents.played(passages, recital, self._playout, turn)

        with suppress(RuntimeError):  # the session is closing: the end of the call tells what was missed
            self._session.say(recital.text, audio=recital.audio()).add_done_callback(over)

    def _speech_created(self, event: SpeechCreatedEvent) -> None:
        if event.source != "say":
            event.speech_handle.add_done_callback(self._reply_done)

    def _reply_done(self, reply: SpeechHandle) -> None:
        if not reply.interrupted:  # a little later: who else is told of its end has first to put it on record
            asyncio.get_running_loop().call_soon(self._say_what_is_owed)

    def _say_what_is_owed(self) -> None:
        if self._over or self._recital is not None or self._session.user_state == "speaking":
            return
        if not asked_for(self._last_words()) and (passages := self._consents.after_reply()):
            self._recite(passages)
