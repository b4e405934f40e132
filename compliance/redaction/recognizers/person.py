"""Names after the words that introduce them: ``my name is``, ``this is ... speaking``, ``Mr``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.redaction import lexicon
from compliance.redaction.entities import Entity
from compliance.redaction.pieces import Found, Heard
from compliance.redaction.recognizers.rule import SpokenRule

_NAME = r"[^\W\d_]+(?:['’-][^\W\d_]+)*"
_CUE = re.compile(
    r"\b(?:(?:first |last |full |middle )?name(?:'s| is| was| of|,)?(?: is)?|surname(?: is)?"
    r"|(?:i'm|i am) called|mr|mrs|ms|miss|dr|doctor|speaking (?:with|to)|on behalf of|under the name(?: of)?)\.?\s+",
    re.IGNORECASE,
)
_THIS_IS = re.compile(
    rf"\b(?:(?:this is|it's)\s+(?P<here>{_NAME}(?:\s+{_NAME})?)\s+here"
    rf"|(?:this is|it's|i'm|i am)\s+(?P<name>{_NAME}(?:\s+{_NAME})?)\s+(?:speaking|calling))\b",
    re.IGNORECASE,
)
_CAPITALISED = re.compile(
    r"\b(?:[Tt]his is|[Ii]t's|I'm|I am|[Tt]hank you,?|[Tt]hanks,?|[Hh]i,?|[Hh]ello,?|[Dd]ear)\s+"
    r"(?P<name>[A-Z][a-z'’-]+(?: [A-Z][a-z'’-]+){0,2})"
)
_WORD = re.compile(_NAME)
_SPACE = re.compile(r"\s*")
_LONGEST = 3
_NO_NAME_BEGINS_WITH = frozenset(
    ("the", "a", "an", "our", "your", "my", "their", "this", "that", "some", "any")
)


class SpokenName(SpokenRule):
    """A first version: names that nothing introduces need a trained recogniser or a customer record."""

    entities = (Entity.PERSON,)

    def find(self, heard: Heard) -> Iterator[Found]:
        text = heard.original
        for cue in _CUE.finditer(text.replace("’", "'")):
            yield from _name_at(text, cue.end(), _LONGEST)
        for pattern in (_THIS_IS, _CAPITALISED):
            for match in pattern.finditer(text):
                name = match.lastgroup or "name"
                yield from _name_at(text, match.start(name), len(match[name].split()))


def _name_at(text: str, start: int, longest: int) -> Iterator[Found]:
    """Up to ``longest`` words from ``start``, to an everyday word, unless that is the first (``will smith``)."""
    words: list[re.Match[str]] = []
    at = start
    while len(words) < longest and (word := _WORD.match(text, at)) and len(word.group()) > 1:
        words.append(word)
        at = _SPACE.match(text, word.end()).end()  # type: ignore[union-attr] # matches the empty string too
    if words and words[0].group().lower() in _NO_NAME_BEGINS_WITH:
        return
    common = [w.group().lower() in lexicon.COMMON for w in words]
    count = common.index(True, 1) if True in common[1:] else len(words)
    if words and not (common[0] and count == 1):
        yield Found(Entity.PERSON, start, words[count - 1].end(), 0.8)
