"""JSON values that passed through a tool: personal by the name of the field, or by what the text says."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compliance.redaction.entities import LONG_NUMBER_DIGITS, Entity
from compliance.redaction.masks import is_mask

_KEYS: tuple[tuple[Entity, re.Pattern[str]], ...] = tuple(
    (entity, re.compile(rf"(?:^|_)(?:{pattern})(?:_|$)"))
    for entity, pattern in (
        (Entity.ORDER, r"(?:order|ticket|case)(?:s|_ids?|_numbers?|_no|_refs?|_references?)?"),
        (Entity.CVV, r"cvv|cvc|security_code"),
        (Entity.CREDIT_CARD, r"card|card_number|pan"),
        (Entity.PIN, r"pin|password|passcode|otp|secret"),
        (Entity.SSN, r"ssn|social_security"),
        (Entity.ACCOUNT, r"iban|account_number|sort_code|routing_number"),
        (Entity.EMAIL, r"e_?mails?|email_address"),
        (Entity.PHONE, r"phones?|phone_number|mobile|telephone|cell|msisdn"),
        (Entity.BIRTH, r"dob|birth|birthday|date_of_birth|birth_?date"),
        (Entity.ADDRESS, r"address|street|post_?code|zip|postal_code|city|town|line_?[12]"),
        (Entity.PERSON, r"name|full_?name|first_?name|last_?name|surname|customer|recipient|contact"),
    )
)
_NAMED_THINGS = re.compile(
    r"(?:^|_)(?:products?|items?|plans?|skus?|tools?|compan(?:y|ies)|merchants?|shops?|stores?|carriers?|couriers?|files?)(?:_|$)"
)
"""Their ``name`` is no person's."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MAX_DEPTH = 60

MaskText = Callable[[str], str]
Learn = Callable[[Entity, str], None]
MaskValue = Callable[[Entity, str], str]


def named_by(arguments: Any) -> tuple[Entity, ...]:
    """What the names of a tool's arguments say that they are: the card of ``{"card_number": ...}``."""
    names = arguments if isinstance(arguments, dict) else ()
    kinds = (_kind(_snake(str(name))) for name in names)
    return tuple(dict.fromkeys(kind for kind in kinds if kind is not None))


def _snake(name: str) -> str:
    return _CAMEL.sub("_", name).lower().replace("-", "_").replace(" ", "_")


def _kind(name: str) -> Entity | None:
    return next((entity for entity, pattern in _KEYS if pattern.search(name)), None)


@dataclass(frozen=True, slots=True)
class StructuredRedactor:
    """Masks a JSON value and keeps its structure.

    ``mask_text`` masks one text by what it says; ``learn`` is told each value that was masked, or kept as an order
    number, because of its field's name; ``mask_value`` says what stands for it.
    """

    mask_text: MaskText
    learn: Learn
    mask_value: MaskValue
    keeps_orders: bool

    def masked(self, value: Any) -> Any:
        """``value`` with personal leaves replaced by labels. Raises on what is not JSON: the caller fails closed."""
        return self._value(value, None, thing=False, depth=0)

    def _value(self, value: Any, entity: Entity | None, *, thing: bool, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise ValueError(f"JSON is nested more than {_MAX_DEPTH} levels deep")
        match value:
            case None | bool():
                return value
            case str():
                return self._text(value, entity, thing=thing, depth=depth)
            case int() | float():
                return self._number(value, entity)
            case dict():
                return self._object(value, entity, thing=thing, depth=depth)
            case list() | tuple():
                return [self._value(item, entity, thing=thing, depth=depth + 1) for item in value]
            case _:
                raise TypeError(f"{type(value).__name__} is not a JSON value")

    def _object(
        self, value: dict[Any, Any], entity: Entity | None, *, thing: bool, depth: int
    ) -> dict[str, Any]:
        if entity in (Entity.PERSON, Entity.ORDER):
            entity = None  # "customer": {...}, "orders": [{...}]: the inner names tell what is what
        masked: dict[str, Any] = {}
        for key, item in value.items():
            name = _snake(str(key))
            named_thing = thing or bool(_NAMED_THINGS.search(name))
            kind = _kind(name)
            if kind is None or (kind is Entity.PERSON and named_thing):
                kind = entity
            label = self.mask_text(str(key))
            while label in masked:
                label += "'"  # two masked keys of one object stay two
            masked[label] = self._value(item, kind, thing=named_thing, depth=depth + 1)
        return masked

    def _text(self, value: str, entity: Entity | None, *, thing: bool, depth: int) -> Any:
        if value[:1] in ("{", "["):
            try:
                inner = json.loads(value)
            except ValueError:
                pass
            else:  # a tool's result is often JSON inside a text
                return json.dumps(
                    self._value(inner, entity, thing=thing, depth=depth + 1), ensure_ascii=False
                )
        if entity is None or not value.strip():
            return self.mask_text(value)
        if is_mask(value):
            return value
        self.learn(entity, value)
        return self.mask_text(value) if self._is_kept(entity) else self.mask_value(entity, value)

    def _number(self, value: int | float, entity: Entity | None) -> Any:
        if entity is not None:
            self.learn(entity, str(value))
        if entity is not None and not self._is_kept(entity):
            return self.mask_value(entity, str(value))
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)  # JSON has no NaN and no infinity
        if isinstance(value, float) and abs(value) < 10**LONG_NUMBER_DIGITS:
            return value  # a price or a duration
        text = str(value)
        masked = self.mask_text(text)
        return value if masked == text else masked

    def _is_kept(self, entity: Entity) -> bool:
        return entity is Entity.ORDER and self.keeps_orders
