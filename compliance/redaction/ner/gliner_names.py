"""A GLiNER model (Zaratiana et al. 2023) by its folder: entities by their names in plain words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compliance.redaction.ner.errors import NameFinderError
from compliance.redaction.ner.labels import entity_of
from compliance.redaction.pieces import Found

_LABELS = ["person", "address", "date of birth", "email"]
_THRESHOLD = 0.4


class GlinerNames:
    """What a GLiNER model finds of people, addresses, dates of birth and e-mails. Nothing is downloaded."""

    def __init__(self, folder: str) -> None:
        """Loads the model.

        Raises:
            NameFinderError: ``gliner`` is not installed, or the folder holds no such model.
        """
        try:
            from gliner import GLiNER  # type: ignore[import-not-found, unused-ignore] # an extra, with torch
        except ImportError as error:
            raise NameFinderError(
                f"gliner: {folder}: needs the package gliner, which is in no extra of ours as it brings torch: "
                "pip install gliner"
            ) from error
        if not Path(folder).is_dir():
            raise NameFinderError(f"gliner: {folder}: is no folder; download the model and name its folder")
        try:
            self._model: Any = GLiNER.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # whatever its loaders raise
            raise NameFinderError(f"gliner: {folder}: cannot be loaded: {error}") from error

    def find(self, text: str, *, asked: str = "") -> list[Found]:
        """The entities of ``text``; GLiNER makes nothing of the question."""
        told = self._model.predict_entities(text, _LABELS, threshold=_THRESHOLD)
        return [Found(entity_of(one["label"]), one["start"], one["end"], float(one["score"])) for one in told]
