"""One utterance with what is personal in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """Characters ``start`` to ``end`` of the text are ``label``: of ``compliance.redaction.entities.Entity``."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Utterance:
    """What somebody said, after which question of the agent.

    Attributes:
        source: the corpus or generator it comes from.
        group: what must stay on one side of a split: a dialogue, a person, a text.
    """

    text: str
    marks: tuple[Mark, ...] = ()
    asked: str = ""
    source: str = ""
    group: str = ""
