"""Messages on the wire: whole again however the stream is cut, and refused when they are none."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.aside import WireError
from service.aside.wire import HEADER_LIMIT, PAYLOAD_LIMIT, Message, Unpacker, packed

pytestmark = pytest.mark.unit

MESSAGES = st.lists(
    st.builds(
        Message,
        st.integers(0, 2**32 - 1),
        st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=8)),
        st.binary(max_size=64),
    ),
    max_size=5,
)


@given(messages=MESSAGES, piece=st.integers(1, 40))
def test_messages_arrive_whole_and_in_order_however_the_stream_is_cut(
    messages: list[Message], piece: int
) -> None:
    stream = b"".join(map(packed, messages))
    unpacker = Unpacker()
    found = [
        message for at in range(0, len(stream), piece) for message in unpacker.feed(stream[at : at + piece])
    ]
    assert found == messages


@pytest.mark.parametrize(
    "stream",
    [
        struct.pack("!III", 1, HEADER_LIMIT + 1, 0),
        struct.pack("!III", 1, 0, PAYLOAD_LIMIT + 1),
        struct.pack("!III", 1, 3, 0) + b"{..",
        struct.pack("!III", 1, 2, 0) + b"[]",
        struct.pack("!III", 1, 1, 0) + b"\xff",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["long header", "long payload", "no JSON", "no object", "no text", "another protocol"],
)
def test_what_is_no_message_is_refused(stream: bytes) -> None:
    with pytest.raises(WireError):
        list(Unpacker().feed(stream))
