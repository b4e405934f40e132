"""Presidio's analyser and anonymiser with our rules for speech.

Importing this module is cheap; building an engine imports Presidio, which takes seconds. A service builds the shared
engine once, in a thread, before it takes calls: ``await asyncio.to_thread(RedactionEngine.shared)``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from compliance.redaction.pieces import Found
from compliance.redaction.spoken import hear

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer, RecognizerResult
    from presidio_analyzer.nlp_engine import NlpEngine

_NOT_PERSONAL = frozenset({"DATE_TIME", "URL"})
"""What Presidio finds that identifies nobody: a delivery date, the shop's own address."""
_THRESHOLD = 0.35
_LANGUAGE = "en"


class RedactionEngine:
    """Finds personal data in one text, without knowledge of the call; and replaces it.

    ``nlp_engine`` is any Presidio ``NlpEngine`` (spaCy, Stanza, transformers) whose named entities are to be used too;
    without one no model is needed. ``more`` are further recognisers. Safe to share between threads.
    """

    _shared: ClassVar[RedactionEngine | None] = None
    _building: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, nlp_engine: NlpEngine | None = None, more: Iterable[EntityRecognizer] = ()) -> None:
        # It imports transformers, which announces at every start that it has no torch.
        logging.getLogger("transformers").addFilter(_not_about_torch)
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.recognizer_registry import RecognizerRegistryProvider
        from presidio_anonymizer import AnonymizerEngine

        from compliance.redaction.nlp import PlainWords
        from compliance.redaction.recognizers import SPOKEN_RULES, OfflineEmail

        # It warns of every recogniser for another language, and at lower levels tells of what it found in a text.
        for chatty in ("presidio-analyzer", "presidio-anonymizer"):
            logging.getLogger(chatty).setLevel(logging.ERROR)
        registry = RecognizerRegistryProvider(
            registry_configuration={"supported_languages": [_LANGUAGE]}
        ).create_recognizer_registry()
        for unused in ("EmailRecognizer", "UrlRecognizer", "DateRecognizer"):
            registry.remove_recognizer(unused)
        for recognizer in (OfflineEmail(), *(rule() for rule in SPOKEN_RULES), *more):
            registry.add_recognizer(recognizer)
        if nlp_engine is not None:
            registry.add_nlp_recognizer(nlp_engine=nlp_engine)
        self._analyzer = AnalyzerEngine(
            registry=registry, nlp_engine=nlp_engine or PlainWords(), supported_languages=[_LANGUAGE]
        )
        self._entities = self._analyzer.get_supported_entities(_LANGUAGE)
        self._anonymizer = AnonymizerEngine()  # type: ignore[no-untyped-call] # Presidio's

    @classmethod
    def shared(cls) -> RedactionEngine:
        """The one engine of this process, built by the first caller and warm when this returns."""
        with cls._building:
            if cls._shared is None:
                engine = cls()
                engine.find("my number is five five five zero one four two seven seven eight, a@example.com")
                cls._shared = engine
            return cls._shared

    def find(self, text: str) -> list[Found]:
        """Everything personal in ``text``, as written and as it is heard, in the offsets of ``text``."""
        heard = hear(text)
        found = [Found(r.entity_type, r.start, r.end, r.score) for r in self._analyze(text)]
        if heard.text != text:
            found += [
                Found(r.entity_type, *heard.said_at(r.start, r.end), r.score)
                for r in self._analyze(heard.text)
            ]
        return [f for f in found if f.entity not in _NOT_PERSONAL]

    def replace(self, text: str, found: Iterable[Found]) -> tuple[str, tuple[str, ...]]:
        """``text`` with each entity replaced by its label, and the labels in order; overlaps resolved by Presidio."""
        from presidio_anonymizer.entities import ConflictResolutionStrategy
        from presidio_anonymizer.entities import RecognizerResult as Replaced

        result = self._anonymizer.anonymize(
            text,
            [Replaced(str(f.entity), f.start, f.end, f.score) for f in found],
            conflict_resolution=ConflictResolutionStrategy.REMOVE_INTERSECTIONS,
        )
        return result.text, tuple(item.entity_type for item in sorted(result.items, key=lambda i: i.start))

    def _analyze(self, text: str) -> list[RecognizerResult]:
        return self._analyzer.analyze(text, _LANGUAGE, entities=self._entities, score_threshold=_THRESHOLD)


def _not_about_torch(record: logging.LogRecord) -> bool:
    return "PyTorch was not found" not in record.getMessage()
