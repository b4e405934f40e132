"""What the ears report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lab.errors import LabError


class HearingError(LabError):
    """Recognition is not possible: a recogniser process died, or the ears are closed."""


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word; times in seconds from the first sample pushed to the listener, confidence 0 to 1."""

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Heard:
    """Something the ears made out; times as in :class:`Word`.

    ``speech_started`` has no words and ends where it starts. ``interim`` and ``final`` span the utterance so
    far; a later interim or final replaces an earlier interim. A final may be empty: the sound was no speech.
    """

    kind: Literal["speech_started", "interim", "final"]
    start_s: float
    end_s: float
    words: tuple[Word, ...] = ()
    decode_s: float = 0.0
    """Wall time from the moment when the audio that decided this result was pushed until the result was there.
    A simulated provider's delay *contains* it: the result is sent at ``max(decoding done, drawn delay)``."""
    finalized: bool = False
    """This final answers :meth:`lab.hearing.Listener.finalize`."""

    @property
    def text(self) -> str:
        """The words, joined by blanks; lower case, no punctuation."""
        return " ".join(word.text for word in self.words)
