"""Numbers said in two or three breaths, with the agent's "mhm" between them or nothing at all."""
# ruff: noqa: S311 - seeded choices, no secrets

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from compliance.redaction.entities import Entity
from compliance.redaction.evaluation.trial import Line, Measure, Trial
from compliance.redaction.training.people import Split
from compliance.redaction.training.said import Sayer
from compliance.redaction.training.utterance import Mark

_QUESTIONS: dict[Split, dict[Entity, tuple[str, ...]]] = {
    "dev": {
        Entity.CREDIT_CARD: ("what's the card number please", "go ahead with your card number"),
        Entity.PHONE: ("what's your phone number", "which mobile number can i call back on"),
        Entity.SSN: ("tell me your social security number", "and your ssn please"),
        Entity.ACCOUNT: ("what's the account number", "may i have your account number"),
    },
    "test": {
        Entity.CREDIT_CARD: (
            "what's your card number",
            "go ahead with the card number whenever you're ready",
            "can i get the number on the card",
        ),
        Entity.PHONE: ("what number can we reach you on", "can i get a phone number", "and your cell number"),
        Entity.SSN: ("what's your social security number", "could you give me your social"),
        Entity.ACCOUNT: ("and the account number", "can you find the account number for me"),
    },
}
_LENGTH = {Entity.PHONE: 10, Entity.SSN: 9, Entity.ACCOUNT: 10}
_GO_ON = ("mm hmm", "okay", "go on", "uh huh", "yep", "yes", "")
_THEN = {
    "dev": ("that's it", "i have two more questions", "it was sixty dollars"),
    "test": (
        "i need two of those",
        "the bill was ninety five dollars",
        "around three o clock",
        "no that is everything",
    ),
}


def in_breaths(split: Split, count: int, seed: int) -> Iterator[Trial]:
    """``count`` calls; every breath is judged, and after the number something that is not part of it."""
    rng = Random(seed)
    sayer = Sayer(rng, split)
    asked = list(_QUESTIONS[split].items())
    for call in range(count):
        entity, questions = asked[call % len(asked)]
        digits = (
            sayer.card_digits()
            if entity is Entity.CREDIT_CARD
            else sayer.random_digits(_LENGTH[entity], "23456789")
        )
        cuts = sorted(rng.sample(range(3, len(digits) - 2), rng.choice([1, 1, 2])))
        lines = [Line("agent", rng.choice(questions))]
        for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(digits)], strict=True)):
            if number and (go_on := rng.choice(_GO_ON)):
                lines.append(Line("agent", go_on))
            lead = rng.choice(["", "", "then ", "and "]) if number else rng.choice(["", "", "okay ", "sure "])
            said = sayer.digits(
                digits[start:end], style=rng.choice(["single", "single", "double", "written"])
            )
            lines.append(Line("caller", lead + said, (Mark(len(lead), len(lead) + len(said), entity),)))
        yield Trial(Measure.BREATHS, str(entity), tuple(lines), f"call {call}")
        after = (*(Line(line.speaker, line.text) for line in lines), Line("agent", "thank you"))
        kept = Line("caller", rng.choice(_THEN[split]), keep=True)
        yield Trial(Measure.OFF_TOPIC, "after a number", (*after, kept), f"call {call}")
