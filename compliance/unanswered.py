"""What a recogniser was asked for and has not told: whether it has failed, or there was nothing to tell."""

from __future__ import annotations

from livekit.agents import stt

from compliance.recognisers import Persistence
from compliance.tap import CallerTap

_WORD_TAIL_MS = 200.0
"""Sound this soon after the end of a final's last word still belongs to that word."""


class Unanswered:
    """Follows what of one call's speech is on record, and what a recogniser still owes.

    Args:
        tap: of the caller's audio.
        limits: of a recogniser.

    Attributes:
        done_ms: what was said before this is on record.
        withheld_ms: what was said before this, nobody may hear any more.
        asked_ms: how far the audio was when the final result of the last speech was asked for.
        again: whether what is awaited was heard by a recogniser before, which told nothing of it.
    """

    def __init__(self, tap: CallerTap, limits: Persistence) -> None:
        self._tap = tap
        self._limits = limits
        self.done_ms = 0.0
        self.withheld_ms = 0.0
        self.asked_ms = 0.0
        self._asked_before_ms = 0.0
        """The same of the speech before that."""
        self._twice_ms = 0.0
        """Of what sounded before this and is not on record, one recogniser has told nothing."""
        self._dismissed_ms = 0.0
        """In what sounded before this and is not on record, there were no words."""
        self._began_ms = self._attended_ms = 0.0
        """When the recogniser last told that speech begins; and of the last speech whose end it told, too."""
        self._due_ms: float | None = None
        self.again = False

    @property
    def recorded_ms(self) -> float:
        """Sound before this needs no more hearing."""
        tail_ms = _WORD_TAIL_MS if self.done_ms else 0.0
        return max(self.done_ms + tail_ms, self._dismissed_ms, self.withheld_ms)

    @property
    def since_ms(self) -> float | None:
        """Since when something was voiced, and is kept, that is not on record."""
        return self._tap.first_voiced_since(self.recorded_ms)

    @property
    def asked_since(self) -> bool:
        """Whether the final result of something was asked for that sounded after all that was dismissed."""
        return self.since_ms is not None and self.asked_ms > self._dismissed_ms

    def asked(self) -> None:
        """The caller has stopped speaking, and the final result is wanted."""
        if self._tap.first_voiced_since(self.asked_ms) is not None:
            self._asked_before_ms, self.asked_ms = self.asked_ms, self._tap.heard_until_ms

    def expect(self, now_ms: float, *, interim: bool) -> None:
        """The recogniser was asked for its final result; ``interim``: of which it has told another."""
        if self._due_ms is None:  # else it is the sound before this one that is waited for
            self.again = self._twice_ms >= self.asked_ms and self.since_ms is not None
        told = max(self.done_ms, self._attended_ms) > self._asked_before_ms
        least_ms = self._limits.stall_voiced_ms if told and not interim else self._limits.word_voiced_ms
        voiced_ms = self._tap.voiced_ms_since(max(self.recorded_ms, self._twice_ms))
        if self._due_ms is None and (self.again or voiced_ms >= least_ms):
            self._due_ms = now_ms + self._limits.answer_within_ms

    def expect_nothing(self) -> None:
        """Another stream begins."""
        self._due_ms = None

    def is_overdue(self, now_ms: float) -> bool:
        """Whether it should have come by now."""
        return self._due_ms is not None and now_ms > self._due_ms

    def told(self, kind: stt.SpeechEventType, end_ms: float) -> None:
        """The recogniser told something of speech up to then, other than its final words."""
        if kind is stt.SpeechEventType.START_OF_SPEECH:
            self._began_ms = self._tap.heard_until_ms
        if kind is stt.SpeechEventType.END_OF_SPEECH:
            self._attended_ms = self._began_ms
        if not self.again and (kind is not stt.SpeechEventType.INTERIM_TRANSCRIPT or end_ms > self.asked_ms):
            self._due_ms = None  # it is through with what it was asked for

    def told_words(self, start_ms: float, end_ms: float) -> bool:
        """It told final words; returns whether another had told nothing of them."""
        self._due_ms = None
        self.done_ms = max(self.done_ms, end_ms)
        return start_ms < self._twice_ms

    def told_nothing(self) -> None:
        """The recogniser has failed by that: what it was asked for is heard again."""
        self._twice_ms = self.asked_ms

    def withhold(self) -> None:
        """Nobody might hear what was said until now."""
        self.withheld_ms, self._due_ms = self._tap.heard_until_ms, None

    def dismiss(self) -> float:
        """Nor has another told anything: there were no words. Returns how much of it was voiced, in milliseconds."""
        voiced_ms = self._tap.voiced_ms_since(self.recorded_ms) - self._tap.voiced_ms_since(self._twice_ms)
        self._dismissed_ms, self._due_ms = self._twice_ms, None
        return voiced_ms
