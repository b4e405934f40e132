"""The trials of one split: real callers and users, invented entities, numbers in breaths, no data."""
# ruff: noqa: S311 - seeded choices, no secrets

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Literal

from compliance.redaction.entities import Entity
from compliance.redaction.evaluation.breaths import in_breaths
from compliance.redaction.evaluation.trial import Line, Measure, Trial
from compliance.redaction.training import corpora
from compliance.redaction.training.invented import KINDS, invented, patterns
from compliance.redaction.training.people import Split
from compliance.redaction.training.utterance import Mark, Utterance

Part = Literal["dev", "test", "all"]
"""Of corpora that the model never saw, ``all`` judges every line."""

NAMES = (corpora.RESTAURANT, corpora.NLUPP, corpora.SLURP)
NOTHING_PERSONAL = (corpora.BANKING, corpora.NLUPP, corpora.RESTAURANT, corpora.SLURP)
INVENTED = 6000
"""Invented utterances; calls with numbers in breaths and off-topic replies are a fraction of them."""
_BREATHS, _REPLIES = 7, 5
_CRITICAL = frozenset({Entity.CREDIT_CARD, Entity.CVV, Entity.SSN})
_HAND_CHECKED = Path(__file__).parent / "hand_checked.json"

_SMALL_TALK = (
    "Hello, how can I help you today?",
    "Okay, let me have a look.",
    "Is there something else that you need?",
    "Alright, tell me more about that.",
    "Thanks, I've got that.",
)


def trials(folder: Path, part: Part, count: int = INVENTED) -> Iterator[Trial]:
    """Every trial of ``part``, from the corpora in ``folder`` and ``count`` invented ones, the same each time.

    Raises:
        CorpusError: a corpus is missing or malformed.
    """
    yield from names(folder, part)
    yield from answers(folder, part)
    split: Split = "dev" if part == "dev" else "test"
    yield from structured(split, count)
    yield from in_breaths(split, count // _BREATHS, seed=5)
    yield from nothing_personal(folder, part)
    yield from off_topic(folder, part, count // _REPLIES)


def names(folder: Path, part: Part) -> Iterator[Trial]:
    """People named in real utterances: by themselves, or asked for their name."""
    for source in NAMES:
        for said in _of(folder, source, part):
            marks = tuple(mark for mark in said.marks if mark.label == Entity.PERSON)
            if marks:
                measure = Measure.NAMES_ASKED if "name" in said.asked else Measure.NAMES
                yield Trial(measure, source, _lines(said.asked, said.text, marks), said.group)


def answers(folder: Path, part: Part) -> Iterator[Trial]:
    """EVI: a postcode, name or date of birth read out to the question for it. The whole turn is the answer."""
    for said in _of(folder, corpora.EVI, part):
        if said.marks:
            lines = _lines(said.asked, said.text, said.marks)
            yield Trial(Measure.ANSWERS, said.marks[0].label, lines, said.group)


def structured(split: Split, count: int) -> Iterator[Trial]:
    """Invented entities: of patterns and names that nothing was trained on, asked for or not."""
    for said in invented(split, count, seed=3):
        for label in dict.fromkeys(mark.label for mark in said.marks if mark.label != Entity.PERSON):
            critical = said.asked and label in _CRITICAL
            measure = Measure.CRITICAL if critical else Measure.STRUCTURED
            marks = tuple(mark for mark in said.marks if mark.label == label)
            part = f"{label}, asked" if said.asked else str(label)
            yield Trial(measure, part, _lines(said.asked, said.text, marks), said.group)
        if any(mark.label == Entity.PERSON for mark in said.marks):
            marks = tuple(mark for mark in said.marks if mark.label == Entity.PERSON)
            measure = Measure.NAMES_ASKED if said.asked else Measure.NAMES
            yield Trial(measure, "invented", _lines(said.asked, said.text, marks), said.group)


def nothing_personal(folder: Path, part: Part) -> Iterator[Trial]:
    """Utterances without personal data, as the labels say and, where something was masked, as a person checked.

    CLINC150 has no labels of people: it is shown where it is there, and nothing is promised of it.
    """
    unlabelled = (corpora.CLINC,) if corpora.has_requests(folder) else ()
    for source in (*NOTHING_PERSONAL, *unlabelled):
        for said in _of(folder, source, part):
            if not _is_personal(said):
                yield Trial(
                    Measure.NOTHING_PERSONAL, source, _lines(said.asked, said.text, keep=True), said.group
                )


def off_topic(folder: Path, part: Part, count: int) -> Iterator[Trial]:
    """What people say to a bank or a hotel without telling anything, said to each question in turn."""
    split: Split = "dev" if part == "dev" else "test"
    questions = [
        (pattern.asked, str(KINDS[pattern.slots[0]]))
        for pattern in patterns(split)
        if pattern.asked and pattern.slots and KINDS[pattern.slots[0]]
    ]
    replies = [
        said
        for source in (corpora.BANKING, corpora.NLUPP)
        for said in _of(folder, source, part)
        if not _is_personal(said)
    ]
    Random(11).shuffle(replies)
    for number, said in enumerate(replies[:count]):
        asked, entity = questions[number % len(questions)]
        yield Trial(Measure.OFF_TOPIC, entity, _lines(asked, said.text, keep=True), said.group)


def _lines(asked: str, text: str, marks: tuple[Mark, ...] = (), *, keep: bool = False) -> tuple[Line, ...]:
    """A caller's line after the agent's. Of two that answer nothing, one comes after small talk and one opens it."""
    said = Line("caller", text, marks, keep)
    number = zlib.crc32(text.encode())
    before = asked or (_SMALL_TALK[number % len(_SMALL_TALK)] if number % 2 else "")
    return (Line("agent", before), said) if before else (said,)


def _of(folder: Path, source: str, part: Part) -> Iterator[Utterance]:
    return (said for said in corpora.read(folder, source) if part in ("all", corpora.split_of(said)))


def _is_personal(said: Utterance) -> bool:
    """Whether it is labelled as personal, or a person looked at it and found that it is."""
    return bool(said.marks) or "name" in said.asked or said.text in _hand_checked()


@cache
def _hand_checked() -> dict[str, str]:
    """Utterances without labels that are personal all the same, each with why."""
    listed: dict[str, str] = json.loads(_HAND_CHECKED.read_text(encoding="utf-8"))
    return listed
