"""What a caller's words tell that a policy may ask about: cues, language, reading out, change of topic.

Tens of microseconds a turn, less than a millisecond whatever the text; nothing keeps the caller's words beyond the
call. English, but for the language itself.
"""

from classifiers.words.cues import (
    asks_for_human,
    complains,
    corrects,
    objects_to_voice_analysis,
    repeats_themselves,
)
from classifiers.words.language import CallLanguage, LanguageGuess, language
from classifiers.words.reading import reading_out
from classifiers.words.topic import TopicChange

__all__ = [
    "CallLanguage",
    "LanguageGuess",
    "TopicChange",
    "asks_for_human",
    "complains",
    "corrects",
    "language",
    "objects_to_voice_analysis",
    "reading_out",
    "repeats_themselves",
]
