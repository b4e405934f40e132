"""Everything that finds personal data in one text: our rules for speech, Presidio's recognisers, a model of names.

Importing this module is cheap; building an engine imports Presidio and loads a model, which takes seconds. A service
builds the shared engine once, in a thread, before it takes calls: ``await asyncio.to_thread(RedactionEngine.shared)``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from compliance.redaction.denied import Denied
from compliance.redaction.pieces import Found, Heard
from compliance.redaction.policy import RedactionPolicy
from compliance.redaction.spoken import hear
from compliance.redaction.traits import STOCK

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine, EntityRecognizer
    from presidio_analyzer.nlp_engine import NlpEngine

    from compliance.redaction.ner import NameFinder
    from compliance.redaction.recognizers import SpokenRule

_THRESHOLD = 0.35
_WARM_UP = "my number is five five five zero one four two seven seven eight, a@example.com, ask for maria"


class RedactionEngine:
    """Finds personal data in one utterance, without knowledge of the call. Safe to share between threads.

    Args:
        policy: says which of Presidio's recognisers are wanted, in which languages, and which model finds names.
        names: the model itself, instead of the one that ``policy`` names.
        nlp_engine: a Presidio ``NlpEngine`` whose named entities are used as well.
        more: further Presidio recognisers, in English.
    """

    _shared: ClassVar[dict[str, RedactionEngine]] = {}
    _building: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        policy: RedactionPolicy | None = None,
        *,
        names: NameFinder | None = None,
        nlp_engine: NlpEngine | None = None,
        more: Iterable[EntityRecognizer] = (),
    ) -> None:
        # Presidio imports transformers, which announces at every start that it has no torch.
        logging.getLogger("transformers").addFilter(_not_about_torch)
        from compliance.redaction.recognizers import SPOKEN_RULES

        self.policy = policy or RedactionPolicy.default()
        self._rules: tuple[SpokenRule, ...] = tuple(rule() for rule in SPOKEN_RULES)
        self._denied = Denied(self.policy)
        own = tuple(more)
        self._written = {
            language: _presidio(self.policy, language, nlp_engine, own) for language in self.policy.languages
        }
        # Every pattern of Presidio's has a digit in it: of a text without one they need not be asked.
        self._needs_digits = not own and nlp_engine is None
        self._names = names or _names(self.policy)
        self._naming = threading.Lock()  # a model is shared between calls, and not safe between threads

    @classmethod
    def shared(cls, policy: RedactionPolicy | None = None) -> RedactionEngine:
        """The one engine of this process for ``policy``, built by the first caller and warm when this returns.

        Raises:
            compliance.redaction.ner.NameFinderError: the model that the policy names cannot be loaded.
        """
        policy = policy or RedactionPolicy.default()
        with cls._building:
            if (engine := cls._shared.get(policy.digest)) is None:
                engine = cls(policy)
                engine.find(hear(_WARM_UP))
                cls._shared[policy.digest] = engine
            return engine

    def find(self, heard: Heard, asked: str = "") -> list[Found]:
        """Everything personal in an utterance, as written and as heard, in the offsets of the original.

        Args:
            heard: the utterance.
            asked: what the agent said before it, by which the model tells a name from another word.
        """
        found = [each for rule in self._rules for each in rule.find(heard)]
        found += self._denied.find(heard)
        found += self._analyze(heard.original)
        if heard.text != heard.original:
            found += [
                Found(f.entity, *heard.said_at(f.start, f.end), f.score) for f in self._analyze(heard.text)
            ]
        with self._naming:
            found += [
                f for f in self._names.find(heard.original, asked=asked) if self.policy.looks_for(f.entity)
            ]
        return found

    def _analyze(self, text: str) -> Iterator[Found]:
        if self._needs_digits and not any(c.isdecimal() for c in text):
            return
        for language, analyzer in self._written.items():
            if analyzer is not None:
                for result in analyzer.analyze(text, language, score_threshold=_THRESHOLD):
                    if self.policy.looks_for(result.entity_type):
                        yield Found(result.entity_type, result.start, result.end, result.score)


def _presidio(
    policy: RedactionPolicy, language: str, nlp_engine: NlpEngine | None, more: Iterable[EntityRecognizer]
) -> AnalyzerEngine | None:
    """An analyser with the recognisers of ``language`` that the policy lists; None if there are none."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers

    from compliance.redaction.nlp import PlainWords
    from compliance.redaction.recognizers import OfflineEmail

    # It warns of every recogniser for another language, and at lower levels tells of what it found in a text.
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    recognizers: list[EntityRecognizer] = [
        getattr(predefined_recognizers, stock.recognizer)(supported_language=stock.language)
        for entity, stock in STOCK.items()
        if entity in policy.entities and stock.language == language
    ]
    if language == "en":
        recognizers += [OfflineEmail(), predefined_recognizers.UsSsnRecognizer(), *more]
    if not recognizers:
        return None
    registry = RecognizerRegistry(recognizers=recognizers, supported_languages=[language])
    if nlp_engine is not None and language == "en":
        registry.add_nlp_recognizer(nlp_engine=nlp_engine)
        return AnalyzerEngine(registry=registry, nlp_engine=nlp_engine, supported_languages=[language])
    return AnalyzerEngine(registry=registry, nlp_engine=PlainWords(language), supported_languages=[language])


def _names(policy: RedactionPolicy) -> NameFinder:
    from compliance.redaction.names import names_of

    return names_of(policy)


def _not_about_torch(record: logging.LogRecord) -> bool:
    return "PyTorch was not found" not in record.getMessage()
