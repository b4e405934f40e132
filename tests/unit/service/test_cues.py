"""Cues in a caller's words: asking for a person, having said it before."""

import pytest

from service.cues import asks_for_human, repeats_themselves

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
