"""Delays are log-normal, seeded, readable from text, and say what is wrong with it."""

import random
from statistics import median, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.delays import Delay, Delays
from lab.errors import LabError

pytestmark = pytest.mark.unit


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - delays, not secrets


def test_draws_have_the_median_and_99th_percentile_they_were_given() -> None:
    rng = seeded(1)
    draws_ms = [1000 * Delay(150, 400).draw_s(rng) for _ in range(20_000)]
    assert median(draws_ms) == pytest.approx(150, rel=0.03)
    assert quantiles(draws_ms, n=100)[98] == pytest.approx(400, rel=0.08)


def test_equal_seeds_draw_equal_delays() -> None:
    delay = Delay(100, 250)
    assert [delay.draw_s(seeded(7)) for _ in range(3)] == [delay.draw_s(seeded(7))] * 3


def test_a_median_of_zero_never_delays_and_equal_figures_never_vary() -> None:
    rng = seeded(1)
    assert Delay(0, 0).draw_s(rng) == 0
    assert {round(Delay(80, 80).draw_s(rng), 9) for _ in range(5)} == {0.08}


def test_the_defaults_are_the_published_stage_table() -> None:
    assert Delays().describe() == (
        "stt=100/250,llm_ttft=150/400,tts_ttfb=100/250,realtime=250/500,network=10/30"
    )


def test_a_text_overrides_single_stages() -> None:
    delays = Delays.parse("stt=80/200, network=0")
    assert (delays.stt, delays.network, delays.realtime) == (Delay(80, 200), Delay(0, 0), Delay(250, 500))


def test_none_can_be_refined() -> None:
    assert Delays.parse("none") == Delays.none()
    assert Delays.parse("none,llm_ttft=50") == Delays.none().override({"llm_ttft": 50})


@given(st.builds(Delays, *[st.integers(0, 500).map(lambda ms: Delay(ms, 2 * ms))] * 5))
def test_what_describe_writes_parse_reads(delays: Delays) -> None:
    assert Delays.parse(delays.describe()) == delays


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sst=100/250", "unknown stage 'sst'"),
        ("stt=soon", "'soon' is not a delay"),
        ("stt=200/100", "0 <= P50 <= P99"),
        ("stt=-1", "0 <= P50 <= P99"),
        ("stt", "write stage=P50/P99"),
        ("stt=nan", "0 <= P50 <= P99"),
        ("stt=inf", "0 <= P50 <= P99"),
    ],
)
def test_a_bad_text_is_a_lab_error_that_says_why(text: str, complaint: str) -> None:
    with pytest.raises(LabError, match=complaint):
        Delays.parse(text)
