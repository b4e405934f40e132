"""Names after the words that introduce them: ``my name is``, ``this is ... speaking``, ``Mr``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from compliance.redaction import lexicon
from compliance.redaction.entities import Entity
from compliance.redaction.ner.reading import is_cased
from compliance.redaction.pieces import Found, Heard
from compliance.redaction.recognizers.rule import SpokenRule

_NAME = r"[^\W\d_]+(?:['’-][^\W\d_]+)*"
_CUE = re.compile(
    r"(?<!restaurant )(?<!hotel )(?<!company )(?<!product )(?<!user )(?<!domain )(?<!file )(?<!brand )"
    r"\b(?:(?:first |last |full |middle )?names?(?:'s| is| was| of|,)?(?: is)?|surname(?: is)?"
    r"|(?:i'm|i am) (?:called|known as)|mr|mrs|ms|miss|dr|doctor|speaking (?:with|to)|on behalf of"
    r"|under the name(?: of)?)\.?\s+[\"“']?",
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
_RELATIVE = (
    r"wife|husband|mother|father|mum|mom|dad|sons?|daughters?|brother|sister|partner|boss|friend|colleague|uncle|aunt"
    r"|cousin|nephew|niece|girlfriend|boyfriend|grandmother|grandfather|flatmate|roommate|landlord|assistant"
)
_MENTION = re.compile(
    rf"\b(?:my (?:{_RELATIVE})(?:'s name is| is called| called| named|,)|(?:helped|served|assisted) by"
    r"|(?:spoke|talked|chatted|speak|talk) (?:to|with)|under(?: (?:the|my) (?:reservation|booking|account))?"
    r"|(?:phoning|calling|ringing) (?:for|on behalf of)"
    r"|(?:guy|man|woman|lady|person|someone|agent|colleague) (?:named|called))\s+",
    re.IGNORECASE,
)
"""Before somebody whom the speaker mentions; other things may follow as well, so the word must be no everyday one."""
_PERHAPS = re.compile(rf"\b(?:my (?:{_RELATIVE})|let(?=\s+\S+(?:\s+\S+)? know))\s+", re.IGNORECASE)
"""Before somebody or what somebody does: ``my daughter smokes``."""
_FOR_WHOM = (
    (
        re.compile(r"\b(?:book(?:ed|ing)|reservation|table)\b", re.IGNORECASE),
        re.compile(r"\bfor\s+", re.IGNORECASE),
    ),
    (
        re.compile(r"\b(?:send|sent|transfer|transferred)\b", re.IGNORECASE),
        re.compile(r"\bto\s+", re.IGNORECASE),
    ),
)
_NEAR = 80
_VENUE = re.compile(
    r"\b(?:restaurants?|hotels?|bars?|pubs?|caf[eé]s?|shops?|stores?|compan(?:y|ies))\s+(?:\S+\s+){0,2}$",
    re.IGNORECASE,
)
"""Before ``by the name of``: what is named is no person."""
_SPEAKS = re.compile(
    rf"(?:^|\b(?:morning|afternoon|evening|hello|hi|hey|yes|yeah)\b),?\s*(?P<name>{_NAME}(?:\s+{_NAME}){{0,2}})"
    r"\s+(?:speaking|calling|here)\b",
    re.IGNORECASE,
)
_OWNS = re.compile(
    rf"\b(?P<name>{_NAME}(?:\s+{_NAME}){{0,2}})(?:['’]s\s+(?:e-?mails?|messages?|birthday|number|account|reservation"
    r"|booking|phone|address|call|party|house|mobile|retirement)|,?\s+(?:is|that's|that is|that was) my (?:full )?name"
    r"|\s+from (?:your|the) (?:team|office|department|branch))\b",
    re.IGNORECASE,
)
"""Around somebody: what people have, and where they work."""
_WORD = re.compile(_NAME)
_SPACE = re.compile(r"\s*")
_LONGEST = 4
_NO_NAME = lexicon.EVERYDAY - lexicon.NAMES_TOO
_NUMBERS = {*lexicon.DIGITS, *lexicon.TEENS, *lexicon.TENS, *lexicon.MONTHS, *lexicon.ORDINALS}
_WORDS = lexicon.words((Path(__file__).parents[1] / "model" / "words.txt").read_text(encoding="utf-8"))
"""Words that are no names, however rare: what the model of names knows, too."""
_NO_NAME_BEGINS_WITH = frozenset(
    ("the", "a", "an", "our", "your", "my", "their", "this", "that", "some", "any")
)


class SpokenName(SpokenRule):
    """Names that nothing introduces are left to the model and to what the call knows."""

    entities = (Entity.PERSON,)

    def find(self, heard: Heard) -> Iterator[Found]:
        text = heard.original
        plain = text.replace("’", "'")
        for cue in _CUE.finditer(plain):
            if not _VENUE.search(plain, 0, cue.start()):
                yield from _name_at(text, cue.end(), _LONGEST)
        for cue in _MENTION.finditer(plain):
            if not (is_cased(text) and _is_word(text, cue.end())):
                yield from _name_at(text, cue.end(), _LONGEST, sure=False)
        for cue in _PERHAPS.finditer(plain):
            if not _is_word(text, cue.end(), cased=False):
                yield from _name_at(text, cue.end(), _LONGEST, sure=False)
        for done, for_whom in _FOR_WHOM:
            if act := done.search(text):
                for whom in for_whom.finditer(text, act.end(), act.end() + _NEAR):
                    yield from _name_at(text, whom.end(), _LONGEST, sure=False, whose=False)
        for pattern in (_THIS_IS, _CAPITALISED, _SPEAKS):
            for match in pattern.finditer(text):
                name = match.lastgroup or "name"
                longest = len(match[name].split())
                yield from _name_at(text, match.start(name), longest, sure=pattern is not _SPEAKS)
        for owned in _OWNS.finditer(text):
            yield from _name_before(owned["name"], owned.start("name"))


def _is_word(text: str, at: int, *, cased: bool = True) -> bool:
    """Whether the word at ``at`` is no name; in a text with capitals, ``cased``, one with a capital may be one."""
    word = _WORD.match(text, at)
    return word is not None and word.group().lower() in _WORDS and not (cased and word.group()[0].isupper())


def _is_everyday(word: str) -> bool:
    """Whether a word, or each part of a ``nine-thirty``, is an everyday one."""
    parts = word.lower().removesuffix("'s").split("-")
    return all(part in lexicon.EVERYDAY or part in _NUMBERS for part in parts)


def _name_before(words: str, start: int) -> Iterator[Found]:
    """The last words of ``words`` that are not everyday ones; ``start`` is where they begin in the utterance."""
    first = end = None
    for word in _WORD.finditer(words):
        if _is_everyday(word.group()):
            first = None
        elif first is None:
            first = word.start()
        end = word.end()
    if first is not None and end is not None:
        yield Found(Entity.PERSON, start + first, start + end, 0.8)


def _name_at(
    text: str, start: int, longest: int, *, sure: bool = True, whose: bool = True
) -> Iterator[Found]:
    """Up to ``longest`` words from ``start``, to an everyday word, unless that is the first (``will smith``).

    Where the cue is not ``sure``, an everyday word is no name even then. ``whose`` says whether ``lopez's`` may be one.
    """
    words: list[re.Match[str]] = []
    at = start
    while len(words) < longest and (word := _WORD.match(text, at)):
        if len(word.group()) == 1 and not (words and word.group().lower() not in "ai"):
            break  # an initial stands between two names
        words.append(word)
        at = _SPACE.match(text, word.end()).end()  # type: ignore[union-attr] # matches the empty string too
    while words and len(words[-1].group()) == 1:
        words.pop()
    if words and words[0].group().lower() in _NO_NAME_BEGINS_WITH:
        return
    if not sure and words and _is_everyday(words[0].group()):
        return
    if not whose and any(w.group().lower().endswith("'s") for w in words[:2]):
        return  # a table for Morton's is a table at it
    common = [w.group().lower() in _NO_NAME for w in words]
    count = common.index(True, 1) if True in common[1:] else len(words)
    if words and not (common[0] and count == 1):
        yield Found(Entity.PERSON, start, words[count - 1].end(), 0.8)
