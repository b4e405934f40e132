"""The lessons of the name finder: real and invented utterances, with names exchanged and written as recognisers do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from compliance.redaction.entities import Entity
from compliance.redaction.training import corpora
from compliance.redaction.training.invented import KINDS, invented, patterns
from compliance.redaction.training.said import Sayer
from compliance.redaction.training.utterance import Mark, Utterance

LABELS = (Entity.PERSON, Entity.ADDRESS, Entity.BIRTH, Entity.EMAIL)
"""What the model finds; numbers are left to the rules, which count digits better."""

INVENTED = 26000
_NAMED = 8
REQUESTS = (corpora.RESTAURANT, corpora.SLURP, corpora.BANKING, corpora.CLINC)
_EXCHANGED = {corpora.RESTAURANT: 4, corpora.SLURP: 12}
_OFF_TOPIC = 0.3
_MISHEARD_TEXTS, _MISHEARD_WORDS = 0.6, 0.14
_OTHER_WORD = 0.6
_SURNAME_IS_WORD = 0.15
_AFTER_SMALL_TALK = 0.35
_EVI_ASKED = 0.85
_SMALL_TALK = (
    "How can I help you?",
    "Hello, you are through to customer service. What can I do for you?",
    "Is there anything else?",
    "Sure, go ahead.",
    "Okay, one moment please.",
    "What seems to be the problem?",
    "I see. Anything else I can do?",
    "Thank you for waiting.",
    "And what happened then?",
    "Would you like me to do that now?",
    "Which one do you mean?",
    "Good morning, how may I assist?",
)
"""What an agent says that asks for nothing personal."""
_SOMEBODY = re.compile(
    r"\b(?:(?:my|a|an|our|the) (?:best |close |old )?(?:friend|wife|husband|mom|mother|dad|father|brother|sister|son"
    r"|daughter|boss|partner|boyfriend|girlfriend|roommate|neighbou?r|colleague|manager|doctor|dentist|landlord"
    r"|accountant|person|customer|waiter|agent|guest)|someone|somebody|anyone|him|them)\b(?!['’])",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+")
_UNPUNCTUATED = re.compile(r"[^\w\s'’-]|(?<!\w)['’-]|['’-](?!\w)")


def lessons(folder: Path, rng: Random, count: int = INVENTED) -> Iterator[Utterance]:
    """Every lesson once, ``count`` of them invented, in the order of the sources; draws from ``rng``."""
    real = {source: _train(folder, source) for source in (*REQUESTS, corpora.EVI)}
    sayer = Sayer(rng, "train")
    words = _vocabulary(real)
    questions = [p.asked for p in patterns("train") if p.asked and any(KINDS[slot] for slot in p.slots)]
    for said in invented("train", count, seed=rng.randrange(2**31)):
        said = _misheard(_after(said, _SMALL_TALK, _AFTER_SMALL_TALK, rng), words, rng)
        yield _as_written(said, rng)
    for source in REQUESTS:
        for said in real[source]:
            if not said.marks:
                said = _after(said, questions, _OFF_TOPIC, rng)
            copies = _EXCHANGED.get(source, 0) if said.marks else 0
            people = [named(said, sayer) for _ in range(_NAMED)] if _SOMEBODY.search(said.text) else []
            for one in (said, *(exchanged(said, sayer) for _ in range(copies)), *people):
                one = _misheard(_after(one, _SMALL_TALK, _AFTER_SMALL_TALK, rng), words, rng)
                yield _as_heard(one, rng)
    for said in real[corpora.EVI]:
        yield _as_heard(said if rng.random() < _EVI_ASKED else replace(said, asked=""), rng)


def named(said: Utterance, sayer: Sayer) -> Utterance:
    """``said`` with a name where it says ``my friend`` or ``somebody``: names in the words of real people."""
    text, marks, at = "", list(said.marks), 0
    if marks:
        return said
    for somebody in _SOMEBODY.finditer(said.text):
        text += said.text[at : somebody.start()]
        name = sayer.say(sayer.rng.choice(["first", "first", "name", "name", "last"]))
        if said.text != said.text.lower() and sayer.rng.random() < 0.8:
            name = name.title()
        marks.append(Mark(len(text), len(text) + len(name), Entity.PERSON))
        text += name
        at = somebody.end()
    asked = "" if "name" in said.asked else said.asked
    return replace(said, text=text + said.text[at:], marks=tuple(marks), asked=asked)


def _vocabulary(real: Mapping[str, Sequence[Utterance]]) -> list[str]:
    """Every word of requests that name nobody, once: rare words as often as common ones."""
    texts = (said.text.lower() for source in REQUESTS for said in real[source] if not said.marks)
    return sorted({word for text in texts for word in _WORD.findall(text) if len(word) > 2})


def _misheard(said: Utterance, words: Sequence[str], rng: Random) -> Utterance:
    """``said`` with some words that tell nothing replaced or mistyped: no context is sure, no rare word a name."""
    if rng.random() >= _MISHEARD_TEXTS:
        return said
    text, marks, at = "", [], 0
    spans: list[tuple[int, int, Mark | None]] = [(mark.start, mark.end, mark) for mark in said.marks]
    spans += [
        (word.start(), word.end(), None)
        for word in _WORD.finditer(said.text)
        if not any(mark.start < word.end() and word.start() < mark.end for mark in said.marks)
        and rng.random() < _MISHEARD_WORDS
    ]
    for start, end, mark in sorted(spans, key=lambda span: span[0]):
        text += said.text[at:start]
        piece = said.text[start:end]
        if mark is None:
            piece = rng.choice(words) if rng.random() < _OTHER_WORD else mistyped(piece, rng)
        elif mark.label == Entity.PERSON and " " in piece and rng.random() < _SURNAME_IS_WORD:
            piece = f"{piece.rpartition(' ')[0]} {rng.choice(words)}"
        if mark is not None:
            marks.append(Mark(len(text), len(text) + len(piece), mark.label))
        text += piece
        at = end
    return replace(said, text=text + said.text[at:], marks=tuple(marks))


def mistyped(word: str, rng: Random) -> str:
    """``word`` with a letter doubled, dropped, changed or exchanged with the next: rare, and still no name."""
    if len(word) < 4:
        return word
    at = rng.randrange(1, len(word) - 1)
    change = rng.choice([word[at] * 2, "", rng.choice("aeioutrns"), word[at + 1] + word[at]])
    return word[:at] + change + word[at + (2 if len(change) == 2 and change[0] != change[1] else 1) :]


def _after(said: Utterance, questions: Sequence[str], share: float, rng: Random) -> Utterance:
    """``said`` after one of ``questions``, now and then, unless something was asked before it."""
    return replace(said, asked=rng.choice(questions)) if not said.asked and rng.random() < share else said


def exchanged(said: Utterance, sayer: Sayer) -> Utterance:
    """``said`` with somebody else's name for each."""
    text, marks, at = "", [], 0
    for mark in said.marks:
        text += said.text[at : mark.start]
        old = said.text[mark.start : mark.end]
        name = " ".join((sayer.first if i == 0 else sayer.last)() for i in range(len(old.split())))
        if old.istitle():
            name = name.title()
        if "name" in said.asked and len(old.split()) == 1 and sayer.rng.random() < 0.5:
            name = sayer.last()
        marks.append(Mark(len(text), len(text) + len(name), mark.label))
        text += name
        at = mark.end
    return replace(said, text=text + said.text[at:], marks=tuple(marks))


