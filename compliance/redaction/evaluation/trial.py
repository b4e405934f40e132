"""One short call, what of it must be masked, and the judging of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from compliance.events import Speaker
from compliance.redaction.redacted import Redacted
from compliance.redaction.training.utterance import Mark


class Measure(StrEnum):
    """What a trial is counted under."""

    NAMES = "names nobody asked for"
    NAMES_ASKED = "names that were asked for"
    ANSWERS = "EVI answers, question known"
    CRITICAL = "card, CVV, SSN when asked"
    STRUCTURED = "other structured entities"
    BREATHS = "numbers split over turns"
    NOTHING_PERSONAL = "over-masked: nothing personal"
    OFF_TOPIC = "over-masked: off-topic reply to a question"


class Session(Protocol):
    """What is judged: the redactor of one call, as :class:`compliance.redaction.Redactor`."""

    def redact_spoken(self, text: str, *, speaker: Speaker) -> Redacted: ...


@dataclass(frozen=True, slots=True)
class Line:
    """Something said. ``marks`` must be masked; ``keep``: nothing of it may be."""

    speaker: Speaker
    text: str
    marks: tuple[Mark, ...] = ()
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """A call of a few lines, judged line by line.

    Attributes:
        part: the corpus or entity that it is counted under within the measure.
        group: what is not independent: a caller, a person, a pattern.
    """

    measure: Measure
    part: str
    lines: tuple[Line, ...]
    group: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One judgement: of recall, ``hit`` says that the entity was masked to its last character; of over-masking, that
    something was."""

    measure: Measure
    part: str
    group: str
    hit: bool
    text: str
    redacted: str


def judge(trial: Trial, session: Session) -> Iterator[Outcome]:
    """Plays ``trial`` to ``session``: an outcome for each entity of each line, and for each line to be kept."""
    for line in trial.lines:
        redacted = session.redact_spoken(line.text, speaker=line.speaker)
        if line.keep:
            hit = redacted.failed or bool(redacted.spans)
            yield Outcome(trial.measure, trial.part, trial.group, hit, line.text, redacted.text)
        for label in dict.fromkeys(mark.label for mark in line.marks):
            hit = all(covers(redacted, line.text, mark) for mark in line.marks if mark.label == label)
            yield Outcome(trial.measure, trial.part or label, trial.group, hit, line.text, redacted.text)


def covers(redacted: Redacted, text: str, mark: Mark) -> bool:
    """Whether no letter or digit of ``mark`` can be read any more."""
    if redacted.failed:
        return True
    masked = [(span.start, span.end) for span in redacted.spans]
    return all(
        any(start <= at < end for start, end in masked)
        for at in range(mark.start, mark.end)
        if text[at].isalnum()
    )
