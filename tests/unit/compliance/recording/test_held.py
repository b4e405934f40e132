"""What is let go of a call's audio: silent wherever it must be, as it was everywhere else, and never too early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.events import AgentSaid, CallerSaid, HumanSaid
from compliance.heard import Segment, Word
from compliance.intake import WITHHELD
from compliance.recording.held import AGENT, CALLER, Block, Held
from compliance.redaction import REDACTION_FAILED
from compliance.voiced import Samples

pytestmark = pytest.mark.unit

PER_MS = 24
MARGIN_MS = 200


@dataclass(frozen=True)
class Span:
    start: int
    end: int
    entity: str = "CREDIT_CARD"


def speech(ms: float) -> Samples:
    """Loud, and never zero."""
    return np.tile(np.array([3000, -2500, 1800, -3200], np.int16), round(ms * PER_MS) // 4 + 1)[
        : round(ms * PER_MS)
    ]


def hush(ms: float) -> Samples:
    """What a quiet line sounds like: never zero, and no voice."""
    return np.tile(np.array([9, -8], np.int16), round(ms * PER_MS) // 2 + 1)[: round(ms * PER_MS)]


def heard(text: str, start_ms: float, word_ms: float = 250.0, *, timed: bool = True) -> Segment:
    words = tuple(
        Word(word, start_ms + number * word_ms, start_ms + (number + 1) * word_ms)
        for number, word in enumerate(text.split())
    )
    end_ms = start_ms + len(words) * word_ms
    return Segment(start_ms, end_ms, text, 0.9, words if timed else ())


def on_record(segment: Segment, text: str | None = None) -> CallerSaid:
    return CallerSaid(
        call_id="c",
        at_ms=segment.end_ms,
        start_ms=segment.start_ms,
        end_ms=segment.end_ms,
        text=segment.text if text is None else text,
        confidence=0.9,
    )


def reply(start_ms: float, end_ms: float, text: str = "certainly", *, interrupted: bool = False) -> AgentSaid:
    return AgentSaid(
        call_id="c",
        at_ms=end_ms,
        turn=1,
        engine="fast",
        generation=1,
        start_ms=start_ms,
        end_ms=end_ms,
        text=text,
        interrupted=interrupted,
    )


@dataclass
class Tape:
    """A call on its way through :class:`Held`, and what was let go of it."""

    held: Held = field(default_factory=Held)
    blocks: list[Block] = field(default_factory=list)
    now_ms: float = 0.0
    spoken: list[Samples] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.held.consent(0.0, given=True)

    def caller(self, samples: Samples, *, frame_ms: int = 20) -> float:
        """The caller's side goes on; returns when this began."""
        began_ms, size = self.now_ms, frame_ms * PER_MS
        for count, start in enumerate(range(0, len(samples), size)):
            frame = samples[start : start + size]
            self.held.caller(self.now_ms, frame)
            self.now_ms += len(frame) / PER_MS
            if count % 25 == 0:
                self.let_go()
        self.spoken.append(samples)
        self.let_go()
        return began_ms

    def says(self, text: str, *, timed: bool = True) -> Segment:
        segment = heard(text, self.now_ms, timed=timed)
        self.caller(speech(segment.end_ms - segment.start_ms))
        self.held.said(segment)
        return segment

    def recorded(
        self, segment: Segment, *spans: Span, text: str | None = None, suspended: bool = False
    ) -> None:
        kept = ("<MASKED>" if spans else segment.text) if text is None else text
        self.held.redacted(on_record(segment, kept), spans, suspended=suspended)
        self.let_go()

    def answers(
        self,
        ms: float,
        *spans: Span,
        text: str = "certainly",
        suspended: bool = False,
        interrupted: bool = False,
        recorded: bool = True,
    ) -> tuple[float, float]:
        """The agent replies, the caller hears it; returns from when to when."""
        start_ms = self.now_ms
        self.held.agent_begins(start_ms)
        self.caller(hush(ms))
        self.held.agent([(start_ms, speech(ms))])
        if recorded:
            event = reply(start_ms, self.now_ms, text, interrupted=interrupted)
            self.held.redacted(event, spans, suspended=suspended)
        self.let_go()
        return start_ms, self.now_ms

    def hears_a_person(self, text: str, *spans: Span) -> tuple[float, float]:
        """A person speaks, and is heard a moment later; returns from when to when."""
        said, later_ms = heard(text, self.now_ms), 200.0
        start_ms = said.start_ms + later_ms
        self.held.agent_begins(start_ms)
        self.caller(hush(said.end_ms - said.start_ms))
        self.held.redacted(
            HumanSaid(
                call_id="c", at_ms=self.now_ms, turn=1, engine="human", person="anna", confidence=0.9,
                start_ms=said.start_ms, end_ms=said.end_ms, text="<MASKED>" if spans else text,
            ),
            spans,
            suspended=False,
        )  # fmt: skip
        self.caller(hush(1500))
        self.held.agent([(start_ms, speech(said.end_ms - said.start_ms))])
        self.let_go()
        return start_ms, said.end_ms + later_ms

    def let_go(self) -> None:
        self.blocks += self.held.release()

    @property
    def until_ms(self) -> float:
        """What was let go by now."""
        return float(sum(block.samples.shape[1] for block in self.blocks)) / PER_MS

    def end(self) -> Samples:
        """All of it: shape (2, n)."""
        self.blocks += self.held.release(everything=True)
        starts = [block.start for block in self.blocks]
        lengths = [block.samples.shape[1] for block in self.blocks]
        assert starts == [0, *np.cumsum(lengths)[:-1].tolist()]
        return np.concatenate([block.samples for block in self.blocks], axis=1)

    def total_ms(self, what: str) -> float:
        return float(sum(getattr(block, what) for block in self.blocks)) / PER_MS