def _train(folder: Path, source: str) -> list[Utterance]:
    return [said for said in corpora.read(folder, source) if corpora.split_of(said) == "train"]


def _as_heard(said: Utterance, rng: Random) -> Utterance:
    """As it is, in lower case, or without punctuation too: recognisers differ. Marks keep their place."""
    form = rng.random()
    if form < 0.35:
        return said
    text = said.text.lower()
    if len(text) != len(said.text):
        return said
    return replace(said, text=text if form < 0.5 else _UNPUNCTUATED.sub(" ", text))


def _as_written(said: Utterance, rng: Random) -> Utterance:
    """Invented speech is lower case; some of it as a formatting recogniser writes it."""
    if rng.random() < 0.7:
        return said
    characters = list(said.text)
    for at in [0, *(m.start() for m in re.finditer(r"\bi\b", said.text))]:
        characters[at : at + 1] = characters[at : at + 1][0].upper() if characters else ""
    for mark in said.marks:
        if mark.label in (Entity.PERSON, Entity.ADDRESS):
            for word in re.finditer(r"\b[a-z]{2,}", said.text[mark.start : mark.end]):
                characters[mark.start + word.start()] = characters[mark.start + word.start()].upper()
    return replace(said, text="".join(characters) + rng.choice([".", ".", "?", ""]))
