"""Short codes, which have too few digits to be told by themselves: asked for and said in the words that people use."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compliance.redaction import RedactionEngine, Redactor

from .saying import digits_said, numbers
from .test_any_form import readable

pytestmark = pytest.mark.unit

ASKED = (
    "cvv please",
    "and the security code is",
    "what are the last three digits on the back of the card",
    "and what does it say on the signature panel",
    "what's the number on the back",
    "the code off the back of your card please",
)
FRAMES = (
    "{}",
    "it's {}",
    "uh {} i think",
    "hang on {}",
    "on the back it says {}",
    "{} is what it says",
    "{} is the code",
    "that would be {} thanks",
    "i can see {}",
)


def kept(rules: RedactionEngine, *lines: str) -> str:
    """What is kept of the last line; the agent's lines begin with ``-``."""
    redactor = Redactor(rules)
    return [
        redactor.redact_spoken(line.lstrip("- "), speaker="agent" if line.startswith("-") else "caller").text
        for line in lines
    ][-1]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sampled_from(ASKED), st.sampled_from(FRAMES))
def test_a_code_that_was_asked_for_is_masked_however_it_is_said(
    rules: RedactionEngine, data: st.DataObject, asked: str, frame: str
) -> None:
    said = " ".join(data.draw(digits_said(data.draw(numbers(3, "0123456789")))))
    redactor = Redactor(rules)
    redactor.redact_spoken(asked, speaker="agent")
    assert redactor.suspends_recording
    assert readable([redactor.redact_spoken(frame.format(said), speaker="caller")]) == [], said


@pytest.mark.parametrize(
    ("lines", "last"),
    [
        (("- cvv please", "seven three no wait seven four nine"), "<CVV> no wait <CVV>"),
        (("- cvv please", "it's a seven a three and a nine"), "it's a <CVV> and a <CVV>"),
        (("- and your cvv", "won ate to"), "<CVV>"),
        (("- and your cvv", "my cvv is for one one"), "my cvv is <CVV>"),
        (("- and your cvv", "it says eighty eight"), "it says <CVV>"),
        (("1234 is my pin",), "<PIN> is my pin"),
        (("it's six six one on the back",), "it's <CVV> on the back"),
        (("the code is 492017",), "the code is <PIN>"),
        (("you texted me 492017",), "you texted me <PIN>"),
        (("- what's the last four of your social", "six seven eight nine"), "<US_SSN>"),
        (
            ("my social is a hundred and twenty three forty five sixty seven eighty nine",),
            "my social is <US_SSN>",
        ),
        (("- what's the card number", "four one double to three four five six"), "<CREDIT_CARD>"),
        (("write to me at m lopez ninety two gmail dot com",), "write to me at <EMAIL_ADDRESS>"),
    ],
)
def test_a_code_is_masked_whole_and_as_what_it_is(
    rules: RedactionEngine, lines: tuple[str, ...], last: str
) -> None:
    assert kept(rules, *lines) == last


@pytest.mark.parametrize(
    "lines",
    [
        ("how can i change my old pin to a new one",),
        ("i have forgotten the pin for my 401k account",),
        ("- what time", "twelve twenty"),
        ("- how much was it", "one hundred and twenty nine ninety nine"),
        ("- and your cvv", "which one is that"),
        ("- and your cvv", "i want that for free"),
        ("what is the exchange rate of u. s. d. to cad",),
        ("not 10 p.m. i meant 10 a.m.",),
        ("the serial number on the back of the router is 449",),
        ("what is the address of the harbour hotel",),
        ("i want a restaurant by the name of blue nile",),
        ("do you think we have a higher calling",),
        ("Does the PIN come under separate cover?",),
        ("my daughter smokes",),
    ],
)
def test_what_only_looks_like_a_code_or_a_name_stays_readable(
    rules: RedactionEngine, lines: tuple[str, ...]
) -> None:
    assert kept(rules, *lines) == lines[-1]
