"""The meter: a call's bill by hand, and what of it is for the conversation being sent again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.meter import Charge, Meter
from engines.prices import UNITS, Prices
from engines.usage import Usage

pytestmark = pytest.mark.unit

BOOK = Prices.parse("""
version: 2
as_of: 2026-11-01
source: invented
prices:
  openai/mind: {input_text_tokens: 2.0, cached_text_tokens: 0.5, output_text_tokens: 8.0}
  openai/other: {input_text_tokens: 1.0, output_text_tokens: 4.0}
  openai/realtime:
    {input_text_tokens: 4, cached_text_tokens: 0.4, output_text_tokens: 16,
     input_audio_tokens: 32, cached_audio_tokens: 0.4, output_audio_tokens: 64}
  deepgram/ears: {audio_minutes: 0.0077}
  eleven/voice: {characters: 50}
""")


def asked(meter: Meter, model: str, **quantities: float) -> Charge:
    return meter.charge("openai", Usage(model, quantities, sends_conversation=True))


def test_a_bill_is_the_sum_of_what_was_used() -> None:
    meter = Meter(BOOK)
    asked(meter, "mind", input_text_tokens=1000, output_text_tokens=100)
    meter.charge("deepgram", Usage("ears", {"audio_minutes": 0.5}))
    meter.charge("eleven", Usage("voice", {"characters": 200}))
    assert meter.cost_usd == pytest.approx(0.002 + 0.0008 + 0.00385 + 0.01)


def test_the_first_request_of_a_call_sends_nothing_again() -> None:
    assert asked(Meter(BOOK), "mind", input_text_tokens=1000, output_text_tokens=50).again_usd == 0


def test_what_the_last_request_held_and_brought_forth_is_sent_again() -> None:
    meter = Meter(BOOK)
    asked(meter, "mind", input_text_tokens=1000, output_text_tokens=50)
    charge = asked(meter, "mind", input_text_tokens=1080, output_text_tokens=40)
    assert charge.again_tokens == 1050
    assert charge.again_usd == pytest.approx(1050 * 2e-6)
    assert charge.cost_usd == pytest.approx(1080 * 2e-6 + 40 * 8e-6)


def test_cached_tokens_are_sent_again_at_their_own_price_and_count_once() -> None:
    meter = Meter(BOOK)
    asked(meter, "mind", input_text_tokens=1000, output_text_tokens=50)
    charge = asked(meter, "mind", input_text_tokens=180, cached_text_tokens=900, output_text_tokens=40)
    assert charge.again_tokens == pytest.approx(900 + 150)
    assert charge.again_usd == pytest.approx(900 * 0.5e-6 + 150 * 2e-6)


def test_tokens_that_another_call_left_in_the_cache_are_not_sent_again() -> None:
    charge = asked(Meter(BOOK), "mind", input_text_tokens=100, cached_text_tokens=900, output_text_tokens=40)
    assert charge.again_usd == 0


def test_a_hand_off_bills_the_conversation_anew() -> None:
    meter = Meter(BOOK)
    asked(meter, "mind", input_text_tokens=1000, output_text_tokens=50)
    charge = asked(meter, "other", input_text_tokens=1080, output_text_tokens=40)
    assert charge.again_usd == pytest.approx(1050 * 1e-6)


def test_a_realtime_reply_that_was_cut_before_it_began_is_billed_and_remembered() -> None:
    meter = Meter(BOOK)
    asked(meter, "realtime", input_text_tokens=400, input_audio_tokens=600)
    charge = asked(meter, "realtime", cached_text_tokens=400, cached_audio_tokens=500, input_audio_tokens=200)
    assert charge.again_tokens == pytest.approx(1000)
    assert charge.again_usd == pytest.approx(900 * 0.4e-6 + 100 * 32e-6)


def test_ears_and_voices_are_sent_no_conversation() -> None:
    meter = Meter(BOOK)
    asked(meter, "mind", input_text_tokens=1000, output_text_tokens=50)
    assert meter.charge("deepgram", Usage("ears", {"audio_minutes": 0.5})).again_usd == 0
    assert asked(meter, "mind", input_text_tokens=1080, output_text_tokens=40).again_tokens == 1050


def test_what_nobody_priced_is_told() -> None:
    charge = Meter(BOOK).charge(
        "google", Usage("gemini", {"input_text_tokens": 5.0}, sends_conversation=True)
    )
    assert (charge.cost_usd, charge.unpriced) == (0, ("input_text_tokens",))


def test_a_call_of_two_engines_costs_what_was_reckoned_by_hand() -> None:
    """Three turns: two of a cascade with a tool and a cache, then a hand-off to a realtime model."""
    meter = Meter(BOOK)
    asked(meter, "mind", input_text_tokens=560, output_text_tokens=25)  # calls a tool
    asked(meter, "mind", input_text_tokens=223, cached_text_tokens=512, output_text_tokens=31)
    asked(meter, "mind", input_text_tokens=290, cached_text_tokens=512, output_text_tokens=28)
    asked(
        meter,
        "realtime",
        input_text_tokens=830,
        input_audio_tokens=42,
        output_text_tokens=40,
        output_audio_tokens=180,
    )
    asked(
        meter,
        "realtime",
        input_text_tokens=61,
        cached_text_tokens=832,
        input_audio_tokens=75,
        cached_audio_tokens=192,
        output_text_tokens=22,
        output_audio_tokens=90,
    )
    meter.charge("deepgram", Usage("ears", {"audio_minutes": 0.75}))
    meter.charge("eleven", Usage("voice", {"characters": 240}))
    mind = (560 + 223 + 290) * 2e-6 + 1024 * 0.5e-6 + (25 + 31 + 28) * 8e-6
    realtime = (830 + 61) * 4e-6 + (832 + 192) * 0.4e-6 + (40 + 22) * 16e-6 + (42 + 75) * 32e-6 + 270 * 64e-6
    by_hand = mind + realtime + 0.75 * 0.0077 + 240 * 50e-6
    assert meter.cost_usd == pytest.approx(by_hand, rel=1e-9)
    # 560+25 before the second request, 735+31 before the third, 802+28 before the fourth, 872+220 before the fifth.
    second = 512 * 0.5e-6 + 73 * 2e-6
    third = 512 * 0.5e-6 + 254 * 2e-6
    fourth = 830 * (830 * 4e-6 + 42 * 32e-6) / 872
    fifth = 1024 * 0.4e-6 + 68 * (61 * 4e-6 + 75 * 32e-6) / 136
    assert meter.again_usd == pytest.approx(second + third + fourth + fifth, rel=0.01)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(sorted(UNITS)), st.floats(0, 1e6)),
        max_size=8,
    )
)
def test_nothing_sent_again_costs_more_than_the_bill_it_is_in(uses: list[dict[str, float]]) -> None:
    meter = Meter(BOOK)
    for use in uses:
        charge = meter.charge("openai", Usage("realtime", use, sends_conversation=True))
        assert -1e-12 <= charge.again_usd <= charge.cost_usd * (1 + 1e-9)
    assert meter.again_usd <= meter.cost_usd * (1 + 1e-9)
