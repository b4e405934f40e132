"""Short codes, which have too few digits to be told by themselves: asked for and said in the words that people use."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.redaction import RedactionEngine, Redactor
from tests.one_fixture import SHARED

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


@settings(max_examples=150, deadline=None, suppress_health_check=SHARED)
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


QUESTIONS = {
    "And the security code?": ("CVV", 3),
    "What is the CVV, please?": ("CVV", 3),
    "Could you give me the three digits on the back?": ("CVV", 3),
    "What's your PIN?": ("PIN", 4),
    "Please tell me your one-time code.": ("PIN", 6),
    "What are the last four digits of your social?": ("US_SSN", 4),
}
IN_BETWEEN = (
    ("what is that", "It is on the back of your card."),
    ("which one", "The short one."),
    ("why do you need it", "It is required, and we do not store it."),
    ("hold on", "No problem, I'll wait."),
    ("is this safe", "Absolutely, our line is secure."),
    ("let me get my glasses", "Of course, no rush at all."),
    ("one sec", "While you look, is there anything else I can help with?"),
    ("my daughter has it", "Thanks for waiting."),
)
TOLD = ("{}", "oh ok it's {}", "fine it is {}", "i see {} then", "no that's all. it's {}")


@settings(max_examples=150, deadline=None, suppress_health_check=SHARED)
@given(
    st.data(),
    st.sampled_from(sorted(QUESTIONS)),
    st.lists(st.sampled_from(IN_BETWEEN), min_size=1, max_size=3),
    st.sampled_from(TOLD),
)
def test_a_secret_is_masked_and_not_recorded_whatever_is_said_between_the_question_and_it(
    rules: RedactionEngine, data: st.DataObject, asked: str, between: list[tuple[str, str]], frame: str
) -> None:
    entity, digits = QUESTIONS[asked]
    said = " ".join(data.draw(digits_said(data.draw(numbers(digits)))))
    redactor = Redactor(rules)
    redactor.redact_spoken(asked, speaker="agent")
    for by_caller, by_agent in between:
        redactor.redact_spoken(by_caller, speaker="caller")
        redactor.redact_spoken(by_agent, speaker="agent")

    assert redactor.suspends_recording is (entity != "US_SSN")
    assert readable([redactor.redact_spoken(frame.format(said), speaker="caller")]) == [], said


def test_a_secret_is_waited_for_no_longer_than_the_question_is_open(rules: RedactionEngine) -> None:
    for lines in (
        (
            "- And the security code?",
            "i lost it",
            "- What is your order number then?",
            "it's four four one two",
        ),
        ("- What's your PIN?", *["i do not have it"] * 4, "room 412 was cold"),
        ("- And the security code?", "four four one", "- Thank you.", "room 412 was cold"),
    ):
        assert kept(rules, *lines) == lines[-1]


@pytest.mark.parametrize(
    ("said", "kept_of_it"),
    [
        ("hundred and twenty three", "<CVV>"),
        ("it's hundred twenty three", "it's <CVV>"),
        ("a hundred and six", "<CVV>"),
        ("one hundred twenty three", "<CVV>"),
    ],
)
def test_a_hundred_is_one_hundred(rules: RedactionEngine, said: str, kept_of_it: str) -> None:
    assert kept(rules, "- What's the CVV?", said) == kept_of_it


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("my number {} five five five", "five five five"),
        ("her number {} five five five", "five five five"),
        ("my mobile {} oh seven seven", "oh seven seven"),
        ("my account {} four four five", "four four five"),
        ("my card number {} four one one one", "four one one one"),
        ("my postcode {} sw1a 1aa", "sw1a 1aa"),
        ("my email {} alex the great at yahoo dot com", "alex the great at yahoo dot com"),
        ("the pin {} one two three four", "one two three four"),
        ("my social {} six seven eight nine", "six seven eight nine"),
    ],
)
def test_a_contraction_announces_as_the_two_words_do(rules: RedactionEngine, said: str, value: str) -> None:
    whole = kept(rules, said.format("is"))
    for short in ("'s", "’s"):
        contracted = kept(rules, said.replace(" {}", short).format())
        assert contracted == whole.replace(" is", short, 1)
        assert value not in contracted


@pytest.mark.parametrize("named", ["my number's", "my card number's", "the security code's", "my pin's"])
def test_what_a_contraction_announces_may_come_in_the_next_breath(rules: RedactionEngine, named: str) -> None:
    assert kept(rules, named, "oh seven seven").startswith("<")


@pytest.mark.parametrize(
    ("lines", "last"),
    [
        (("- What's your card number?", "it is ⁴¹¹¹¹¹¹¹¹¹¹¹¹¹¹¹"), "it is <CREDIT_CARD>"),
        (("it is ①②③④⑤⑥⑦⑧⑨",), "it is <NUMBER>"),
        (("- What's the CVV?", "❹③₂"), "<CVV>"),
        (("write to ｊａｎｅ＠ｇｍａｉｌ．ｃｏｍ please",), "write to <EMAIL_ADDRESS> please"),
        (("ｈｅｌｌｏ, it is 20 m² for ５ people",), "ｈｅｌｌｏ, it is 20 m² for ５ people"),
    ],
)
def test_other_forms_of_a_digit_and_of_a_letter_are_read_as_it_and_kept_as_they_are(
    rules: RedactionEngine, lines: tuple[str, ...], last: str
) -> None:
    assert kept(rules, *lines) == last


def test_a_text_of_digits_with_something_unseen_between_them_is_one_number(rules: RedactionEngine) -> None:
    for between in ("\u200d", "\u202e", "\u200b"):
        redacted = Redactor(rules).redact_spoken(between.join("4" * 400), speaker="caller")
        assert (readable([redacted]), len(redacted.spans)) == ([], 1)
