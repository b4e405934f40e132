"""One speaker's recogniser: 16 kHz audio in, what was heard out. Synchronous; it lives in a worker process."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder  # type: ignore[import-untyped]

from lab.hearing.bandwidth import BandExtension, BandMeter, Regression
from lab.hearing.heard import Heard, Word
from lab.hearing.speech import RATE_HZ, WINDOW, SpeechGate, Turn

_PRE_ROLL_S = 0.3
_INTERIM_EVERY_S = 0.096
_FRAME_S = 0.01

_VARIANT = re.compile(r"\(\d+\)$")
_LETTER = re.compile(r"^([a-z])\.$")


class Recogniser:
    """Decodes one stream of int16 samples at 16 kHz with a decoder of its own.

    The decoder's cepstral mean follows the speaker from utterance to utterance, so it belongs to one stream
    and is reset before another one gets it (:meth:`release`).
    """

    def __init__(
        self, decoder: Decoder, *, silence_s: float, regression: Regression, telephone: bool = False
    ) -> None:
        self._decoder = decoder
        self._initial_mean = decoder.get_cmn(False)
        self._gate = SpeechGate(silence_s=silence_s)
        self._regression = regression
        self._telephone = telephone
        self._meter = BandMeter()
        self._extension: BandExtension | None = None
        self._pending = np.zeros(0, np.int16)
        self._before = np.zeros(0, np.int16)
        self._position = 0
        self._start = 0
        self._since_interim = 0
        self._last_interim = ""

    def push(self, samples: NDArray[np.int16]) -> Iterator[Heard]:
        """Take more audio, of any length, and yield what it brought."""
        self._pending = np.concatenate([self._pending, samples])
        while len(self._pending) >= WINDOW:
            window, self._pending = self._pending[:WINDOW], self._pending[WINDOW:]
            yield from self._take(window)

    def finalize(self) -> Heard:
        """Close the running utterance now. Its final is empty when nobody was speaking."""
        rest, self._pending = self._pending, self._pending[:0]
        self._position += len(rest)
        if not self._gate.open:
            self._before = np.concatenate([self._before, rest])
            return Heard("final", self._now_s, self._now_s, finalized=True)
        self._decode(rest)
        self._gate.close()
        return self._final(finalized=True)

    def release(self) -> Decoder:
        """End the stream and give the decoder back, as good as new."""
        if self._gate.open:
            self._decoder.end_utt()
        self._decoder.set_cmn(self._initial_mean)
        return self._decoder

    @property
    def _now_s(self) -> float:
        return self._position / RATE_HZ

    def _take(self, window: NDArray[np.int16]) -> Iterator[Heard]:
        turn = self._gate.judge(window)
        self._position += len(window)
        if turn is Turn.STARTED:
            self._begin(window)
            yield Heard("speech_started", self._start / RATE_HZ, self._start / RATE_HZ)
        elif turn is Turn.ENDED:
            self._decode(window)
            yield self._final()
        elif self._gate.open:
            self._meter.measure(window)
            self._decode(window)
            yield from self._interim(len(window))
        else:
            self._before = np.concatenate([self._before, window])[-round(_PRE_ROLL_S * RATE_HZ) :]

    def _begin(self, window: NDArray[np.int16]) -> None:
        self._decoder.start_utt()
        self._start = self._position - len(window) - len(self._before)
        self._since_interim, self._last_interim = 0, ""
        beginning = np.concatenate([self._before, window])
        self._meter.measure(beginning)
        narrow = self._telephone or self._meter.narrow
        self._extension = BandExtension(self._regression) if narrow else None
        self._decode(beginning)
        self._before = self._before[:0]

    def _decode(self, samples: NDArray[np.int16]) -> None:
        if self._extension is not None:
            samples = self._extension.push(samples)
        if len(samples):
            self._decoder.process_raw(samples.tobytes())

    def _interim(self, samples: int) -> Iterator[Heard]:
        self._since_interim += samples
        if self._since_interim < _INTERIM_EVERY_S * RATE_HZ:
            return
        self._since_interim = 0
        hypothesis = self._decoder.hyp()
        if hypothesis is None or hypothesis.hypstr == self._last_interim:
            return
        self._last_interim = hypothesis.hypstr
        words = self._words()
        if words:
            yield Heard("interim", self._start / RATE_HZ, self._now_s, words)

    def _final(self, *, finalized: bool = False) -> Heard:
        if self._extension is not None:
            self._decoder.process_raw(self._extension.flush().tobytes())
        self._decoder.end_utt()
        return Heard("final", self._start / RATE_HZ, self._now_s, self._words(), finalized=finalized)

    def _words(self) -> tuple[Word, ...]:
        offset_s = self._start / RATE_HZ
        words = []
        # seg() is None, not empty, when the search has no path at all
        for segment in self._decoder.seg() or ():
            if segment.word.startswith(("<", "[", "+")):
                continue
            text = _LETTER.sub(r"\1", _VARIANT.sub("", segment.word))
            start_s = offset_s + segment.start_frame * _FRAME_S
            end_s = offset_s + (segment.end_frame + 1) * _FRAME_S
            confidence = self._decoder.logmath.exp(segment.prob)
            words.append(
                Word(
                    text,
                    round(start_s, 3),
                    round(end_s, 3),
                    round(min(1.0, confidence), 4) if math.isfinite(confidence) else 0.0,
                )
            )
        return tuple(words)