def part(tape: Samples, channel: int, start_ms: float, end_ms: float) -> Samples:
    return tape[channel, max(0, round(start_ms * PER_MS)) : round(end_ms * PER_MS)]


def silent(tape: Samples, start_ms: float, end_ms: float) -> bool:
    """On both channels."""
    return not any(part(tape, channel, start_ms, end_ms).any() for channel in (CALLER, AGENT))


CARD_TEXT = "my card number is four one one one thank you very much"
CARD = Span(18, 34)
PERSON: tuple[tuple[str, tuple[Span, ...]], ...] = (
    ("hello what is your card number", ()),
    (CARD_TEXT, (CARD,)),
    ("thank you that is paid", ()),
)


def test_what_was_said_and_redacted_is_kept_as_it_was() -> None:
    tape = Tape()
    tape.caller(hush(1000))
    tape.recorded(tape.says("where is my order"))
    tape.caller(hush(4000))
    tape.answers(1500)
    tape.caller(hush(4000))
    kept = tape.end()
    assert np.array_equal(kept[CALLER], np.concatenate(tape.spoken))
    assert np.array_equal(part(kept, AGENT, 6000, 7500), speech(1500))
    assert not part(kept, AGENT, 0, 6000).any()
    assert {tape.total_ms(what) for what in ("muted", "suspended", "withheld")} == {0.0}


def test_masked_words_are_silent_on_both_channels_and_the_words_around_them_are_not() -> None:
    tape = Tape()
    tape.held.agent_begins(0.0)
    said = tape.says(CARD_TEXT)
    tape.held.agent([(0.0, speech(tape.now_ms))])
    tape.held.redacted(reply(0.0, tape.now_ms), (), suspended=False)
    tape.recorded(said, CARD)
    tape.caller(hush(4000))
    kept = tape.end()
    assert silent(kept, 1000 - MARGIN_MS, 2000 + MARGIN_MS)
    for channel in (CALLER, AGENT):
        assert np.array_equal(part(kept, channel, 0, 750), speech(said.end_ms)[: 750 * PER_MS])
        assert part(kept, channel, 2250, said.end_ms).all()
    assert tape.total_ms("muted") == pytest.approx(1000 + 2 * MARGIN_MS, abs=100)


