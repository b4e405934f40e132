"""How likely a turn opens another topic than the turns before it.

A small logistic model over how many of the turn's content words were said before in the call, phrases that announce
something new, the form of the turn and what the agent asked last. No embedding: it knows words, not what they mean.
``cards/TOPIC.md`` says what it was taught and how it did.
"""
# ruff: noqa: SIM905 - lists of words read as words

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from classifiers.words.plain import words
from classifiers.words.spoken import NUMBERS
from classifiers.words.weights import logistic, read_weights

WEIGHTS = Path(__file__).parent / "model" / "topic_change.json"
MEMORY = 120
"""Content words that a call remembers; the oldest are forgotten first."""
STEM = 5
MAX_WORDS = 60

_EVERYDAY = (
    frozenset(
        "a about actually after all also am an and another any anything are as ask at back be because "
        "been before but by can cant could did didnt do does dont else for from get give go going good "
        "got great had has have hello help her here hey hi him his how i id if ill im in is it its ive "
        "just know let like look looking make may me mine more much my need no not now of off oh ok okay "
        "on one only or order other our out over please question really right say see she should so some "
        "something sorry sure take tell than thank thanks that thats the their them then there these they "
        "thing think this those time to today too uh um up us use very want wanted was way we well were "
        "what whats when where which while who why will with would yeah yes yet you your".split()
    )
    | NUMBERS
)
_ANNOUNCES = re.compile(
    r"\b(?:(?:another|different|other|separate|new|next|second|one more|one other|last)"
    r" (?:thing|question|matter|issue|topic|subject|request|problem)|by the way|apart from that|besides that"
    r"|something (?:else|different|completely different)|while (?:i have|ive got|im) (?:you|here|at it)"
    r"|on another note|unrelated|changing the subject|before i forget|moving on)\b"
)
_ALSO = re.compile(
    r"^(?:(?:oh|okay|ok|yes|no|and|great|thanks|thank you|alright|well) ){0,3}(?:also|and|oh|actually|plus|now|next)\b"
)
_REQUEST = re.compile(
    r"\b(?:(?:i|we) (?:want|need|would like|wanna|have to|am looking|am calling|was wondering)|id like"
    r"|im (?:looking|calling|trying)|(?:can|could|would|will) (?:you|i|we)|how (?:do|can|much|many|long|about)"
    r"|where|what|when|which|is there|are there|do you|does|why|tell me|show me|find|book|cancel|change|help me)\b"
)
_ANSWER = re.compile(
    r"^(?:yes|yeah|yep|no|nope|sure|ok|okay|correct|right|exactly|perfect|great|please|its|it is|thats|my|the|i think"
    r"|for)\b"
)
_CLOSING_QUESTION = re.compile(
    r"\b(?:(?:anything|something) (?:else|more)|what else|how else|help you (?:with )?(?:today|further)|any other"
    r"|further assistance)\b",
    re.IGNORECASE,
)


class TopicChange:
    """The topics of one call. Keeps the beginnings of at most :data:`MEMORY` content words, as long as the call."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}  # insertion order is age
        self._turns = 0

    @property
    def remembered(self) -> int:
        """How many content words the call remembers."""
        return len(self._said)

    def probability(self, text: str, agent_text: str = "") -> float:
        """The probability, 0 to 1, that ``text``, said after ``agent_text``, opens another topic. Changes nothing.

        The first words of a call open its first topic: 0.
        """
        if not self._turns or not words(text):
            return 0.0
        return logistic(_weights(), self.features(text, agent_text))

    def turn_ended(self, text: str, agent_text: str = "") -> float:
        """:meth:`probability`; the turn and the question before it then count as said."""
        p = self.probability(text, agent_text)
        said = words(text)[:MAX_WORDS]
        for stem in (*_stems(words(agent_text)[-MAX_WORDS:]), *_stems(said)):
            self._said.pop(stem, None)
            self._said[stem] = None
        for stem in list(self._said)[: max(0, len(self._said) - MEMORY)]:
            del self._said[stem]
        self._turns += bool(said)
        return p

    def features(self, text: str, agent_text: str) -> Iterator[tuple[str, float]]:
        """What the model sees, by name."""
        said = words(text)[:MAX_WORDS]
        line = " ".join(said)
        content = list(dict.fromkeys(_stems(said)))
        asked = set(_stems(words(agent_text)[-MAX_WORDS:]))
        known = sum(stem in self._said or stem in asked for stem in content)
        new = len(content) - known
        yield f"content words {min(len(content), 5)}", 1.0
        yield f"new words {min(new, 5)}", 1.0
        yield f"known words {min(known, 3)}", 1.0
        yield "share of new words", new / len(content) if content else 0.0
        yield f"words {'1-3' if len(said) < 4 else '4-7' if len(said) < 8 else 'more'}", 1.0
        announced = _ANNOUNCES.search(line) is not None
        requested = _REQUEST.search(line) is not None
        yield "announced", float(announced)
        yield "also", float(_ALSO.search(line) is not None)
        yield "requested", float(requested)
        yield "answers", float(_ANSWER.search(line) is not None)
        question = (
            "closing"
            if _CLOSING_QUESTION.search(agent_text[-200:])
            else "other"
            if "?" in agent_text[-200:]
            else "none"
        )
        yield f"agent asked {question}", 1.0
        yield f"agent asked {question}, requested {requested}", 1.0
        yield f"agent asked {question}, new {min(new, 3)}", 1.0
        yield f"agent spoke {bool(agent_text)}, known {min(known, 3)}", 1.0


def _stems(said: list[str]) -> list[str]:
    return [word[:STEM] for word in said if len(word) > 2 and word not in _EVERYDAY and not word.isdecimal()]


@cache
def _weights() -> Mapping[str, float]:
    return read_weights(WEIGHTS)
