"""The smallest language engine Presidio accepts: words and their lower-case form, no model, no download."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

_WORD = re.compile(r"\w+|\S")


class PlainWords(NlpEngine):
    """Words without parsing.

    A blank spaCy pipeline has empty lemmas, so Presidio's context words would silently do nothing, and its vocabulary
    keeps every word it ever saw. Lower-case words serve as lemmas here and nothing is kept.
    """

    def __init__(self, language: str = "en") -> None:
        self._language = language

    def load(self) -> None:
        """Nothing to load."""

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        words = list(_WORD.finditer(text))
        return NlpArtifacts(
            entities=[],
            tokens=[w.group() for w in words],  # type: ignore[arg-type] # only their lengths are read
            tokens_indices=[w.start() for w in words],
            lemmas=[w.group().lower() for w in words],
            nlp_engine=self,
            language=language,
        )

    def process_batch(
        self, texts: Iterable[str], language: str, batch_size: int = 1, n_process: int = 1, **kwargs: Any
    ) -> Iterator[tuple[str, NlpArtifacts]]:
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        return False

    def is_punct(self, word: str, language: str) -> bool:
        return not word[:1].isalnum()

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return [self._language]
