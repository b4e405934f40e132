"""Turn detection on the server's side, in its simplest form: loud enough, then quiet for long enough.

Patchbay takes its turns itself and switches this off; it is here so that a plugin's defaults work on the lab.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lab.realtime_conversation import BYTES_PER_MS

_LOUD = 500.0
"""RMS of int16 samples; about -36 dBFS."""


@dataclass(slots=True)
class ServerVad:
    """``server_vad``; ``semantic_vad`` is treated alike."""

    silence_ms: int = 200
    padding_ms: int = 300
    responds: bool = True
    interrupts: bool = True
    audio_ms: int = 0
    """How much audio was heard in all."""
    speech_start_ms: int = 0
    _quiet_ms: int = 0
    _speaking: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> ServerVad:
        """From a session's ``turn_detection``."""
        return cls(
            silence_ms=int(config.get("silence_duration_ms") or 200),
            padding_ms=int(config.get("prefix_padding_ms") or 300),
            responds=config.get("create_response") is not False,
            interrupts=config.get("interrupt_response") is not False,
        )

    @property
    def turn_ms(self) -> int:
        """How much of the audio up to now belongs to the turn, padding included."""
        return self.audio_ms - max(0, self.speech_start_ms - self.padding_ms)

    def push(self, pcm: bytes) -> Literal["started", "stopped"] | None:
        """Hear one chunk, and say whether the caller began or stopped speaking with it."""
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        loud = samples.size > 0 and float(np.sqrt(np.mean(samples**2))) > _LOUD
        before_ms, chunk_ms = self.audio_ms, len(pcm) // BYTES_PER_MS
        self.audio_ms += chunk_ms
        if loud:
            self._quiet_ms = 0
            if not self._speaking:
                self._speaking, self.speech_start_ms = True, before_ms
                return "started"
        elif self._speaking:
            self._quiet_ms += chunk_ms
            if self._quiet_ms >= self.silence_ms:
                self._speaking, self._quiet_ms = False, 0
                return "stopped"
        return None
