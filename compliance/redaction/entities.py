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
    ID = "ID_NUMBER"
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
    CODE = "code"
    """Letters and digits."""


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


_GAP = r"[^\w\[]"
"""Between two words; what was masked before, see :func:`compliance.redaction.masks.without_masks`, parts them."""
_LINK = (
    rf"(?:{_GAP}+(?:number|no|code|address|name|details?|digits|is|was|are|will|would|should|be|it|it's|its|that|that's|this"
    r"|ends?|ending|starts?|starting|in|with|on|at|by|file|my|the|a|of|i|you|can|use|set|got|have|one|whole|full|thing"
    r"|well|just|uh|um|so|okay|ok|yes|yeah|sure|again|as|and|then)\b(?:'s)?)"
)
_MISHEARD = rf"(?:{_GAP}+(?:for|to|too|won|ate|tree|free))?"
"""A first digit that a recogniser wrote as a word."""
_LEFT_OPEN = re.compile(r"\b(?:is|was|are|its|[a-z]+'s|number|code|address|name)\W*$")


def _spec(
    entity: Entity,
    shape: Shape,
    asked: str,
    announced: str | None = None,
    *,
    fewest: int = 3,
    usual: int = 0,
    near: bool = False,
) -> Spec:
    name = rf"\b(?:{announced or asked})"
    # What is named like this is nothing else: more may stand between the name and the value.
    far = entity in (Entity.CVV, Entity.PIN, Entity.SSN) and not near
    link = rf"(?:{_GAP}+[a-z']+){{0,4}}" if far else f"{_LINK}*"
    return Spec(
        entity,
        shape,
        asked=re.compile(asked),
        announced=re.compile(rf"{name}(?:'s)?{link}{_MISHEARD}{_GAP}*$"),
        opening=re.compile(rf"{name}(?:'s{_LINK}*|{_LINK}{'*' if shape is Shape.DATE else '+'}){_GAP}+"),
        fewest=fewest,
        usual=usual,
    )


_ON_THE_BACK = (
    r"(?:numbers?|digits|figures|code) (?:(?:printed |written )?(?:on|at|from|off) the|round) (?:back|reverse|rear)"
    r"(?: of (?:it|(?:the|your|my|that|this) (?:credit |debit |bank )?card))?(?! of\b)"
)
"""Of a card; the number on the back of a router is another one."""
_CARD = r"(?:the |your |my )?(?:front of )?(?:the |your |my )?(?:credit |debit |bank |payment )?card"

