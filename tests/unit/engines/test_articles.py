"""The worked examples of the articles that Patchbay began from, reckoned with their own prices.

Where they contradict themselves, `docs/how-to/reckon-costs.md` says so.
"""

import pytest

from engines.meter import Meter
from engines.prices import Prices
from engines.usage import Usage
from policies import shipped

pytestmark = pytest.mark.unit

ARTICLES = Prices.load(shipped("prices.yaml")).sets["articles"]

A_MINUTE_HEARD = {"audio_minutes": 1.0}
A_REPLY_SPOKEN = {"characters": 700.0}
A_REPLY_THOUGHT = {"input_text_tokens": 1000.0, "output_text_tokens": 250.0}
HEARD_AND_SAID = {"input_audio_tokens": 60.0 * 10, "output_audio_tokens": 30.0 * 20}
"""A minute of the caller at 10 tokens a second, half a minute of the agent at 20."""


def turn_usd(*uses: tuple[str, str, dict[str, float]]) -> float:
    meter = Meter(ARTICLES)
    for plugin, model, used in uses:
        charge = meter.charge(plugin, Usage(model, used))
        assert charge.unpriced == ()
    return meter.cost_usd


def test_nova_3_with_a_small_llama_and_openais_voice_costs_a_turn_of_1_8_cents() -> None:
    cost_usd = turn_usd(
        ("deepgram", "nova-3", A_MINUTE_HEARD),
        ("groq", "llama-3.1-8b-instant", A_REPLY_THOUGHT),
        ("openai", "tts-1", A_REPLY_SPOKEN),
    )
    assert cost_usd == pytest.approx(0.01827)
    assert round(cost_usd, 3) == 0.018


def test_whisper_with_cerebras_costs_a_turn_of_1_7_cents() -> None:
    cost_usd = turn_usd(
        ("openai", "whisper-1", A_MINUTE_HEARD),
        ("cerebras", "llama3.1-8b", A_REPLY_THOUGHT),
        ("openai", "tts-1", A_REPLY_SPOKEN),
    )
    assert cost_usd == pytest.approx(0.016625)
    assert round(cost_usd, 3) == 0.017


@pytest.mark.parametrize(("model", "printed"), [("gpt-realtime", 0.058), ("gpt-realtime-mini", 0.018)])
def test_a_realtime_turn_costs_what_they_print(model: str, printed: float) -> None:
    assert round(turn_usd(("openai", model, HEARD_AND_SAID)), 3) == printed


def test_their_realtime_turn_is_3_8_cents_a_minute_and_not_the_30_they_reckon_with() -> None:
    a_minute = turn_usd(("openai", "gpt-realtime", HEARD_AND_SAID)) / 1.5
    stated = ARTICLES.cost_usd("openai-realtime", "", {"call_minutes": 1.0})
    assert round(a_minute, 3) == 0.038
    assert stated == 0.30


def test_what_is_missing_between_the_two_is_history_billed_in_every_turn() -> None:
    """Ten such turns, each of which sends all before it again at the full price."""
    meter = Meter(ARTICLES)
    for number in range(10):
        before = number * 1200.0
        used = {"input_audio_tokens": before + 600, "output_audio_tokens": 600.0}
        meter.charge("openai", Usage("gpt-realtime", used, sends_conversation=True))
    assert meter.cost_usd / 15 == pytest.approx(0.1536)
    assert meter.again_usd / meter.cost_usd == pytest.approx(0.75)
