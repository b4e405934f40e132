"""What a user turn is made of, for a linear model: words, word pairs, the question before it, and how it was answered.

"Yes that's right" after "shall I refund it?" needs a tool; after "are you still there?" it does not. So short answers
(a number, yes, no, spelled letters) are crossed with the words of the agent's last sentence.
"""
# ruff: noqa: SIM905 - lists of words read as words

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

MAX_USER_WORDS = 80  # the end of a long turn holds the request
MAX_AGENT_WORDS = 24

_WORD = re.compile(r"[^\W\d_]+|\d+")
_SENTENCE_END = re.compile(r"[.!?]\s+")
_NUMBERS = frozenset(
    "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand "
    "double triple".split()
)
_YES = frozenset(
    "yes yeah yep yup sure correct right exactly ok okay please absolutely confirm confirmed".split()
)
_NO = frozenset("no nope nah not wrong incorrect".split())
FEW_NUMBERS, MANY_NUMBERS, SPELLED = "<n>", "<nnn>", "<spelled>"


def words(text: str) -> list[str]:
    """Lower-case words; runs of numbers, spoken or written, and of single letters become one sign each.

    >>> words("It's four four 1 7, j o h n")
    ['its', '<nnn>', '<spelled>']
    """
    found: list[str] = []
    numbers: list[str] = []
    letters: list[str] = []

    def close() -> None:
        if numbers:
            digits = sum(len(n) if n.isdigit() else 1 for n in numbers)
            found.append(MANY_NUMBERS if digits > 2 else FEW_NUMBERS)
            numbers.clear()
        if letters:
            found.extend([SPELLED] if len(letters) > 2 else letters)
            letters.clear()

    for word in _WORD.findall(text.lower().replace("'", "").replace("’", "")):
        if word.isdigit() or word in _NUMBERS:
            if letters:
                close()
            numbers.append(word)
        elif len(word) == 1:
            if numbers:
                close()
            letters.append(word)
        else:
            close()
            found.append(word)
    close()
    return found


def last_sentence(agent_text: str) -> list[str]:
    """The words of the agent's last sentence, which holds the question, at most ``MAX_AGENT_WORDS``."""
    sentences = [part for part in _SENTENCE_END.split(agent_text.strip()[-400:]) if part]
    return words(sentences[-1])[-MAX_AGENT_WORDS:] if sentences else []


def answer_kind(user: list[str]) -> str | None:
    """How the user answered, if the turn looks like an answer at all."""
    if MANY_NUMBERS in user:
        return "number"
    if SPELLED in user:
        return "spelled"
    if len(user) <= 12:
        opening = set(user[:4])
        if opening & _NO:
            return "no"
        if opening & _YES:
            return "yes"
    return None


def features(user: list[str], agent: list[str]) -> Iterator[str]:
    """Feature names; ``>`` marks the agent's words, ``=`` an answer crossed with one of them."""
    user = user[-MAX_USER_WORDS:]
    yield from user
    for first, second in zip(["^", *user], [*user, "$"], strict=True):
        yield f"{first} {second}"
    for word in agent:
        yield f">{word}"
    for first, second in pairwise(agent):
        yield f">{first} {second}"
    if kind := answer_kind(user):
        yield f"={kind}"
        for word in agent:
            yield f"={kind} {word}"
