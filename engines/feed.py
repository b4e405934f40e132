"""The caller's turn as audio, kept ready in a realtime engine's input buffer.

A hand-off to a speech-to-speech engine must let it hear the turn that caused the hand-off, tone and all. Sending
it when the decision falls costs the upload of the whole turn (half a second for 1 s of speech on a slow line);
so while a warm session exists the turn is streamed from the moment the caller starts to speak, and only
committed, or thrown away, when the decision falls.
"""

from __future__ import annotations

from typing import Protocol

from livekit import rtc

from compliance.tap import CallerTap

PRE_ROLL_MS = 300.0
"""Audio before the detected onset that belongs to the turn: a detector fires late on soft consonants."""
SHORTEST_TURN_MS = 100.0
"""OpenAI's Realtime API refuses to commit less (input_audio_buffer_commit_empty), and its plugin not more."""


class Listener(Protocol):
    """Where a turn's audio goes: a realtime session's input buffer."""

    def hear(self, frame: rtc.AudioFrame) -> None: ...
    def forget(self) -> None: ...


class TurnFeed:
    """Streams exactly one caller turn at a time from the tap to a listener."""

    def __init__(self, tap: CallerTap) -> None:
        self._tap = tap
        self._listener: Listener | None = None
        self._open = False
        self._held = False
        self._from_ms = 0.0
        self._sent_ms = 0.0
        self._given_up = False
        self._earliest_ms = 0.0
        tap.sinks.append(self._frame)

    @property
    def has_turn(self) -> bool:
        """Whether the listener holds enough of a turn to be asked about it."""
        return self._listener is not None and self._sent_ms > SHORTEST_TURN_MS

    def attach(self, listener: Listener | None) -> None:
        """Feed ``listener`` from the next turn on; None stops feeding."""
        if listener is not self._listener:
            self._listener = listener
            self.commit()

    def begin(self, onset_ms: float) -> None:
        """The caller began to speak at ``onset_ms``. Speech that resumes within a turn continues it."""
        if self._given_up:
            self._given_up, self._earliest_ms = False, onset_ms
        if self._listener is None or self._open:
            return
        self._open, self._from_ms = True, onset_ms - PRE_ROLL_MS
        self._send_from_start()

    def complete(self, onset_ms: float) -> None:
        """The turn is over and began at ``onset_ms``: make up for a detector that was late, or heard none of it.

        LiveKit counts a sound that no turn came of to the next turn; here that is not part of it.
        """
        if self._open and not self.has_from(onset_ms):
            self.discard()
        self.begin(max(onset_ms, self._earliest_ms))

    def hold(self) -> None:
        """The listener is asked about what it has heard of the turn, which may go on: it gets no more for now."""
        self._held = True

    def has_from(self, onset_ms: float) -> bool:
        """Whether the listener has heard the turn from ``onset_ms`` on."""
        return self._open and max(onset_ms, self._earliest_ms) >= self._from_ms

    def again(self) -> None:
        """The listener no longer has what it heard of the turn: send it again."""
        if self._open:
            self._held, self._sent_ms = False, 0.0
            self._send_from_start()

    def commit(self) -> None:
        """The listener has been asked about the turn: the next speech begins a new one."""
        self._open, self._held, self._sent_ms = False, False, 0.0

    def discard(self) -> None:
        """The turn was answered by another engine, or was no turn."""
        if self._listener is not None and self._sent_ms > 0:
            self._listener.forget()
        self.commit()

    def give_up(self) -> None:
        """No turn came of what was heard: speech that begins after this begins a turn."""
        self.discard()
        self._given_up = True

    def close(self) -> None:
        self.attach(None)
        if self._frame in self._tap.sinks:
            self._tap.sinks.remove(self._frame)

    def _send_from_start(self) -> None:
        for frame in self._tap.since(self._from_ms):
            self._send(frame)

    def _frame(self, at_ms: float, frame: rtc.AudioFrame) -> None:
        if self._open and not self._held:
            self._send(frame)

    def _send(self, frame: rtc.AudioFrame) -> None:
        if self._listener is not None:
            self._listener.hear(frame)
            self._sent_ms += frame.duration * 1000
