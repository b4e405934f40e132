"""Redacted words as they would sound: the live classifier hears the caller, training reads the redacted record.

``my card is <CREDIT_CARD>`` was heard as ``my card is four two four two …``. Taken literally, the mask would teach two
words, *credit* and *card*, that no caller says there, and nothing of the digits that they do say. So each mask is
replaced by something of the class of what it hides: a number by digits, letters by letters, and a name by a made-up
word that occurs nowhere else, for a name is as rare, and what is that rare no model learns.
"""

from __future__ import annotations

import hashlib

from compliance.intake import WITHHELD
from compliance.redaction import REDACTION_FAILED
from compliance.redaction.entities import Entity
from service.redacted import pieces

_NUMBER = "0000000"
_LETTERS = "a b c d"
_WORDY = {
    Entity.SPELLED: _LETTERS,
    Entity.EMAIL: "{} at {} dot com",
    Entity.PERSON: "{}",
    Entity.ADDRESS: "12 {}",
    "LOCATION": "{}",
    "NRP": "{}",
    "URL": "{} dot com",
}
"""What is no number; every other entity is one."""


def as_heard(text: str, key: str) -> str | None:
    """Redacted ``text`` with masks replaced by what they sound like; ``None`` when it was withheld altogether.

    Args:
        text: as stored.
        key: made-up words are drawn from it, so that none occurs twice.
    """
    if REDACTION_FAILED in text or WITHHELD in text:
        return None
    said = []
    for place, piece in enumerate(pieces(text)):
        if not piece.entity:
            said.append(piece.text)
            continue
        form = _WORDY.get(piece.entity, _NUMBER)
        said.append(form.format(_rare(f"{key} {place} 0"), _rare(f"{key} {place} 1")))
    return "".join(said)


def _rare(key: str) -> str:
    """A word of ten letters that nothing else says."""
    digest = hashlib.sha256(key.encode()).digest()
    return "q" + "".join(chr(ord("a") + byte % 26) for byte in digest[:9])
