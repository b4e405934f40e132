"""What is masked, what is kept, and how each is asked for and answered.

The labels are Presidio's where it has one. ``ORDER_NUMBER`` is the only entity that is *kept*: order, ticket and case
numbers identify a parcel, not a person, and a record without them is of no use to a support team. A number is one of
these only when the agent asked for it or the speaker named it (``order number is ...``), and only up to
``MAX_KEPT_DIGITS`` digits: a longer one, or one that nobody named, is masked like any other number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_KEPT_DIGITS = 7
"""Half a card number has eight: a kept number is always shorter."""
LONG_NUMBER_DIGITS = 7
"""A number this long is masked whatever it is, unless it is an amount, a recent date or an order number."""


class Entity(StrEnum):
    """A label of the redacted text: ``<CREDIT_CARD>``."""

    CREDIT_CARD = "CREDIT_CARD"
    CVV = "CVV"
    EXPIRY = "EXPIRY"
    PIN = "PIN"
    PHONE = "PHONE_NUMBER"
    EMAIL = "EMAIL_ADDRESS"
    PERSON = "PERSON"
    ADDRESS = "ADDRESS"
    BIRTH = "DATE_OF_BIRTH"
    SSN = "US_SSN"
    ACCOUNT = "ACCOUNT_NUMBER"
    ORDER = "ORDER_NUMBER"
    NUMBER = "NUMBER"
    SPELLED = "SPELLED"


class Shape(StrEnum):
    """What an answer looks like."""

    DIGITS = "digits"
    DATE = "date"
    MAIL = "mail"
    NAME = "name"
    PLACE = "place"


@dataclass(frozen=True, slots=True)
class Spec:
    """How one entity is asked for and announced, and how many digits an answer has."""

    entity: Entity
    shape: Shape
    asked: re.Pattern[str]
    """Found in an agent's question."""
    announced: re.Pattern[str]
    """Ends right before the value in the words of whoever says it."""
    opening: re.Pattern[str]
    """The same anywhere, with at least one word between the name and the value: ``my email is``."""
    fewest: int = 3
    """Digits below which a number is believed only in a mostly numeric answer."""
    usual: int = 0
    """Digits after which the answer is complete."""


_LINK = (
    r"(?:\W+(?:number|no|code|address|name|details?|is|was|it|it's|its|are|ends?|ending|in|with|on|at|my|the"
    r"|uh|um|so|okay|ok|yes|yeah|sure|again|as)\b)"
)
_LEFT_OPEN = re.compile(r"\b(?:is|was|are|it's|its|number|code|address|name)\W*$")


def _spec(
    entity: Entity,
    shape: Shape,
    asked: str,
    announced: str | None = None,
    *,
    fewest: int = 3,
    usual: int = 0,
) -> Spec:
    name = rf"\b(?:{announced or asked})"
    return Spec(
        entity,
        shape,
        asked=re.compile(asked),
        announced=re.compile(rf"{name}{_LINK}*\W*$"),
        opening=re.compile(rf"{name}{_LINK}+\W+"),
        fewest=fewest,
        usual=usual,
    )


SPECS: tuple[Spec, ...] = (
    _spec(
        Entity.CVV,
        Shape.DIGITS,
        r"cvv|cvc|c v v|c v c|security (?:code|number)|(?:three|3)[- ]digit|back of (?:the|your|my) card",
        fewest=1,
        usual=3,
    ),
    _spec(Entity.EXPIRY, Shape.DATE, r"expir\w*|valid (?:until|through|to)", fewest=1, usual=4),
    _spec(
        Entity.CREDIT_CARD,
        Shape.DIGITS,
        r"card number|number (?:on|of|across) (?:the |your |my )?(?:front of )?(?:the |your |my )?card"
        r"|(?:sixteen|16)[- ]digit|long number|card details|last (?:four|4)|final (?:four|4)",
        r"(?:credit |debit )?card|visa|mastercard|master card|amex|american express"
        r"|last (?:four|4)(?: digits)?|long number",
        usual=16,
    ),
    _spec(
        Entity.SSN,
        Shape.DIGITS,
        r"social security|\bssn\b|national insurance",
        usual=9,
    ),
    _spec(
        Entity.PIN,
        Shape.DIGITS,
        r"\bpin\b|pass ?code|one[- ]time (?:code|password)|verification code|password",
        fewest=1,
        usual=4,
    ),
    _spec(
        Entity.ACCOUNT,
        Shape.DIGITS,
        r"account number|sort code|routing number|\biban\b|member(?:ship)? (?:number|id)|policy number",
        usual=8,
    ),
    _spec(
        Entity.ORDER,
        Shape.DIGITS,
        r"(?:order|ticket|case)(?:'s)? (?:number|no\b|id\b|reference|ref\b|code)|number of (?:the|your) order",
        r"orders?|ticket|case",
        usual=6,
    ),
    _spec(
        Entity.PHONE,
        Shape.DIGITS,
        r"phone|mobile|\bcell\b|call ?back number|contact number|best number"
        r"|number (?:to|where|we can) \w* ?(?:reach|call)",
        r"(?:tele)?phone number|phone|mobile(?: number)?|cell(?: number)?|(?:call|reach|ring|text) me(?: back)?"
        r"|(?:my|contact|call ?back|best|her|his|their) number|number to (?:call|reach|ring)",
        usual=10,
    ),
    _spec(Entity.EMAIL, Shape.MAIL, r"e-?mail"),
    _spec(
        Entity.BIRTH,
        Shape.DATE,
        r"date of birth|birth ?(?:day|date)|\bborn\b|\bd\.?o\.?b\b",
        fewest=1,
        usual=8,
    ),
    _spec(
        Entity.PERSON,
        Shape.NAME,
        r"(?:full|first|last|your|the|caller's) name|surname|who am i (?:speaking|talking)|who(?:'s| is) calling|spell",
        r"(?:first |last |full |middle )?name|surname|names|i'm called|i am called|under the name(?: of)?",
    ),
    _spec(
        Entity.ADDRESS,
        Shape.PLACE,
        r"(?<!mail )\baddress|post ?code|zip ?code|\bzip\b|street|where do you live",
        r"(?<!mail )address|post ?code|zip ?code|i live|deliver it|ship it",
    ),
)
BY_ENTITY = {spec.entity: spec for spec in SPECS}

_ASKING = re.compile(
    r"\?|\b(?:what|which|who|whose|could|can|may|please|need|give|tell|confirm|read|spell|provide|share|repeat"
    r"|have your|have the|rest of|remaining|say)\b"
)


def asked_for(agent_text: str) -> tuple[Spec, ...]:
    """What an agent's utterance asks the caller to say, most specific first."""
    low = agent_text.lower().replace("’", "'")
    if not _ASKING.search(low):
        return ()
    return tuple(spec for spec in SPECS if spec.asked.search(low))


def announced_before(text: str, end: int) -> Spec | None:
    """The entity that ``text`` names right before ``end``: ``my phone number is``."""
    low = text[max(0, end - 80) : end].lower().replace("’", "'")
    # The longest name wins: in "card number" the card announces, not the bare "number".
    best = min(
        ((m.start(), i) for i, spec in enumerate(SPECS) if (m := spec.announced.search(low))), default=None
    )
    return None if best is None else SPECS[best[1]]


def left_open(text: str) -> Spec | None:
    """The entity that ``text`` names with its last words, so that its value is the next thing said."""
    low = text.lower().replace("’", "'")
    return announced_before(text, len(text)) if _LEFT_OPEN.search(low) else None
