"""How likely the caller is in the middle of reading out a number, a code, a date, a spelled name or an address.

A small logistic model over counts of what was read out so far, what was asked for, and how the words end. For
endpointing: a caller who pauses inside a number has not finished. ``cards/READING_OUT.md`` says what it was taught.
"""
# ruff: noqa: SIM905 - lists of words read as words

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from classifiers.words.spoken import NATO, Role, Spoken, spoken
from classifiers.words.weights import logistic, read_weights

WEIGHTS = Path(__file__).parent / "model" / "reading_out.json"

_READ = frozenset({Role.DIGIT, Role.LETTER, Role.DATE, Role.JOINT, Role.REPEAT, Role.DOMAIN})
_ASKED_FOR = {
    "expiry": (re.compile(r"\b(?:expir\w+|valid until)\b"), 4),
    "security": (re.compile(r"\b(?:pin|cvv|cvc|security code|last four|four digits)\b"), 4),
    "card": (re.compile(r"\b(?:card|credit card|debit card)\b"), 16),
    "phone": (re.compile(r"\b(?:phone|mobile|telephone|cell|call you back|reach you)\b"), 10),
    "email": (re.compile(r"\be ?-?mail\b"), 0),
    "postcode": (re.compile(r"\b(?:post ?code|postal code)\b"), 6),
    "zip": (re.compile(r"\bzip\b"), 5),
    "born": (re.compile(r"\b(?:birth|born|birthday)\b"), 0),
    "name": (re.compile(r"\b(?:spell\w*|names?|surname)\b"), 0),
    "number": (
        re.compile(r"\b(?:number|code|reference|id|digits|account|order|booking|policy|serial|licen[cs]e|plate)\b"), 6
    ),
}  # fmt: skip
"""What may be asked for, looked for in this order, and the fewest characters it has (0: of any length)."""
_QUANTITY = re.compile(
    r"\b(?:how (?:many|much|long|old|often)|what time|when|which day|what day|what date)\b"
)
_DIGITS_ASKED = re.compile(
    r"\b(\d{1,2}|three|four|five|six|seven|eight|nine|ten|eleven|twelve|sixteen)[ -](?:digit|character|letter)s?\b"
)
_COUNTS = {
    w: n for n, w in enumerate("three four five six seven eight nine ten eleven twelve".split(), 3)
} | {"sixteen": 16}
_ABOUT_TO = frozenset("is its it's".split())
_ANNOUNCED = re.compile(
    r"(?:^|\b(?:number|code|id|e ?-?mail|address|postcode|zip|pin|digits?|name|surname|birth|birthday|reference|card"
    r"|account|order|it|that|plate|date|invoice|mobile) )(?:is|its|it's|that's)\W*$|\b(?:spelled|spelt|spell it)\W*$"
)
_QUESTION = re.compile(r"\b(?:where|what|when|who|why|how|which|whether)\b")
_CLOSING = frozenset("please thanks you it all thank bye right yes yeah correct done end".split())


def reading_out(text: str, agent_text: str = "") -> float:
    """The probability, 0 to 1, that more of what is being read out follows ``text``, said after ``agent_text``.

    Low for speech that reads nothing out, and for a read-out that sounds complete. Nothing said: 0.
    """
    if not text or text.isspace():
        return 0.0
    return logistic(_weights(), features(text, agent_text))


def features(text: str, agent_text: str) -> Iterator[tuple[str, float]]:
    """What the model sees, by name. None of it holds the caller's words."""
    tokens = spoken(text)
    asked, fewest = _asked_for(agent_text[-300:].lower(), text[:200].lower())
    run, after = _last_run(tokens, asked)
    symbols = sum(token.symbols for token in run)
    yield f"asked {asked}", 1.0
    yield f"words after {min(after, 3)}", 1.0
    if not run:
        yield f"nothing read, {asked}", 1.0
        if _ANNOUNCED.search(text[-60:].lower()):
            question = "a question" if _QUESTION.search(text[:200].lower()) else "no question"
            yield f"about to read, {question}", 1.0
            yield f"about to read {asked}", 1.0
        return
    if after:
        if tokens[-1].text in _CLOSING:
            yield "closing", 1.0
        return
    kinds = {token.role for token in run}
    last = next(token for token in reversed(run) if token.role is not Role.FILLER)
    letters = sum(token.role is Role.LETTER for token in run)
    kind = (
        "date" if Role.DATE in kinds else "digits" if not letters else "mixed" if Role.DIGIT in kinds else "letters"
    )  # fmt: skip
    yield f"ends in {last.role}", 1.0
    yield f"kind {kind}", 1.0
    yield f"{kind} {_bucket(symbols)}", 1.0
    yield f"{asked} {_bucket(symbols)}", 1.0
    if run[-1].role is Role.FILLER:
        yield "hesitates", 1.0
    lead = _lead(tokens[: len(tokens) - len(run)])
    yield f"{lead}", 1.0
    yield f"{lead}, {kind}, {'few' if symbols < 3 else 'many'}", 1.0
    if last.role is Role.WORD:
        yield "ends in an example", 1.0
    if fewest:
        yield "short of the fewest", float(symbols < fewest)
        yield "at the fewest", float(symbols == fewest)
        yield "past the fewest", float(symbols > fewest)
    if asked == "email" or any(token.text in ("@", "at", "dot", "underscore") for token in run):
        host = "host" if any(token.text in ("@", "at") for token in run) else "no host"
        yield f"address, {host}", 1.0
        yield f"address, {host}, ends in {last.role}", 1.0
    if kind == "date":
        since = _digits_since_month(run)
        yield f"date, {since} digits since the month", 1.0


