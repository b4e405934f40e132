"""Messages between a call and the process beside it: a number, a small JSON header, and bytes. No I/O here.

On the wire: three unsigned 32-bit big-endian integers (the number, the header's length, the payload's length), then
header and payload. Every message to the process has one answer with its number, in order.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.aside.errors import WireError

_PREFIX = struct.Struct("!III")
HEADER_LIMIT = 1 << 16
PAYLOAD_LIMIT = 1 << 20
"""Bytes; 200 ms of a call's audio are under 10,000, an utterance of a minute under 1,500."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: ``header`` is what JSON can say, ``payload`` what it should not have to, such as PCM."""

    number: int
    header: Mapping[str, Any]
    payload: bytes = b""


def packed(message: Message) -> bytes:
    """The message as it goes over the wire."""
    header = json.dumps(message.header, separators=(",", ":")).encode()
    return _PREFIX.pack(message.number, len(header), len(message.payload)) + header + message.payload


class Unpacker:
    """Puts messages together again, wherever the stream was cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that ``data`` completes.

        Raises:
            WireError: this is no stream of messages; nothing more can be made of it.
        """
        self._buffer += data
        while len(self._buffer) >= _PREFIX.size:
            number, header_bytes, payload_bytes = _PREFIX.unpack_from(self._buffer)
            if header_bytes > HEADER_LIMIT or payload_bytes > PAYLOAD_LIMIT:
                raise WireError(
                    f"a message of {header_bytes} + {payload_bytes} bytes is beyond the limit of "
                    f"{HEADER_LIMIT} + {PAYLOAD_LIMIT}"
                )
            end = _PREFIX.size + header_bytes + payload_bytes
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_PREFIX.size : end])
            del self._buffer[:end]
            yield Message(number, _header(body[:header_bytes]), body[header_bytes:])


def _header(text: bytes) -> Mapping[str, Any]:
    try:
        header = json.loads(text)
    except ValueError as error:
        raise WireError(f"a header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise WireError(f"a header is {type(header).__name__}, not an object")
    return header
