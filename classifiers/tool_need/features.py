"""What a linear model sees in a turn: words and pairs of the caller's, the question before, and the stage of the call.

"Yes that's right" after "shall I refund it?" needs a tool; after "are you still there?" it does not. So the way a turn
answers (yes, no, a number, a code) is crossed with the agent's words, and a few facts of the stage with each other.

Numbers, codes and addresses are one sign each: what one caller said of himself is never a feature.
"""
# ruff: noqa: SIM905 - lists of words read as words

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, compress, count, pairwise, repeat

from classifiers.tool_need.tools import ToolSet

FIRST_WORDS, LAST_WORDS = 8, 32  # of a long turn; the end holds the request
_FIRST_CHARS, _LAST_CHARS = 50, 190
QUESTION_WORDS = 24  # of the agent's last sentence
AGENT_WORDS = 40
_AGENT_CHARS = 300

NUMBER, FEW, SPELLED, CODE, IDENTIFIER, MAIL = "<nnn>", "<n>", "<spelled>", "<code>", "<id>", "<mail>"
CODES = frozenset({NUMBER, SPELLED, CODE, IDENTIFIER, MAIL})

Key = str | tuple[str, ...]
Block = tuple[str, str, Iterable[Key]]
"""The name of a kind of feature, what all of these have in common and is crossed with each, and each."""

CROSSED = frozenset({"answer", "after", "after said", "stages"})
"""The kinds of features that are two things crossed."""

_PART = re.compile(r"[^\W\d_]+|\d+")
_CAPITALS = re.compile(r"\b[A-Z]{6}\b")
_RUNS = bytes(65 if 65 <= code <= 90 else 32 for code in range(256))  # every capital an A
_MAIL = re.compile(r"\S*@\S*\w")
_KEPT = "_@"  # parts of a code
_APART: dict[int, str | None] = {
    code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) in _KEPT)
}
_APART |= dict.fromkeys(map(ord, "'’"))  # None and not "": CPython translates that ten times as fast
_UNREAD = _APART | {ord(sign): " " for sign in "0123456789_@"}


def _of_bytes(table: Mapping[int, str | None]) -> bytes:
    """The same for ASCII, in lower case: bytes are translated several times as fast as text."""
    return bytes(ord(table.get(code) or chr(code).lower()) for code in range(128)) + bytes(range(128, 256))


_APART_BYTES, _UNREAD_BYTES = _of_bytes(_APART), _of_bytes(_UNREAD)
_NUMBERS = frozenset(
    "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand "
    "double triple".split()
)
_SHORTEST = frozenset("ia")  # letters that are words too
_ODD = _NUMBERS | frozenset("bcdefghjklmnopqrstuvwxyz")
_YES = frozenset(
    "yes yeah yep yup sure correct right exactly ok okay please absolutely confirm confirmed".split()
)
_NO = frozenset("no nope nah not wrong incorrect".split())
_ASKS = frozenset("what which who when where why how can could would do does is are may will".split())
_ACTS = {  # what the agent does; the first that fits. No word tells two.
    "closes": frozenset("else assistance questions requests free welcome".split()),
    "confirms": frozenset("confirm proceed correct ahead right".split()),
    "wants data": frozenset("provide share spell give tell read need".split()),
    "lets choose": frozenset("which choose select option options".split()),
    "offers": frozenset("like want prefer shall should".split()),
    "passes on": frozenset("human transfer colleague".split()),
    "refuses": frozenset("unfortunately unable cannot cant sorry".split()),
}
_ACT_OF = {word: rank for rank, signs in enumerate(_ACTS.values()) for word in signs}
_ACT_NAMES = (*_ACTS, "tells")


def words(text: str) -> list[str]:
    """Lower-case words; numbers, spoken or written, spelled letters, codes and addresses become one sign each.

    >>> words("It's four four 1 7, j o h n")
    ['its', '<nnn>', '<spelled>']
    >>> words("mia_li_3668, ZFA04Y, mia@example.com")
    ['<id>', '<code>', '<mail>']
    """
    tokens = _tokens(text)
    odd = _ODD
    if not "".join(tokens).isalpha():
        odd = odd.union([token for token in tokens if not token.isalpha()])
    if odd.isdisjoint(tokens):
        return tokens
    found: list[str] = []
    end = 0
    for at in compress(count(), map(odd.__contains__, tokens)):
        if at >= end:
            start = at - 1 if at > end and tokens[at - 1] in _SHORTEST else at
            found += tokens[end:start]
            end = at + 1
            while end < len(tokens) and (len(tokens[end]) == 1 or tokens[end] in odd):
                end += 1
            found += _signs(tokens[start:end])
    return found + tokens[end:]


