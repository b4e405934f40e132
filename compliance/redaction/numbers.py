"""Numbers as they are said: ``four double one``, ``forty one eleven``, ``two hundred and five``, ``oh nine``."""

from __future__ import annotations

import unicodedata

from compliance.redaction import lexicon
from compliance.redaction.pieces import Kind, Part, Piece
from compliance.redaction.tokens import Token

_MAX_FILLERS = 3
_MAX_MARKS = 6  # punctuation between two digits of one number, as in "4111 - (2234)"
_PHONE_DIGITS = 7
_LONG = 6  # digits that are no range and no amount, whatever stands before them
_MARKS_THAT_SEPARATE = frozenset("@$£€¥#=<>[]{}")


def digits_at(tokens: list[Token], i: int) -> tuple[str, int] | None:
    """The digits said by the tokens from ``i``, and the token after them."""
    if i >= len(tokens):
        return None
    token = tokens[i]
    if token.text.isdecimal():
        return "".join(str(unicodedata.decimal(c)) for c in token.text), i + 1
    if token.low in lexicon.DIGITS:
        return lexicon.DIGITS[token.low], i + 1
    if token.low in lexicon.TEENS:
        return str(lexicon.TEENS[token.low]), i + 1
    if token.low in lexicon.TENS:
        j = i + 2 if i + 1 < len(tokens) and tokens[i + 1].text == "-" else i + 1
        ones = lexicon.DIGITS.get(tokens[j].low, "0") if j < len(tokens) else "0"
        if ones != "0":
            return str(lexicon.TENS[token.low] + int(ones)), j + 1
        return str(lexicon.TENS[token.low]), i + 1
    if token.low in lexicon.REPEATS and i + 1 < len(tokens):
        digit = lexicon.DIGITS.get(tokens[i + 1].low, tokens[i + 1].text)
        if len(digit) == 1 and digit.isdecimal():
            return str(unicodedata.decimal(digit)) * lexicon.REPEATS[token.low], i + 2
    return None


def _below(tokens: list[Token], i: int, limit: int) -> tuple[int, int] | None:
    unit = digits_at(tokens, i)
    return (int(unit[0]), unit[1]) if unit and len(unit[0]) <= limit and unit[0][0] != "0" else None


def _cardinal(tokens: list[Token], i: int) -> tuple[str, int] | None:
    """``two hundred and five``, ``twelve thousand five hundred``: numbers with a scale word."""
    found = _hundreds(tokens, i) or _below(tokens, i, 3)
    if found is None:
        return None
    value, j = found
    scaled = _hundreds(tokens, i) is not None
    if j < len(tokens) and tokens[j].low in ("thousand", "million"):
        scaled = True
        value, j = value * (1000 if tokens[j].low == "thousand" else 1_000_000), j + 1
        rest = _remainder(tokens, j, 3) or _ones(tokens, j)
        if rest:
            value, j = value + rest[0], rest[1]
    return (str(value), j) if scaled else None


def _hundreds(tokens: list[Token], i: int) -> tuple[int, int] | None:
    found = _how_many_hundreds(tokens, i)
    if found is None or found[1] >= len(tokens) or tokens[found[1]].low != "hundred":
        return None
    value, j = found[0] * 100, found[1] + 1
    rest = _remainder(tokens, j, 2)
    return (value + rest[0], rest[1]) if rest else (value, j)


def _how_many_hundreds(tokens: list[Token], i: int) -> tuple[int, int] | None:
    """What stands before ``hundred``, and the token after it: one, if nothing does in ``hundred and twenty three``."""
    low = tokens[i].low if i < len(tokens) else ""
    if low == "hundred":
        return (1, i) if _remainder(tokens, i + 1, 2) else None
    return (1, i + 1) if low == "a" else _below(tokens, i, 2)


def _remainder(tokens: list[Token], i: int, digits: int) -> tuple[int, int] | None:
    # A bare digit after a scale word is the next digit ("one eight hundred five five five"), unless "and" joins it.
    joined = i < len(tokens) and tokens[i].low == "and"
    j = i + joined
    found = (_hundreds(tokens, j) if digits == 3 else None) or _below(tokens, j, 2)
    if found and (joined or found[0] >= 10):
        return found
    return None


