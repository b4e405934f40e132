"""Asks the vendor for replies, one at a time: it refuses one while another is being made."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

LABEL = "patchbay"
"""The metadata by which a reply that we asked for is known when it begins."""


class Replies:
    """What is to be said of our own accord, in order.

    Args:
        send: sends a client event.
    """

    def __init__(self, send: Callable[[Mapping[str, Any]], None]) -> None:
        self._send = send
        self._asked: deque[tuple[str, Mapping[str, Any]]] = deque()
        self._sent: dict[str, Mapping[str, Any]] = {}
        self._busy = False
        self._making = False
        self._number = 0

    @property
    def busy(self) -> bool:
        """Whether one was asked for or is being made."""
        return self._busy

    def ask(self, **response: Any) -> str:
        """A reply with these parameters, as soon as none is being made; returns what it will be labelled."""
        self._number += 1
        label = f"reply-{self._number}"
        self._asked.append((label, {**response, "metadata": {LABEL: label}}))
        self._go_on()
        return label

    def began(self, label: str) -> None:
        """The model makes a reply: ours of this label, or one of its own accord."""
        self._busy = self._making = True
        self._sent.pop(label, None)

    def done(self) -> None:
        """It has made it."""
        self._busy = self._making = False
        self._go_on()

    def refused(self, label: str, *, busy: bool) -> None:
        """The vendor refused the one of this label; one for which it was ``busy`` is asked for again when it is not."""
        response = self._sent.pop(label, None)
        if response is None:
            return
        if busy:
            self._asked.appendleft((label, response))
        else:
            self.done()

    def lost(self) -> None:
        """Nothing is known of what was asked, nor whether a reply is being made."""
        self._busy = self._making = False
        self._sent.clear()

    def abandon(self) -> None:
        """What was asked for and what is being made is of no use any more."""
        self._asked.clear()
        self._sent.clear()
        if self._making:
            self._send({"type": "response.cancel"})  # the next is asked for when that is done
        else:
            self._busy = False

    def _go_on(self) -> None:
        if not self._busy and self._asked:
            self._busy = True
            label, response = self._asked.popleft()
            self._sent[label] = response
            self._send({"type": "response.create", "event_id": label, "response": response})
