"""Any spaCy pipeline that finds entities, by the name of its package or by its folder."""

from __future__ import annotations

from compliance.redaction.ner.errors import NameFinderError
from compliance.redaction.ner.labels import entity_of
from compliance.redaction.pieces import Found

_SCORE = 0.85
"""spaCy tells no probability; Presidio gives its entities the same score."""


class SpacyNames:
    """The named entities of a pipeline. Models for written text want capitals; telephone transcripts may have none."""

    def __init__(self, name: str) -> None:
        """Loads the pipeline.

        Raises:
            NameFinderError: there is no such pipeline, or it finds no entities.
        """
        import spacy

        try:
            self._nlp = spacy.load(name, exclude=["parser", "lemmatizer", "textcat"])
        except (OSError, ValueError) as error:
            raise NameFinderError(
                f"spacy: {name}: {error}; install the model's package, or name its folder"
            ) from error
        if not {"ner", "entity_ruler", "span_ruler"} & set(self._nlp.pipe_names):
            raise NameFinderError(f"spacy: {name}: finds no entities; name a pipeline with `ner`")

    def find(self, text: str, *, asked: str = "") -> list[Found]:
        """The entities of ``text``; a general pipeline makes nothing of the question."""
        with self._nlp.memory_zone():
            doc = self._nlp(text[: self._nlp.max_length])
            return [Found(entity_of(e.label_), e.start_char, e.end_char, _SCORE) for e in doc.ents]
