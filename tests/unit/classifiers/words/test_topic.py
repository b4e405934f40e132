"""Whether a turn opens another topic than the turns before."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.measures import auroc
from classifiers.words import TopicChange
from classifiers.words.topic import MEMORY
from classifiers.words.training.topics import joined, measured_only

pytestmark = pytest.mark.unit

CORPORA = Path(__file__).parents[5] / "shared" / "data" / "tool_need"
ELSE = "Is there anything else I can help you with?"


def after(*turns: str) -> TopicChange:
    topic = TopicChange()
    for turn in turns:
        topic.turn_ended(turn)
    return topic


def test_the_first_words_open_no_other_topic() -> None:
    assert TopicChange().probability("i would like to cancel my hotel booking") == 0.0


def test_an_announced_question_about_something_else_is_another_topic() -> None:
    topic = after("where is my parcel", "the order number is four four one")
    assert topic.probability("by the way i have another question about my phone contract") > 0.5


def test_a_request_after_the_closing_question_is_another_topic() -> None:
    topic = after("where is my parcel", "yes that is the right parcel")
    assert topic.probability("can you tell me your opening hours in london", ELSE) > 0.5


@pytest.mark.parametrize("text", ["yes", "no thank you that's all", "four four one seven nine two", "", "um"])
def test_an_answer_is_no_other_topic(text: str) -> None:
    assert after("where is my parcel", "i ordered it on monday").probability(text, "Is that right?") < 0.2


def test_going_on_about_the_same_is_less_of_a_change_than_something_new() -> None:
    topic = after("i want to change the date of my flight to boston", "the flight leaves on friday")
    same = topic.probability("can you put me on the boston flight one day later")
    new = topic.probability("can you raise the limit of my credit card")
    assert same < new


def test_a_preview_changes_nothing() -> None:
    topic = after("where is my parcel")
    before = topic.probability("can you raise the limit of my card", ELSE)
    topic.probability("something else entirely about a washing machine")
    assert topic.probability("can you raise the limit of my card", ELSE) == before


def test_calls_joined_from_dialogues_it_was_not_taught_are_told_apart() -> None:
    if not CORPORA.is_dir():
        pytest.skip("needs ../shared/data/tool_need")
    for calls, wanted in (
        ([c for c in joined(CORPORA, 400, seed=9) if c.held_out], 0.92),
        (list(measured_only(CORPORA, 150, seed=9)), 0.90),
    ):
        p, changes = [], []
        for call in calls:
            topic = TopicChange()
            for i, turn in enumerate(call.turns):
                score = topic.turn_ended(turn.text, turn.agent)
                if i:
                    p.append(score)
                    changes.append(turn.changes)
        assert auroc(np.array(p), np.array(changes)) > wanted


def test_what_a_call_remembers_is_bounded() -> None:
    topic = TopicChange()
    for i in range(200):
        topic.turn_ended(" ".join(f"{chr(97 + i % 26)}{chr(97 + j % 26)}word{i}{j}" for j in range(60)))
    assert topic.remembered <= MEMORY


@given(st.lists(st.text(), max_size=5), st.text(), st.text(max_size=50))
def test_whatever_is_said_it_is_a_probability(turns: list[str], text: str, agent: str) -> None:
    assert 0.0 <= after(*turns).probability(text, agent) <= 1.0
