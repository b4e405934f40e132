"""Invented callers who read something out."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from classifiers.words.training.said import (
    Maker,
    date,
    email,
    expiry,
    mixed,
    number,
    postcode,
    spelled,
)


@dataclass(frozen=True, slots=True)
class ReadOut:
    """What was asked, what the caller says before and after, and what is read out, a string for each breath."""

    agent: str
    before: str
    read: tuple[str, ...]
    after: str


def read_out(rng: Random) -> ReadOut:
    """One invented read-out."""
    make, asks, announces = rng.choices(_KINDS, weights=_SHARES)[0]
    agent = rng.choice(asks) if rng.random() < 0.7 else rng.choice(_VAGUE)
    before = ""
    if agent in _VAGUE or rng.random() < 0.5:
        before = rng.choice(announces if agent in _VAGUE or rng.random() < 0.5 else _LEADS)
    after = rng.choice(_CLOSINGS) if rng.random() < 0.2 else ""
    return ReadOut(agent, before, tuple(_hesitate(make(rng), rng)), after)


def _hesitate(words: list[str], rng: Random) -> list[str]:
    out: list[str] = []
    for word in words:
        if rng.random() < 0.03:
            out.append(rng.choice(["um", "uh", "er", "and", "then"]))
        out.append({"four": "for", "two": "to"}.get(word, word) if rng.random() < 0.03 else word)
    return out


_VAGUE = [
    "",
    "",
    "How can I help you?",
    "Okay.",
    "Thank you, please go on.",
    "Sure, I can look into that for you.",
]
_LEADS = [
    "it's",
    "it is",
    "sure it's",
    "yes it's",
    "um",
    "okay so",
    "that's",
    "yes",
    "so it's",
    "let me see it's",
]
_CLOSINGS = [
    "please",
    "thanks",
    "thank you",
    "that's it",
    "that's all",
    "is that right",
    "okay",
    "did you get that",
    "that's the number",
    "yes",
    "can you check that",
    "i think",
]
_Kind = tuple[Maker, list[str], list[str]]
"""What is made up, how an agent asks for it, how a caller announces it."""
_ALL: list[tuple[float, _Kind]] = [
    (
        2,
        (
            number(10, 10, 10, 11, 11, 11, 7),
            [
                "What is your phone number?",
                "Which number can I reach you on?",
                "May I have your mobile number?",
            ],
            [
                "my phone number is",
                "you can reach me on",
                "my mobile is",
                "call me back on",
                "the phone number is",
            ],
        ),
    ),
    (
        2,
        (
            number(16, 16, 16, 15),
            [
                "What is the number on your card?",
                "Please read out your card number.",
                "And the long card number?",
            ],
            [
                "my card number is",
                "the credit card is",
                "the number on my card is",
                "i want to pay by card it's",
            ],
        ),
    ),
    (
        3,
        (
            number(5, 6, 6, 7, 8, 9),
            [
                "What is your order number?",
                "May I have your account number?",
                "Could you give me the reference number?",
                "Please tell me your customer number.",
            ],
            [
                "the order number is",
                "my account number is",
                "my order is",
                "reference number",
                "my customer number is",
                "the invoice is",
            ],
        ),
    ),
    (
        1,
        (
            number(8, 10, 12),
            ["What is your account number?", "Please read me the serial number."],
            ["my account number is", "the serial number is", "the contract number is"],
        ),
    ),
    (
        1,
        (
            number(6),
            ["Please tell me the six digit code.", "What is the 6-digit code that we sent you?"],
            ["the code is", "the code says"],
        ),
    ),
    (
        1,
        (
            number(4),
            [
                "What are the last four digits?",
                "What is your pin?",
                "Please give me the four digit security code.",
            ],
            ["the last four digits are", "it ends in", "my pin is"],
        ),
    ),
    (
        2,
        (
            mixed,
            [
                "What is your booking reference?",
                "Could you give me the confirmation code?",
                "What is your policy number?",
            ],
            [
                "my booking reference is",
                "the confirmation code is",
                "my policy number is",
                "the licence plate is",
                "the code is",
            ],
        ),
    ),
    (
        2,
        (
            postcode,
            ["What is your postcode?", "Could you tell me the postcode?"],
            ["my postcode is", "the postcode is"],
        ),
    ),
    (1, (number(5), ["What is your zip code?"], ["my zip code is", "the zip is"])),
    (
        2,
        (
            spelled,
            ["Could you spell your last name?", "How do you spell that?", "Please spell the name."],
            ["my name is spelled", "that's spelled", "you spell it", "it's spelled", "the surname is"],
        ),
    ),
    (
        3,
        (
            email,
            ["What is your email address?", "Which e-mail should I send it to?"],
            ["my email is", "my email address is", "send it to"],
        ),
    ),
    (
        2,
        (
            date,
            ["What is your date of birth?", "When were you born?"],
            ["my date of birth is", "i was born on", "my birthday is"],
        ),
    ),
    (
        1,
        (
            expiry,
            ["What is the expiry date?", "And when does the card expire?"],
            ["the expiry date is", "it expires"],
        ),
    ),
]
_SHARES = [share for share, _ in _ALL]
_KINDS = [kind for _, kind in _ALL]