SPECS: tuple[Spec, ...] = (
    _spec(
        Entity.CVV,
        Shape.DIGITS,
        r"\bcvv|\bcvc|\bc v [vc]\b|(?<!social )security (?:code|number|digits)|card verification|signature strip"
        r"|code (?:on|off|at|by|from|near) the|(?:three|3|four|4)[- ]digit (?:security )?(?:code|number)"
        r"|(?:three|3)[- ](?:digits?|numbers)|back of (?:the|your|my) card|signature (?:panel|box)"
        rf"|(?:next to|by|beside) (?:the|your|my) signature|{_ON_THE_BACK}"
        r"|(?:four|4)[- ](?:digits|numbers) (?:on|at|above|across) the front",
        fewest=1,
        usual=3,
    ),
    _spec(
        Entity.EXPIRY,
        Shape.DATE,
        r"expir\w*|(?:valid|good) (?:until|through|thru|till?|to)|\bruns? out|end date",
        r"expir\w*|(?:valid|good) (?:until|through|thru|till?|to)|(?:card|it) runs? out",
        fewest=1,
        usual=4,
    ),
    _spec(
        Entity.CREDIT_CARD,
        Shape.DIGITS,
        rf"card number|number (?:on|of|across|off|for|from) {_CARD}|(?:sixteen|16|fifteen|15)[- ]digits?"
        r"|long (?:card )?number|card details|(?:what|which) (?:credit |debit )?card\b|read .*\bcard\b"
        r"|(?:credit|debit|payment|bank) card.*\b(?:number|digits)|digits (?:on|of|across)|(?:last|final) (?:four|4)"
        r"(?! (?:digits |numbers )?(?:of|on|in|from) (?:your |the |my )?(?:social|s ?s ?n|phone|mobile|account))",
        r"(?:credit |debit |bank )?card|visa|master ?card|amex|american express"
        r"|last (?:four|4)(?: digits)?|long number",
        usual=16,
    ),
    _spec(
        Entity.SSN,
        Shape.DIGITS,
        r"\bsocial\b(?! media| network)|\bssn\b|\bs s n\b|\bss number|national insurance|tax(?:payer)? id",
        r"social(?: security)?|ssn|s s n|ss number|national insurance|tax(?:payer)? id",
        usual=9,
    ),
    _spec(
        Entity.PIN,
        Shape.DIGITS,
        r"\bpin\b|pass ?code|one[- ]time (?:code|pass\w*|pin)|\botp\b|(?:verification|access|confirmation) code"
        r"|code (?:that )?(?:we|i|was) (?:just )?(?:sent|texted|e-?mailed)|password",
        fewest=1,
        usual=4,
    ),
    _spec(
        Entity.PIN,
        Shape.DIGITS,
        r"(?:four|five|six|eight|[4568])[- ]digits? (?:code|in|from|that)"
        r"|(?:code|digits|numbers?) in the (?:text|message)",
        r"(?:the|this|my|your) code|(?:texted|messaged) (?:it to )?me",
        fewest=4,
        usual=6,
        near=True,
    ),
    _spec(
        Entity.PIN,
        Shape.NAME,
        r"pass ?(?:word|phrase)|memorable word|secret word|security (?:word|answer)|maiden name",
    ),
    _spec(
        Entity.ACCOUNT,
        Shape.DIGITS,
        r"account number|number (?:of|for|on) (?:the|your) (?:bank )?(?:account|policy|statement)|sort code|\biban\b"
        r"|routing|member(?:ship)? (?:number|id|no)|policy (?:number|id|no)|bank details|(?<!order )reference number"
        r"|customer (?:number|id)|claim (?:number|id|no)|(?:loyalty|rewards?) (?:card|number)|which account",
        r"account|sort code|routing|iban|member(?:ship)?(?: id)?|policy|claim|customer (?:number|id)"
        r"|reference number",
        usual=8,
    ),
    _spec(
        Entity.ID,
        Shape.CODE,
        r"licen[cs]e|passport|\bid (?:number|card)|identity (?:card|number)|national id|identification"
        r"|(?:number|license) plate|registration number|medical record",
        r"licen[cs]e|passport|id number|identity card|national id|number plate|registration|medical record",
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
        r"phone|mobile|\bcell\b|call ?back|land ?line|area code|contact number|(?:best|good|another|which|what) number"
        r"|number (?:to|where|we can|i can|that|for)\b|\b(?:reach|call|text|ring) (?:you|him|her|them)",
        r"(?:tele)?phone number|phone|mobile(?: number)?|cell(?: number)?|(?:call|reach|ring|text) me(?: back)?"
        r"|(?:my|contact|call ?back|best|her|his|their) number|number to (?:call|reach|ring)|area code|land ?line",
        usual=10,
    ),
    _spec(Entity.EMAIL, Shape.MAIL, r"e-?mail"),
    _spec(
        Entity.BIRTH,
        Shape.DATE,
        r"date of birth|birth ?(?:day|date|year)|\bborn\b|\bd\.?\s?o\.?\s?b\b",
        fewest=1,
        usual=8,
    ),
    _spec(
        Entity.PERSON,
        Shape.NAME,
        r"\bnames?\b|surname|who am i\b|who(?:'s| is) (?:calling|this|speaking)|who do i have"
        r"|speaking (?:with|to)|spell",
        r"(?:first |last |full |middle )?name|surname|names|i'm called|i am called|under the name(?: of)?",
    ),
    _spec(
        Entity.ADDRESS,
        Shape.PLACE,
        r"(?<!mail )(?<!ip )\baddress|post ?code|postal|zip ?code|\bzip\b|\bstreet\b|(?:house|flat|door) number"
        r"|where .*\b(?:live|living|send|ship|deliver|based|located)\b|(?:what|which) (?:city|town|county|state)\b",
        r"(?<!mail )(?<!ip )address|post ?code|zip ?code|i live|my house|deliver it|ship it",
    ),
)
BY_ENTITY = {spec.entity: spec for spec in reversed(SPECS)}

