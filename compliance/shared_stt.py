"""The recogniser that a session is given: it reads the call's transcriber instead of opening a stream."""

from __future__ import annotations

import time
from dataclasses import replace

from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    ConversationItemAddedEvent,
    NotGivenOr,
    stt,
    utils,
)
from livekit.agents.metrics import STTMetrics
from livekit.agents.metrics.base import Metadata
from livekit.agents.types import TimedString

from compliance.heard import Condition, Ears, Heard
from compliance.transcriber import Transcriber

_MOSTLY = 0.5
_JOIN_MS = 40.0


class SharedSTT(stt.STT[str]):
    """Relays what the transcriber hears to the session, as if the session had its own recogniser.

    The session may open and close streams of this as it likes: there is one recogniser stream behind them, and
    closing this does not close it. While the session is deaf to the caller (echo warm-up, speech that may not be
    interrupted) it feeds its recogniser silence; segments that were spoken mostly then are withheld from it,
    or they would be taken for a turn. The record has them.

    VAD end of speech makes the session flush its stream (``manual_flush``), which asks the recogniser to
    finalise. Usage is reported once, however many streams there are.
    """

    def __init__(self, transcriber: Transcriber) -> None:
        behind = transcriber.recogniser.capabilities
        super().__init__(
            capabilities=replace(behind, streaming=True, offline_recognize=False, manual_flush=True)
        )
        self.transcriber = transcriber
        self.withheld = 0
        """Final segments that the session was not given."""
        transcriber.on_usage.append(self._used)
        transcriber.on_condition.append(self._changed)

    @property
    def model(self) -> str:
        return self.transcriber.recogniser.model

    @property
    def provider(self) -> str:
        return self.transcriber.recogniser.provider

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        return _Reader(self, conn_options)

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        raise NotImplementedError("the call's recogniser only streams")

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        self.transcriber.recogniser._update_session_keyterms(keyterms)

    def _push_conversation_item(self, ev: ConversationItemAddedEvent) -> None:
        self.transcriber.recogniser._push_conversation_item(ev)

    def _used(self, recogniser: stt.STT[str], usage: stt.RecognitionUsage) -> None:
        metrics = STTMetrics(
            request_id="",
            timestamp=time.time(),
            duration=0.0,
            label=recogniser.label,
            audio_duration=usage.audio_duration,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            streamed=True,
            metadata=Metadata(model_name=recogniser.model, model_provider=recogniser.provider),
        )
        self.emit("metrics_collected", metrics)

    def _changed(self, condition: Condition) -> None:
        # Never "not recoverable" more than once in a row: the session closes the call over a few of those,
        # while a realtime engine can go on without a transcript. Whoever wires the call decides.
        if condition.error is not None:
            self._emit_error(condition.error, recoverable=condition.state is not Ears.DEAF)


class _Reader(stt.RecognizeStream):
    """One of the session's streams. Audio in only tells what the session heard; events come from the hub."""

    def __init__(self, shared: SharedSTT, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=shared, conn_options=conn_options)
        self._shared = shared
        self._transcriber = shared.transcriber
        self._began_ms: float | None = None
        self._until_ms = 0.0
        self._deaf: list[tuple[float, float]] = []
        self._relayed = True
        """Whether the session was given any words since the last onset."""

    async def _run(self) -> None:
        self._transcriber.readers.append(self._relay)
        try:
            async for item in self._input_ch:
                if isinstance(item, rtc.AudioFrame):
                    self._note(item)
                else:
                    self._transcriber.finalize()
        finally:
            self._transcriber.readers.remove(self._relay)

    def _note(self, frame: rtc.AudioFrame) -> None:
        start_ms = self._transcriber.tap.start_of(frame)
        # Only silence that is not the caller's own makes the session deaf: were it given other frames
        # altogether, by some processor between, nothing could be told from their identity.
        deaf = start_ms is None and not any(frame.data)
        if start_ms is None:
            start_ms = self._until_ms or self._transcriber.tap.heard_until_ms - frame.duration * 1000
        if self._began_ms is None:
            self._began_ms = start_ms
        self._until_ms = start_ms + frame.duration * 1000
        if not deaf:
            return
        if self._deaf and start_ms - self._deaf[-1][1] < _JOIN_MS:
            self._deaf[-1] = (self._deaf[-1][0], self._until_ms)
        else:
            self._deaf.append((start_ms, self._until_ms))

    def _was_deaf(self, start_ms: float, end_ms: float) -> bool:
        """Whether the session was deaf to most of this span."""
        missed_ms = sum(
            max(0.0, min(end_ms, until_ms) - max(start_ms, since_ms)) for since_ms, until_ms in self._deaf
        )
        return missed_ms > _MOSTLY * max(1.0, end_ms - start_ms)

    def _relay(self, heard: Heard) -> None:
        kind = heard.event.type
        if kind is stt.SpeechEventType.END_OF_SPEECH:
            withheld, self._relayed = not self._relayed, True
        else:
            withheld = self._was_deaf(heard.start_ms, heard.end_ms)
            self._relayed = not withheld
        if not withheld:
            self._event_ch.send_nowait(self._rebased(heard))
        elif kind is stt.SpeechEventType.FINAL_TRANSCRIPT:
            self._shared.withheld += 1

    def _rebased(self, heard: Heard) -> stt.SpeechEvent:
        """The event with word times on the session's clock, and the end of speech as a wall-clock time.

        The session counts from the first frame that it gave this stream.
        """
        event = heard.event
        if heard.offset_s is not None and self._began_ms is not None:
            shift_s = heard.offset_s - self._began_ms / 1000
            event = replace(event, alternatives=[_shifted(data, shift_s) for data in event.alternatives])
        ends = event.type in (stt.SpeechEventType.FINAL_TRANSCRIPT, stt.SpeechEventType.END_OF_SPEECH)
        if ends and event.speech_end_time is None:
            clock = self._transcriber.clock
            event = replace(event, speech_end_time=clock.to_wall(min(heard.end_ms, clock.now_ms())))
        return event


def _shifted(data: stt.SpeechData, shift_s: float) -> stt.SpeechData:
    if data.end_time <= 0:
        return data
    words = None if data.words is None else [_shifted_word(word, shift_s) for word in data.words]
    return replace(
        data,
        start_time=max(0.0, data.start_time + shift_s),
        # Zero would read as "no time known".
        end_time=max(0.001, data.end_time + shift_s),
        words=words,
    )


def _shifted_word(word: TimedString, shift_s: float) -> TimedString:
    start, end = word.start_time, word.end_time
    return TimedString(
        str(word),
        start_time=start + shift_s if isinstance(start, float | int) else start,
        end_time=end + shift_s if isinstance(end, float | int) else end,
        confidence=word.confidence,
        start_time_offset=word.start_time_offset,
        speaker_id=word.speaker_id,
    )
