"""Our rules as Presidio recognisers, one per file. Importing this imports Presidio, which takes seconds."""

from compliance.redaction.recognizers.card import SpokenCard
from compliance.redaction.recognizers.long_number import LongNumber
from compliance.redaction.recognizers.offline_email import OfflineEmail
from compliance.redaction.recognizers.person import SpokenName
from compliance.redaction.recognizers.phone import SpokenPhone
from compliance.redaction.recognizers.rule import SpokenRule
from compliance.redaction.recognizers.spelled_email import SpelledEmail
from compliance.redaction.recognizers.spelled_word import SpelledWord
from compliance.redaction.recognizers.street import StreetAddress

SPOKEN_RULES: tuple[type[SpokenRule], ...] = (
    SpokenCard,
    SpokenPhone,
    LongNumber,
    SpelledEmail,
    SpelledWord,
    SpokenName,
    StreetAddress,
)

__all__ = ["SPOKEN_RULES", "OfflineEmail", "SpokenRule"]