_ASKING = re.compile(
    r"\?|\b(?:what|which|who|whose|when|where|how|could|can|may|please|need|give|tell|confirm|read|spell|provide|share"
    r"|repeat|choose|enter|go ahead|have your|have the|rest of|remaining|say)\b"
)
_TELLING = re.compile(
    r"\b(?:thank(?:s| you) for|i have|i've|i'll|i will|i can see|we have|we've|we'll|has been|was|is|are|updated"
    r"|let me)\b"
)
_AGAIN = re.compile(
    r"\b(?:again|repeat|once more|one more time|say (?:that|it)|slow(?:ly|er)|(?:didn't|did not|couldn't|could not)"
    r" (?:quite )?(?:get|catch|hear|find|understand))\b"
)
_OPEN_END = re.compile(r"\b(?:is|are|was|would be|will be)\W*$")
"""Of an agent who leaves the rest to the caller: ``and the security code is``."""
_COUNTING = re.compile(
    r"\bhow (?:much|many|long|often)\b|\b(?:what|which) (?:time|amount|price)\b|\bfor when\b"
)
_LONGEST_BARE_QUESTION = 8
_GOES_ON = re.compile(r"\W*(?:and|then|now|next|also|ok|okay|great|perfect|lovely|thanks|thank you)\b")


def asked_for(agent_text: str) -> tuple[Spec, ...]:
    """What an agent's utterance asks the caller to say, most specific first: ``and the three digits on the back``."""
    low = agent_text.lower().replace("’", "'")
    if not _ASKING.search(low) and not _OPEN_END.search(low):
        too_long = len(low.split()) > _LONGEST_BARE_QUESTION and not _GOES_ON.match(low)
        if too_long or _TELLING.search(low):
            return ()
    return tuple(spec for spec in SPECS if spec.asked.search(low))


def asks_again(agent_text: str) -> bool:
    """Whether an agent's utterance asks for what was asked for before, without naming it."""
    return _AGAIN.search(agent_text.lower().replace("’", "'")) is not None


def asks_to_count(agent_text: str) -> bool:
    """Whether an agent's utterance asks for an amount, a count or a time, and for nothing else."""
    low = agent_text.lower()
    return _COUNTING.search(low) is not None and not asked_for(agent_text)


def announced_before(text: str, end: int) -> Spec | None:
    """The entity that ``text`` names right before ``end``: ``my phone number is``."""
    low = text[max(0, end - 80) : end].lower().replace("’", "'")
    # The longest name wins: in "card number" the card announces, not the bare "number".
    best = min(
        ((m.start(), i) for i, spec in enumerate(SPECS) if (m := spec.announced.search(low))), default=None
    )
    return None if best is None else SPECS[best[1]]


_NAMED_AFTER = re.compile(
    r"\W*(?:(?:is|was|are|that's|that is|as|for|being)\W+)?(?:my|the|your)\W+(?:new |old |card )?"
    r"(?:(?P<cvv>cvv|cvc|c v [vc]|security (?:code|number))|(?P<pin>pin|pass ?code|password|one[- ]time code)"
    r"|(?P<ssn>social|ssn|s s n))\b",
    re.IGNORECASE,
)
_BACK_AFTER = re.compile(
    r"\W*(?:(?:is |that's )?(?:what's |what is )?on the (?:back|reverse))\b(?! of\b(?! (?:the|my) card))",
    re.IGNORECASE,
)
_CVV_DIGITS = (3, 4)


def announced_after(text: str, end: int, digits: int) -> Spec | None:
    """The entity that ``text`` names right after ``end``: ``1234 is my pin``, ``441 on the back``."""
    if named := _NAMED_AFTER.match(text, end):
        return BY_ENTITY[{"cvv": Entity.CVV, "pin": Entity.PIN, "ssn": Entity.SSN}[str(named.lastgroup)]]
    return BY_ENTITY[Entity.CVV] if digits in _CVV_DIGITS and _BACK_AFTER.match(text, end) else None


def left_open(text: str) -> Spec | None:
    """The entity that ``text`` names with its last words, so that its value is the next thing said."""
    low = text.lower().replace("’", "'")
    return announced_before(text, len(text)) if _LEFT_OPEN.search(low) else None
