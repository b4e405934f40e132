"""What may be done with each entity: which actions, whether it may ever be revealed, and what of Presidio finds it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from compliance.redaction.entities import Entity


class Action(StrEnum):
    """What stands in the record for a value."""

    MASK = "mask"
    HASH = "hash"
    SURROGATE = "surrogate"
    KEEP_LAST_4 = "keep_last_4"
    KEEP = "keep"


MEANINGS = {
    Action.MASK: "`<PERSON>`",
    Action.HASH: "`<PERSON#kqzxbrtwma>`: the same value gives the same letters as long as the call's key lives, and "
    "without that key nobody can try values out",
    Action.SURROGATE: "`<PERSON_1>`: the same value gives the same number within a call",
    Action.KEEP_LAST_4: "`<CREDIT_CARD-1111>`, where the whole number was said in one go; else as `mask`",
    Action.KEEP: "the value itself",
}


@dataclass(frozen=True, slots=True)
class Traits:
    """The limits of one entity, which no policy can widen."""

    meaning: str
    actions: frozenset[Action]
    may_be_revealed: bool = True
    whole: tuple[int, int] = (0, 0)
    """Fewest and most digits of a whole number; only of a whole one may the last four be kept."""


_MASKED = frozenset({Action.MASK, Action.HASH, Action.SURROGATE})
_NUMBERED = _MASKED | {Action.KEEP_LAST_4}

OURS: dict[str, Traits] = {
    # PCI DSS 3.3.1: never kept after authorisation, even encrypted. A hash of three digits is three digits.
    Entity.CVV: Traits("the security code of a card", frozenset({Action.MASK}), may_be_revealed=False),
    Entity.PIN: Traits("a PIN, password or one-time code", frozenset({Action.MASK}), may_be_revealed=False),
    # PCI DSS 3.4.1: at most the last four may be seen without need.
    Entity.CREDIT_CARD: Traits(
        "the number of a payment card", _NUMBERED, may_be_revealed=False, whole=(12, 19)
    ),
    Entity.EXPIRY: Traits("the expiry date of a card", _MASKED),
    Entity.PHONE: Traits("a telephone number", _NUMBERED, whole=(10, 15)),
    Entity.EMAIL: Traits("an e-mail address", _MASKED),
    Entity.PERSON: Traits("a person's name", _MASKED),
    Entity.ADDRESS: Traits("an address, a postcode, or a part of one", _MASKED),
    Entity.BIRTH: Traits("a date of birth", _MASKED),
    Entity.SSN: Traits("a social security number", _NUMBERED, whole=(9, 9)),
    Entity.ACCOUNT: Traits(
        "a bank account, sort code, membership or policy number", _NUMBERED, whole=(8, 34)
    ),
    Entity.ID: Traits("the number of a passport or a driving licence", _NUMBERED, whole=(8, 20)),
    Entity.ORDER: Traits(
        "an order, ticket or case number that was asked for or named", _NUMBERED | {Action.KEEP}
    ),
    Entity.NUMBER: Traits("a long number that nobody named", _MASKED),
    Entity.SPELLED: Traits("what is spelled letter by letter", _MASKED),
}
"""Always looked for, whatever a policy lists: it says only what stands in their place."""


@dataclass(frozen=True, slots=True)
class Stock:
    """One of Presidio's own recognisers: https://microsoft.github.io/presidio/supported_entities/."""

    recognizer: str
    """Its class in ``presidio_analyzer.predefined_recognizers``."""
    language: str = "en"


STOCK: dict[str, Stock] = {
    "ABA_ROUTING_NUMBER": Stock("AbaRoutingRecognizer"),
    "AU_ABN": Stock("AuAbnRecognizer"),
    "AU_ACN": Stock("AuAcnRecognizer"),
    "AU_MEDICARE": Stock("AuMedicareRecognizer"),
    "AU_TFN": Stock("AuTfnRecognizer"),
    "CRYPTO": Stock("CryptoRecognizer"),
    "ES_NIE": Stock("EsNieRecognizer", "es"),
    "ES_NIF": Stock("EsNifRecognizer", "es"),
    "FI_PERSONAL_IDENTITY_CODE": Stock("FiPersonalIdentityCodeRecognizer", "fi"),
    "IBAN_CODE": Stock("IbanRecognizer"),
    "IN_AADHAAR": Stock("InAadhaarRecognizer"),
    "IN_PAN": Stock("InPanRecognizer"),
    "IN_PASSPORT": Stock("InPassportRecognizer"),
    "IP_ADDRESS": Stock("IpRecognizer"),
    "IT_DRIVER_LICENSE": Stock("ItDriverLicenseRecognizer", "it"),
    "IT_FISCAL_CODE": Stock("ItFiscalCodeRecognizer", "it"),
    "IT_IDENTITY_CARD": Stock("ItIdentityCardRecognizer", "it"),
    "IT_PASSPORT": Stock("ItPassportRecognizer", "it"),
    "IT_VAT_CODE": Stock("ItVatCodeRecognizer", "it"),
    "KR_RRN": Stock("KrRrnRecognizer", "ko"),
    "MAC_ADDRESS": Stock("MacAddressRecognizer"),
    "MEDICAL_LICENSE": Stock("MedicalLicenseRecognizer"),
    "NG_NIN": Stock("NgNinRecognizer"),
    "PL_PESEL": Stock("PlPeselRecognizer", "pl"),
    "SG_NRIC_FIN": Stock("SgFinRecognizer"),
    "TH_TNIN": Stock("ThTninRecognizer", "th"),
    "UK_NHS": Stock("NhsRecognizer"),
    "UK_NINO": Stock("UkNinoRecognizer"),
    "UK_PASSPORT": Stock("UkPassportRecognizer"),
    "UK_VEHICLE_REGISTRATION": Stock("UkVehicleRegistrationRecognizer"),
    "US_BANK_NUMBER": Stock("UsBankRecognizer"),
    "US_DRIVER_LICENSE": Stock("UsLicenseRecognizer"),
    "US_ITIN": Stock("UsItinRecognizer"),
    "US_MBI": Stock("UsMbiRecognizer"),
    "US_NPI": Stock("UsNpiRecognizer"),
    "US_PASSPORT": Stock("UsPassportRecognizer"),
}
"""Looked for when a policy lists them, in the languages that it lists."""

NAMED: tuple[str, ...] = ("LOCATION", "NRP", "ORGANIZATION", "MEDICAL")
"""What models of names find besides persons; masked when a policy lists them."""

_OF_OTHERS = Traits("found by one of Presidio's recognisers or a model of names", _MASKED)
_OF_NUMBERS = Traits("found by one of Presidio's recognisers", _NUMBERED, whole=(6, 34))


def traits_of(entity: str) -> Traits:
    """The limits of ``entity``; of one that a policy made up for its own words and patterns, those of any other."""
    return OURS.get(entity) or (_OF_NUMBERS if entity in STOCK else _OF_OTHERS)
