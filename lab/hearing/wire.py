"""What the pool and its worker processes say to each other over a worker's standard streams.

A message is a head (kind, listener, moment, length of the body), then the body. Towards the worker the body is
PCM or the opening; from it, JSON. ``moment`` is the pool's monotonic clock when the audio was pushed: the
worker only echoes it, so that decoding is timed by one clock, queueing and transport included.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from enum import IntEnum

from lab.hearing.heard import Heard, Word

ENDPOINT_SILENCE_S = 0.3
"""How long nobody speaks before an utterance is over, unless the listener wants it otherwise."""

_HEAD = struct.Struct("<BIdI")
_OPENING = struct.Struct("<Id")
HEAD_BYTES = _HEAD.size


class Kind(IntEnum):
    """The messages. The first four go to the worker, the others come from it."""

    OPEN = 1
    PUSH = 2
    FINALIZE = 3
    CLOSE = 4
    READY = 5
    HEARD = 6


@dataclass(frozen=True, slots=True)
class Head:
    kind: Kind
    listener: int
    moment_s: float
    body_bytes: int


def pack(kind: Kind, listener: int = 0, moment_s: float = 0.0, body: bytes = b"") -> bytes:
    """A whole message."""
    return _HEAD.pack(kind, listener, moment_s, len(body)) + body


def unpack_head(data: bytes) -> Head:
    """Read the first :data:`HEAD_BYTES` of a message."""
    kind, listener, moment_s, body_bytes = _HEAD.unpack(data)
    return Head(Kind(kind), listener, moment_s, body_bytes)


def pack_opening(sample_rate_hz: int, silence_s: float) -> bytes:
    """The body of ``OPEN``."""
    return _OPENING.pack(sample_rate_hz, silence_s)


def unpack_opening(body: bytes) -> tuple[int, float]:
    """The rate in Hz and the silence in seconds."""
    sample_rate_hz, silence_s = _OPENING.unpack(body)
    return sample_rate_hz, silence_s


def heard_to_json(heard: Heard) -> bytes:
    return json.dumps(asdict(heard)).encode()


def heard_from_json(data: bytes, *, decode_s: float) -> Heard:
    fields = json.loads(data)
    words = tuple(Word(**word) for word in fields.pop("words"))
    return Heard(**{**fields, "words": words, "decode_s": decode_s})
