"""Usage: LiveKit's metrics in the units that the price list knows, each token once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.agents import metrics
from livekit.agents.metrics.base import Metadata

from engines.prices import UNITS
from engines.usage import usage

pytestmark = pytest.mark.unit

Realtime = metrics.RealtimeModelMetrics


def chat(prompt: int, cached: int, completion: int) -> metrics.LLMMetrics:
    return metrics.LLMMetrics(
        label="openai.LLM",
        request_id="1",
        timestamp=0,
        duration=1,
        ttft=0.1,
        cancelled=False,
        completion_tokens=completion,
        prompt_tokens=prompt,
        prompt_cached_tokens=cached,
        total_tokens=prompt + completion,
        tokens_per_second=1,
        metadata=Metadata(model_name="gpt-4.1", model_provider="openai"),
    )


def realtime(
    text: int, audio: int, cached: int, cached_text: int, cached_audio: int, out_text: int, out_audio: int
) -> Realtime:
    return Realtime(
        request_id="1",
        timestamp=0,
        duration=1,
        ttft=0.1,
        cancelled=False,
        label="openai.RealtimeModel",
        input_tokens=text + audio,
        output_tokens=out_text + out_audio,
        total_tokens=text + audio + out_text + out_audio,
        tokens_per_second=1,
        input_token_details=Realtime.InputTokenDetails(
            audio_tokens=audio,
            text_tokens=text,
            image_tokens=0,
            cached_tokens=cached,
            cached_tokens_details=Realtime.CachedTokenDetails(
                audio_tokens=cached_audio, text_tokens=cached_text, image_tokens=0
            ),
        ),
        output_token_details=Realtime.OutputTokenDetails(
            text_tokens=out_text, audio_tokens=out_audio, image_tokens=0
        ),
    )


def test_cached_tokens_are_counted_once() -> None:
    # livekit/agents#5121: they are part of the prompt's tokens.
    used = usage(chat(prompt=1000, cached=800, completion=50))
    assert used is not None
    assert used.model == "gpt-4.1"
    assert used.quantities == {
        "input_text_tokens": 200.0,
        "cached_text_tokens": 800.0,
        "output_text_tokens": 50.0,
    }


def test_thoughts_that_are_in_the_total_only_are_output() -> None:
    thought = chat(prompt=1500, cached=1024, completion=60).model_copy(update={"total_tokens": 1860})
    used = usage(thought)
    assert used is not None
    assert used.quantities["output_text_tokens"] == 360


def test_what_is_written_into_a_cache_is_told_apart_and_counted_once() -> None:
    used = usage(
        chat(prompt=1000, cached=200, completion=50).model_copy(update={"cache_creation_tokens": 700})
    )
    assert used is not None
    assert used.quantities == {
        "input_text_tokens": 100.0,
        "cached_text_tokens": 200.0,
        "cache_write_text_tokens": 700.0,
        "output_text_tokens": 50.0,
    }


def test_a_realtime_reply_is_split_by_modality() -> None:
    used = usage(realtime(300, 500, 150, 100, 50, 20, 400))
    assert used is not None
    assert used.quantities == {
        "input_text_tokens": 200.0,
        "cached_text_tokens": 100.0,
        "input_audio_tokens": 450.0,
        "cached_audio_tokens": 50.0,
        "output_text_tokens": 20.0,
        "output_audio_tokens": 400.0,
    }


@pytest.mark.parametrize("details", [None, Realtime.CachedTokenDetails()])
def test_cached_tokens_whose_modality_is_not_told_are_split_as_the_input_is(
    details: Realtime.CachedTokenDetails | None,
) -> None:
    reply = realtime(300, 900, 800, 0, 0, 20, 0)
    reply.input_token_details.cached_tokens_details = details
    used = usage(reply)
    assert used is not None
    assert used.quantities == {
        "input_text_tokens": 100.0,
        "cached_text_tokens": 200.0,
        "input_audio_tokens": 300.0,
        "cached_audio_tokens": 600.0,
        "output_text_tokens": 20.0,
    }


def test_cached_tokens_of_a_conversation_in_text_are_text() -> None:
    used = usage(realtime(300, 0, 120, 0, 0, 20, 0))
    assert used is not None
    assert used.quantities["cached_text_tokens"] == 120
    assert used.quantities["input_text_tokens"] == 180


def test_voices_are_charged_by_characters_and_recognisers_by_the_minute() -> None:
    voice = metrics.TTSMetrics(
        label="elevenlabs",
        request_id="1",
        timestamp=0,
        ttfb=0.1,
        duration=1,
        audio_duration=2,
        cancelled=False,
        characters_count=42,
        streamed=True,
    )
    ears = metrics.STTMetrics(
        label="deepgram", request_id="1", timestamp=0, duration=0, audio_duration=90, streamed=True
    )
    spoken, heard = usage(voice), usage(ears)
    assert spoken is not None
    assert heard is not None
    assert (spoken.model, spoken.quantities) == ("elevenlabs", {"characters": 42.0})
    assert heard.quantities == {"audio_minutes": 1.5}


def test_nothing_used_and_nothing_charged_is_no_usage() -> None:
    assert usage(chat(0, 0, 0)) is None
    assert usage(object()) is None


counts = st.integers(0, 10_000)


@given(counts, counts, counts, counts, counts, counts)
def test_the_parts_are_the_whole(
    text: int, audio: int, cached_text: int, cached_audio: int, out_text: int, out_audio: int
) -> None:
    cached_text, cached_audio = min(text, cached_text), min(audio, cached_audio)
    total = cached_text + cached_audio
    used = usage(realtime(text, audio, total, cached_text, cached_audio, out_text, out_audio))
    quantities = {} if used is None else used.quantities
    assert sum(quantities.values()) == text + audio + out_text + out_audio
    assert all(amount > 0 for amount in quantities.values())
    assert set(quantities) <= set(UNITS)


@given(counts, counts, counts)
def test_the_parts_are_the_whole_whether_or_not_it_is_told_which_are_cached(
    text: int, audio: int, cached: int
) -> None:
    cached = min(cached, text + audio)
    used = usage(realtime(text, audio, cached, 0, 0, 0, 0))
    quantities = {} if used is None else used.quantities
    assert sum(quantities.values()) == text + audio
    assert sum(amount for unit, amount in quantities.items() if unit.startswith("cached")) == cached
    assert all(amount > 0 for amount in quantities.values())


def test_a_decision_models_answer_is_charged_by_its_tokens() -> None:
    event = metrics.DecisionMetrics(
        label="openai.DecisionModel",
        request_id="1",
        timestamp=0,
        duration=0.2,
        input_tokens=120,
        output_tokens=8,
        metadata=Metadata(model_name="luna", model_provider="openai"),
    )
    used = usage(event)
    assert used is not None
    assert (used.model, used.quantities) == ("luna", {"input_text_tokens": 120.0, "output_text_tokens": 8.0})
    assert usage(event.model_copy(update={"input_tokens": None, "output_tokens": None})) is None


def test_a_transcript_billed_by_the_token_counts_its_audio_once() -> None:
    ears = metrics.STTMetrics(
        label="openai",
        request_id="1",
        timestamp=0,
        duration=0,
        audio_duration=0,
        streamed=True,
        input_tokens=12,
        input_audio_tokens=10,
        output_tokens=3,
        metadata=metrics.base.Metadata(model_name="gpt-4o-mini-transcribe"),
    )
    used = usage(ears)
    assert used is not None
    assert used.model == "gpt-4o-mini-transcribe"
    assert used.quantities == {
        "input_audio_tokens": 10.0,
        "input_text_tokens": 2.0,
        "output_text_tokens": 3.0,
    }