@pytest.mark.parametrize("timed", [True, False])
def test_the_whole_segment_is_silent_when_it_has_no_word_times(timed: bool) -> None:
    tape = Tape()
    said = tape.says(CARD_TEXT, timed=timed)
    tape.recorded(said, CARD)
    tape.caller(hush(4000))
    assert silent(tape.end(), said.start_ms, said.end_ms) is not timed


def test_a_segment_whose_text_was_changed_without_saying_where_is_silent() -> None:
    tape = Tape()
    said = tape.says(CARD_TEXT)
    tape.recorded(said, text="my card number is <CREDIT_CARD>")
    tape.caller(hush(4000))
    assert silent(tape.end(), said.start_ms, said.end_ms)


def test_a_reply_with_anything_masked_is_silent_from_end_to_end_on_both_channels() -> None:
    tape = Tape()
    tape.caller(hush(3000))
    start_ms, end_ms = tape.answers(2000, Span(0, 5), text="<PERSON>, certainly")
    tape.caller(hush(3000))
    kept = tape.end()
    assert silent(kept, start_ms - MARGIN_MS, end_ms + MARGIN_MS)
    assert part(kept, CALLER, 0, 2700).all()


@pytest.mark.parametrize("text", [REDACTION_FAILED, WITHHELD])
def test_what_could_not_be_redacted_is_silent(text: str) -> None:
    tape = Tape()
    said = tape.says(CARD_TEXT)
    tape.recorded(said, text=text)
    tape.caller(hush(4000))
    kept = tape.end()
    assert not part(kept, CALLER, said.start_ms, said.end_ms).any()
    assert tape.total_ms("withheld") >= said.end_ms - said.start_ms


def test_what_nobody_can_say_the_masks_of_is_silent() -> None:
    tape = Tape()
    said = tape.says(CARD_TEXT)
    tape.held.redacted(on_record(said), None, suspended=False)
    tape.caller(hush(4000))
    assert not part(tape.end(), CALLER, said.start_ms, said.end_ms).any()


def test_sound_that_no_words_account_for_is_silent() -> None:
    tape = Tape()
    tape.recorded(tape.says("where is my order"))
    tape.caller(hush(2000))
    began_ms = tape.caller(speech(1000))
    tape.caller(hush(2000))
    tape.recorded(tape.says("hello"))
    tape.caller(hush(2000))
    kept = tape.end()
    assert not part(kept, CALLER, began_ms, began_ms + 1000).any()
    assert part(kept, CALLER, 0, 1000).all()
    assert part(kept, CALLER, began_ms + 1250, tape.now_ms).all()


def test_a_word_that_the_recogniser_missed_among_others_is_silent() -> None:
    tape = Tape()
    words = heard("my card is four", 0.0).words + heard("thank you", 3000.0).words
    said = Segment(0.0, 3500.0, "my card is four thank you", 0.9, words)
    tape.caller(speech(3500))
    tape.held.said(said)
    tape.recorded(said, Span(11, 15))
    tape.caller(hush(3000))
    kept = tape.end()
    assert not part(kept, CALLER, 750 - MARGIN_MS, 3000 - MARGIN_MS - 50).any()
    assert part(kept, CALLER, 3000, 3500).all()


def test_the_end_of_a_reply_that_was_cut_is_silent_for_its_text_may_end_before_it() -> None:
    tape = Tape()
    start_ms, end_ms = tape.answers(4000, interrupted=True)
    tape.caller(hush(4000))
    kept = tape.end()
    assert part(kept, AGENT, start_ms, end_ms - 1600).all()
    assert not part(kept, AGENT, end_ms - 1200, end_ms).any()


