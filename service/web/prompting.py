"""Has the vendor's model speak: the greeting, what it owes the caller, words for who waits, the last words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from compliance.consent import Passage
from engines.wording import Wording
from service.ending import GOODBYE_S
from service.web.conversation import BUSY
from service.web.listener import Reply
from service.web.replies import Replies
from service.web.session import GOODBYE, say
from service.web.waiting import Waiting

SILENT = "the vendor did not answer the caller, and nothing else can"
STILL_HERE = Wording().still_here.strip()


class Prompter:
    """Of one call.

    Args:
        send: sends a client event to the vendor.
        end: ends the call, for the record because of what it is given.
        limit_s: how long the model may be silent when the caller waits.
        late: told that the model was silent for so long.

    Attributes:
        leaving: whether the caller is told that the call ends, and nothing is answered any more.
    """

    def __init__(
        self,
        send: Callable[[Mapping[str, Any]], None],
        end: Callable[[str], None],
        *,
        limit_s: float,
        late: Callable[[], None],
    ) -> None:
        self.leaving = False
        self._send = send
        self._end = end
        self._replies = Replies(send)
        self._waiting = Waiting(
            limit_s,
            caller_speaks=lambda: self._speaking,
            quiet=lambda: not (self._speaking or self._audible or self._replies.busy),
            late=late,
            again=self._ask_again,
            give_up=lambda: self._end(SILENT),
            still_here=self._say_still_here,
        )
        self._speaking = False
        """Whether the caller is."""
        self._audible = False
        """Whether the model is."""
        self._recited: dict[str, Sequence[Passage]] = {}
        self._awaited: Sequence[Passage] = ()
        """What the caller waits for, unless it is an answer."""
        self._beside: str | None = None
        self._goodbye: str | None = None
        self._reason = ""
        self._limit: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """Whether the caller waits for something that is to be said."""
        return self._waiting.waits

    # -- what it says -----------------------------------------------------------------------------------------
    def greet(self, passages: Sequence[Passage]) -> None:
        """Begin the call with ``passages``."""
        self._awaited = passages
        self.recite(passages)
        self._waiting.due()

    def recite(self, passages: Sequence[Passage]) -> None:
        """Say ``passages`` as they stand, when nothing else is said."""
        words = " ".join(passage.words for passage in passages)
        self._recited[self._replies.ask(instructions=say(words), tool_choice="none")] = passages

    def answer(self) -> None:
        """Answer what the model was told last."""
        if not self.leaving:
            self._awaited = ()
            self._replies.ask()
            self._waiting.due()

    def leave(self, reason: str) -> None:
        """Have the caller told that the call ends, and end it because of ``reason``."""
        if self.leaving:
            return
        self.leaving, self._reason = True, reason
        self._waiting.stop()
        self._replies.abandon()
        self._send({"type": "output_audio_buffer.clear"})
        # Nothing that is said now is answered, or keeps the caller from hearing the goodbye.
        deaf = {"input": {"turn_detection": None}}
        self._send({"type": "session.update", "session": {"type": "realtime", "audio": deaf}})
        # By none of the caller's words: they may have objected to their being read.
        self._goodbye = self._replies.ask(instructions=say(GOODBYE), tool_choice="none", input=[])
        self._limit = asyncio.get_running_loop().call_later(GOODBYE_S, self._end, reason)

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._waiting.stop()
        if self._limit is not None:
            self._limit.cancel()

    # -- what it is told --------------------------------------------------------------------------------------
    def heard(self, event: Mapping[str, Any]) -> None:
        """One event of the vendor."""
        match event.get("type"):
            case "error":
                error = event["error"]
                self._replies.refused(str(error.get("event_id")), busy=error.get("code") == BUSY)
            case "response.output_audio_transcript.delta" if not self.leaving:
                self._waiting.going_on(event["response_id"])
            case "output_audio_buffer.started" if not self.leaving:
                self._audible = True
                self._waiting.audible(event["response_id"])
            case "output_audio_buffer.stopped" | "output_audio_buffer.cleared":
                self._audible = False
                self._waiting.fell_silent()
            case "input_audio_buffer.speech_started":
                self._speaking = True
                self._waiting.over()

    def lost(self) -> None:
        """Events were missed."""
        self._speaking = self._audible = False
        self._replies.lost()
        self._waiting.missed()

    def turn_ended(self, *, typed: bool) -> None:
        """The caller waits for an answer, which the vendor begins by itself unless it was ``typed``."""
        self._speaking = False
        if self.leaving:
            return
        self._awaited = ()
        if typed:
            self._replies.ask()
        self._waiting.due()
        self._waiting.fell_silent()

    def tool_began(self) -> None:
        """A tool works."""
        self._waiting.tool_began()

    def tools_done(self) -> None:
        """None works any more."""
        self._waiting.tools_done()

    def began(self, reply: Reply) -> None:
        """A reply is being made."""
        self._replies.began(reply.label)
        if self.leaving:
            if reply.label != self._goodbye:  # the goodbye is what is heard
                self._send({"type": "response.cancel"})
            return
        recites = self._recited.get(reply.label, ())
        beside = reply.label == self._beside
        if not (beside or self._waiting.waits):  # who waits for nothing waits for what begins to be said
            self._awaited = recites
        self._waiting.began(reply.id, answers=not beside and recites == self._awaited)

    def done(self, reply: Reply, *, calls: bool, status: str) -> None:
        """It was made, or not, by the vendor's ``status``; ``calls``: it wants tools."""
        self._replies.done()
        if self.leaving:
            return
        if calls or (status not in ("failed", "cancelled") and reply.text):
            self._waiting.made(reply.id)
        elif status == "failed":
            self._waiting.failed(reply.id)

    def over(self, reply: Reply) -> Sequence[Passage]:
        """It was sent or cut; returns what it was to recite, if it was."""
        if self.leaving and reply.label == self._goodbye:
            self._end(self._reason)
        return self._recited.pop(reply.label, ())

    def _say_still_here(self) -> None:
        self._beside = self._say_beside(STILL_HERE)

    def _say_beside(self, words: str) -> str:
        """Say ``words`` that are no answer: the model neither reads the conversation for them nor finds them in it."""
        return self._replies.ask(instructions=say(words), tool_choice="none", conversation="none", input=[])

    def _ask_again(self) -> None:
        self._replies.abandon()
        if self._awaited:
            self.recite(self._awaited)
        else:
            self._replies.ask()
