"""Cues in a caller's words: asking for a person, complaining, repeating, correcting, not wanting to be judged.

``cues.jsonl`` holds sentences that no phrase was written for. Do not adapt phrases to it: write new sentences into
``classifiers/words/training/cues.jsonl`` and adapt to those.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.words import (
    asks_for_human,
    complains,
    corrects,
    objects_to_voice_analysis,
    repeats_themselves,
)
from classifiers.words.plain import MAX_CHARACTERS, plain
from classifiers.words.training.cues import CONSENT, CUES, recall_and_precision, sentences, wilson
from lab.callers import recorded_calls

pytestmark = pytest.mark.unit

HELD_OUT = Path(__file__).with_name("cues.jsonl")
DEVELOPMENT = Path("classifiers/words/training/cues.jsonl")


@pytest.mark.parametrize(
    ("name", "recall", "precision"),
    [
        ("asks_for_human", 0.93, 0.93),
        ("complains", 0.95, 0.97),
        ("repeats_themselves", 0.93, 0.90),
        ("corrects", 0.85, 0.90),
        ("objects_to_voice_analysis", 0.95, 0.97),
    ],
)
def test_a_cue_is_heard_in_sentences_that_no_phrase_was_written_for(
    name: str, recall: float, precision: float
) -> None:
    hits, there, heard = recall_and_precision(name, sentences(HELD_OUT))
    assert there >= 50
    assert hits / there >= recall
    assert hits / heard >= precision


def test_no_sentence_is_on_both_sides() -> None:
    here = Path(__file__).parents[4]
    assert not {s.text for s in sentences(HELD_OUT)} & {s.text for s in sentences(here / DEVELOPMENT)}


@pytest.mark.parametrize(
    "text",
    [
        "hello can i talk to a real person please",
        "I do not want to talk to a robot",
        "just transfer me to an agent please",
        "Put me through to someone!",
        "can i um speak to a, uh, person",
        "representative",
    ],
)
def test_asking_for_a_person_is_heard(text: str) -> None:
    assert asks_for_human(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "is there a human resources department",
        "my representative told me it would be free",
        "the manager of the store gave me this number",
        "i ordered a coffee machine and it is broken",
        "are you a real person",
        "i don't need to talk to anyone thanks",
        "please talk me through it",
    ],
)
def test_speaking_of_people_is_not_asking_for_one(text: str) -> None:
    assert not asks_for_human(text)


@pytest.mark.parametrize(
    "text",
    [
        "this is ridiculous i want my money back right now",
        "I've been on hold for forty-five minutes!",
        "nobody ever calls me back",
        "i want to file a complaint",
        "you are not listening to me",
    ],
)
def test_a_complaint_is_heard(text: str) -> None:
    assert complains(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "my card has not arrived yet",
        "it's broken",
        "no complaints from me",
        "that's ridiculously cheap",
        "i can wait",
    ],
)
def test_reporting_what_is_wrong_is_no_complaint(text: str) -> None:
    assert not complains(text)


@pytest.mark.parametrize(
    "text",
    [
        "i already told you my number",
        "as i said the parcel is lost",
        "this is the third time i am calling",
        "stop asking me that",
        "it is broken again",
    ],
)
def test_having_said_it_before_is_heard(text: str) -> None:
    assert repeats_themselves(text)


@pytest.mark.parametrize(
    "text",
    ["", "where is my order", "can you say that again please", "thanks again", "i already have an account"],
)
def test_saying_it_once_is_not_repeating(text: str) -> None:
    assert not repeats_themselves(text)


@pytest.mark.parametrize(
    "text",
    [
        "No, I said fifteen.",
        "that is not what i asked",
        "not fifty, fifteen",
        "not twenty one, twenty two",
        "not 1,000 but 2,000",
        "no, the other one",
        "you misheard me",
        "correction, it is nine",
    ],
)
def test_a_correction_of_the_agent_is_heard(text: str) -> None:
    assert corrects(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no thank you that's all",
        "no one answers",
        "there are not twenty one people",
        "you sent me the wrong item",
        "i do not mean to be rude",
        "yes that is what i want",
    ],
)
def test_other_words_correct_nothing(text: str) -> None:
    assert not corrects(text)


@pytest.mark.parametrize(
    "text",
    [
        "don't analyse my voice",
        "stop listening to my tone",
        "i don't want you to judge my emotions",
        "i do not want you to judge how i sound",
        "do not use emotion detection on me",
        "please turn the emotion recognition off",
        "my mood is none of your business",
        "i withdraw my consent to voice analysis",
    ],
)
def test_objecting_to_being_judged_by_the_voice_is_heard(text: str) -> None:
    assert objects_to_voice_analysis(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "can you hear my voice",
        "don't raise your voice",
        "i don't consent to recording",
        "do you analyse my voice",
        "stop listening",
        "turn off voice mail",
        "i'm not in the mood",
    ],
)
def test_speaking_of_voices_is_no_objection(text: str) -> None:
    assert not objects_to_voice_analysis(text)


def test_the_recorded_callers_are_heard() -> None:
    def turns(name: str) -> list[tuple[str, int]]:
        return [(c.name[:2], t.number) for c in recorded_calls() for t in c.turns if CUES[name](t.text)]

    assert turns("asks_for_human") == [("04", 7), ("08", 1), ("08", 2), ("08", 3)]
    assert turns("corrects") == [("06", 4), ("09", 3)]
    assert {("04", 3), ("04", 4), ("05", 3), ("10", 3)} <= set(turns("repeats_themselves"))
    assert {("04", 5), ("05", 1), ("05", 2), ("05", 4)} <= set(turns("complains"))
    assert turns("objects_to_voice_analysis") == []


@pytest.mark.parametrize("name", [*CUES, *CONSENT])
@given(text=st.text() | st.text("dont analyse my voice i said 12,'\u202e😀\x00", max_size=300))
def test_whatever_the_text_a_cue_is_true_or_false(name: str, text: str) -> None:
    assert {**CUES, **CONSENT}[name](text) in (True, False)


def test_hesitation_apostrophes_and_words_said_twice_do_not_matter() -> None:
    assert plain("I, I – um – don’t... don't want 1,000!") == "i dont want 1000"


def test_a_megabyte_costs_no_more_than_its_end() -> None:
    end = "no i want to talk to a person " * 100
    assert plain("x y " * 250_000 + end) == plain(end[-MAX_CHARACTERS:])


def test_an_interval_of_few_trials_is_wide() -> None:
    low, high = wilson(9, 10)
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)
    assert wilson(0, 0) == (0.0, 1.0)
