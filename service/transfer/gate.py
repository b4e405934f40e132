"""Cuts a person's audio into stretches of speech, so that each is played, measured and ended by itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from livekit import rtc

from compliance.voiced import VoiceGate

HANGOVER_MS = 500.0
"""Quiet for so long ends a stretch; a pause between words does not."""
PREROLL_MS = 100.0
"""What was heard right before the first voiced frame: a soft beginning."""


class SpeechGate:
    """Pure: frames in, frames of speech and ends of stretches out.

    Attributes:
        open: whether a stretch is going on.
        voiced_ms: how much voiced sound has come so far, in whole frames.
    """

    def __init__(self) -> None:
        self._voice = VoiceGate()
        self._before: deque[rtc.AudioFrame] = deque()
        self._before_ms = 0.0
        self._quiet_ms = 0.0
        self.open = False
        self.voiced_ms = 0.0

    def push(self, frame: rtc.AudioFrame) -> Iterator[rtc.AudioFrame | None]:
        """The frames to be played now; ``None`` after the last of a stretch."""
        duration_ms = frame.duration * 1000
        voiced = self._voice.last_voiced(np.frombuffer(frame.data, np.int16), duration_ms) is not None
        self.voiced_ms += duration_ms if voiced else 0.0
        self._quiet_ms = 0.0 if voiced else self._quiet_ms + duration_ms
        if voiced and not self.open:
            self.open = True
            yield from self._before
            self._before.clear()
            self._before_ms = 0.0
        if self.open:
            yield frame
            if self._quiet_ms >= HANGOVER_MS:
                yield from self.close()
            return
        self._before.append(frame)
        self._before_ms += duration_ms
        while self._before_ms > PREROLL_MS:
            self._before_ms -= self._before.popleft().duration * 1000

    def close(self) -> Iterator[None]:
        """End the stretch that is going on, if one is."""
        if self.open:
            self.open = False
            yield None
