"""Heard latency, measured on two tracks of samples."""

import numpy as np
import pytest

from service.heard import Span, heard_latencies, onsets_ms, voiced_spans

pytestmark = pytest.mark.unit

PER_MS = 24


def track(total_ms: float, *sounds: tuple[float, float], level: int = 3000) -> np.ndarray:
    samples = np.zeros(int(total_ms * PER_MS), np.int16)
    for start_ms, end_ms in sounds:
        samples[int(start_ms * PER_MS) : int(end_ms * PER_MS)] = level
    return samples


def latencies(caller: np.ndarray, agent: np.ndarray, turns: list[Span] | None = None) -> list[float | None]:
    return [answer.heard_latency_ms for answer in heard_latencies(caller, agent, turns=turns)]


def test_the_wait_runs_from_the_callers_last_sample_to_the_first_of_the_reply() -> None:
    caller = track(10_000, (1000, 2003), (6000, 7000))
    agent = track(10_000, (0, 700), (2650.5, 4000), (7480, 9000))
    assert latencies(caller, agent) == pytest.approx([647.5, 480], abs=0.05)


def test_a_breath_within_a_turn_does_not_end_it() -> None:
    caller = track(10_000, (1000, 2000), (3000, 4000))
    assert voiced_spans(caller) == (Span(1000, 4000),)
    assert latencies(caller, track(10_000, (4500, 5000))) == pytest.approx([500])


def test_a_turn_without_a_reply_has_no_latency() -> None:
    caller = track(10_000, (1000, 2000), (5000, 6000))
    assert latencies(caller, track(10_000, (6400, 7000))) == [None, pytest.approx(400)]
    assert latencies(caller, track(10_000)) == [None, None]


def test_the_reply_that_the_caller_cut_is_not_the_answer_to_the_interruption() -> None:
    caller = track(10_000, (1000, 2000), (4000, 4500))
    agent = track(10_000, (2500, 4600), (5100, 6000))
    assert latencies(caller, agent) == pytest.approx([500, 600])


def test_sentences_of_one_reply_are_one_onset_when_close() -> None:
    assert onsets_ms(track(5000, (100, 500), (600, 900), (1200, 1500))) == pytest.approx(
        (100, 1200), abs=0.05
    )
    assert onsets_ms(track(100)) == ()


def test_known_turns_end_with_their_last_voiced_sample() -> None:
    caller = track(10_000, (1000, 2000), (4300, 5000))
    agent = track(10_000, (2300, 3000), (5600, 6000))
    turns = [Span(900, 2600), Span(4000, 5500)]
    assert latencies(caller, agent, turns) == pytest.approx([300, 600])
    assert heard_latencies(caller, agent, turns=turns)[1].said == Span(4300, 5000)


def test_a_turn_of_silence_waits_for_nothing() -> None:
    answers = heard_latencies(track(9000), track(9000, (5000, 6000)), turns=[Span(1000, 3000)])
    assert answers[0].heard_latency_ms is None


def test_noise_on_the_callers_line_is_not_the_end_of_the_turn() -> None:
    noise = np.random.default_rng(5).normal(0, 60, 12_000 * PER_MS).astype(np.int16)
    caller = noise + track(12_000, (6000, 7000), level=6000)
    said = voiced_spans(caller)[-1]
    assert said == Span(pytest.approx(6000, abs=1), pytest.approx(7000, abs=1))


def test_tracks_without_samples_hold_no_turn() -> None:
    assert heard_latencies(track(0), track(0)) == ()