def _tokens(text: str) -> list[str]:
    """Lower-case, with codes and addresses made recognisable, and apart."""
    if "@" in text:
        text = _MAIL.sub("a@0", text)
    if not text.isascii():
        text = text.replace("’", "'")
    raw = text.encode("ascii", "replace")
    if b"AAAAAA" in raw.translate(_RUNS) and not text.isupper():
        text = _CAPITALS.sub("code0", text)
        raw = text.encode("ascii", "replace")
    if text.isascii():
        return raw.translate(_APART_BYTES, b"'").decode("ascii").split()
    return text.lower().translate(_APART).split()


def _agents(text: str) -> list[str]:
    """The agent's words: lower-case, without numbers and signs."""
    if text.isascii():
        return text.encode("ascii").translate(_UNREAD_BYTES, b"'").decode("ascii").split()
    return text.translate(_UNREAD).split()


def _signs(tokens: list[str]) -> list[str]:
    """Single letters, numbers and codes that follow one another: one sign for all that belong together."""
    if len(tokens) == 1 and (digits := len(tokens[0]) if tokens[0].isdigit() else tokens[0] in _NUMBERS):
        return [NUMBER if digits > 2 else FEW]
    found: list[str] = []
    digits = 0
    letters: list[str] = []
    for part in chain.from_iterable(map(_parts, tokens)):
        number = len(part) if part.isdigit() else part in _NUMBERS
        if letters and (number or len(part) > 1):
            found += [SPELLED] if len(letters) > 2 else letters
            letters.clear()
        if number:
            digits += number
            continue
        if digits:
            found.append(NUMBER if digits > 2 else FEW)
            digits = 0
        (letters if len(part) == 1 else found).append(part)
    if digits:
        found.append(NUMBER if digits > 2 else FEW)
    return found + ([SPELLED] if len(letters) > 2 else letters)


