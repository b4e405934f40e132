"""What other models call the entities that are masked here."""

from __future__ import annotations

from compliance.redaction.entities import Entity

_ALIASES = {
    "PER": Entity.PERSON,
    "NAME": Entity.PERSON,
    "GPE": "LOCATION",
    "LOC": "LOCATION",
    "FAC": "LOCATION",
    "EMAIL": Entity.EMAIL,
    "PHONE": Entity.PHONE,
    "DOB": Entity.BIRTH,
    "SSN": Entity.SSN,
    "STREET_ADDRESS": Entity.ADDRESS,
}


def entity_of(label: str) -> str:
    """``label`` of a model by our name: ``B-PER`` is ``PERSON``, ``date of birth`` is ``DATE_OF_BIRTH``."""
    plain = label.upper().replace(" ", "_")
    if plain[:2] in ("B-", "I-", "L-", "U-", "S-", "E-"):
        plain = plain[2:]
    return str(_ALIASES.get(plain, plain))