# -- a person who has the call ------------------------------------------------------------------------------
def test_a_persons_words_are_kept_on_the_agents_channel_and_masked_where_they_are_heard() -> None:
    tape = Tape()
    tape.caller(hush(1000))
    heard_ms = [tape.hears_a_person(words, *spans) for words, spans in PERSON]
    tape.caller(hush(4000))
    kept = tape.end()
    for (_, spans), (start_ms, end_ms) in zip(PERSON, heard_ms, strict=True):
        if spans:
            assert silent(kept, start_ms, end_ms + MARGIN_MS), "it may be heard later still"
        else:
            assert part(kept, AGENT, start_ms, end_ms).all()


def test_what_a_person_says_that_no_words_account_for_is_silent() -> None:
    tape = Tape()
    start_ms, end_ms = tape.answers(3000, recorded=False)
    tape.caller(hush(4000))
    assert not part(tape.end(), AGENT, start_ms, end_ms).any()


# -- CVV and PIN -------------------------------------------------------------------------------------------


def test_from_the_question_for_a_cvv_to_the_end_of_its_answer_nothing_is_kept() -> None:
    tape = Tape()
    tape.recorded(tape.says("i want to pay"))
    tape.caller(hush(3000))
    question_ms, _ = tape.answers(1500, text="what is the security code?", suspended=True)
    tape.caller(hush(700))
    first = tape.says("it is one two")
    tape.recorded(first, Span(6, 13, "CVV"), suspended=True)
    tape.caller(hush(900))
    last = tape.says("three")
    tape.recorded(last, Span(0, 5, "CVV"), suspended=False)
    tape.caller(hush(1500))
    tape.recorded(tape.says("and where is my order"))
    kept = tape.end()
    assert silent(kept, question_ms, last.end_ms + MARGIN_MS)
    assert part(kept, CALLER, 0, 3000).all()
    assert part(kept, CALLER, last.end_ms + 300, last.end_ms + 2500).all()
    assert tape.total_ms("suspended") == pytest.approx(last.end_ms - question_ms, abs=500)


def test_a_cvv_that_nobody_asked_for_silences_all_of_what_was_said_with_it() -> None:
    tape = Tape()
    said = tape.says("the code on the back is one two three is that enough")
    tape.recorded(said, Span(24, 37, "CVV"))
    tape.caller(hush(4000))
    assert silent(tape.end(), said.start_ms, said.end_ms)


def test_an_answer_over_the_question_for_a_pin_is_not_kept_although_it_came_first() -> None:
    tape = Tape()
    tape.caller(hush(3000))
    question_ms = tape.now_ms
    tape.held.agent_begins(question_ms)
    tape.caller(hush(500))
    answer = tape.says("one two three four")
    tape.held.agent([(question_ms, speech(tape.now_ms - question_ms))])
    tape.recorded(answer)
    tape.held.redacted(reply(question_ms, tape.now_ms, "your pin?"), (), suspended=True)
    tape.caller(hush(5000))
    assert silent(tape.end(), question_ms, tape.now_ms)


def test_a_call_that_ends_while_a_pin_is_expected_is_silent_to_its_end() -> None:
    tape = Tape()
    question_ms, _ = tape.answers(1500, text="your pin, please?", suspended=True)
    tape.caller(hush(8000))
    assert silent(tape.end(), question_ms, tape.now_ms)
    assert tape.total_ms("suspended") == pytest.approx(tape.now_ms - question_ms, abs=250)


@pytest.mark.parametrize("recorded", [True, False], ids=["withheld", "not on record"])
def test_after_a_reply_of_unknown_words_nothing_is_kept_to_the_end_of_the_next_one(recorded: bool) -> None:
    tape = Tape()
    unknown_ms, _ = tape.answers(1500, text=WITHHELD, recorded=recorded)
    tape.caller(hush(700))
    answer = tape.says("one two three")
    tape.recorded(answer)
    tape.caller(hush(500))
    _, known_ms = tape.answers(1500)
    tape.caller(hush(500))
    tape.recorded(tape.says("thank you"))
    kept = tape.end()
    assert silent(kept, unknown_ms, answer.end_ms)
    assert part(kept, CALLER, known_ms + 300, tape.now_ms).all()


