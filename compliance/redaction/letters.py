"""Letters as they are said: ``s m i t h``, ``sierra``, ``m as in mike``, ``double l``."""

from __future__ import annotations

from compliance.redaction import lexicon
from compliance.redaction.numbers import digits_at, number_run
from compliance.redaction.pieces import Kind, Part, Piece
from compliance.redaction.tokens import Token


def _letter(tokens: list[Token], i: int) -> tuple[str, int, bool] | None:
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


def _example(tokens: list[Token], i: int, letter: str) -> int | None:
    """The token after ``as in mike`` or ``for mike``. A misheard word is believed after a plain ``as in``."""
    low = [t.low for t in tokens[i : i + 3]]
    if len(low) == 3 and low[0] in ("as", "is", "like") and low[1] in ("in", "an", "and", "for"):
        if low[:2] == ["as", "in"] or low[2].startswith(letter):
            return i + 3
    elif len(low) >= 2 and low[0] in ("for", "like") and len(low[1]) > 1 and low[1].startswith(letter):
        return i + 2
    return None


def letter_run(tokens: list[Token], i: int) -> tuple[Piece, int] | None:
    """What is spelled from token ``i`` on, with digits between the letters, and the token after it."""
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
        elif parts and (unit := digits_at(tokens, k)):
            run = number_run(tokens, k)
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
    if _is_clock(tokens, i, parts):
        return None
    if not letters or (letters < 3 and not certain and len(parts) < 5):
        return None
    return Piece(Kind.LETTERS, tuple(parts)), j


def _is_clock(tokens: list[Token], i: int, parts: list[Part]) -> bool:
    """``10 p.m. i meant``, which spells nothing."""
    written = "".join(part.written for part in parts)
    return written in ("ami", "pmi") and i > 0 and digits_at(tokens[i - 1 : i], 0) is not None


def _past_marks(tokens: list[Token], i: int) -> int:
    while i < len(tokens) and tokens[i].text in {"-", ",", "."}:
        i += 1
    return i
