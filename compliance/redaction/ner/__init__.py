"""Finding names that rules cannot tell: ours, or any pipeline that a deployment names."""

from compliance.redaction.ner.errors import NameFinderError
from compliance.redaction.ner.finder import OURS, NameFinder, name_finder

__all__ = ["OURS", "NameFinder", "NameFinderError", "name_finder"]