def test_after_a_reply_that_never_comes_on_record_nothing_is_kept_however_long_it_waits() -> None:
    tape = Tape(Held(longest_ms=5_000))
    unknown_ms, _ = tape.answers(1500, recorded=False)
    tape.caller(hush(700))
    for _ in range(10):
        tape.recorded(tape.says("one two three"))
        tape.caller(hush(1000))
    assert silent(tape.end(), unknown_ms, tape.now_ms)


# -- consent -----------------------------------------------------------------------------------------------


def test_nothing_said_without_consent_is_let_go() -> None:
    tape = Tape(Held())
    tape.held.consent(0.0, given=False)
    tape.recorded(tape.says("before"))
    tape.caller(hush(3000))
    tape.held.consent(agreed_ms := tape.now_ms, given=True)
    tape.recorded(tape.says("with consent"))
    tape.caller(hush(3000))
    tape.held.consent(revoked_ms := tape.now_ms, given=False)
    tape.recorded(tape.says("after"))
    tape.answers(1000)
    kept = tape.end()
    assert silent(kept, 0, agreed_ms)
    assert part(kept, CALLER, agreed_ms, revoked_ms).all()
    assert silent(kept, revoked_ms, tape.now_ms)


def test_before_a_consent_that_comes_late_there_is_silence_of_that_length() -> None:
    tape = Tape(Held(longest_ms=10_000))
    tape.held.consent(0.0, given=False)
    tape.now_ms = 600_000.0
    tape.held.consent(tape.now_ms, given=True)
    tape.let_go()
    tape.recorded(tape.says("at last"))
    tape.caller(hush(3000))
    kept = tape.end()
    assert kept.shape[1] == round(tape.now_ms * PER_MS)
    assert part(kept, CALLER, 600_000, 603_000).all()


# -- waiting -----------------------------------------------------------------------------------------------


def test_nothing_is_let_go_before_what_was_said_is_redacted() -> None:
    tape = Tape()
    tape.caller(hush(5000))
    said = tape.says(CARD_TEXT)
    tape.caller(hush(30_000))
    assert tape.until_ms < said.start_ms - MARGIN_MS
    tape.recorded(said, CARD)
    assert tape.until_ms > 30_000


def test_nothing_of_a_reply_is_let_go_while_it_is_played() -> None:
    tape = Tape()
    tape.caller(hush(5000))
    tape.held.agent_begins(tape.now_ms)
    tape.caller(hush(30_000))
    assert tape.until_ms < 5000


def test_what_has_waited_too_long_is_let_go_as_silence() -> None:
    tape = Tape(Held(longest_ms=10_000))
    tape.caller(hush(3000))
    said = tape.says("where is my order")
    tape.caller(hush(15_000))
    assert tape.until_ms >= tape.now_ms - 10_000
    tape.recorded(said)  # too late
    tape.caller(hush(5000))
    kept = tape.end()
    assert silent(kept, said.start_ms - 1000, said.end_ms + MARGIN_MS)
    assert part(kept, CALLER, said.end_ms + 300, tape.now_ms).all()


def test_a_call_on_which_the_recogniser_is_deaf_is_held_in_bounded_memory() -> None:
    tape = Tape(Held(longest_ms=5_000))
    for _ in range(60):
        tape.caller(np.concatenate((speech(400), hush(600))))
        assert tape.now_ms - tape.until_ms <= 5_000
    assert silent(tape.end(), 0, 50_000)


def test_audio_that_comes_after_it_was_let_go_is_lost() -> None:
    tape = Tape(Held(longest_ms=5_000))
    tape.held.agent_begins(0.0)
    tape.caller(hush(20_000))
    tape.held.agent([(0.0, speech(20_000))])
    tape.held.redacted(reply(0.0, 20_000.0), (), suspended=False)
    kept = tape.end()
    assert kept.shape == (2, 20_000 * PER_MS)
    assert not part(kept, AGENT, 0, 14_000).any()
    assert part(kept, AGENT, 15_100, 20_000).all()