def _lead(before: list[Spoken]) -> str:
    """How the read-out begins: at once, announced, or in the course of a sentence."""
    if len(before) <= 1:
        return "at once"
    return (
        "announced"
        if before[-1].text in _ABOUT_TO
        else "in a sentence"
        if len(before) > 4
        else "after a few words"
    )


def _last_run(tokens: list[Spoken], asked: str) -> tuple[list[Spoken], int]:
    """The last stretch that reads something out, hesitation included, and how many words follow it."""
    read = _which_are_read(tokens, asked)
    if True not in read:
        return [], 0
    end = len(read) - read[::-1].index(True)
    after = len(tokens) - end
    if all(token.role is Role.FILLER for token in tokens[end:]):
        end, after = len(tokens), 0
    start = end
    while start and (read[start - 1] or tokens[start - 1].role is Role.FILLER):
        start -= 1
    while not read[start]:
        start += 1
    return tokens[start:end], after


def _which_are_read(tokens: list[Spoken], asked: str) -> list[bool]:
    """For each token, whether it is read out: believed by itself, or for the sake of those around it.

    An example (``mike`` after ``m as in``) becomes a plain word in ``tokens``: it adds no character.
    """
    read: list[bool] = []
    before: Spoken | None = None  # the nearest word that is no filler, if it is read out
    for i, token in enumerate(tokens):
        following = tokens[i + 1] if i + 1 < len(tokens) else None
        if i and read[i - 1] and _is_example(tokens, i):
            token = tokens[i] = Spoken(token.text, Role.WORD)
            believed = True
        elif token.doubtful:
            believed = _fits(token, before, following, asked)
        else:
            believed = token.role in _READ or (
                i > 0 and read[i - 1] and _continues(token.text, tokens[i - 1])
            )
        read.append(believed)
        if token.role is not Role.FILLER:
            before = token if believed else None
    return read


def _fits(token: Spoken, before: Spoken | None, following: Spoken | None, asked: str) -> bool:
    """Whether a doubtful word (``a``, ``to``, ``mike``, ``at``) is read out where it stands."""
    certain = following is not None and following.role in _READ and not following.doubtful
    if token.role is Role.JOINT:
        domain = following is not None and following.role is Role.DOMAIN
        return domain or (before is not None and (asked == "email" or before.role is Role.LETTER))
    if token.role is Role.LETTER and len(token.text) > 1:
        pair = following is not None and {token.text, following.text} <= NATO
        return pair or (before is not None and before.role is Role.LETTER) or (certain and token.text in NATO)
    if before is None:
        return certain and token.text in ("oh", "o", "a", "i")
    return token.role is not Role.DATE or before.role in (Role.DATE, Role.DIGIT)


def _is_example(tokens: list[Spoken], i: int) -> bool:
    """Whether the word shows which letter is meant: ``m as in mother``, ``p for peter``."""
    if i >= 2 and tokens[i - 1].text in ("in", "an"):
        return tokens[i - 2].text == "as"
    letter = tokens[i - 2].text if i >= 2 and tokens[i - 1].text in ("for", "like") else ""
    return len(letter) == 1 and len(tokens[i].text) > 1 and tokens[i].text.startswith(letter)


def _continues(word: str, before: Spoken) -> bool:
    """Whether a plain word is part of a read-out for what it follows: ``dot smith``, ``m as``, ``as in``."""
    if word == "as":
        return before.role is Role.LETTER
    return before.role is Role.JOINT or (before.text == "as" and word in ("in", "an"))


def _asked_for(agent: str, opening: str) -> tuple[str, int]:
    """What is being read out: as asked by the agent, else as the caller announces it."""
    count = _DIGITS_ASKED.search(agent)
    for said in (agent, opening):
        for name, (pattern, fewest) in _ASKED_FOR.items():
            if pattern.search(said):
                return name, _COUNTS.get(count[1], 0) or int(count[1]) if count else fewest
        if said is agent and _QUANTITY.search(agent):
            return "quantity", 0
    return "nothing", 0


def _bucket(symbols: int) -> str:
    return str(symbols) if symbols <= 16 else "more"


def _digits_since_month(run: list[Spoken]) -> int:
    months = [i for i, token in enumerate(run) if token.role is Role.DATE]
    return min(sum(token.symbols for token in run[months[-1] + 1 :]), 4)


@cache
def _weights() -> Mapping[str, float]:
    return read_weights(WEIGHTS)
