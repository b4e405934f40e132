"""What the caller is expected to say, from the agent's question, and how an answer to it is found.

An expectation is opened by the agent's question or by the caller's own announcement (``my card number is ...``). It
survives back-channels and numbers said in several breaths, and closes when enough digits were said, when the agent goes
on to something else (for a secret: when the agent asks for something else), or after four utterances that do not answer
it. What is masked is what has the *shape* of an
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
    LONG_NUMBER_DIGITS,
    MAX_KEPT_DIGITS,
    SPECS,
    Entity,
    Shape,
    Spec,
    announced_after,
    announced_before,
    asked_for,
    asks_again,
    asks_to_count,
    left_open,
)
from compliance.redaction.figures import (
    AROUND_NUMBERS,
    CODES,
    NO_DATE,
    SECRETS,
    belong_together,
    code_around,
    extent,
    is_back_channel,
    is_dated,
    is_part_of_word,
    is_pronoun,
    is_unnamed_number,
    may_be_digits,
    other_words,
    tells_a_code,
)
from compliance.redaction.luhn import passes_luhn
from compliance.redaction.pieces import Found, Heard, Kind, Piece

_LIFE = 4
_LIFE_WHEN_DOUBTFUL = 2
_EXPECTED = 0.95
_UNSURE = 0.5
"""A number of which nobody knows what it is: anything else that is found there says more."""
_FEWEST_OF_A_CODE = 2
_FEWEST_SOUNDS = 3
"""Words that all sound like digits, from which on they are: ``won ate to``, and not ``for free``."""
_NEVER = re.compile(r"(?!)")
_UNNAMED = Spec(Entity.NUMBER, Shape.DIGITS, _NEVER, _NEVER, _NEVER, usual=12)
_READ_BACK = frozenset({Kind.NUMBER, Kind.LETTERS, Kind.EMAIL})
_NUMERIC = frozenset({Shape.DIGITS, Shape.CODE})
_PATIENT = SECRETS | {Entity.SSN}
"""What is waited for whatever the agent says meanwhile: an answer has few digits, and nothing else to know it by."""
_ASKS_FOR = re.compile(
    r"\b(?:what(?:'s| is| are| was)|which is|where(?:'s| is)|(?:give|tell|send|show|text) me|find(?: me| out)?"
    r"|looking for|look up|do you have)\s+(?:the|its|their)\s+(?:full |exact |postal |street |e-?mail )?$"
)
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

    @property
    def complete(self) -> bool:
        """All of a number was said."""
        return bool(self.digits) and not self.begun

    def with_more(self, digits: str) -> str:
        """All digits of the number once ``digits`` are added; a complete number is followed by another one."""
        return self.digits + digits if self.begun else digits


@dataclass(slots=True)
class Answer:
    """What of one utterance is masked and what is kept, with the numbers as said so far, all breaths joined."""

    masked: list[Found] = field(default_factory=list)
    kept: list[tuple[int, int]] = field(default_factory=list)
    masked_digits: list[tuple[str, str]] = field(default_factory=list)
    """Each with what it is a number of."""
    kept_digits: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Expectations:
    """The expectations of one call, most recent first."""

    open: list[Expectation] = field(default_factory=list)
    keeps_orders: bool = True
    """Whether order numbers stay readable."""
    counting: bool = False
    """Whether the agent asked for a number that identifies nobody: an amount, a count, a time."""

    @property
    def secret(self) -> bool:
        """Whether something may be said next of which no recording may be kept."""
        return any(e.spec.entity in SECRETS for e in self.open)

    def expect(self, entity: str) -> None:
        """Opens an expectation of ``entity``, as the agent's question would."""
        for spec in SPECS:
            if spec.entity == entity:
                self._opened(spec)

    def forget(self) -> None:
        self.open.clear()

    def agent_said(self, heard: Heard) -> None:
        """Opens what the agent asks for; a statement closes what was open, unless a number is half said.

        A secret stays open: ``it is on the back of your card`` explains the question, and the answer is still to come.
        """
        asked = asked_for(heard.original)
        self.counting = asks_to_count(heard.original)
        if asked:
            said = {e.spec: e.digits for e in self.open}
            self.open = [Expectation(spec, said.get(spec, "")) for spec in asked]
            return
        if any(p.kind in _READ_BACK for p in heard.pieces):
            return
        if asks_again(heard.original):
            self.open = [Expectation(e.spec) for e in self.open]
            return
        self.open = [e for e in self.open if not (e.spec.entity in SECRETS and e.complete)]
        if is_back_channel(heard):
            return  # "mhm, go ahead"
        self.open = [e for e in self.open if e.begun or e.spec.entity in _PATIENT]
        for expectation in self.open:
            if expectation.begun:
                expectation.life = min(expectation.life, _LIFE_WHEN_DOUBTFUL)

    def caller_said(self, heard: Heard, amounts: list[tuple[int, int]]) -> Answer:
        """The answer in a caller's utterance. What is still missing of it stays expected."""
        before = list(self.open)
        answer = Answer()
        self._find_numbers(heard, amounts, answer)
        self._find_misheard(heard, answer)
        for spec, start in list(self._said_in_words(heard)):
            spans = words_of_answer(spec.shape, heard, start, amounts)
            answer.masked.extend(Found(spec.entity, a, b, _EXPECTED) for a, b in spans)
            if spans:
                expectation = self._opened(spec)
                expectation.life = min(expectation.life, _LIFE_WHEN_DOUBTFUL)
        if not answer.masked and not answer.kept and not is_back_channel(heard):
            for expectation in before:
                expectation.life -= 1
        self.open = [e for e in self.open if e.life > 0]
        if unsaid := left_open(heard.original):
            self._opened(unsaid)
        return answer

    def announced_by_agent(self, heard: Heard, amounts: list[tuple[int, int]]) -> Answer:
        """Numbers an agent reads out with their names: ``your card number is``, ``order 441792``."""
        answer = Answer()
        for piece in heard.of_kind(Kind.NUMBER):
            spec = _announced(piece, heard, answer)
            if spec is None or (piece.start, piece.end) in amounts:
                continue
            if spec.entity is not Entity.ORDER:
                answer.masked.append(Found(spec.entity, piece.start, piece.end, _EXPECTED))
                answer.masked_digits.append((spec.entity, piece.digits))
            elif self.keeps_orders and len(piece.digits) <= MAX_KEPT_DIGITS:
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
            if expectation.spec.entity is Entity.ORDER and self.keeps_orders:
                answer.kept.append((piece.start, piece.end))
                answer.kept_digits += piece.digits, expectation.digits
                continue
            label = _label(expectation)
            answer.masked_digits += (label, piece.digits), (label, expectation.digits)
            short = len(piece.digits) < expectation.spec.usual
            sure = _UNSURE if label is Entity.NUMBER else _EXPECTED
            found = Found(label, *extent(piece, heard, label, short=short), sure)
            if answer.masked and belong_together(answer.masked[-1], found, heard):
                found = replace(found, start=answer.masked.pop().start)
            answer.masked.append(found)

    def _find_misheard(self, heard: Heard, answer: Answer) -> None:
        """A breath of a number of which a recogniser wrote some digits as words: ``then o ate``, ``nine for``."""
        numeric = [e for e in self.open if e.spec.shape in _NUMERIC and e.spec.entity is not Entity.ORDER]
        told = [p for p in heard.words if p.written not in AROUND_NUMBERS]
        if not numeric or not told or not all(may_be_digits(p) for p in told):
            return
        sounds = len(told) >= _FEWEST_SOUNDS
        if sounds or any(p.kind is Kind.NUMBER or p.written == "o" for p in told):
            answer.masked.append(Found(numeric[0].spec.entity, told[0].start, told[-1].end, _EXPECTED))

    def _expectation_for(self, piece: Piece, heard: Heard, answer: Answer) -> Expectation | None:
        """The expectation that a number answers; opened here when the number was announced, or looks half said."""
        announced = _announced(piece, heard, answer)
        if announced:
            expectation = self._opened(announced)
            if announced.entity is not Entity.ORDER or _may_be_kept(expectation, piece):
                return expectation
        numeric = [e for e in self.open if e.spec.shape in _NUMERIC]
        # Asked for an order number and something personal at once: what is said may be either, so it is masked.
        # Asked for a card and its code at once, sixteen digits are the card.
        numeric.sort(
            key=lambda e: (e.spec.entity is Entity.ORDER, len(e.with_more(piece.digits)) > 2 * e.spec.usual)
        )
        for expectation in numeric:
            if expectation.spec.entity is Entity.ORDER:
                if _may_be_kept(expectation, piece):
                    return expectation
            elif _answers(piece, heard, expectation):
                return expectation
        if self.counting and len(piece.digits) < LONG_NUMBER_DIGITS:
            return None
        return self._opened(_UNNAMED) if is_unnamed_number(piece, heard) else None

    def _opened(self, spec: Spec) -> Expectation:
        """The expectation of ``spec``, now the most recent one."""
        for i, expectation in enumerate(self.open):
            if expectation.spec is spec:
                self.open.insert(0, self.open.pop(i))
                return expectation
        self.open.insert(0, Expectation(spec, life=_LIFE_WHEN_DOUBTFUL if spec is _UNNAMED else _LIFE))
        return self.open[0]

    def _said_in_words(self, heard: Heard) -> Iterator[tuple[Spec, int | None]]:
        """Entities said in words that were asked for, or announced, with the character at which their value begins."""
        low = heard.original.lower().replace("’", "'")
        for spec in SPECS:
            if spec.shape is Shape.DIGITS:
                continue
            if any(e.spec is spec for e in self.open):
                yield spec, None
            elif spec.shape is not Shape.NAME and (opening := _announcement(spec, low)):
                self._opened(spec)
                yield spec, opening.end()