# -- any call ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Utterance:
    before_ms: int
    words: tuple[tuple[int, int], ...]
    """Pause before each, and how long it is."""
    masked: frozenset[int]
    late_ms: int
    """How long redacting it takes."""


utterances = st.builds(
    lambda before, words, masked, late: Utterance(before, tuple(words), frozenset(masked), late),
    st.integers(300, 4000),
    st.lists(st.tuples(st.integers(0, 150), st.integers(100, 500)), min_size=1, max_size=8),
    st.sets(st.integers(0, 7), max_size=4),
    st.integers(0, 6000),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(utterances, min_size=1, max_size=5),
    st.sampled_from([10, 20, 50]),
    st.integers(0, 700),
    st.floats(0, 20),
)
def test_every_masked_word_is_silent_and_every_other_is_as_it_was(
    said: Sequence[Utterance], frame_ms: int, began_ms: int, wobble_ms: float
) -> None:
    audio, segments = _call(said, began_ms)
    held = Held()
    held.consent(0.0, given=True)
    duration_ms = len(audio) / PER_MS
    agent = speech(duration_ms)
    held.agent_begins(0.0)
    blocks: list[Block] = []
    due = [
        (segment.end_ms + one.late_ms, number)
        for number, (segment, one) in enumerate(zip(segments, said, strict=True))
    ]
    done = 0
    size = frame_ms * PER_MS
    for count, start in enumerate(range(began_ms * PER_MS, len(audio), size)):
        # Frames are dated a little late, by turns.
        held.caller(start / PER_MS + wobble_ms * (count % 7) / 7, audio[start : start + size])
        while done < len(due) and due[done][0] <= start / PER_MS:
            _record(held, segments[done], said[done])
            done += 1
        if count % 10 == 0:
            blocks += held.release()
    for number in range(done, len(due)):
        _record(held, segments[number], said[number])
    held.agent([(0.0, agent)])
    held.redacted(reply(0.0, duration_ms), (), suspended=False)
    blocks += held.release(everything=True)
    kept = np.concatenate([block.samples for block in blocks], axis=1)

    masked = [
        (segment.words[min(indexes)].start_ms, segment.words[max(indexes)].end_ms)
        for segment, one in zip(segments, said, strict=True)
        if (indexes := {index for index in one.masked if index < len(one.words)})
    ]
    for start_ms, end_ms in masked:
        assert silent(kept, start_ms - MARGIN_MS, end_ms + MARGIN_MS)
    near = MARGIN_MS + 60
    for segment in segments:
        for word in segment.words:
            if all(word.end_ms + near < start or word.start_ms - near > end for start, end in masked):
                assert part(kept, CALLER, word.start_ms + 25, word.end_ms - 25).all()
                assert part(kept, AGENT, word.start_ms, word.end_ms).all()


def _call(said: Sequence[Utterance], began_ms: int) -> tuple[Samples, list[Segment]]:
    pieces: list[Samples] = [hush(began_ms)]
    segments: list[Segment] = []
    at_ms = float(began_ms)
    for one in said:
        pieces.append(hush(one.before_ms))
        at_ms += one.before_ms
        words: list[Word] = []
        for number, (pause_ms, word_ms) in enumerate(one.words):
            if number:
                pieces.append(hush(pause_ms))
                at_ms += pause_ms
            pieces.append(speech(word_ms))
            words.append(Word(f"w{number}", at_ms, at_ms + word_ms))
            at_ms += word_ms
        text = " ".join(word.text for word in words)
        segments.append(Segment(words[0].start_ms, at_ms, text, 0.9, tuple(words)))
    pieces.append(hush(3000))
    return np.concatenate(pieces), segments


def _record(held: Held, segment: Segment, one: Utterance) -> None:
    """One span from the first to the last masked word."""
    held.said(segment)
    indexes = [index for index in sorted(one.masked) if index < len(one.words)]
    spans = [Span(3 * indexes[0], 3 * indexes[-1] + 2)] if indexes else []
    held.redacted(on_record(segment, "<MASKED>" if spans else segment.text), spans, suspended=False)
