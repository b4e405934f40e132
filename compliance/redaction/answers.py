"""The part of an utterance that answers a question in words: a name, an address, a date, an e-mail.

Somebody who was asked for a name says it, spells it, or says something else; recognisers write ``how h r is T So p h e
r`` for the second. So an answer is told from something else by what it is made of: spelled letters, numbers and words
that nobody uses every day speak for an answer, the words that make a sentence speak against it. What is an answer is
masked from its first word to its last, for what was misheard in it is a part of it too.
"""

from __future__ import annotations

from dataclasses import dataclass

from compliance.redaction import lexicon
from compliance.redaction.entities import Shape
from compliance.redaction.pieces import Heard, Kind, Piece


@dataclass(frozen=True, slots=True)
class _Weights:
    """What each kind of word says for an answer (above zero) or against it."""

    number: float
    unusual: float
    own: float
    """A word that is at home in such an answer: a month in a date, ``street`` in an address."""
    own_words: frozenset[str]
    announced: float = 1.9
    """Evidence above which what follows an announcement is a value: ``my address is`` may go on with anything."""
    proper: float = 0.0
    """What a capital letter says besides."""
    enough: float = 4.0
    """Evidence that makes an answer of a part of something else."""
    sounds: bool = False
    """Whether ``see`` and ``for`` may be a letter and a digit that were misheard."""


_STREETS = lexicon.STREET_WORDS | lexicon.PLACE_WORDS
_DATES = lexicon.MONTHS | lexicon.ORDINALS
_MAIL = frozenset(lexicon.ADDRESS_JOINTS) | lexicon.MAIL_PROVIDERS | {"at", "dotcom", "com"}
_WEIGHTS = {
    Shape.NAME: _Weights(number=0.5, unusual=2.0, own=1.5, own_words=lexicon.NAMES_TOO, proper=2.0),
    Shape.PLACE: _Weights(number=2.0, unusual=1.5, own=2.0, own_words=_STREETS, proper=2.0, sounds=True),
    Shape.DATE: _Weights(number=2.5, unusual=0.5, own=3.0, own_words=_DATES, enough=6.0, sounds=True),
    Shape.CODE: _Weights(number=2.0, unusual=0.0, own=0.0, own_words=frozenset(), enough=6.0, sounds=True),
    Shape.MAIL: _Weights(number=1.0, unusual=1.5, own=2.0, own_words=_MAIL),
}
_SPELLED = 2.0
_FRAGMENT = 1.5  # two letters that are no word, as a recogniser writes them in a spelled name
_CLAUSE = -2.0
_EVERYDAY = -1.0
_ASKS_BACK = -2.0
_MOST_LETTERS = 4
_SUFFIXES = frozenset({"st", "nd", "rd", "th"})

_LEAD = lexicon.words(
    """
    yes yeah yep ya no nope sure okay ok alright so well um uh er erm hi hello hey and it its it's is that's that this
    my the name name's names first last full middle surname i'm am i born on date of birth birthday post code postcode
    zip address street was would be should will said say live at in a spelled spelt spell spells spelling as email mail
    e-mail mine sorry oh right now then just gonna going to go number with called again capital letter your you
    """
)
_SOUNDS = lexicon.words("a i oh o an and in are you see be we the he hey to for too")
"""What a recogniser writes for a letter: before something spelled they are a part of it."""
_TRAIL = lexicon.words("please thanks thank you okay ok yeah yes speaking here that's it that is all right")
_ASKING = lexicon.words(
    """
    what what's why when where who how which whose can could do does did is are will would should may have has shall
    """
)
_WORDS_OF_TWO = lexicon.words(
    """
    am an as at be by do go he hi if in is it me my no of oh ok on or so to uh um up us we er hm mm ah
    """
)