def _ones(tokens: list[Token], i: int) -> tuple[int, int] | None:
    """A last digit after ``thousand``, as years are said: ``two thousand five``."""
    found = _below(tokens, i, 1)
    return found if found and digits_at(tokens, found[1]) is None else None


def number_run(tokens: list[Token], i: int) -> tuple[Piece, int] | None:
    """The number that begins at token ``i``, however many words and breaths it takes, and the token after it."""
    if tokens[i].low == "o" and not _begins_with_o(tokens, i):
        return None
    parts: list[Part] = []
    j = i
    if tokens[i].low in ("plus", "+") and _digits_from(tokens, i + 1) >= _PHONE_DIGITS:
        parts.append(Part("+", tokens[i].start, tokens[i].end))  # of a telephone number with its country
        j = i + 1
    while True:
        unit = _cardinal(tokens, j) or digits_at(tokens, j) or _misheard(tokens, j, parts)
        if unit is None:
            break
        parts.append(Part(unit[0], tokens[j].start, tokens[unit[1] - 1].end))
        after = unit[1]
        j = _skip(tokens, after)
        if not (digits_at(tokens, j) or _misheard(tokens, j, parts)):
            j = after
            break
    if not parts:
        return None
    # Trailing homophones ("... four for") are digits only after a number that is long already.
    while len(parts) > 1 and len(parts) < 5 and _is_misheard(tokens, parts[-1]):
        parts.pop()
    end = parts[-1].end
    while j > i and tokens[j - 1].start >= end:
        j -= 1
    return Piece(Kind.NUMBER, tuple(parts)), j


def _begins_with_o(tokens: list[Token], i: int) -> bool:
    """Whether the letter ``o`` is a zero: inside a number always, before one when two more digits follow."""
    misheard = i + 1 < len(tokens) and tokens[i + 1].low in lexicon.MISHEARD_DIGITS
    return _digits_from(tokens, i + 1 + misheard) >= 2


def _digits_from(tokens: list[Token], i: int) -> int:
    """How many digits are said from ``i`` on, in one go, with those misheard between two others; not far beyond six."""
    digits = 0
    while digits < _PHONE_DIGITS and (unit := _cardinal(tokens, i) or digits_at(tokens, i)) is not None:
        digits += len(unit[0])
        i = _skip(tokens, unit[1])
        if i < len(tokens) and tokens[i].low in lexicon.MISHEARD_DIGITS and digits_at(tokens, i + 1):
            i += 1
    return digits


def _misheard(tokens: list[Token], i: int, before: list[Part]) -> tuple[str, int] | None:
    """A digit that sounds like another word, after digits said one by one: "10 to 21" is a range."""
    digit = lexicon.MISHEARD_DIGITS.get(tokens[i].low) if i < len(tokens) and before else None
    if before and i + 1 < len(tokens) and (times := lexicon.REPEATS.get(tokens[i].low)):
        repeated = lexicon.MISHEARD_DIGITS.get(tokens[i + 1].low)  # "double to"
        return (repeated * times, i + 2) if repeated else None
    if digit and (
        (_is_single(before) and len(set(before[-1].written)) == 1) or _digits_from(tokens, i + 1) >= _LONG
    ):
        return digit, i + 1
    return None


def _is_single(parts: list[Part]) -> bool:
    """Whether digits are said one by one: ``7 to 11`` is a range."""
    first = parts[0]
    doubled = len(set(first.written)) < len(first.written) < first.end - first.start
    return len(parts) >= 2 or doubled or first.written == "0"


def _is_misheard(tokens: list[Token], part: Part) -> bool:
    return any(t.start == part.start and t.low in lexicon.MISHEARD_DIGITS for t in tokens)


def _skip(tokens: list[Token], i: int) -> int:
    """Past punctuation and fillers that may stand inside one number."""
    words = marks = 0
    j = i
    while j < len(tokens) and words <= _MAX_FILLERS and marks <= _MAX_MARKS:
        token = tokens[j]
        if token.is_mark and token.low not in _MARKS_THAT_SEPARATE:
            marks += 1
        elif token.low == "and":
            if j + 1 >= len(tokens) or tokens[j + 1].low != "then":
                break
            words += 1
        elif token.low in lexicon.FILLERS:
            words += 1
        else:
            break
        j += 1
    return j
