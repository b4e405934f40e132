"""How a date may be said: of a date of birth that a customer's record holds, every form is masked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"),
    *("eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth"),
    *("eighteenth", "nineteenth"),
)
_NUMERIC = re.compile(r"(\d{1,4})\D(\d{1,2})\D(\d{1,4})")
_NAMED = re.compile(
    r"(?:(\d{1,2})\w*\s+(?:of\s+)?)?([a-z]{3,9})\.?\s+(?:(\d{1,2})\w*,?\s+)?(\d{4})", re.IGNORECASE
)


def forms_of(text: str) -> frozenset[str]:
    """Every way to say the date that ``text`` writes, as letters and digits in lower case; empty if it is no date."""
    return frozenset(form for when in _dates(text) for form in _forms(when))


def _dates(text: str) -> Iterator[date]:
    if match := _NUMERIC.search(text):
        a, b, c = (int(part) for part in match.groups())
        orders = ((a, b, c),) if len(match[1]) == 4 else ((c, a, b), (c, b, a))
        for year, month, day in orders:
            century = 0 if year > 99 else 1900 if year > 29 else 2000
            try:
                yield date(century + year, month, day)
            except ValueError:
                continue  # the other order of day and month
    elif match := _NAMED.search(text):
        months = [i for i, name in enumerate(_MONTHS, 1) if name.startswith(match[2].lower()[:3])]
        told = match[1] or match[3]
        if months and told:
            try:
                yield date(int(match[4]), months[0], int(told))
            except ValueError:
                return


def _forms(when: date) -> Iterator[str]:
    month = _MONTHS[when.month - 1]
    days = {str(when.day), f"{when.day:02}", _ordinal(when.day), f"{when.day}{_suffix(when.day)}"}
    years = {str(when.year), f"{when.year % 100:02}"}
    for day in days:
        for name in (month, month[:3]):
            # Without the year too: somebody may stop before it.
            if not day.isdecimal() or len(name) > 3:
                yield from (f"{name}{day}", f"{name}the{day}", f"{day}{name}", f"{day}of{name}")
            for year in years:
                yield from (
                    f"{name}{day}{year}",
                    f"{name}the{day}{year}",
                    f"{day}{name}{year}",
                    f"{day}of{name}{year}",
                )
    for year in years:
        for d in (str(when.day), f"{when.day:02}"):
            for m in (str(when.month), f"{when.month:02}"):
                yield from (f"{d}{m}{year}", f"{m}{d}{year}", f"{year}{m}{d}")


def _ordinal(day: int) -> str:
    """As heard: ``twenty first`` is ``20first``."""
    if day < 20:
        return _ORDINALS[day - 1]
    tens = {20: "twentieth", 30: "thirtieth"}
    return tens[day] if day in tens else f"{day - day % 10}{_ORDINALS[day % 10 - 1]}"


def _suffix(day: int) -> str:
    return "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