def _announcement(spec: Spec, low: str) -> re.Match[str] | None:
    """Where a caller announces a value, unless the caller asks for one: ``what is the address of the hotel``."""
    return next((o for o in spec.opening.finditer(low) if not _ASKS_FOR.search(low, 0, o.start())), None)


def _label(expectation: Expectation) -> Entity:
    """A number that nobody named is a card's when it has a card's check digit."""
    unnamed_card = expectation.spec is _UNNAMED and 12 <= len(expectation.digits) <= 19
    if unnamed_card and passes_luhn(expectation.digits):
        return Entity.CREDIT_CARD
    return expectation.spec.entity


def _announced(piece: Piece, heard: Heard, answer: Answer) -> Spec | None:
    spec = announced_before(heard.original, piece.start)
    if spec is None and (code := announced_before(heard.original, code_around(piece, heard)[0])):
        spec = code if code.entity in CODES else None
    spec = spec or announced_after(heard.original, piece.end, len(piece.digits))
    if spec and spec.shape in (*_NUMERIC, Shape.DATE):
        # "this one": a digit alone is believed only when nothing else follows.
        alone = len(piece.digits) == 1 and piece is not heard.words[-1]
        counts = alone or is_pronoun(piece, heard) or is_part_of_word(piece, heard)
        return spec if len(piece.digits) >= spec.fewest and not counts else None
    if answer.kept and _JOINS_ORDERS.fullmatch(heard.original, answer.kept[-1][1], piece.start):
        return BY_ENTITY[Entity.ORDER]
    return None


def _may_be_kept(expectation: Expectation, piece: Piece) -> bool:
    return len(expectation.with_more(piece.digits)) <= MAX_KEPT_DIGITS


def _answers(piece: Piece, heard: Heard, expectation: Expectation) -> bool:
    """Whether a number has the shape of an answer rather than of "two questions"."""
    digits = len(piece.digits)
    if digits < NO_DATE and is_dated(piece, heard):
        return False
    if digits >= max(expectation.spec.fewest, 3) or (digits >= 2 and len(piece.parts) >= 2):
        return True
    numbers = heard.of_kind(Kind.NUMBER)
    if sum(len(p.parts) for p in numbers) > len(other_words(heard)):
        return True
    if expectation.spec.entity in SECRETS:
        said = sum(len(p.digits) for p in numbers)
        if len(numbers) > 1 and said in (expectation.spec.usual, expectation.spec.usual + 1):
            return True  # "a seven a three and a nine"
        if digits >= _FEWEST_OF_A_CODE and tells_a_code(heard):
            return True  # "it says eighty eight": 808
    telling = [p for p in heard.words if p.written not in lexicon.FILLERS]
    return expectation.begun and telling[0] is piece
