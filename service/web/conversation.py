"""What the vendor tells of a call, as events of the record.

Source: OpenAI API reference, *Realtime server events*. Times are those at which we are told, on the call's clock; how
long the caller spoke is the vendor's. Of a reply that the caller cut, the vendor's transcript has all the words
that were made, heard or not: which of them were heard is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from compliance.clock import CallClock
from compliance.events import AgentSaid, CallerSaid, Event, PartFailed, ProviderFailed, SpeechHeard, TurnEnded
from engines.usage import transcription_usage
from service.web.in_order import InOrder
from service.web.listener import Listener, Reply, ToolCall
from service.web.payloads import confidence, response_usage, spoken
from service.web.replies import LABEL

PATIENCE_MS = 10_000.0
"""The caller's words are waited for so long before the reply to them is put on record without."""
BUSY = "conversation_already_has_active_response"
"""The vendor's code for a reply that was asked for while another is being made."""

ASKED_AGAIN = "the vendor is asked once more, or the call ends"
"""What is done about a reply that does not come."""


@dataclass(slots=True)
class _Turn:
    number: int
    start_ms: float
    end_ms: float


class Conversation:
    """Follows one call's session.

    Args:
        emit: takes events for the record.
        clock: the call's clock.
        call_id: goes into every event.
        engine: the engine's name in the catalogue.
        provider: whose use it is, in the price book.
        model: the model that answers.
        transcribed_by: the model that writes down what the caller says.
        listener: acts on it.
    """

    def __init__(
        self,
        emit: Callable[[Event], None],
        *,
        clock: CallClock,
        call_id: str,
        engine: str,
        provider: str,
        model: str,
        transcribed_by: str,
        listener: Listener,
    ) -> None:
        self.turns = 0
        self._emit = emit
        self._clock = clock
        self._call_id = call_id
        self._engine = engine
        self._provider = provider
        self._model = model
        self._transcribed_by = transcribed_by
        self._listener = listener
        self._order = InOrder(emit, patience_ms=PATIENCE_MS, now_ms=clock.now_ms)
        self._speech_ms: dict[str, tuple[float, float]] = {}
        self._awaited: dict[str, _Turn] = {}
        self._replies: dict[str, Reply] = {}
        self._number = 0

    def take(self, event: Mapping[str, Any]) -> None:
        """One event of the vendor. One that is not as documented is put on record as such, and has no effect."""
        handler = _HANDLERS.get(str(event.get("type")))
        if handler is None:
            return
        try:
            handler(self, event)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            self.failed(
                type(error).__name__, "an event of the vendor was not as documented, and was left out"
            )

    def lost(self) -> None:
        """Events were missed: nothing that is waited for may still come."""
        for reply in list(self._replies.values()):
            reply.done = True
            self._over(reply, cut=reply.start_ms is not None)
        missed = [turn.number for turn in self._awaited.values()]
        self._awaited.clear()
        self._order.give_up()
        for number in missed:
            self._unheard("LookupError", f"what the caller said in turn {number} was never told")

    def failed(self, error: str, action: str) -> None:
        """Something of the vendor's went wrong."""
        self._emit(
            ProviderFailed(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                turn=self.turns,
                engine=self._engine,
                provider=self._provider,
                error=error,
                action=action,
            )
        )

    def add(self, *events: Event) -> None:
        """Events that come after all that was said so far."""
        self._order.add(*events)

    # -- the caller ---------------------------------------------------------------------------------------
    def _speech_started(self, event: Mapping[str, Any]) -> None:
        self._speech_ms[event["item_id"]] = (self._clock.now_ms(), float(event["audio_start_ms"]))

    def _speech_stopped(self, event: Mapping[str, Any]) -> None:
        now_ms = self._clock.now_ms()
        start_ms, from_ms = self._speech_ms.get(event["item_id"], (now_ms, float(event["audio_end_ms"])))
        end_ms = min(now_ms, start_ms + float(event["audio_end_ms"]) - from_ms)
        self._speech_ms[event["item_id"]] = (start_ms, end_ms)
        self._emit(
            SpeechHeard(
                call_id=self._call_id, at_ms=now_ms, speaker="caller", start_ms=start_ms, end_ms=end_ms
            )
        )

    def _committed(self, event: Mapping[str, Any]) -> None:
        now_ms = self._clock.now_ms()
        self._unsent_are_over()
        start_ms, end_ms = self._speech_ms.pop(event["item_id"], (now_ms, now_ms))
        self.turns += 1
        turn = self._awaited[event["item_id"]] = _Turn(self.turns, start_ms, max(start_ms, end_ms))
        self._emit(
            TurnEnded(
                call_id=self._call_id,
                at_ms=now_ms,
                turn=turn.number,
                start_ms=turn.start_ms,
                end_ms=turn.end_ms,
            )
        )
        self._order.keep(("caller", event["item_id"]))
        self._listener.turn_ended(typed=False)

    def _transcribed(self, event: Mapping[str, Any]) -> None:
        text = str(event["transcript"]).strip()
        turn = self._awaited.pop(event["item_id"], None)
        if turn is None:  # it was given up, or said while nobody listened
            now_ms = self._clock.now_ms()
            turn = _Turn(self.turns, now_ms, now_ms)
        self._caller_said(event["item_id"], turn, text, confidence(event.get("logprobs")))
        if (used := transcription_usage(event.get("usage") or {}, self._transcribed_by)) is not None:
            self._listener.used(turn.number, used)
        self._listener.turn_said(turn.number, text, turn.start_ms, turn.end_ms)

    def _not_transcribed(self, event: Mapping[str, Any]) -> None:
        turn = self._awaited.pop(event["item_id"])
        self._order.fill(("caller", event["item_id"]))
        code = (event.get("error") or {}).get("code") or "error"
        self._unheard(str(code)[:80], f"what the caller said in turn {turn.number} was not made out")
        self._listener.turn_said(turn.number, "", turn.start_ms, turn.end_ms)

    def _item_added(self, event: Mapping[str, Any]) -> None:
        item = event["item"]
        typed = [part["text"] for part in item.get("content") or () if part.get("type") == "input_text"]
        if item.get("role") == "user" and typed:  # it was typed in the page
            now_ms = self._clock.now_ms()
            self.turns += 1
            turn = _Turn(self.turns, now_ms, now_ms)
            self._emit(
                TurnEnded(
                    call_id=self._call_id, at_ms=now_ms, turn=turn.number, start_ms=now_ms, end_ms=now_ms
                )
            )
            self._listener.turn_ended(typed=True)
            text = " ".join(typed).strip()
            self._caller_said(item["id"], turn, text, 1.0)
            self._listener.turn_said(turn.number, text, now_ms, now_ms)

    def _caller_said(self, item_id: str, turn: _Turn, text: str, sure: float) -> None:
        said = CallerSaid(
            call_id=self._call_id,
            at_ms=self._clock.now_ms(),
            start_ms=turn.start_ms,
            end_ms=turn.end_ms,
            text=text,
            confidence=sure,
        )
        self._order.fill(("caller", item_id), *((said,) if text else ()))

    def _unheard(self, error: str, action: str) -> None:
        self._order.add(
            PartFailed(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                part="transcriber",
                error=error,
                action=action,
            )
        )

    # -- the model ------------------------------------------------------------------------------------------
    def _created(self, event: Mapping[str, Any]) -> None:
        response = event["response"]
        self._number += 1
        self._unsent_are_over()
        label = str((response.get("metadata") or {}).get(LABEL) or "")
        reply = Reply(response["id"], self.turns, self._number, label)
        self._replies[reply.id] = reply
        self._order.keep(("reply", reply.id))
        self._listener.reply_began(reply)

    def _audio_started(self, event: Mapping[str, Any]) -> None:
        self._reply(event).start_ms = self._clock.now_ms()

    def _audio_stopped(self, event: Mapping[str, Any]) -> None:
        if (reply := self._replies.get(event["response_id"])) is not None:
            reply.sent = not reply.ended
            self._over(reply)

    def _audio_cleared(self, event: Mapping[str, Any]) -> None:
        if (reply := self._replies.get(event["response_id"])) is not None:
            self._over(reply, cut=True)

    def _done(self, event: Mapping[str, Any]) -> None:
        response = event["response"]
        reply = self._reply({"response_id": response["id"]})
        output = response.get("output") or ()
        reply.text, reply.done = spoken(output), True
        if (used := response_usage(response.get("usage") or {}, self._model, reply.id)) is not None:
            self._listener.used(reply.turn, used)
        status = str(response.get("status"))
        reply.broken = status in ("cancelled", "failed")
        if status == "failed":
            code = ((response.get("status_details") or {}).get("error") or {}).get("code") or "failed"
            self.failed(f"response {str(code)[:80]}", ASKED_AGAIN)
        tools = [
            ToolCall(item["call_id"], item["name"], item.get("arguments") or "{}")
            for item in output
            if item.get("type") == "function_call" and status == "completed"
        ]
        self._listener.reply_done(reply, tools, status=status)
        unsent = reply.start_ms is None and status != "completed"
        if reply.ended or unsent or not reply.text:  # else its audio is still on its way
            self._over(reply, cut=status != "completed")

    def _unsent_are_over(self) -> None:
        """The call went on after replies of which the vendor never told that their audio was sent."""
        for reply in [one for one in self._replies.values() if one.done and one.start_ms is None]:
            self._over(reply)

    def _over(self, reply: Reply, *, cut: bool = False) -> None:
        if not reply.ended:
            reply.ended, reply.cut, reply.end_ms = True, cut, self._clock.now_ms()
        if not reply.done:
            return
        del self._replies[reply.id]
        now_ms = self._clock.now_ms()
        start_ms = now_ms if reply.start_ms is None else reply.start_ms
        end_ms = max(start_ms, reply.end_ms or now_ms)
        events: list[Event] = []
        if reply.start_ms is not None:
            events.append(
                SpeechHeard(
                    call_id=self._call_id, at_ms=now_ms, speaker="agent", start_ms=start_ms, end_ms=end_ms
                )
            )
        if reply.text:
            events.append(
                AgentSaid(
                    call_id=self._call_id,
                    at_ms=now_ms,
                    turn=reply.turn,
                    engine=self._engine,
                    generation=reply.number,
                    start_ms=start_ms,
                    end_ms=end_ms,
                    text=reply.text,
                    interrupted=reply.cut,
                )
            )
        self._order.fill(("reply", reply.id), *events)
        self._listener.reply_over(reply)

    def _reply(self, event: Mapping[str, Any]) -> Reply:
        """The reply that an event is about; one that began while nobody listened begins now."""
        reply_id = event["response_id"]
        if reply_id not in self._replies:
            self._number += 1
            self._replies[reply_id] = Reply(reply_id, self.turns, self._number)
            self._order.keep(("reply", reply_id))
        return self._replies[reply_id]

    def _error(self, event: Mapping[str, Any]) -> None:
        code = str(event["error"].get("code") or event["error"].get("type") or "error")[:80]
        if code != BUSY:  # it is asked again when that one is done
            self.failed(f"error {code}", "what was asked of the vendor was not done")


_HANDLERS: Mapping[str, Callable[[Conversation, Mapping[str, Any]], None]] = {
    "input_audio_buffer.speech_started": Conversation._speech_started,
    "input_audio_buffer.speech_stopped": Conversation._speech_stopped,
    "input_audio_buffer.committed": Conversation._committed,
    "conversation.item.input_audio_transcription.completed": Conversation._transcribed,
    "conversation.item.input_audio_transcription.failed": Conversation._not_transcribed,
    "conversation.item.added": Conversation._item_added,
    "response.created": Conversation._created,
    "response.done": Conversation._done,
    "output_audio_buffer.started": Conversation._audio_started,
    "output_audio_buffer.stopped": Conversation._audio_stopped,
    "output_audio_buffer.cleared": Conversation._audio_cleared,
    "error": Conversation._error,
}
