"""One call's line to a process beside it, for a thread that waits: an answer comes in time, or an error does."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from service.aside.errors import (
    AsideError,
    AsideGoneError,
    AsideHungError,
    AsideUnreachableError,
    WireError,
    WorkFailedError,
)
from service.aside.wire import Message, Unpacker, packed

_LOOK_S = 0.2
"""A wait is looked at this often, for it may have become shorter."""

LeftS = Callable[[], float]
"""Seconds that an answer may still take; asked again and again, and it may have become less."""


class Asking:
    """Asks one thing at a time. Use it from one thread; nothing of it may be called on an event loop.

    After an error it is not attached: what the work had learnt in the process is gone with the connection, and the
    next question attaches anew.

    Args:
        address: the process's socket.
        work: the name of what it is to do for this call.
    """

    def __init__(self, address: Path, work: str) -> None:
        self._address = address
        self._work = work
        self._socket: socket.socket | None = None
        self._unpacker = Unpacker()
        self._number = 0

    @property
    def attached(self) -> bool:
        """Whether the process has what it was told in earlier questions."""
        return self._socket is not None

    def ask(self, header: Mapping[str, Any], payload: bytes = b"", *, left_s: LeftS) -> Message:
        """The answer, which comes before ``left_s`` is 0.

        Raises:
            AsideUnreachableError: nobody listens.
            AsideGoneError: the process ended before it answered.
            AsideHungError: there was no answer in time.
            WireError: what came is no answer to this.
            WorkFailedError: the work raised an error; the process is well.
        """
        try:
            self._number += 1
            question = packed(Message(self._number, header, payload))
            line = self._socket
            if line is None:
                question = packed(Message(0, {"work": self._work})) + question
                line = self._attach(left_s)
            _send(line, question, left_s)
            answer = self._receive(line, left_s)
            if answer.number != self._number:
                raise WireError(f"message {self._number} was answered as {answer.number}")
            if "error" in answer.header:
                raise WorkFailedError(str(answer.header["error"]))
        except TimeoutError:
            self.hang_up()
            raise AsideHungError("no answer in time") from None
        except OSError as error:
            self.hang_up()
            raise AsideGoneError(f"the process at {self._address} ended: {error}") from None
        except AsideError:
            self.hang_up()
            raise
        return answer

    def hang_up(self) -> None:
        """Have the process forget this call; the next question begins anew."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _attach(self, left_s: LeftS) -> socket.socket:
        self._unpacker = Unpacker()
        while True:
            self._socket = line = socket.socket(socket.AF_UNIX)
            line.settimeout(_look_s(left_s))
            try:
                line.connect(str(self._address))
            except TimeoutError:
                line.close()  # many are waiting to attach
            except OSError as error:
                raise AsideUnreachableError(f"nobody listens at {self._address}: {error}") from None
            else:
                return line

    def _receive(self, line: socket.socket, left_s: LeftS) -> Message:
        while True:
            line.settimeout(_look_s(left_s))
            try:
                data = line.recv(1 << 16)
            except TimeoutError:
                continue
            if not data:
                raise AsideGoneError("the process beside the calls ended")
            for message in self._unpacker.feed(data):
                return message


def _send(line: socket.socket, data: bytes, left_s: LeftS) -> None:
    rest = memoryview(data)
    while rest:
        line.settimeout(_look_s(left_s))
        try:
            rest = rest[line.send(rest) :]
        except TimeoutError:
            continue


def _look_s(left_s: LeftS) -> float:
    """How long to wait before ``left_s`` is asked again.

    Raises:
        TimeoutError: nothing is left.
    """
    left = left_s()
    if left <= 0:
        raise TimeoutError
    return min(left, _LOOK_S)
