"""Cues in a caller's words: asking for a person, having said it before, putting it right, reading out digits."""

import pytest

from lab.callers import recorded_calls
from service.cues import Digits, asks_for_human, corrects, digits, repeats_themselves

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text",
    [
        "hello can i talk to a real person please",
        "no i don't want to talk to a machine",
        "I do not want to talk to a robot",
        "i'm not talking to a computer",
        "just transfer me to an agent please",
        "let me speak with your manager",
        "Put me through to someone!",
        "is there a human being there",
        "i want a supervisor",
    ],
)
def test_asking_for_a_person_is_heard(text: str) -> None:
    assert asks_for_human(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hi what are your opening hours on saturday",
        "i ordered a coffee machine and it is broken",
        "my neighbour is a person who reads my mail",
        "i talked to my wife about the robot vacuum",
        "please talk me through it",
    ],
)
def test_other_words_are_not_taken_for_it(text: str) -> None:
    assert not asks_for_human(text)


@pytest.mark.parametrize(
    "text",
    [
        "i already told you my number",
        "i've already explained this",
        "I have already given, no, I have already said that",
        "as i said the parcel is lost",
        "this is the third time i am calling",
        "stop asking me that",
        "it is broken again",
    ],
)
def test_having_said_it_before_is_heard(text: str) -> None:
    assert repeats_themselves(text)


@pytest.mark.parametrize(
    "text", ["", "where is my order", "the first time i heard of you", "i am against it"]
)
def test_saying_it_once_is_not_repeating(text: str) -> None:
    assert not repeats_themselves(text)


@pytest.mark.parametrize(
    "text",
    [
        "No, I said fifteen.",
        "no no i just said that",
        "hold on a second that is not what i asked",
        "That's not what I meant.",
        "this is not how i want it",
        "i didn't say fifty",
        "I never said that",
        "i did not ask for a refund",
        "not fifty, fifteen",
        "not fifty fifteen",
        "not twenty one, twenty two",
        "it's 15, not 50",
        "not 1,000 but 2,000",
        "no, not fifty",
        "no it is m a r k",
        "no that's four four one",
        "that's wrong",
        "You're mistaken.",
        "no that's not it",
        "not that one, the red one",
        "no, the other one",
        "you got my name wrong",
        "you have the wrong order",
        "you misheard me",
        "you didn't understand me",
        "wait, i meant saturday",
        "let me correct that",
        "correction, it is nine",
        "not the kettle but the mixer",
    ],
)
def test_a_correction_of_the_agent_is_heard(text: str) -> None:
    assert corrects(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no thank you that's all",
        "no it's fine",
        "no it is still broken",
        "no not really",
        "no one answers",
        "i said it would be fine to my wife",
        "i meant to call you yesterday",
        "it is not working but i tried",
        "what is wrong with my machine",
        "there is nothing wrong",
        "it is not the first time i call",
        "i did not order this",
        "you sent me the wrong item",
        "i need a correction on my bill",
        "not 1,000 of them",
        "there are not twenty one people",
        "i do not mean to be rude",
        "no i already told you that it was returned three weeks ago",
    ],
)
def test_other_words_correct_nothing(text: str) -> None:
    assert not corrects(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("four two", 2),
        ("it is 44 17 92.", 6),
        ("double five oh", 3),
        ("my number is four four one, um,", 3),
        ("four four one and", 3),
        ("four two double", 2),
        ("a b c 1 2", 2),
        ("fifty five", 2),
    ],
)
def test_digits_are_counted_and_a_number_that_may_go_on_is_known(text: str, count: int) -> None:
    assert digits(text) == Digits(count, at_end=True)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("hello there", 0),
        ("oh", 0),
        ("oh i see", 0),
        ("one thing please", 1),
        ("four four one thank you", 3),
        ("four four one yes", 3),
        ("seat 12 b", 2),
    ],
)
def test_what_ends_in_a_word_is_no_number_that_goes_on(text: str, count: int) -> None:
    assert digits(text) == Digits(count, at_end=False)


def test_the_recorded_callers_who_read_out_numbers_are_found() -> None:
    turns = [(call.name[:2], turn) for call in recorded_calls() for turn in call.turns]
    assert [(name, turn.number) for name, turn in turns if digits(turn.text).at_end] == [
        ("02", 2),
        ("03", 2),
        ("03", 3),
        ("04", 2),
    ]
    assert [(name, turn.number) for name, turn in turns if corrects(turn.text)] == [("06", 4)]