def words_of_answer(
    shape: Shape, heard: Heard, start: int | None, amounts: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Spans of the original that answer a question for something of ``shape``.

    Args:
        shape: what an answer looks like.
        heard: the utterance.
        start: where a value begins that the speaker announced (``my address is``); None for a reply to a question.
        amounts: numbers that answer nothing.
    """
    if shape is Shape.DIGITS:
        return []
    first = 0 if start is None else sum(p.start < start for p in heard.words)
    words = list(heard.words[first:])
    told = _without_courtesies(words, shape, heard)
    weights = _WEIGHTS[shape]
    said = _evidence(told, weights, heard, amounts)
    announced = start is not None
    if told and sum(said) + _doubt(told, heard) > (weights.announced if announced else 0):
        return [(_with_the(told[0], shape, heard), told[-1].end)]
    begin, end, evidence = _strongest(said, from_the_start=announced)
    if evidence >= weights.enough:
        return [(told[begin].start, told[end].end)]
    letters = not announced and shape is not Shape.DATE
    spans = [(p.start, p.end) for p in words if p.kind is Kind.LETTERS or (letters and _is_lone(p))]
    return spans + (_jointed(words) if shape is Shape.MAIL else [])


def _with_the(piece: Piece, shape: Shape, heard: Heard) -> int:
    """Where ``the fourth of march`` begins."""
    before = [p for p in heard.words if p.end <= piece.start][-1:]
    return before[0].start if shape is Shape.DATE and before and before[0].written == "the" else piece.start


def _is_lone(piece: Piece) -> bool:
    """A letter by itself that is no word."""
    return piece.kind is Kind.WORD and len(piece.written) == 1 and piece.written not in ("a", "i")


def _evidence(
    told: list[Piece], weights: _Weights, heard: Heard, amounts: list[tuple[int, int]]
) -> list[float]:
    """What each word says for an answer."""
    sounds = weights.sounds or sum(p.kind is Kind.LETTERS or _is_lone(p) for p in told) >= 2
    said = [_weight(p, weights, amounts, sounds=sounds) for p in told]
    for i, piece in enumerate(told):
        if i and _is_proper(piece, heard):
            said[i] += weights.proper
        elif i and piece.written in _SUFFIXES and told[i - 1].kind is Kind.NUMBER:
            said[i] = 0.0
        elif heard.original[piece.start : piece.end].lower() == "one" and len(told) > 1:
            said[i] = min(said[i], 0.5)  # "a new one"
    return said


def _strongest(said: list[float], *, from_the_start: bool) -> tuple[int, int, float]:
    """The stretch of words with the most evidence: its first and last word, and the sum."""
    best = (0, -1, 0.0)
    first, total = 0, 0.0
    for i, evidence in enumerate(said):
        if total <= 0 and not from_the_start:
            first, total = i, 0.0
        total += evidence
        if total > best[2]:
            best = first, i, total
    return best


def _without_courtesies(words: list[Piece], shape: Shape, heard: Heard) -> list[Piece]:
    """``yes it's maria lopez please`` without what is said around an answer."""
    own = _WEIGHTS[shape].own_words
    first, last = 0, len(words)
    while first < last and _is_plain(words[first], _LEAD - own):
        first += 1
    while last > first and _is_plain(words[last - 1], _TRAIL) and _is_apart(words[last - 1], heard):
        last -= 1
    spelled = first < last and _is_spelling(words[first])
    while spelled and first > 0 and words[first - 1].written in _SOUNDS:
        first -= 1
    return words[first:last]


def _is_plain(piece: Piece, among: frozenset[str]) -> bool:
    return piece.kind is Kind.WORD and (piece.written in among or piece.written in lexicon.FILLERS)


def _is_apart(piece: Piece, heard: Heard) -> bool:
    """Whether there is space before a piece: ``mm`` in ``m20 9mm`` is no hesitation."""
    return heard.original[piece.start - 1 : piece.start].isspace()


def _is_spelling(piece: Piece) -> bool:
    """Whether a piece is a letter, a digit, or the few letters that a recogniser runs together."""
    if piece.kind is Kind.WORD:
        return len(piece.written) <= 2 and piece.written not in _WORDS_OF_TWO
    return piece.kind is not Kind.MARK


def _doubt(told: list[Piece], heard: Heard) -> float:
    """What speaks against an answer in the utterance as a whole: it asks something back."""
    doubt = 0.0
    if heard.original.rstrip().endswith("?") and told[-1].kind is Kind.WORD:
        doubt += _ASKS_BACK
    if told[0].written in _ASKING and len(told) > 2:
        doubt += _ASKS_BACK
    return doubt


def _weight(piece: Piece, weights: _Weights, amounts: list[tuple[int, int]], *, sounds: bool) -> float:
    written = piece.written
    match piece.kind:
        case Kind.LETTERS:
            return _SPELLED * min(len(written), _MOST_LETTERS)
        case Kind.EMAIL:
            return _SPELLED * _MOST_LETTERS
        case Kind.NUMBER:
            if (piece.start, piece.end) in amounts:
                return _EVERYDAY
            return weights.number * min(len(piece.parts), 2)
    if written in weights.own_words:
        return weights.own
    if len(written) == 1:
        return _FRAGMENT if written not in ("a", "i") else 0.5
    if sounds and (written in lexicon.LETTER_NAMES or written in lexicon.MISHEARD_DIGITS):
        return 0.0
    if written in lexicon.CLAUSE:
        return _CLAUSE
    if len(written) == 2:
        return _FRAGMENT if written not in _WORDS_OF_TWO else 0.0
    if written in lexicon.FILLERS:
        return 0.0
    if written in _DATES:
        return _EVERYDAY
    return _EVERYDAY if _is_everyday(piece) else weights.unusual


def _is_everyday(piece: Piece) -> bool:
    return piece.written in lexicon.EVERYDAY or piece.written in lexicon.NEVER_A_NAME


def _is_proper(piece: Piece, heard: Heard) -> bool:
    """Whether a recogniser that writes capitals took a word for a name."""
    return (
        piece.kind is Kind.WORD
        and len(piece.written) > 2
        and heard.original[piece.start].isupper()
        and heard.original[piece.start + 1].islower()
        and not _is_everyday(piece)
    )


def _jointed(words: list[Piece]) -> list[tuple[int, int]]:
    """``john underscore smith``: the words on both sides of a joint, also when the utterance ends or begins with it."""
    spans = []
    for i, piece in enumerate(words):
        if piece.written in ("dot", "underscore", "dash", "hyphen", "at"):
            left = words[i - 1] if i and _may_be_part(words[i - 1]) else piece
            right = words[i + 1] if i + 1 < len(words) and _may_be_part(words[i + 1]) else piece
            if piece.written != "at" or (
                i + 1 < len(words) and words[i + 1].written in lexicon.MAIL_PROVIDERS
            ):
                spans.append((left.start, right.end))
    return spans


def _may_be_part(piece: Piece) -> bool:
    return piece.kind is not Kind.WORD or piece.written not in (
        "is",
        "it",
        "it's",
        "the",
        "then",
        "and",
        "my",
    )
