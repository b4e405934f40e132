"""The model of names that a policy chose, with what stands in when it fails."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from compliance.redaction.ner import NameFinder, NameFinderError, name_finder
from compliance.redaction.pieces import Found
from compliance.redaction.policy import RedactionPolicy

logger = logging.getLogger(__name__)


class NoNames:
    """Finds nothing: for an engine of rules alone."""

    def find(self, text: str, *, asked: str = "") -> list[Found]:
        return []


@dataclass(slots=True)
class WithFailover:
    """``first``, and when it raises, ``second``."""

    first: NameFinder
    second: NameFinder

    def find(self, text: str, *, asked: str = "") -> list[Found]:
        try:
            return self.first.find(text, asked=asked)
        except (
            Exception
        ) as error:  # whatever a model of somebody else's raises; its text may quote the caller
            logger.error("the model of names failed: %s; ours is asked instead", type(error).__name__)
            return self.second.find(text, asked=asked)


def names_of(policy: RedactionPolicy) -> NameFinder:
    """The finder that ``policy`` names, loaded.

    Raises:
        NameFinderError: it cannot be loaded; with ``failover: ours`` it is not raised, ours is loaded alone.
    """
    if policy.failover == "withhold":
        return name_finder(policy.ner)
    ours = name_finder()
    try:
        return WithFailover(name_finder(policy.ner), ours)
    except NameFinderError as error:
        logger.error("%s; ours is used instead", error)
        return ours
