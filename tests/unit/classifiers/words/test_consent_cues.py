"""What a caller consents and objects to, in words.

``consent.jsonl`` holds sentences that no phrase was written for. Do not adapt phrases to it: write new sentences into
``classifiers/words/training/consent.jsonl`` and adapt to those.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from classifiers.words import (
    agrees,
    allows_recording,
    allows_voice_ai,
    allows_voice_analysis,
    asks_for_human,
    asks_if_machine,
    objects_to_recording,
    objects_to_voice_ai,
    objects_to_voice_analysis,
    refuses,
)
from classifiers.words.training.cues import CONSENT, recall_and_precision, sentences
from lab.callers import recorded_calls

pytestmark = pytest.mark.unit

HELD_OUT = Path(__file__).with_name("consent.jsonl")
DEVELOPMENT = Path(__file__).parents[4] / "classifiers/words/training/consent.jsonl"


@pytest.mark.parametrize("name", CONSENT)
def test_a_cue_is_heard_in_sentences_that_no_phrase_was_written_for(name: str) -> None:
    hits, there, heard = recall_and_precision(name, sentences(HELD_OUT))
    assert there >= 20
    assert hits / there >= 0.95
    assert hits / heard >= 0.95


def test_no_sentence_is_on_both_sides() -> None:
    assert not {one.text for one in sentences(HELD_OUT)} & {one.text for one in sentences(DEVELOPMENT)}


def test_who_objects_does_not_allow_whatever_else_they_say() -> None:
    text = "you can record the number but please don't record this call"
    assert objects_to_recording(text)
    assert not allows_recording(text)


@pytest.mark.parametrize(
    "text", ["no problem with recording", "I don't mind being recorded", "don't forget to record it"]
)
def test_a_no_that_means_yes_is_no_objection(text: str) -> None:
    assert not objects_to_recording(text)


def test_not_wanting_to_talk_to_a_machine_is_asking_for_a_person() -> None:
    text = "I don't want to talk to a robot"
    assert asks_for_human(text)
    assert not objects_to_voice_ai(text)
    assert objects_to_voice_ai("I don't want to talk to a robot that hears my voice")


def test_asking_is_not_objecting() -> None:
    assert not objects_to_recording("is this call recorded?")
    assert not objects_to_voice_analysis("do you analyse my voice?")
    assert asks_if_machine("wait, am I talking to a machine?")
    assert not asks_if_machine("is the machine in stock?")


def test_what_was_objected_to_can_be_allowed() -> None:
    assert allows_voice_analysis("you can analyse my voice")
    assert not allows_voice_analysis("don't analyse my voice")
    assert allows_voice_ai("the AI can hear my voice")
    assert not allows_voice_ai("I don't want the AI to hear my voice")


def test_an_answer_is_a_yes_or_a_no_and_nothing_else() -> None:
    assert agrees("Yes, sure, that's fine.")
    assert refuses("No, I'd rather not.")
    for text in (
        "yes my number is five five",
        "no it was the red one",
        "yes and no",
        "",
        "where is my order",
    ):
        assert not (agrees(text) and refuses(text))
    assert not agrees("yes my number is five five")
    assert not refuses("no it was the red one")


def test_none_of_the_recorded_callers_speaks_of_consent() -> None:
    spoken = [turn.text for call in recorded_calls() for turn in call.turns]
    for cue in (objects_to_recording, allows_recording, objects_to_voice_ai, asks_if_machine):
        assert not [text for text in spoken if cue(text)]
