"""Which language the caller speaks, from the words the recogniser wrote: unknown rather than wrong.

`py3langid <https://github.com/adbar/py3langid>`_ (BSD-3-Clause, after Lui & Baldwin 2012) scores byte n-grams. Its own
probability is over-sure of names and single words, so it is calibrated here by length; what stays below
:data:`SURE_ENOUGH` is ``und``, the ISO 639-2 tag for undetermined. ``cards/LANGUAGE.md`` has the measurements.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from classifiers.errors import ClassifierError

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LANGUAGES = (
    "ar", "bg", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "hr", "hu", "id", "it", "ja", "ko", "nl",
    "no", "pl", "pt", "ro", "ru", "sk", "sv", "th", "tr", "uk", "vi", "zh",
)  # fmt: skip
"""ISO 639-1 tags of the languages told apart: those that telephone recognisers commonly offer."""
UNDETERMINED = "und"
SURE_ENOUGH = 0.9
FEWEST_LETTERS = 6
"""Fewer in a turn are not looked at, except where a sign is a syllable or a word."""
MAX_CHARACTERS = 300
FORGETTING = 0.8
"""What a turn's evidence is still worth one turn later: a caller may change the language."""

_WORD = re.compile(
    r"[^\W\d_]{2,}(?:['’][^\W\d_]+)*|[^\W\d_\x00-\u024f]"
)  # outside Latin, one sign may be a word
CALIBRATION = (2.169, 1.711, -0.247)
"""The log-odds of being right: a constant, per log-odds of the best language, per logarithm of 1 + letters. Fitted by
``python -m classifiers.words.training.languages``."""


@dataclass(frozen=True, slots=True)
class LanguageGuess:
    """A language and how likely it is the right one.

    Attributes:
        tag: one of :data:`LANGUAGES`, or ``und``.
        confidence: calibrated, 0 to 1; 0 where the tag is ``und``.
    """

    tag: str
    confidence: float


UNKNOWN = LanguageGuess(UNDETERMINED, 0.0)


def language(text: str) -> LanguageGuess:
    """The language of one utterance. Numbers, spelled letters and most single words say nothing."""
    return best(scores(text), letters(text))


class CallLanguage:
    """The language of a call, from all its turns: one utterance says little, five say much.

    Keeps one number for each language and no words.
    """

    def __init__(self) -> None:
        self._log_scores: dict[str, float] = {}
        self._letters = 0.0

    def guess(self, text: str) -> LanguageGuess:
        """What the call's language would be if the turn ended with ``text``. Changes nothing."""
        return best(*self._with(text))

    def turn_ended(self, text: str) -> LanguageGuess:
        """Take the turn into account."""
        self._log_scores, self._letters = self._with(text)
        return best(self._log_scores, self._letters)

    def _with(self, text: str) -> tuple[dict[str, float], float]:
        new = scores(text)
        if not new:
            return self._log_scores, self._letters
        old = self._log_scores
        summed = {tag: FORGETTING * old.get(tag, 0.0) + score for tag, score in new.items()}
        return summed, FORGETTING * self._letters + letters(text)


def letters(text: str) -> int:
    """How many letters stand in words, the last :data:`MAX_CHARACTERS` characters of ``text`` considered."""
    return sum(map(len, _words(text)))


def scores(text: str) -> dict[str, float]:
    """The natural logarithm of each language's probability, uncalibrated; empty where there is nothing to go by."""
    words = _words(text)
    if not words or (words[-1].isascii() and sum(map(len, words)) < FEWEST_LETTERS):
        return {}
    return {tag: math.log(max(p, 1e-12)) for tag, p in _identifier().rank(" ".join(words))}


def best(log_scores: Mapping[str, float], letters: float) -> LanguageGuess:
    """The likeliest of ``log_scores`` if, by the calibration, it is likely enough for that many ``letters``."""
    if not log_scores:
        return UNKNOWN
    tag = max(log_scores, key=log_scores.__getitem__)
    constant, per_log_odds, per_log_letter = CALIBRATION
    log_odds = constant + per_log_odds * log_odds_of(tag, log_scores) + per_log_letter * math.log1p(letters)
    confidence = 1 / (1 + math.exp(-max(-30.0, min(30.0, log_odds))))
    return LanguageGuess(tag, confidence) if confidence >= SURE_ENOUGH else UNKNOWN


def log_odds_of(tag: str, log_scores: Mapping[str, float]) -> float:
    """The log-odds of ``tag`` against all others, at most 12 either way."""
    top = log_scores[tag]
    others = sum(math.exp(score - top) for other, score in log_scores.items() if other != tag)
    return max(-12.0, min(12.0, -math.log(max(others, 1e-12))))


def _words(text: str) -> list[str]:
    return _WORD.findall(text[-MAX_CHARACTERS:].lower())


def load() -> None:
    """Read the model: half a second and about 120 MB, which the first guess costs otherwise.

    Raises:
        ClassifierError: py3langid is not installed. So does the first guess.
    """
    _identifier()


@cache
def _identifier() -> LanguageIdentifier:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as missing:
        raise ClassifierError(
            Path("py3langid"),
            "cannot be imported",
            "install the extra `language`, or read no call.spoken_language in the policy",
        ) from missing
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
