"""What the caller is expected to say, from the agent's question, and how an answer to it is found.

An expectation is opened by the agent's question or by the caller's own announcement (``my card number is ...``). It
survives back-channels and numbers said in several breaths, and closes when enough digits were said, when the agent goes
on to something else, or after four utterances that do not answer it. What is masked is what has the *shape* of an
answer: somebody who was asked for a card number and says "I have two questions" is not masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from compliance.redaction import lexicon
from compliance.redaction.answers import words_of_answer
from compliance.redaction.entities import (
    BY_ENTITY,
    MAX_KEPT_DIGITS,
    SPECS,
    Entity,
    Shape,
    Spec,
    announced_before,
    asked_for,
    left_open,
)
from compliance.redaction.luhn import passes_luhn
from compliance.redaction.pieces import Found, Heard, Kind, Piece

_LIFE = 4
_LIFE_WHEN_DOUBTFUL = 2
_EXPECTED = 0.95
_UNFINISHED_DIGITS = 4
_UNFINISHED_PARTS = 3
_NEVER = re.compile(r"(?!)")
_UNNAMED = Spec(Entity.NUMBER, Shape.DIGITS, _NEVER, _NEVER, _NEVER, usual=12)
_READ_BACK = frozenset({Kind.NUMBER, Kind.LETTERS, Kind.EMAIL})
_JOINS_ORDERS = re.compile(r"[\s,]*(?:and|or|then)?[\s,]*")


@dataclass(slots=True)
class Expectation:
    """One entity that may be said next. ``digits`` is what was said of it so far."""

    spec: Spec
    digits: str = ""
    life: int = _LIFE

    @property
    def begun(self) -> bool:
        """Half said: the rest is still to come."""
        return bool(self.digits) and len(self.digits) < self.spec.usual

    def with_more(self, digits: str) -> str:
        """All digits of the number once ``digits`` are added; a complete number is followed by another one."""
        return self.digits + digits if self.begun else digits


@dataclass(slots=True)
class Answer:
    """What of one utterance is masked and what is kept, with the numbers as said so far, all breaths joined."""

    masked: list[Found] = field(default_factory=list)
    kept: list[tuple[int, int]] = field(default_factory=list)
    masked_digits: list[str] = field(default_factory=list)
    kept_digits: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Expectations:
    """The expectations of one call, most recent first."""

    open: list[Expectation] = field(default_factory=list)

    def agent_said(self, heard: Heard) -> None:
        """Opens what the agent asks for; a statement closes what was open, unless a number is half said."""
        asked = asked_for(heard.original)
        if asked:
            said = {e.spec.entity: e.digits for e in self.open}
            self.open = [Expectation(spec, said.get(spec.entity, "")) for spec in asked]
            return
        if any(p.kind in _READ_BACK for p in heard.pieces) or _is_back_channel(heard):
            return  # reading back, or "mhm, go ahead"
        self.open = [e for e in self.open if e.begun]
        for expectation in self.open:
            expectation.life = min(expectation.life, _LIFE_WHEN_DOUBTFUL)

    def caller_said(self, heard: Heard, amounts: list[tuple[int, int]]) -> Answer:
        """The answer in a caller's utterance. What is still missing of it stays expected."""
        before = list(self.open)
        answer = Answer()
        self._find_numbers(heard, amounts, answer)
        for spec, start in list(self._said_in_words(heard)):
            spans = words_of_answer(spec.shape, heard, start, amounts)
            answer.masked.extend(Found(spec.entity, a, b, _EXPECTED) for a, b in spans)
            if spans:
                expectation = self._opened(spec)
                expectation.life = min(expectation.life, _LIFE_WHEN_DOUBTFUL)
        if not answer.masked and not answer.kept and not _is_back_channel(heard):
            for expectation in before:
                expectation.life -= 1
        self.open = [e for e in self.open if e.life > 0]
        if unsaid := left_open(heard.original):
            self._opened(unsaid)
        return answer

    @staticmethod
    def announced_by_agent(heard: Heard, amounts: list[tuple[int, int]]) -> Answer:
        """Numbers an agent reads out with their names: ``your card number is``, ``order 441792``."""
        answer = Answer()
        for piece in heard.of_kind(Kind.NUMBER):
            spec = _announced(piece, heard, answer)
            if spec is None or (piece.start, piece.end) in amounts:
                continue
            if spec.entity is not Entity.ORDER:
                answer.masked.append(Found(spec.entity, piece.start, piece.end, _EXPECTED))
                answer.masked_digits.append(piece.digits)
            elif len(piece.digits) <= MAX_KEPT_DIGITS:
                answer.kept.append((piece.start, piece.end))
                answer.kept_digits.append(piece.digits)
        return answer

    def _find_numbers(self, heard: Heard, amounts: list[tuple[int, int]], answer: Answer) -> None:
        for piece in heard.of_kind(Kind.NUMBER):
            if (piece.start, piece.end) in amounts:
                continue
            expectation = self._expectation_for(piece, heard, answer)
            if expectation is None:
                continue
            expectation.digits = expectation.with_more(piece.digits)
            if not expectation.begun:
                expectation.life = min(expectation.life, _LIFE_WHEN_DOUBTFUL)
            if expectation.spec.entity is Entity.ORDER:
                answer.kept.append((piece.start, piece.end))
                answer.kept_digits += piece.digits, expectation.digits
                continue
            answer.masked_digits += piece.digits, expectation.digits
            found = Found(_label(expectation), *_extent(piece, heard), _EXPECTED)
            if answer.masked and _belong_together(answer.masked[-1], found, heard):
                found = replace(found, start=answer.masked.pop().start)
            answer.masked.append(found)

    def _expectation_for(self, piece: Piece, heard: Heard, answer: Answer) -> Expectation | None:
        """The expectation that a number answers; opened here when the number was announced, or looks half said."""
        announced = _announced(piece, heard, answer)
        if announced:
            expectation = self._opened(announced)
            if announced.entity is not Entity.ORDER or _may_be_kept(expectation, piece):
                return expectation
        numeric = [e for e in self.open if e.spec.shape is Shape.DIGITS]
        # Asked for an order number and something personal at once: what is said may be either, so it is masked.
        numeric.sort(key=lambda e: e.spec.entity is Entity.ORDER)
        for expectation in numeric:
            if expectation.spec.entity is Entity.ORDER:
                if _may_be_kept(expectation, piece):
                    return expectation
            elif _answers(piece, heard, expectation):
                return expectation
        return self._opened(_UNNAMED) if _is_unnamed_number(piece, heard) else None

    def _opened(self, spec: Spec) -> Expectation:
        """The expectation of ``spec``, now the most recent one."""
        for i, expectation in enumerate(self.open):
            if expectation.spec.entity is spec.entity:
                self.open.insert(0, self.open.pop(i))
                return expectation
        self.open.insert(0, Expectation(spec, life=_LIFE_WHEN_DOUBTFUL if spec is _UNNAMED else _LIFE))
        return self.open[0]

    def _said_in_words(self, heard: Heard) -> Iterator[tuple[Spec, int]]:
        """Entities said in words that are expected or announced, and the character their value may begin at."""
        low = heard.original.lower().replace("’", "'")
        for spec in SPECS:
            if spec.shape is Shape.DIGITS:
                continue
            if any(e.spec is spec for e in self.open):
                yield spec, 0
            elif spec.shape is not Shape.NAME and (opening := spec.opening.search(low)):
                self._opened(spec)
                yield spec, opening.end()


