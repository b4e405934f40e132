"""A recogniser process: many listeners, one after another. Started by :mod:`lab.hearing.pool` only.

Python threads do not speed pocketsphinx up (it holds the interpreter lock), processes do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import BinaryIO

import av
import numpy as np
from livekit.local_inference import init_vad
from pocketsphinx import Decoder  # type: ignore[import-untyped]

from lab.hearing.bandwidth import Regression
from lab.hearing.heard import Heard
from lab.hearing.recogniser import Recogniser
from lab.hearing.speech import RATE_HZ
from lab.hearing.wire import HEAD_BYTES, Kind, heard_to_json, pack, unpack_head, unpack_opening

_TELEPHONE_HZ = 8_000
"""Audio of this rate came through a telephone for sure; in other audio the spectrum tells."""


class _Stream:
    """A listener's audio: brought to 16 kHz, then recognised."""

    def __init__(self, recogniser: Recogniser, sample_rate_hz: int) -> None:
        self.recogniser = recogniser
        self._rate_hz = sample_rate_hz
        self._resampler = (
            None
            if sample_rate_hz == RATE_HZ
            else av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        )

    def push(self, pcm: bytes, report: Callable[[Heard], None]) -> None:
        for heard in self.recogniser.push(self._at_16_khz(np.frombuffer(pcm, np.int16))):
            report(heard)

    def _at_16_khz(
        self, samples: np.ndarray[tuple[int, ...], np.dtype[np.int16]]
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
        if self._resampler is None or not len(samples):
            return samples
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate = self._rate_hz
        parts = [part.to_ndarray().ravel() for part in self._resampler.resample(frame)]
        return np.concatenate(parts) if parts else samples[:0]


def serve(requests: BinaryIO, replies: BinaryIO, make_decoder: Callable[[], Decoder]) -> None:
    """Answer requests until the stream ends, which it does when the pool closes it or dies."""
    init_vad()
    regression = Regression.load()
    spare = [make_decoder()]
    streams: dict[int, _Stream] = {}

    def reply(kind: Kind, listener: int = 0, moment_s: float = 0.0, body: bytes = b"") -> None:
        replies.write(pack(kind, listener, moment_s, body))
        replies.flush()

    def report(listener: int, moment_s: float, heard: Heard) -> None:
        reply(Kind.HEARD, listener, moment_s, heard_to_json(heard))

    reply(Kind.READY)
    while len(raw := requests.read(HEAD_BYTES)) == HEAD_BYTES:
        head = unpack_head(raw)
        body = requests.read(head.body_bytes)
        tell = partial(report, head.listener, head.moment_s)
        if head.kind is Kind.OPEN:
            decoder = spare.pop() if spare else make_decoder()
            sample_rate_hz, silence_s = unpack_opening(body)
            recogniser = Recogniser(
                decoder,
                silence_s=silence_s,
                regression=regression,
                telephone=sample_rate_hz <= _TELEPHONE_HZ,
            )
            streams[head.listener] = _Stream(recogniser, sample_rate_hz)
        elif head.kind is Kind.PUSH:
            streams[head.listener].push(body, tell)
        elif head.kind is Kind.FINALIZE:
            tell(streams[head.listener].recogniser.finalize())
        elif head.kind is Kind.CLOSE:
            spare.append(streams.pop(head.listener).recogniser.release())


def _decoder(language_model: str, dictionary: str) -> Decoder:
    return Decoder(
        lm=language_model,
        dict=dictionary,
        samprate=RATE_HZ,
        # the second pass costs .03 x the length of the utterance, after its end
        fwdflat=False,
        loglevel="FATAL",
    )


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, partial(_decoder, *sys.argv[1:]))
