"""The public texts: which file holds what, and which part of it is for training, for development and for judging.

Files are told by how their names begin, so that another part of a corpus (``restaurant8k_test.jsonl``) is read like
the one that shipped. ``SOURCES.md`` beside them says who made them; all are CC BY 4.0. CLINC150 (CC BY 3.0) labels no
people; it is read from the folder ``tool_need`` beside theirs, for requests about everything that name nobody.

What belongs together (the same name, the same profile, the same words) stays on one side of the split. NLU++ is never
trained on: what is measured on it is a domain that the model does not know.
"""
# ruff: noqa: SIM905 - lists of words read as words

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from compliance.errors import ComplianceError
from compliance.redaction.entities import Entity
from compliance.redaction.training.people import Split, first_names
from compliance.redaction.training.utterance import Mark, Utterance

RESTAURANT, NLUPP, SLURP, BANKING, EVI = "restaurant8k", "nlupp", "slurp", "banking77", "evi"
CLINC = "clinc150"
_LETTERS = re.compile(r"[^a-z]+")
_PERSON = frozenset({"first_name", "last_name", "person_name", "person"})
ARTIST = "artist_name"
"""People too, but nobody's personal data."""
_QUESTIONS = {
    "first_name": "What is your name, please?",
    "last_name": "What is your name, please?",
    "date": "For which day?",
    "time": "At what time?",
    "people": "For how many people?",
}
_EVI_QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "postcode": (
        "What is your postcode?",
        "Could you please tell me your postcode?",
        "I'm sorry, I didn't get that. What's your postcode?",
    ),
    "name": (
        "What is your full name?",
        "Could you repeat your first and last name, please?",
        "Can you spell your name for me, please?",
    ),
    "dob": (
        "What is your date of birth?",
        "Please tell me your date of birth.",
        "Sorry, could you give me your date of birth again?",
    ),
}
_EVI_ENTITY = {"postcode": Entity.ADDRESS, "name": Entity.PERSON, "dob": Entity.BIRTH}
_CARRIERS = frozenset(
    """my name is it's its the that's that and um uh er yes yeah sure okay ok so then it of please thanks thank you
    brilliant postcode date birth first last surname full i'm i am sorry hello hi again start i'll""".split()
)
"""Words of an answer that tell nothing of it."""
_WORD = re.compile(r"\S+")
_EVERYDAY = 40  # requests that have a word before it is one of everyday, though somebody is called so
_TENTHS: Mapping[str, tuple[int, int]] = {
    # The first number of ten parts is for judging, the second for development, the rest for training.
    RESTAURANT: (3, 1),
    SLURP: (3, 1),
    BANKING: (4, 1),
    EVI: (3, 1),
    CLINC: (2, 1),
    NLUPP: (5, 5),
}


class CorpusError(ComplianceError):
    """A corpus is not there or cannot be read; the message says which file."""


def read(folder: Path, source: str) -> Iterator[Utterance]:
    """Every utterance of ``source`` in ``folder``.

    Raises:
        CorpusError: there is no such file, or one that cannot be read.
    """
    if source == CLINC:
        return requests(folder)
    return _labelled_files(folder, source)


def has_requests(folder: Path) -> bool:
    """Whether CLINC150 stands beside ``folder``."""
    return _requests_file(folder).is_file()


def requests(folder: Path) -> Iterator[Utterance]:
    """CLINC150 without the few requests that seem to name somebody: a first name that is no everyday word there."""
    said = [str(row["u"]) for row in _rows(_requests_file(folder))]
    seen = Counter(word for text in said for word in set(_LETTERS.split(text.lower())))
    rare = {name for name in first_names() if seen[name] < _EVERYDAY}
    for text in said:
        if rare.isdisjoint(_LETTERS.split(text.lower())):
            yield Utterance(text, (), "", CLINC, text)


def _requests_file(folder: Path) -> Path:
    return folder.resolve().parent / "tool_need" / f"{CLINC}.jsonl.gz"


def _labelled_files(folder: Path, source: str) -> Iterator[Utterance]:
    files = sorted(folder.glob(f"{source}*.jsonl"))
    if not files:
        raise CorpusError(f"{folder}: no file {source}*.jsonl; name the folder of the redaction corpora")
    for path in files:
        for number, row in enumerate(_rows(path)):
            try:
                yield _evi(row) if source == EVI else _labelled(row, source)
            except (KeyError, TypeError, ValueError) as broken:
                raise CorpusError(f"{path}:{number + 1}: not a row of {source}: {broken!r}") from broken


def split_of(utterance: Utterance) -> Split:
    """The part of its corpus that an utterance belongs to, by a checksum of its group."""
    judged, developed = _TENTHS[utterance.source]
    part = zlib.crc32(utterance.group.encode()) % 10
    return "test" if part < judged else "dev" if part < judged + developed else "train"


def _labelled(row: Mapping[str, Any], source: str) -> Utterance:
    text = row["text"]
    spans = sorted((s["start"], s["end"], s["label"]) for s in row["spans"])
    marks: list[Mark] = []
    for start, end, label in spans:
        if label not in _PERSON | {ARTIST}:
            continue
        end -= len(text[start:end]) - len(re.sub(r"['’]s$", "", text[start:end]))
        if marks and not text[marks[-1].end : start].strip():
            marks[-1] = Mark(marks[-1].start, end, Entity.PERSON)  # first and last name are one entity
        else:
            marks.append(Mark(start, end, Entity.PERSON if label in _PERSON else label))
    requested = [_QUESTIONS[slot] for slot in row.get("requested", ())]
    people = [text[m.start : m.end] for m in marks if m.label == Entity.PERSON]
    group = people[-1].split()[-1] if people else text
    return Utterance(text, tuple(marks), next(iter(requested), ""), source, _LETTERS.sub(" ", group.lower()))


def _evi(row: Mapping[str, Any]) -> Utterance:
    """The whole turn is the answer: every word that tells something of it is marked."""
    text = row["text"]
    marks = tuple(
        Mark(word.start(), word.end(), _EVI_ENTITY[row["asked"]])
        for word in _WORD.finditer(text)
        if word.group().lower().strip(".,?!") not in _CARRIERS
    )
    asked = _EVI_QUESTIONS[row["asked"]][row["attempt"] % 3]
    return Utterance(text, marks, asked, EVI, row["truth"]["name"].lower())


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8") as lines
        ):
            for line in lines:
                yield json.loads(line)
    except (OSError, ValueError) as broken:
        raise CorpusError(f"{path}: cannot be read: {broken}") from broken
