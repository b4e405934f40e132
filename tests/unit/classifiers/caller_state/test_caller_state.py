"""A caller's state over the turns of a call: what raises it, what calms it, and what is told of it."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from classifiers.caller_state import CallerState, CallerStateModel, StateReading, WordCues
from classifiers.emotion import EmotionReading

pytestmark = pytest.mark.unit

SHIPPED = CallerStateModel.load()
# What is told by example does not hang on the weights of the last training.
MODEL = CallerStateModel(
    starts_upset=0.15,
    becomes_upset=0.08,
    calms_down=0.15,
    neutral_log_odds=-1.0,
    weights={
        "voice_upset": 0.8,
        "voice_calm": -0.3,
        "raised_voice": 1.8,
        "complains": 1.5,
        "repeats": 1.4,
        "corrects": 0.8,
        "asks_for_human": 1.2,
        "plain_words": -0.8,
    },
    upset_at=0.5,
    confident_at=0.6,
    material=0.3,
)

UNHEARD = EmotionReading("unknown", 0.0, 0.5, 0)
CALM = EmotionReading("calm", 0.97, 0.03, 6)
FURIOUS = EmotionReading("upset", 0.95, 0.95, 6, raised_windows=4, level_change_db=6.0)
NOTHING = WordCues()
PLAIN = WordCues(words=9)
COMPLAINT = WordCues(words=9, complains=True)
REPEAT = WordCues(words=9, repeats=True)
PERSON = WordCues(words=9, asks_for_human=True)

voices = st.builds(
    lambda upset, windows, raised, change: EmotionReading(
        "upset" if upset >= 0.5 else "calm",
        max(upset, 1 - upset),
        upset,
        windows,
        round(raised * windows),
        change,
    ),
    st.floats(0, 1),
    st.integers(0, 40),
    st.floats(0, 1),
    st.floats(-30, 30),
)
cues = st.builds(
    WordCues,
    words=st.integers(0, 60),
    complains=st.booleans(),
    repeats=st.booleans(),
    corrects=st.booleans(),
    asks_for_human=st.booleans(),
)
turns = st.lists(st.tuples(voices, cues), min_size=1, max_size=8)


def said(*call: tuple[EmotionReading, WordCues], model: CallerStateModel = MODEL) -> list[StateReading]:
    state = CallerState(model)
    return [state.turn_ended(voice, words) for voice, words in call]


def last(*call: tuple[EmotionReading, WordCues]) -> StateReading:
    return said(*call)[-1]


def test_a_caller_of_whom_nothing_was_heard_is_unknown() -> None:
    assert [reading.label for reading in said((UNHEARD, NOTHING), (UNHEARD, WordCues(words=2)))] == [
        "unknown",
        "unknown",
    ]
    reading = last((UNHEARD, NOTHING))
    assert (reading.confidence, reading.evidence) == (0.0, ())


def test_one_short_window_of_voice_says_nothing() -> None:
    one = EmotionReading("unknown", 0.99, 0.99, 1, 1)
    assert last((one, NOTHING)) == last((UNHEARD, NOTHING))


def test_a_calm_voice_with_plain_words_is_calm() -> None:
    reading = last((CALM, PLAIN))
    assert reading.label == "calm"
    assert set(reading.evidence) == {"voice sounds calm", "nothing upset in the words"}


def test_a_furious_voice_that_complains_is_upset_from_the_first_turn() -> None:
    reading = last((FURIOUS, COMPLAINT))
    assert reading.label == "upset"
    assert "raised voice in 4 of 6 windows" in reading.evidence
    assert "voice sounds upset" in reading.evidence
    assert "first complaint" in reading.evidence


def test_words_alone_make_a_caller_upset_when_the_voice_may_not_be_judged() -> None:
    readings = said((UNHEARD, COMPLAINT), (UNHEARD, WordCues(9, complains=True, repeats=True)))
    assert readings[-1].label == "upset"
    assert not any("voice" in told for reading in readings for told in reading.evidence)


def test_one_calm_complaint_is_not_upset() -> None:
    assert last((CALM, COMPLAINT)).label != "upset"


def test_one_calm_request_for_a_person_is_not_upset() -> None:
    assert last((CALM, PERSON)).label != "upset"


def test_repeats_add_up_over_turns() -> None:
    first, second, third = said((CALM, REPEAT), (CALM, REPEAT), (CALM, REPEAT))
    assert first.upset < second.upset < third.upset
    assert "first repeat of a question" in first.evidence
    assert "second repeat of a question" in second.evidence
    assert "third repeat of a question" in third.evidence


def test_what_was_complained_of_fades_as_calm_turns_follow() -> None:
    upset = [
        reading.upset for reading in said((FURIOUS, COMPLAINT), (CALM, PLAIN), (CALM, PLAIN), (CALM, PLAIN))
    ]
    assert upset == sorted(upset, reverse=True)


def test_a_caller_who_was_furious_for_long_can_calm_down_in_two_turns() -> None:
    reading = last(*[(FURIOUS, COMPLAINT)] * 8, (CALM, PLAIN), (CALM, PLAIN))
    assert reading.label != "upset"


def test_a_caller_who_was_calm_for_long_can_become_furious_in_two_turns() -> None:
    reading = last(*[(CALM, PLAIN)] * 30, (FURIOUS, COMPLAINT), (FURIOUS, COMPLAINT))
    assert reading.label == "upset"


def test_evidence_tells_how_many_of_the_last_turns_sounded_upset() -> None:
    reading = last((FURIOUS, PLAIN), (CALM, PLAIN), (FURIOUS, PLAIN))
    assert "voice sounds upset in 2 of the last 3 turns" in reading.evidence


def test_evidence_tells_what_was_said_earlier() -> None:
    reading = last(
        (UNHEARD, COMPLAINT), (UNHEARD, WordCues(9, complains=True, repeats=True)), (UNHEARD, NOTHING)
    )
    assert reading.evidence == ("2 complaints, 1 repeat earlier in the call",)


def test_evidence_stands_strongest_first() -> None:
    reading = last((EmotionReading("upset", 0.5, 0.5, 6), COMPLAINT))
    assert reading.evidence[0] == "first complaint"


def test_asking_again_for_a_person_is_counted() -> None:
    reading = last((CALM, PERSON), (CALM, PLAIN), (CALM, PERSON))
    assert "asked for a person for the second time" in reading.evidence


@given(turns)
def test_every_answer_is_a_probability_with_a_label_that_fits(
    call: list[tuple[EmotionReading, WordCues]],
) -> None:
    for reading in said(*call, model=SHIPPED):
        assert 0 <= reading.upset <= 1
        assert reading.confidence == 0 or 0.5 <= reading.confidence <= 1
        if reading.label == "upset":
            assert reading.upset >= 0.6
        elif reading.label == "calm":
            assert reading.upset <= 0.4
        assert (reading.confidence == 0) == (not reading.evidence)


@given(turns, st.data())
def test_a_cue_more_in_any_turn_never_lowers_any_answer(
    call: list[tuple[EmotionReading, WordCues]], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(call) - 1))
    cue = data.draw(st.sampled_from(["complains", "repeats", "corrects", "asks_for_human"]))
    voice, words = call[at]
    values = {name: getattr(words, name) for name in WordCues.__slots__}
    assume(not values[cue])
    more = [*call[:at], (voice, WordCues(**{**values, cue: True})), *call[at + 1 :]]
    for before, after in zip(said(*call, model=SHIPPED), said(*more, model=SHIPPED), strict=True):
        assert after.upset >= before.upset


@given(turns, st.data())
def test_a_voice_that_sounds_more_upset_never_lowers_any_answer(
    call: list[tuple[EmotionReading, WordCues]], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(call) - 1))
    voice, words = call[at]
    higher = data.draw(st.floats(voice.upset, 1))
    raised = data.draw(st.integers(voice.raised_windows, voice.windows))
    louder = EmotionReading(voice.label, voice.confidence, higher, voice.windows, raised)
    more = [*call[:at], (louder, words), *call[at + 1 :]]
    for before, after in zip(said(*call, model=SHIPPED), said(*more, model=SHIPPED), strict=True):
        assert after.upset >= before.upset


@given(turns, turns)
def test_forgetting_the_voice_leaves_a_call_that_was_never_heard(
    before: list[tuple[EmotionReading, WordCues]], after: list[tuple[EmotionReading, WordCues]]
) -> None:
    heard, unheard = CallerState(SHIPPED), CallerState(SHIPPED)
    for voice, words in before:
        heard.turn_ended(voice, words)
        unheard.turn_ended(UNHEARD, words)
    heard.forget_voice()
    for voice, words in after:
        assert heard.turn_ended(voice, words) == unheard.turn_ended(voice, words)


@given(turns, voices, cues)
def test_a_preview_says_what_the_end_of_the_turn_would_and_changes_nothing(
    call: list[tuple[EmotionReading, WordCues]], voice: EmotionReading, words: WordCues
) -> None:
    state = CallerState(SHIPPED)
    for heard, said_then in call:
        state.turn_ended(heard, said_then)
    first = state.preview(voice, words)
    state.preview(FURIOUS, COMPLAINT)
    assert state.preview(voice, words) == first == state.turn_ended(voice, words)


@given(turns)
def test_the_same_call_gives_the_same_answers(call: list[tuple[EmotionReading, WordCues]]) -> None:
    assert said(*call, model=SHIPPED) == said(*call, model=SHIPPED)


@given(turns)
def test_evidence_is_set_phrases_with_counts(call: list[tuple[EmotionReading, WordCues]]) -> None:
    for reading in said(*call, model=SHIPPED):
        for told in reading.evidence:
            assert PHRASES.fullmatch(told), told


COUNTED = r"\d+ (?:complaint|repeat|correction|request)s?(?: for a person)?"
ORDINAL = r"(?:\w+th|first|second|third)"
PHRASES = re.compile(
    r"voice sounds (?:upset|calm)(?: in [123] of the last [23] turns)?"
    r"|voice sounds a little upset|(?:upset|calm) voice earlier in the call"
    r"|raised voice in \d+ of \d+ windows"
    r"|nothing upset in (?:the|earlier) words"
    rf"|{ORDINAL} (?:complaint|repeat of a question|correction of the agent)"
    rf"|asked for a person(?: for the {ORDINAL} time)?"
    rf"|{COUNTED}(?:, {COUNTED})* earlier in the call"
)
