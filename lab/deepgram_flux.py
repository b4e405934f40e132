"""Deepgram Flux: speech to text that says when the turn is over, the caller's audio really recognised.

Wire format: Deepgram's reference of ``/v2/listen`` and its page *Understanding the Flux State Machine*, as
``livekit.plugins.deepgram.STTv2`` 1.8.9 relies on them. What a turn's end *is* belongs to the vendor's model; here it
is silence, longer the surer the client wants to be: a final result of the ears brings ``EagerEndOfTurn``, and
:func:`end_silence_s` of silence ``EndOfTurn``. Not played: ``Configure`` of thresholds, ``ForceEndTurn``, languages.
The vendor does not say whether ``CloseStream`` ends a turn; here the rest of it comes as an ``Update``.

Delays are those of :mod:`lab.deepgram`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from aiohttp import web

from lab.context import Heard, LabContext, Word
from lab.deepgram import Stream, listen
from lab.faults import Provider
from lab.hearing.speech import RATE_HZ, WINDOW, SpeechGate, Turn

_EOT_THRESHOLD = 0.7
_EOT_TIMEOUT_MS = 5000
_GOING_ON = 0.1
"""The confidence of an end of turn while the caller speaks."""
_WINDOW_BYTES = 2 * WINDOW


def end_silence_s(threshold: float) -> float:
    """The silence after which this lab is as sure as ``threshold`` that a turn is over; for 1 it never is."""
    return 0.1 + threshold / 2 if threshold < 1 else float("inf")


def routes(context: LabContext) -> list[web.RouteDef]:
    async def hear(request: web.Request) -> web.StreamResponse:
        if request.query.get("sample_rate", "") not in ("", str(RATE_HZ)):
            body = {"err_code": "Bad Request", "err_msg": f"The lab's Flux hears sample_rate={RATE_HZ}."}
            return web.json_response(body, status=400)
        return await listen(request, context, _Stream)

    return [web.get("/deepgram/v2/listen", hear)]


class _Stream(Stream):
    provider: ClassVar[Provider] = "deepgram.flux"

    def __init__(
        self, request: web.Request, websocket: web.WebSocketResponse, lab: LabContext, connection: str
    ) -> None:
        super().__init__(request, websocket, lab, connection)
        query = request.query
        self._eager = float(query["eager_eot_threshold"]) if "eager_eot_threshold" in query else None
        self._sure = float(query.get("eot_threshold", _EOT_THRESHOLD))
        longest_s = int(query.get("eot_timeout_ms", _EOT_TIMEOUT_MS)) / 1000
        self._gate = SpeechGate(silence_s=min(end_silence_s(self._sure), longest_s))
        self._unjudged = bytearray()
        self._asked: deque[Literal["EndOfTurn", "Update"]] = deque()
        """What the answers to the ears' pending ``finalize()`` mean to the client."""
        self._turn, self._messages_sent = 0, 0
        self._since_s = 0.0
        """Where the turn's audio begins: at the end of the turn before."""
        self._certain: list[Word] = []
        self._begun = self._awaiting = False

    def _push(self, pcm: bytes) -> None:
        super()._push(pcm)
        self._unjudged += pcm
        while len(self._unjudged) >= _WINDOW_BYTES:
            window = np.frombuffer(bytes(self._unjudged[:_WINDOW_BYTES]), "<i2")
            del self._unjudged[:_WINDOW_BYTES]
            if self._gate.judge(window) is Turn.ENDED:  # the ears may still have to hear what led to it
                self._asked.append("EndOfTurn")
                super()._finalize()

    def _finalize(self) -> None:
        """By the client: it closes the stream. Flux knows no ``Finalize``."""
        if self._closing:
            self._asked.append("Update")
            super()._finalize()

    def _messages(self, heard: Heard) -> Iterator[dict[str, Any]]:
        words = [*self._certain, *heard.words]
        if heard.kind == "speech_started":
            if self._awaiting:
                self._awaiting = False
                yield self._info("TurnResumed", words, heard, _GOING_ON)
            return
        if heard.words and not self._begun:
            self._begun = True
            yield self._info("StartOfTurn", words, heard, _GOING_ON)
        elif heard.kind == "interim" and self._begun:
            yield self._info("Update", words, heard, _GOING_ON)
        if heard.kind != "final":
            return
        self._certain = words
        meaning = self._asked.popleft() if heard.finalized else None
        if not self._begun:
            return
        if meaning == "EndOfTurn":
            yield self._info("EndOfTurn", words, heard, self._sure)
            self._turn, self._since_s = self._turn + 1, max(heard.end_s, words[-1].end_s)
            self._certain, self._begun, self._awaiting = [], False, False
        elif meaning is None and self._eager is not None and heard.words:
            self._awaiting = True
            yield self._info("EagerEndOfTurn", words, heard, self._eager)
        else:
            yield self._info("Update", words, heard, _GOING_ON)

    def _info(self, event: str, words: Sequence[Word], heard: Heard, confidence: float) -> dict[str, Any]:
        self._messages_sent += 1
        return {
            "type": "TurnInfo",
            "request_id": self._connection,
            "sequence_id": self._messages_sent,
            "event": event,
            "turn_index": self._turn,
            "audio_window_start": round(self._since_s, 3),
            "audio_window_end": round(max(heard.end_s, self._since_s), 3),
            "transcript": " ".join(word.text for word in words),
            "words": [
                {"word": word.text, "confidence": word.confidence, "start": word.start_s, "end": word.end_s}
                for word in words
            ],
            "end_of_turn_confidence": confidence,
        }

    def _goodbye(self) -> dict[str, Any] | None:
        return None
