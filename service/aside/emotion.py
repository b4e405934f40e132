"""The work of judging a caller's voice, in the process beside the calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from classifiers.emotion import EmotionModel, EmotionStream


class EmotionWork:
    """One call's voice. Messages are pieces of the caller's audio, in order; the answer is the turn's reading so far.

    Header: ``turn``, its number; ``rate_hz``; ``speaking``, the voice detector's verdict on this piece; ``ended``, that
    the caller stopped speaking with it. Payload: mono 16 bit PCM, possibly empty. Answer: ``reading``, the fields of
    :class:`classifiers.emotion.EmotionReading`.
    """

    def __init__(self, model: EmotionModel) -> None:
        self._stream = EmotionStream(model)
        self._turn = 0
        self._reading = asdict(self._stream.turn_result())

    def answer(self, header: Mapping[str, Any], payload: bytes) -> tuple[Mapping[str, Any], bytes]:
        if header["turn"] != self._turn:
            self._turn = header["turn"]
            self._stream.reset_turn()
            self._reading = asdict(self._stream.turn_result())
        samples = np.frombuffer(payload, np.int16)
        scored = self._stream.push(samples, header["rate_hz"], speaking=header["speaking"])
        # Between windows nothing new is known; what remains at the end of speech is judged then.
        if scored is not None or header["ended"]:
            self._reading = asdict(self._stream.turn_result())
        return {"reading": self._reading}, b""
