"""The values of one call and the placeholders that stand for them: ``[CARD_1]``, ``[NAME_2]``, ``[CARD_1:last4]``.

In memory only, for the life of the call. Nothing here does I/O, and nothing of it can be pickled or printed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

from compliance.redaction.spans import Span
from engines.errors import EngineError
from engines.vault.written import Value, read_digits

PLACEHOLDER = re.compile(r"\[([A-Z]+(?:_[A-Z]+)*)_([1-9]\d{0,3})(:last4)?\]")
_ONLY_PLACEHOLDERS = re.compile(rf"(?:\s*{PLACEHOLDER.pattern})+\s*")
_NAMES = {
    "CREDIT_CARD": "CARD",
    "PERSON": "NAME",
    "PHONE_NUMBER": "PHONE",
    "EMAIL_ADDRESS": "EMAIL",
    "DATE_OF_BIRTH": "BIRTH_DATE",
    "US_SSN": "SSN",
    "ACCOUNT_NUMBER": "ACCOUNT",
    "ID_NUMBER": "ID",
    "ORDER_NUMBER": "ORDER",
}
"""Short names, which models copy more reliably; any other entity is named as it is."""
LITERAL = "TEXT"
"""Stands for text that only looks like a placeholder, so that nobody reads a value by saying its name."""
_MASK = re.compile(r"<([A-Z][A-Z_]*[A-Z])(?:_\d{1,4}|#[a-z]{10}|-\d{4})?>")
"""What the redactor puts in the place of a value in structured data."""
_MAX_DEPTH = 60


class VaultClosedError(EngineError):
    """The call is over, and its values are gone."""


class Vault:
    """The values of one call. For one event loop.

    Attributes:
        unknown: placeholders that a model wrote and that stand for nothing; they are left as they are.
    """

    __slots__ = ("_closed", "_numbers", "_values", "unknown")

    def __init__(self) -> None:
        self.unknown: set[str] = set()
        self._values: dict[tuple[str, int], Value] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"<Vault of {len(self._values)} value(s)>"

    def __len__(self) -> int:
        return len(self._values)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a vault stays in the memory of its call: it cannot be copied or pickled")

    def put(self, entity: str, said: str) -> str:
        """The placeholder of a value: the same one for the same value, however it is said.

        Args:
            entity: what it is, as the redactor names it: ``CREDIT_CARD``.
            said: in the caller's words, or as a tool wrote it.

        Raises:
            VaultClosedError: the call is over.
        """
        if self._closed:
            raise VaultClosedError("the call is over: its vault takes no more values")
        name = _NAMES.get(entity, entity)
        value = Value(said, said) if entity == LITERAL else Value.of(said)
        known = (name, value.key if entity != LITERAL else said)
        if (number := self._numbers.get(known)) is None:
            number = self._numbers[known] = 1 + sum(other == name for other, _ in self._numbers)
            self._values[name, number] = value
        return f"[{name}_{number}]"

    def wipe(self) -> None:
        """Forget every value, for good; what is filled from now on stays as it is."""
        self._closed = True
        self._values.clear()
        self._numbers.clear()

    # -- values in, placeholders out ------------------------------------------------------------------------
    def masked(self, text: str, spans: Iterable[Span], *, ours: bool = False) -> str:
        """``text`` with a placeholder for each of ``spans``, and for what only looks like one.

        Args:
            text: what was said or written.
            spans: in order, without overlaps, in characters of ``text``.
            ours: whether placeholders that stand for something are meant: in what a model wrote, not in what a
                caller said.
        """
        meant = [hit.span() for hit in PLACEHOLDER.finditer(text) if ours and self._of(hit) is not None]
        out: list[str] = []
        at = 0
        for span in _outside(spans, meant):
            if not any(c.isalnum() for c in text[span.start : span.end]):
                continue
            out += (
                self._literal(text[at : span.start], ours),
                self.put(span.entity, text[span.start : span.end]),
            )
            at = span.end
        return "".join([*out, self._literal(text[at:], ours)])

    def masked_data(
        self, value: Any, redacted: Any, wanted: Callable[[str], bool] = lambda entity: True
    ) -> Any:
        """A JSON value with placeholders where ``redacted``, the redactor's version of it, has masks.

        Args:
            value: what a tool returned.
            redacted: the same with masks such as ``<PERSON>``, of the same structure.
            wanted: whether an entity gets placeholders.
        """
        return self._data(value, redacted, wanted, 0)

    def _data(self, value: Any, redacted: Any, wanted: Callable[[str], bool], depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise ValueError(f"JSON is nested more than {_MAX_DEPTH} levels deep")
        if isinstance(value, dict) and isinstance(redacted, dict) and len(value) == len(redacted):
            pairs = zip(value.items(), redacted.items(), strict=True)
            return {
                self._text(str(key), str(label).rstrip("'"), wanted): self._data(
                    one, other, wanted, depth + 1
                )
                for (key, one), (label, other) in pairs
            }
        if isinstance(value, list | tuple) and isinstance(redacted, list) and len(value) == len(redacted):
            return [self._data(*pair, wanted, depth + 1) for pair in zip(value, redacted, strict=True)]
        if isinstance(value, str):
            inner, other = _json(value), _json(redacted)
            if isinstance(inner, dict | list) and isinstance(other, dict | list):
                return json.dumps(self._data(inner, other, wanted, depth + 1), ensure_ascii=False)
            return self._text(value, redacted, wanted)
        return value if value == redacted else self._text(str(value), redacted, wanted)

    def _text(self, text: str, redacted: Any, wanted: Callable[[str], bool]) -> str:
        spans = _aligned(text, redacted) if isinstance(redacted, str) else None
        if spans is None:  # the redactor changed it in a way that cannot be followed
            return self.put(LITERAL, text)
        return self.masked(text, [span for span in spans if wanted(span.entity)])

    def _literal(self, text: str, ours: bool) -> str:
        def neutral(hit: re.Match[str]) -> str:
            return hit.group() if ours and self._of(hit) is not None else self.put(LITERAL, hit.group())

        return PLACEHOLDER.sub(neutral, text)

    # -- placeholders in, values out ------------------------------------------------------------------------
    def fill(self, text: str) -> str:
        """``text`` with the values as they were said. One that says ``[CARD_1]`` itself is not read again."""
        return self._filled(text, lambda value: value.said)

    def aloud(self, text: str) -> str:
        """``text`` with the values as a voice should read them: digit by digit, ``at`` for ``@``."""
        return self._filled(text, lambda value: value.aloud, last4=lambda value: _read(value.last4))

    def fill_data(self, text: str) -> str:
        """The text of a JSON value, or any other, with the values as they were said, at any depth."""
        filled: str = self._walked(text, self.fill)
        return filled

    def fill_arguments(self, value: Any) -> Any:
        """A tool's arguments, a JSON value, with the values as they are written: ``4111``, not ``four one …``.

        Placeholders are found within texts, in texts that are JSON, at any depth. A text of nothing but the parts of
        one number is that number.
        """
        return self._walked(
            value, lambda text: self._number(text) or self._filled(text, lambda known: known.written)
        )

    def _walked(self, value: Any, fill: Callable[[str], str]) -> Any:
        match value:
            case str() if isinstance(inner := _json(value), dict | list):
                return json.dumps(self._walked(inner, fill), ensure_ascii=False) if "[" in value else value
            case str():
                return fill(value)
            case dict():
                return {key: self._walked(one, fill) for key, one in value.items()}
            case list() | tuple():
                return [self._walked(one, fill) for one in value]
            case _:
                return value

    def _number(self, text: str) -> str:
        """The digits of a number that was said in parts; empty when ``text`` is none."""
        if not _ONLY_PLACEHOLDERS.fullmatch(text):
            return ""
        hits = list(PLACEHOLDER.finditer(text))
        parts = [value.digits for hit in hits if (value := self._of(hit)) is not None and not hit[3]]
        whole = len(parts) == len(hits) > 1 and len({hit[1] for hit in hits}) == 1 and all(parts)
        return "".join(parts) if whole else ""

    def _filled(
        self,
        text: str,
        form: Callable[[Value], str],
        last4: Callable[[Value], str] = lambda value: value.last4,
    ) -> str:
        def value_of(hit: re.Match[str]) -> str:
            if (value := self._of(hit)) is None:
                self.unknown.add(hit.group())
                return hit.group()
            return last4(value) if hit[3] else form(value)

        return PLACEHOLDER.sub(value_of, text)

    def _of(self, hit: re.Match[str]) -> Value | None:
        return self._values.get((hit[1], int(hit[2])))


def _read(text: str) -> str:
    return read_digits(text) if text.isdecimal() else text


def _json(text: Any) -> Any:
    """The object or array that ``text`` is as JSON, if it is one."""
    if not isinstance(text, str) or text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _outside(spans: Iterable[Span], taken: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """What of ``spans`` lies in no range of ``taken``."""
    for span in spans:
        at = span.start
        for start, end in [*taken, (span.end, span.end)]:
            if end < at or start > span.end:
                continue
            if at < start:
                yield Span(at, start, span.entity)
            at = max(at, end)


def _aligned(text: str, redacted: str) -> list[Span] | None:
    """What of ``text`` the masks in ``redacted`` stand for; ``None`` when that cannot be told."""
    if text == redacted:
        return []
    entities = [hit[1] for hit in _MASK.finditer(redacted)]
    first, *between = _MASK.split(redacted)[::2]
    if not entities or not text.startswith(first):
        return None
    spans, at = [], len(first)
    for entity, words in zip(entities, between[:-1], strict=False):
        end = text.find(words, at + 1)
        if not words or end < 0 or words in text[end + 1 :]:
            return None  # it could end in two places
        spans.append(Span(at, end, entity))
        at = end + len(words)
    end = len(text) - len(between[-1])
    if not text.endswith(between[-1]) or end <= at:
        return None
    return [*spans, Span(at, end, entities[-1])]