def _parts(token: str) -> list[str]:
    """A token with digits or signs in it: one sign for a code, else its words and numbers."""
    if token.isalpha() or token.isdigit():
        return [token]
    if "@" in token:
        return [MAIL]
    if any(map(str.isdigit, token)) and not all(map(str.isdigit, token)):
        if "_" in token:
            return [IDENTIFIER]
        if len(token) > 4 and token.isalnum():
            return [CODE]
    return _PART.findall(token)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is remembered of the call before this turn: no more than this.

    Attributes:
        gave: the kinds of numbers, codes and addresses that the caller gave so far.
        words: of the turn before.
        called: the tools that were called so far.
        last: those that were called to answer the turn before, sorted.
        times: turns that were answered with a tool.
    """

    gave: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    called: frozenset[str] = frozenset()
    last: tuple[str, ...] = ()
    times: int = 0

    def then(self, user: str) -> Earlier:
        """What is remembered after one more turn.

        >>> sorted(Earlier().then("it is 44179").then("and mia@example.com").gave)
        ['<mail>', '<nnn>']
        """
        read = said(user)
        return replace(
            self, gave=self.gave.union(CODES.intersection(read)), words=tuple(dict.fromkeys(read)), last=()
        )

    def having_called(self, *tools: str) -> Earlier:
        """What is remembered after these tools were called to answer the turn remembered last.

        >>> Earlier().then("refund it").having_called("find_order").having_called("refund").last
        ('find_order', 'refund')
        """
        names = {"_".join(tool.split()) for tool in tools}
        if not names:
            return self
        return replace(
            self,
            called=self.called | names,
            last=tuple(sorted(names.union(self.last))),
            times=self.times + (not self.last),
        )


NOTHING = Earlier()
"""At the start of a call."""


def said(user: str) -> list[str]:
    """The words of a turn that are read: the first few and the last many."""
    if len(user) > _FIRST_CHARS + _LAST_CHARS:
        user = f"{user[:_FIRST_CHARS]} {user[-_LAST_CHARS:]}"
    found = words(user)
    return found if len(found) <= FIRST_WORDS + LAST_WORDS else found[:FIRST_WORDS] + found[-LAST_WORDS:]


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of a turn before the caller speaks.

    Attributes:
        heard: the agent's last words.
        question: those of the agent's last sentence.
        last: the tools called to answer the turn before, as one word.
        words: of the caller's turn before.
        facts: of the stage of the call; without those that nobody asked for.
        called: tools that were called so far.
    """

    heard: tuple[str, ...]
    question: tuple[str, ...]
    last: str
    words: tuple[str, ...]
    facts: tuple[str, ...]
    called: frozenset[str]

    @classmethod
    def of(cls, agent: str, turn: int, earlier: Earlier, *, stages: bool = True) -> Before:
        """Read what the agent said last.

        Args:
            agent: what the agent said last. Numbers in it are not read.
            turn: of the caller, from 1; 0 unknown.
            earlier: what is remembered of the turns before.
            stages: whether facts of the stage are wanted; a general model knows nothing of them.
        """
        tail = agent[-_AGENT_CHARS:].lower().rstrip(" .?!\n")
        last = _sentence(tail, len(tail))
        before = _sentence(tail, max(last - 1, 0))
        asked = _agents(tail[last:])
        recent = _agents(tail[before:last]) + asked
        heard = dict.fromkeys((_agents(tail[:before]) + recent)[-AGENT_WORDS:])
        question = asked[-QUESTION_WORDS:]
        after = ",".join(earlier.last) or "-"
        facts: tuple[str, ...] = ()
        if stages:
            doing = set(map(_ACT_OF.get, question))
            facts = (
                f"gave {'+'.join(sorted(earlier.gave))}",
                f"turn {turn if turn < 4 else '4-6' if turn < 7 else '7+'}",
                f"agent {_act(recent)}",
                f"last {'+'.join([name for rank, name in enumerate(_ACTS) if rank in doing])}",
                "agent asks" if agent[-3:].rstrip().endswith("?") else "agent says",
                "agent helps" if _ACTS["refuses"].isdisjoint(heard) else "agent refuses",
                f"tools {min(earlier.times, 3)}",
                f"after {after}",
            )
        return cls(tuple(heard), tuple(question), after, earlier.words, facts, earlier.called)

    def blocks(self) -> Iterator[Block]:
        """The features that do not depend on what the caller will say, by kind."""
        yield "asked", "", self.question
        yield "asked pair", "", pairwise(self.question)
        yield "before", "", self.words
        yield "after", self.last, self.heard
        if self.facts:
            yield "stage", "", [*self.facts, *(f"has {tool}" for tool in sorted(self.called))]
            for at, fact in enumerate(self.facts, 1):
                yield "stages", fact, self.facts[at:]


def blocks(
    user: list[str], once: Mapping[str, None], before: Before, tools: ToolSet | None, asks: bool
) -> Iterator[Block]:
    """The features of what the caller says but single words, by kind. A pair or gap that comes twice counts twice.

    Args:
        user: from :func:`said`.
        once: the same, each word once.
        before: what was known already.
        tools: active ones.
        asks: whether the turn holds a question mark.
    """
    codes = "+".join(sorted(once.keys() & CODES))
    kind = _kind(user)
    yield "pair", "", zip(["^", *user], [*user, "$"], strict=True)
    yield "gap", "", zip(user, user[2:], strict=False)
    yield "answer", codes or kind, before.heard
    yield "after said", before.last, once
    if tools is not None and not codes and kind not in ("yes", "no"):  # an answer names no tool
        yield "tools", "", tools.match(once)
    if before.facts:
        gives, answers = f"gives {codes}", f"answers {kind}"
        form = "asks" if asks or user[0] in _ASKS else "says"
        yield "stage", "", (gives, answers, form)
        yield "stages", gives, (answers, form, *before.facts)
        yield "stages", answers, (form, *before.facts)
        yield "stages", form, before.facts


def _sentence(text: str, end: int) -> int:
    """Where the sentence begins that ends at ``end``."""
    ends = (
        text.rfind(". ", 0, end),
        text.rfind("? ", 0, end),
        text.rfind("! ", 0, end),
        text.rfind("\n", 0, end),
    )
    return max(ends) + 1


def _kind(user: list[str]) -> str:
    """How the turn answers, if it looks like an answer; else its length."""
    if len(user) > 12:
        return "long"
    opening = user[:4]
    return "no" if not _NO.isdisjoint(opening) else "yes" if not _YES.isdisjoint(opening) else "short"


def _act(recent: list[str]) -> str:
    return _ACT_NAMES[min(map(_ACT_OF.get, recent, repeat(len(_ACTS))))] if recent else "opens"
