"""What stands in the place of a value: ``<PERSON>``, ``<PERSON_1>``, ``<PERSON#kqzxbrtwma>``, ``<US_SSN-2778>``."""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field

from compliance.redaction.entities import Entity
from compliance.redaction.luhn import passes_luhn
from compliance.redaction.policy import RedactionPolicy
from compliance.redaction.traits import Action, traits_of

_MASK = re.compile(r"<[A-Z][A-Z_]*[A-Z](?:_\d{1,4}|#[a-z]{10}|-\d{4})?>|\[REDACTION_FAILED\]")
_HASHED = 10
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def without_masks(text: str) -> str:
    """``text`` with earlier masks made unreadable, at the same length, so that nothing is found in them again."""
    return _MASK.sub(lambda mask: "[" * len(mask.group()), text) if "<" in text or "[" in text else text


def is_mask(text: str) -> bool:
    """Whether ``text`` is a mask and nothing else."""
    return _MASK.fullmatch(text.strip()) is not None


def canonical(text: str) -> str:
    """What of a value counts when two are compared: its letters and digits, in lower case."""
    return "".join(c for c in text.casefold() if c.isalnum())


@dataclass(slots=True)
class Masks:
    """The masks of one call.

    Args:
        policy: says what stands for which entity.
        key: of the call or its tenant, for ``hash``; by default one that nobody keeps, so that masks are alike within
            this call only. It should be destroyed with the call's other keys: whoever has it can try values out.
    """

    policy: RedactionPolicy
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _known: dict[str, list[set[str]]] = field(default_factory=dict, repr=False)

    def mask(self, entity: str, written: str) -> str:
        """What stands for a value of ``entity``, given its written form: ``4111``, not ``forty one eleven``."""
        match self.policy.rule(entity).action:
            case Action.HASH:
                return f"<{entity}#{self._hash(entity, written)}>"
            case Action.SURROGATE:
                return f"<{entity}_{self._number(entity, written)}>"
            case Action.KEEP_LAST_4 if _is_whole(entity, written):
                return f"<{entity}-{_digits(written)[-4:]}>"
            case _:
                return f"<{entity}>"

    def forget(self) -> None:
        """Drops the values that have numbers."""
        self._known.clear()

    def _hash(self, entity: str, written: str) -> str:
        # Letters only: a run of digits in a record would look like what it stands for.
        value = int.from_bytes(hmac.digest(self.key, f"{entity}:{canonical(written)}".encode(), "sha256"))
        letters = []
        for _ in range(_HASHED):
            value, letter = divmod(value, len(_LETTERS))
            letters.append(_LETTERS[letter])
        return "".join(letters)

    def _number(self, entity: str, written: str) -> int:
        """Counts values from 1; one that is a part of another, such as a first name, is the same."""
        words = {canonical(word) for word in written.split()} - {""} or {canonical(written)}
        known = self._known.setdefault(entity, [])
        for i, other in enumerate(known):
            if words <= other or other <= words:
                other |= words
                return i + 1
        known.append(words)
        return len(known)


def _digits(written: str) -> str:
    return "".join(c for c in written if c.isdecimal())


def _is_whole(entity: str, written: str) -> bool:
    """Whether all of a number is here: the last four digits of a part are digits of its middle."""
    digits = _digits(written)
    fewest, most = traits_of(entity).whole
    return fewest <= len(digits) <= most and (entity != Entity.CREDIT_CARD or passes_luhn(digits))
