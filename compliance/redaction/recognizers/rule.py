"""The base of our recognisers: a Presidio recogniser that reads the utterance as speech."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from presidio_analyzer import LocalRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from compliance.redaction.pieces import Found, Heard
from compliance.redaction.spoken import hear


class SpokenRule(LocalRecognizer):
    """Finds entities in what the text *says*; results are in the offsets of the text as written."""

    entities: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        super().__init__(supported_entities=list(self.entities))

    def load(self) -> None:
        """Rules carry no model."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        return [RecognizerResult(f.entity, f.start, f.end, f.score) for f in self.find(hear(text))]

    @abstractmethod
    def find(self, heard: Heard) -> Iterator[Found]:
        """Every entity of this rule in ``heard``."""
