"""What earlier turns of a call left behind. Nothing of the caller's words or sound is in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from classifiers.caller_state.turn import WORDS, Turn

TURNS_TOLD = 3  # evidence speaks of the last three turns


@dataclass(frozen=True, slots=True)
class Memory:
    """Log-odds of upset as the next turn begins, kept three times so that the voice's part can be taken out again.

    Attributes:
        nothing: had nothing been heard and nothing been said.
        words: from the words alone.
        all: from words and voice.
        times: in how many turns each word cue came.
        voices: whether the voice sounded upset in the latest turns; None where it was not heard, or neither.
    """

    nothing: float
    words: float
    all: float
    times: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(WORDS, 0))
    voices: tuple[bool | None, ...] = ()

    def after(self, turn: Turn, *, nothing: float, words: float, both: float) -> Memory:
        """As the turn after ``turn`` begins, with the log-odds that it begins with."""
        times = {term: self.times[term] + (turn.terms[term] > 0) for term in WORDS}
        voices = (*self.voices, turn.voice_upset)[-(TURNS_TOLD - 1) :]
        return Memory(nothing, words, both, times, voices)

    def without_voice(self) -> Memory:
        return replace(self, all=self.words, voices=(None,) * len(self.voices))
