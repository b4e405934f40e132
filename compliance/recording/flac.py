"""Two channels as a FLAC stream (RFC 9639): lossless, so what was silenced is silent to the last bit when it is played.

Samples are int16 of shape ``(2, n)``: the caller's channel and the agent's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from compliance.recording.errors import RecordingError
from compliance.tap import RATE_HZ
from compliance.voiced import Samples

CHANNELS: Final = 2
_MARK = b"fLaC"
_LAST_STREAMINFO = bytes([0x80, 0, 0, 34])
"""The header of the only metadata block: STREAMINFO, 34 bytes (RFC 9639, sections 8.1 and 8.2)."""


class FlacEncoder:
    """Encodes one stream. Each method returns the bytes that come next."""

    def __init__(self) -> None:
        codec = AudioCodecContext.create("flac", "w")
        codec.sample_rate = RATE_HZ
        codec.format = "s16"
        codec.layout = "stereo"
        codec.time_base = Fraction(1, RATE_HZ)
        codec.open()
        self._codec = codec
        self._waiting = np.empty((CHANNELS, 0), np.int16)
        self._begun = False

    def encode(self, samples: Samples) -> bytes:
        """As many whole FLAC frames as there are; the rest waits for more."""
        self._waiting = np.concatenate((self._waiting, samples), axis=1)
        size = self._codec.frame_size
        whole = self._waiting.shape[1] // size * size
        frames = b"".join(
            self._encoded(self._waiting[:, start : start + size]) for start in range(0, whole, size)
        )
        self._waiting = self._waiting[:, whole:]
        return self._header() + frames

    def finish(self) -> bytes:
        """What waits, and the end."""
        rest = self._encoded(self._waiting) if self._waiting.shape[1] else b""
        return self._header() + rest + b"".join(bytes(packet) for packet in self._codec.encode(None))

    def _header(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return _MARK + _LAST_STREAMINFO + (self._codec.extradata or b"")

    def _encoded(self, samples: Samples) -> bytes:
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.T).reshape(1, -1), format="s16", layout="stereo"
        )
        frame.sample_rate = RATE_HZ
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))


def decoded(stream: Iterable[bytes]) -> Iterator[Samples]:
    """The samples of a FLAC stream that comes in pieces, as they come; of a torn one, its whole frames.

    Raises:
        RecordingError: this is no FLAC stream of two channels.
        What ``stream`` raises.
    """
    source = _Source(stream)
    if not _MARK.startswith(source.first(len(_MARK))):
        raise RecordingError("what was recorded is no FLAC stream")
    try:
        # A file object and no further protocols: nothing in the data can name something else to read.
        with av.open(source, "r", format="flac", options={"protocol_whitelist": "none"}) as container:
            for frame in container.decode(container.streams.audio[0]):
                if frame.layout.nb_channels != CHANNELS or frame.format.name != "s16":
                    raise RecordingError("the recording does not have two channels of 16 bits")
                samples: Samples = frame.to_ndarray().astype(np.int16, copy=False)
                yield samples.reshape(-1, CHANNELS).T
    except av.FFmpegError as error:
        if source.error is None:
            raise RecordingError("what was recorded is no FLAC stream") from error
    if source.error is not None:
        raise source.error


class _Source:
    """What FFmpeg reads from. An error is kept, for FFmpeg would lose it, and the stream seems to end there."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._pieces = iter(stream)
        self._left = b""
        self.error: Exception | None = None

    def first(self, size: int) -> bytes:
        """The first bytes, which are still to be read; fewer when there are no more."""
        while len(self._left) < size and self._fetch():
            pass
        return self._left[:size]

    def read(self, size: int) -> bytes:
        while not self._left and self._fetch():
            pass
        given, self._left = self._left[:size], self._left[size:]
        return given

    def _fetch(self) -> bool:
        if self.error is not None:
            return False
        try:
            self._left += next(self._pieces)
        except StopIteration:
            return False
        except Exception as error:
            self.error = error
            return False
        return True
