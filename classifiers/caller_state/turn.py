"""One turn as numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from classifiers.emotion import EmotionReading

VOICE = ("voice_upset", "voice_calm", "raised_voice")
WORDS = ("complains", "repeats", "corrects", "asks_for_human", "plain_words")
TERMS = (*VOICE, *WORDS)
CALMING = frozenset({"voice_calm", "plain_words"})
"""Terms that can only lower the score; every other can only raise it."""

LARGEST_LOG_ODDS = 4.0  # .982: beyond it the voice model is not believed any more than here
FEWEST_WINDOWS = 2  # a single short window often scores high
FEWEST_WORDS = 4  # "yes that's right" says nothing of a mood


@dataclass(frozen=True, slots=True)
class WordCues:
    """What the words of one turn gave away, without the words.

    Attributes:
        words: how many were said; 0 when nothing was understood.
        complains: they complain.
        repeats: they say that they had to say this before.
        corrects: they say that the agent got something wrong.
        asks_for_human: they ask for a person.
    """

    words: int = 0
    complains: bool = False
    repeats: bool = False
    corrects: bool = False
    asks_for_human: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What voice and words said in one turn.

    Attributes:
        terms: by name, 0 or more; all 0 when nothing was heard and nothing said.
        windows: of voice that were heard.
        raised_windows: those of them that were clearly louder than the caller's ordinary voice.
        voice_upset: whether the voice sounds upset; None when too little was heard, or neither calm nor upset.
    """

    terms: Mapping[str, float]
    windows: int
    raised_windows: int
    voice_upset: bool | None

    @classmethod
    def of(cls, voice: EmotionReading, cues: WordCues, *, neutral_log_odds: float) -> Turn:
        """A turn's terms: log-odds of the voice either side of neutral, the share of raised windows, cues as 0 or 1."""
        beyond, raised, voice_upset = 0.0, 0.0, None
        if voice.windows >= FEWEST_WINDOWS:
            upset = min(max(voice.upset, 1e-9), 1 - 1e-9)
            log_odds = min(max(math.log(upset / (1 - upset)), -LARGEST_LOG_ODDS), LARGEST_LOG_ODDS)
            beyond = log_odds - neutral_log_odds
            raised = voice.raised_windows / voice.windows
            voice_upset = True if log_odds >= 0 else False if beyond < 0 else None
        cue = cues.complains or cues.repeats or cues.corrects or cues.asks_for_human
        terms = {
            "voice_upset": max(beyond, 0.0),
            "voice_calm": max(-beyond, 0.0),
            "raised_voice": raised,
            "complains": float(cues.complains),
            "repeats": float(cues.repeats),
            "corrects": float(cues.corrects),
            "asks_for_human": float(cues.asks_for_human),
            "plain_words": float(cues.words >= FEWEST_WORDS and not cue),
        }
        return cls(terms, voice.windows, voice.raised_windows, voice_upset)
