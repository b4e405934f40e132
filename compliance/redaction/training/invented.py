"""Invented utterances: patterns with values said in them. Train, development and test share no pattern and no name."""
# ruff: noqa: S311 - seeded choices, no secrets

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from compliance.redaction.entities import Entity
from compliance.redaction.training.people import Split
from compliance.redaction.training.said import Sayer
from compliance.redaction.training.utterance import Mark, Utterance

PATTERNS = Path(__file__).parent / "patterns"
KINDS: dict[str, Entity | None] = {
    "card": Entity.CREDIT_CARD,
    "last_four": Entity.CREDIT_CARD,
    "cvv": Entity.CVV,
    "expiry": Entity.EXPIRY,
    "pin": Entity.PIN,
    "phone": Entity.PHONE,
    "ssn": Entity.SSN,
    "account": Entity.ACCOUNT,
    "policy_number": Entity.ACCOUNT,
    "first": Entity.PERSON,
    "last": Entity.PERSON,
    "name": Entity.PERSON,
    "spelled": Entity.PERSON,
    "email": Entity.EMAIL,
    "address": Entity.ADDRESS,
    "street": Entity.ADDRESS,
    "postcode": Entity.ADDRESS,
    "home": Entity.ADDRESS,
    "birth": Entity.BIRTH,
    "amount": None,
    "quantity": None,
    "clock": None,
    "weekday": None,
    "month": None,
    "order": None,
    "code": None,
    "brand": None,
    "town": None,
    "venue": None,
    "relation": None,
    "deed": None,
    "thing": None,
}
"""Each slot of a pattern, and what is personal about it."""
_SLOT = re.compile(r"\{(\w+)\}")
_LEADS = ("uh ", "um ", "yeah ", "okay ", "so ", "well ", "yes ", "er ")


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the agent asked, and what is said with slots."""

    asked: str
    text: str

    @property
    def slots(self) -> tuple[str, ...]:
        return tuple(_SLOT.findall(self.text))


@cache
def patterns(split: Split) -> tuple[Pattern, ...]:
    """The patterns of ``split``, in the order of their file."""
    lines = (PATTERNS / f"{split}.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("|") for line in lines if line and not line.startswith("#"))
    return tuple(Pattern(asked.strip(), text.strip()) for asked, _, text in pairs)


def invented(split: Split, count: int, seed: int, *, hesitant: float = 0.15) -> Iterator[Utterance]:
    """``count`` utterances, every pattern as often; ``hesitant`` is the share that begins with a filler."""
    sayer = Sayer(Random(seed), split)
    every = patterns(split)
    for number in range(count):
        pattern = every[number % len(every)]
        lead = sayer.rng.choice(_LEADS) if sayer.rng.random() < hesitant else ""
        yield filled(pattern, sayer, lead)


def filled(pattern: Pattern, sayer: Sayer, lead: str = "") -> Utterance:
    """``pattern`` with a value said in each slot."""
    text, marks, at = lead, [], 0
    for slot in _SLOT.finditer(pattern.text):
        text += pattern.text[at : slot.start()]
        value = sayer.say(slot[1])
        if (entity := KINDS[slot[1]]) is not None:
            marks.append(Mark(len(text), len(text) + len(value), entity))
        text += value
        at = slot.end()
    return Utterance(text + pattern.text[at:], tuple(marks), pattern.asked, "invented", pattern.text)