def _label(expectation: Expectation) -> Entity:
    """A number that nobody named is a card's when it has a card's check digit."""
    unnamed_card = expectation.spec is _UNNAMED and 12 <= len(expectation.digits) <= 19
    if unnamed_card and passes_luhn(expectation.digits):
        return Entity.CREDIT_CARD
    return expectation.spec.entity


def _announced(piece: Piece, heard: Heard, answer: Answer) -> Spec | None:
    spec = announced_before(heard.original, piece.start)
    if spec and spec.shape in (Shape.DIGITS, Shape.DATE):
        return spec if len(piece.digits) >= spec.fewest else None
    if answer.kept and _JOINS_ORDERS.fullmatch(heard.original, answer.kept[-1][1], piece.start):
        return BY_ENTITY[Entity.ORDER]
    return None


def _may_be_kept(expectation: Expectation, piece: Piece) -> bool:
    return len(expectation.with_more(piece.digits)) <= MAX_KEPT_DIGITS


def _answers(piece: Piece, heard: Heard, expectation: Expectation) -> bool:
    """Whether a number has the shape of an answer rather than of "two questions"."""
    digits = len(piece.digits)
    if digits >= max(expectation.spec.fewest, 3) or (digits >= 2 and len(piece.parts) >= 2):
        return True
    if sum(len(p.parts) for p in heard.of_kind(Kind.NUMBER)) > len(_other_words(heard)):
        return True
    telling = [p for p in heard.words if p.written not in lexicon.FILLERS]
    return expectation.begun and telling[0] is piece


def _is_unnamed_number(piece: Piece, heard: Heard) -> bool:
    """A number of which this may be only the first breath: nothing but digits, or digits up to the very end."""
    if not _other_words(heard):
        return len(piece.digits) >= 3
    said_digit_by_digit = len(piece.digits) >= _UNFINISHED_DIGITS and len(piece.parts) >= _UNFINISHED_PARTS
    return said_digit_by_digit and heard.words[-1] is piece


def _other_words(heard: Heard) -> list[Piece]:
    return [p for p in heard.words if p.kind is not Kind.NUMBER and p.written not in lexicon.FILLERS]


def _is_back_channel(heard: Heard) -> bool:
    return all(p.written in lexicon.BACK_CHANNELS for p in heard.words)


def _extent(piece: Piece, heard: Heard) -> tuple[int, int]:
    """Where a number is said, with a digit misheard as a word right before or after it (``for one one one``)."""
    start, end = piece.start, piece.end
    if len(piece.parts) >= _UNFINISHED_PARTS:
        for word in [p for p in heard.words if p.end <= piece.start][-1:]:
            start = word.start if word.written in lexicon.MISHEARD_DIGITS else start
        for word in [p for p in heard.words if p.start >= piece.end][:1]:
            end = word.end if word.written in lexicon.MISHEARD_DIGITS else end
    return start, end


def _belong_together(left: Found, right: Found, heard: Heard) -> bool:
    """Two parts of one number around at most one word, which is then a misheard digit."""
    between = [p for p in heard.words if left.end <= p.start and p.end <= right.start]
    return left.entity == right.entity and len(between) <= 1
