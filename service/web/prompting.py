"""Has the vendor's model speak: the greeting, what it owes the caller, an answer that does not come, the last words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from compliance.consent import Passage
from service.ending import GOODBYE_S
from service.web.conversation import BUSY
from service.web.listener import Reply
from service.web.replies import Replies
from service.web.session import GOODBYE, say
from service.web.waiting import Waiting

SILENT = "the vendor did not answer the caller, and nothing else can"


class Prompter:
    """Of one call.

    Args:
        send: sends a client event to the vendor.
        end: ends the call, for the record because of what it is given.
        limit_s: how long the model may be silent when the caller waits.
        working: whether a tool works just now.
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
        working: Callable[[], bool],
        late: Callable[[], None],
    ) -> None:
        self.leaving = False
        self._send = send
        self._end = end
        self._replies = Replies(send)
        self._waiting = Waiting(
            limit_s,
            paused=lambda: self._speaking or working(),
            late=late,
            again=self._ask_again,
            give_up=lambda: self._end(SILENT),
        )
        self._speaking = False
        self._recited: dict[str, Sequence[Passage]] = {}
        self._awaited: Sequence[Passage] = ()
        self._goodbye = ""
        self._reason = ""
        self._limit: asyncio.TimerHandle | None = None

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
            self._replies.ask()
            self._waiting.due()

    def leave(self, reason: str) -> None:
        """Have the caller told that the call ends, and end it because of ``reason``."""
        if self.leaving:
            return
        self.leaving, self._reason = True, reason
        self._waiting.over()
        self._replies.abandon()
        self._send({"type": "output_audio_buffer.clear"})
        # Nothing that is said now is answered, or keeps the caller from hearing the goodbye.
        deaf = {"input": {"turn_detection": None}}
        self._send({"type": "session.update", "session": {"type": "realtime", "audio": deaf}})
        self._goodbye = self._replies.ask(instructions=say(GOODBYE), tool_choice="none")
        self._limit = asyncio.get_running_loop().call_later(GOODBYE_S, self._end, reason)

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._waiting.over()
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
                self._waiting.going_on()
            case "output_audio_buffer.started" if not self.leaving:
                self._waiting.begun()
            case "input_audio_buffer.speech_started":
                self._speaking = True
                self._waiting.over()

    def lost(self) -> None:
        """Events were missed."""
        self._speaking = False
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

    def began(self, reply: Reply) -> None:
        """A reply is being made."""
        self._replies.began(reply.label)

    def done(self, reply: Reply, *, calls: bool, status: str) -> None:
        """It was made, or not, by the vendor's ``status``; ``calls``: it wants tools."""
        self._replies.done()
        if self.leaving:
            return
        if calls or (status not in ("failed", "cancelled") and reply.text):
            self._waiting.answered()
        elif status == "failed":
            self._awaited = self._recited.get(reply.label, ())
            self._waiting.failed()

    def over(self, reply: Reply) -> Sequence[Passage]:
        """It was sent or cut; returns what it was to recite, if it was."""
        if self.leaving and reply.label == self._goodbye:
            self._end(self._reason)
        return self._recited.pop(reply.label, ())

    def _ask_again(self) -> None:
        self._replies.abandon()
        if self._awaited:
            self.recite(self._awaited)
        else:
            self._replies.ask()
