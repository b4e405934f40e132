"""What a finder of names is, and which one a deployment names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from compliance.redaction.ner.errors import NameFinderError
from compliance.redaction.pieces import Found

OURS = "ours"
"""The finder that ships."""


class NameFinder(Protocol):
    """Finds names, and whatever else it was made for, in an utterance."""

    def find(self, text: str, *, asked: str = "") -> list[Found]:
        """The entities of ``text`` in its own offsets; ``asked`` is the agent's question that it may answer."""
        ...


def name_finder(spec: str | Mapping[str, str] = OURS) -> NameFinder:
    """The finder that ``spec`` names, loaded and warm; heavy, so off the event loop.

    Args:
        spec: ``ours``; or one of ``{"ours": FOLDER}`` (what ``patchbay train redaction`` wrote), ``{"spacy": NAME or
            FOLDER}``, ``{"gliner": FOLDER}``, ``{"transformers": FOLDER}``.

    Raises:
        NameFinderError: it cannot be loaded, or nothing is known by that kind.
    """
    ((kind, where),) = ({spec: ""} if isinstance(spec, str) else spec).items()
    match kind:
        case "ours":
            from compliance.redaction.ner.spoken_names import SHIPPED, SpokenNames

            return SpokenNames(Path(where) if where else SHIPPED)
        case "spacy":
            from compliance.redaction.ner.spacy_names import SpacyNames

            return SpacyNames(where)
        case "gliner":
            from compliance.redaction.ner.gliner_names import GlinerNames

            return GlinerNames(where)
        case "transformers":
            from compliance.redaction.ner.token_classifier import TokenClassifierNames

            return TokenClassifierNames(where)
        case _:
            raise NameFinderError(f"{kind}: no such kind of name finder; ours, spacy, gliner or transformers")
