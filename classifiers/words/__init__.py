"""What a caller's words tell that a policy may ask about: cues, language, reading out, change of topic.

Tens of microseconds a turn, less than a millisecond whatever the text; nothing keeps the caller's words beyond the
call. English, but for the language itself.
"""

from classifiers.words.cues import (
    agrees,
    allows_recording,
    allows_voice_ai,
    allows_voice_analysis,
    asks_for_human,
    asks_if_machine,
    complains,
    corrects,
    objects_to_recording,
    objects_to_voice_ai,
    objects_to_voice_analysis,
    refuses,
    repeats_themselves,
)
from classifiers.words.language import CallLanguage, LanguageGuess, language
from classifiers.words.reading import reading_out
from classifiers.words.topic import TopicChange

__all__ = [
    "CallLanguage",
    "LanguageGuess",
    "TopicChange",
    "agrees",
    "allows_recording",
    "allows_voice_ai",
    "allows_voice_analysis",
    "asks_for_human",
    "asks_if_machine",
    "complains",
    "corrects",
    "language",
    "objects_to_recording",
    "objects_to_voice_ai",
    "objects_to_voice_analysis",
    "reading_out",
    "refuses",
    "repeats_themselves",
]
