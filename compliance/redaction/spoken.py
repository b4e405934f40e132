"""What spoken text stands for: digits, spelled letters and e-mail addresses, aligned to the original characters.

``"four double one, m as in mike"`` is heard as ``"411, m"``. Every character of the written form knows which characters
of the original said it, so whatever is recognised in the written form is masked in the original.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from compliance.redaction import lexicon
from compliance.redaction.addresses import join_addresses
from compliance.redaction.pieces import Heard, Kind, Part, Piece

_TOKEN = re.compile(r"[xX]-ray\b|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|\S")
_MAX_FILLERS = 3
_MAX_MARKS = 6  # punctuation between two digits of one number, as in "4111 - (2234)"
_MARKS_THAT_SEPARATE = frozenset("@$£€¥#=<>[]{}")


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    low: str
    start: int
    end: int

    @property
    def is_mark(self) -> bool:
        return not (self.low[0].isalnum())


@lru_cache(maxsize=4)
def hear(text: str) -> Heard:
    """Reads ``text`` as speech. The last few results are kept, since several recognisers read the same utterance."""
    pieces = join_addresses(_pieces(_tokens(text)), text)
    written: list[str] = []
    offsets: list[tuple[int, int]] = []
    at = 0
    for piece in pieces:
        for i in range(at, piece.start):
            written.append(text[i])
            offsets.append((i, i + 1))
        for part in piece.parts:
            if piece.kind in (Kind.WORD, Kind.MARK):
                offsets.extend((i, i + 1) for i in range(part.start, part.end))
                written.append(text[part.start : part.end])
            else:
                written.append(part.written)
                offsets.extend((part.start, part.end) for _ in part.written)
        at = piece.end
    for i in range(at, len(text)):
        written.append(text[i])
        offsets.append((i, i + 1))
    return Heard(text, "".join(written), tuple(offsets), tuple(pieces))


def _tokens(text: str) -> list[_Token]:
    return [_Token(m.group(), m.group().lower(), m.start(), m.end()) for m in _TOKEN.finditer(text)]


def _pieces(tokens: list[_Token]) -> list[Piece]:
    pieces: list[Piece] = []
    i = 0
    while i < len(tokens):
        found = _number_run(tokens, i) or _letter_run(tokens, i)
        if found is None:
            token = tokens[i]
            kind = Kind.MARK if token.is_mark else Kind.WORD
            found = Piece(kind, (Part(token.low, token.start, token.end),)), i + 1
        piece, i = found
        pieces.append(piece)
    return pieces


# --- numbers


def _unit(tokens: list[_Token], i: int) -> tuple[str, int] | None:
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


def _below(tokens: list[_Token], i: int, limit: int) -> tuple[int, int] | None:
    unit = _unit(tokens, i)
    return (int(unit[0]), unit[1]) if unit and len(unit[0]) <= limit and unit[0][0] != "0" else None


def _cardinal(tokens: list[_Token], i: int) -> tuple[str, int] | None:
    """``two hundred and five``, ``twelve thousand five hundred``: numbers with a scale word."""
    found = _hundreds(tokens, i) or _below(tokens, i, 3)
    if found is None:
        return None
    value, j = found
    scaled = _hundreds(tokens, i) is not None
    if j < len(tokens) and tokens[j].low in ("thousand", "million"):
        scaled = True
        value, j = value * (1000 if tokens[j].low == "thousand" else 1_000_000), j + 1
        rest = _remainder(tokens, j, 3)
        if rest:
            value, j = value + rest[0], rest[1]
    return (str(value), j) if scaled else None


def _hundreds(tokens: list[_Token], i: int) -> tuple[int, int] | None:
    found = _below(tokens, i, 2)
    if found is None or found[1] >= len(tokens) or tokens[found[1]].low != "hundred":
        return None
    value, j = found[0] * 100, found[1] + 1
    rest = _remainder(tokens, j, 2)
    return (value + rest[0], rest[1]) if rest else (value, j)


def _remainder(tokens: list[_Token], i: int, digits: int) -> tuple[int, int] | None:
    # A bare digit after a scale word is the next digit ("one eight hundred five five five"), unless "and" joins it.
    joined = i < len(tokens) and tokens[i].low == "and"
    j = i + joined
    found = (_hundreds(tokens, j) if digits == 3 else None) or _below(tokens, j, 2)
    if found and (joined or found[0] >= 10):
        return found
    return None


def _number_run(tokens: list[_Token], i: int) -> tuple[Piece, int] | None:
    if tokens[i].low == "o":  # more often a letter; inside a run it is a zero
        return None
    parts: list[Part] = []
    j = i
    while True:
        unit = _cardinal(tokens, j) or _unit(tokens, j) or _misheard(tokens, j, parts)
        if unit is None:
            break
        parts.append(Part(unit[0], tokens[j].start, tokens[unit[1] - 1].end))
        after = unit[1]
        j = _skip(tokens, after)
        if not (_unit(tokens, j) or _misheard(tokens, j, parts)):
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


def _misheard(tokens: list[_Token], i: int, before: list[Part]) -> tuple[str, int] | None:
    """A digit that sounds like another word, after digits said one by one: "10 to 21" is a range."""
    if i < len(tokens) and before and len(set(before[-1].written)) == 1:
        digit = lexicon.MISHEARD_DIGITS.get(tokens[i].low)
        return (digit, i + 1) if digit else None
    return None


def _is_misheard(tokens: list[_Token], part: Part) -> bool:
    return any(t.start == part.start and t.low in lexicon.MISHEARD_DIGITS for t in tokens)


def _skip(tokens: list[_Token], i: int) -> int:
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


# --- letters


def _letter(tokens: list[_Token], i: int) -> tuple[str, int, bool] | None:
    """One spelled letter from ``i``: the letter, the token after it, and whether an example word makes it certain."""
    if i >= len(tokens):
        return None
    low = tokens[i].low
    if len(low) == 1 and low.isalpha():
        j = i + 1
        if j < len(tokens) and tokens[j].text == ".":
            j += 1
        example = _example(tokens, j, low)
        return (low, example, True) if example else (low, j, False)
    if low in lexicon.NATO:
        return lexicon.NATO[low], i + 1, False
    if low in lexicon.REPEATS and i + 1 < len(tokens):
        letter = tokens[i + 1].low
        if len(letter) == 1 and letter.isalpha():
            return letter * lexicon.REPEATS[low], i + 2, False
    return None


def _example(tokens: list[_Token], i: int, letter: str) -> int | None:
    """The token after ``as in mike`` or ``for mike``. A misheard word is believed after a plain ``as in``."""
    low = [t.low for t in tokens[i : i + 3]]
    if len(low) == 3 and low[0] in ("as", "is", "like") and low[1] in ("in", "an", "and", "for"):
        if low[:2] == ["as", "in"] or low[2].startswith(letter):
            return i + 3
    elif len(low) >= 2 and low[0] in ("for", "like") and len(low[1]) > 1 and low[1].startswith(letter):
        return i + 2
    return None


def _letter_run(tokens: list[_Token], i: int) -> tuple[Piece, int] | None:
    parts: list[Part] = []
    letters = 0
    certain = False
    j = i
    while j < len(tokens):
        k = _past_marks(tokens, j) if parts else j
        letter = _letter(tokens, k)
        if letter:
            written, after, sure = letter
            letters += 1
            certain = certain or sure
        elif parts and (unit := _unit(tokens, k)):
            run = _number_run(tokens, k)
            if run and len(run[0].digits) >= 4:
                break  # a number in its own right
            written, after = unit
        elif (
            letters >= 2
            and k < len(tokens)
            and tokens[k].low in lexicon.LETTER_NAMES
            and _letter(tokens, k + 1)
        ):
            written, after = lexicon.LETTER_NAMES[tokens[k].low], k + 1
        else:
            break
        parts.append(Part(written, tokens[k].start, tokens[after - 1].end))
        j = after
    while parts and parts[-1].written.isdecimal() and letters == 1 and not certain:
        return None  # "a 4 star": one letter and a number are not spelling
    if not letters or (letters < 3 and not certain and len(parts) < 5):
        return None
    return Piece(Kind.LETTERS, tuple(parts)), j


def _past_marks(tokens: list[_Token], i: int) -> int:
    while i < len(tokens) and tokens[i].text in {"-", ",", "."}:
        i += 1
    return i
