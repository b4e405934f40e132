"""What an operator may ask of Gemini Live, what its usage comes to, and how a turn is kept for it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from livekit import rtc
from livekit.agents import llm
from livekit.agents.metrics import RealtimeModelMetrics
from livekit.agents.metrics.base import Metadata

from engines.catalogue import Catalogue
from engines.component import Component
from engines.errors import EngineNotConfiguredError
from engines.gemini import GeminiModel, GeminiSession
from engines.gemini_link import Link, LinkHooks, whole
from engines.meter import Meter
from engines.plugins import Endpoint, build, preload
from engines.prices import Prices
from engines.resampled import PIECE_MS, Resampled
from engines.usage import usage
from policies import DocumentError, shipped

pytestmark = pytest.mark.unit

LIVE = "gemini-2.5-flash-native-audio-preview-12-2025"
NOBODY = Endpoint("key", "https://127.0.0.1:1", simulated=True)


def made(model: str = LIVE, **options: Any) -> GeminiModel:
    built = build("realtime", Component("google", model, options), NOBODY, None)  # type: ignore[arg-type]
    assert isinstance(built, GeminiModel)
    return built


# -- options ------------------------------------------------------------------------------------------------
def test_turns_are_taken_on_our_side_and_replies_asked_for() -> None:
    capabilities = made().capabilities
    assert not capabilities.turn_detection
    assert not capabilities.user_transcription
    assert not capabilities.auto_tool_reply_generation
    assert capabilities.message_truncation


def test_a_model_may_write_down_what_it_hears() -> None:
    assert made(own_transcript=True).capabilities.user_transcription


def test_options_reach_the_plugin() -> None:
    options = made(voice="Kore", language="en-US", temperature=0.4).inner._opts
    assert (options.voice, options.language, options.temperature) == ("Kore", "en-US", 0.4)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"voise": "Kore"}, "unknown option 'voise', did you mean 'voice'"),
        ({"vertexai": True}, "unknown option 'vertexai'"),
        ({"own_transcript": "gpt-4o-mini-transcribe"}, "own_transcript is true or false"),
        ({"text_only": True}, "answer in speech only"),
    ],
)
def test_what_it_cannot_do_is_refused(options: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises(EngineNotConfiguredError, match=complaint):
        made(**options)


def test_the_lab_is_not_taken_for_googles_other_models() -> None:
    with pytest.raises(EngineNotConfiguredError, match="stands in for Gemini Live only"):
        build("llm", Component("google", "gemini-2.5-flash", {}), NOBODY, None)  # type: ignore[arg-type]


def test_a_catalogue_names_it_as_a_realtime_engine() -> None:
    text = shipped("engines.yaml").read_text()
    entry = (
        f"{{kind: realtime, model: {{plugin: google, model: {LIVE}, options: {{voice: Kore}}}}, tools: true}}"
    )
    catalogue = Catalogue.parse(f"{text}\n  gemini: {entry}\n")
    assert catalogue.engines["gemini"].mind.plugin == "google"
    preload(catalogue.components())


def test_a_half_cascade_of_it_is_refused_where_it_stands() -> None:
    text = shipped("engines.yaml").read_text()
    entry = f"{{kind: half_cascade, model: {{plugin: google, model: {LIVE}}}, voices: [house]}}"
    with pytest.raises(DocumentError, match="models of google answer in speech only"):
        Catalogue.parse(f"{text}\n  gemini: {entry}\n")


@pytest.mark.parametrize(
    ("simulated", "url", "checked"),
    [
        (True, "https://127.0.0.1:1", False),
        (True, "https://lab.example.com", True),
        (False, "https://127.0.0.1:1", True),
        (False, None, True),
    ],
)
def test_only_the_lab_on_loopback_goes_without_a_certificate_that_somebody_vouches_for(
    simulated: bool, url: str | None, checked: bool
) -> None:
    model = build("realtime", Component("google", LIVE, {}), Endpoint("key", url, simulated), None)  # type: ignore[arg-type]
    arguments = model.inner._opts.http_options.async_client_args
    assert arguments["ssl"].check_hostname is checked


# -- usage --------------------------------------------------------------------------------------------------
def tokens(**by_modality: int) -> list[types.ModalityTokenCount]:
    return [
        types.ModalityTokenCount(modality=types.MediaModality[name.upper()], token_count=count)
        for name, count in by_modality.items()
    ]


async def billed(reported: types.UsageMetadata) -> Mapping[str, float]:
    """The quantities that are charged for what the service reports."""
    metrics: list[RealtimeModelMetrics] = []
    nothing: Any = lambda *_: None  # noqa: E731
    hooks = LinkHooks(
        nothing, nothing, nothing, lambda _, collected: metrics.append(collected), nothing, nothing
    )
    link = Link(made().inner, "", [], hooks)
    try:
        link._start_new_generation()
        link._handle_usage_metadata(reported)
    finally:
        await link.aclose()
    used = usage(metrics[-1])
    assert used is not None
    return used.quantities


async def test_cached_tokens_are_counted_once() -> None:
    reported = types.UsageMetadata(
        prompt_token_count=1000,
        cached_content_token_count=600,
        response_token_count=50,
        prompt_tokens_details=tokens(text=400, audio=600),
        cache_tokens_details=tokens(text=200, audio=400),
        response_tokens_details=tokens(audio=50),
    )
    assert await billed(reported) == {
        "input_text_tokens": 200,
        "cached_text_tokens": 200,
        "input_audio_tokens": 200,
        "cached_audio_tokens": 400,
        "output_audio_tokens": 50,
    }


async def test_thoughts_and_what_no_detail_holds_are_billed_as_text() -> None:
    reported = types.UsageMetadata(
        prompt_token_count=522,
        response_token_count=42,
        thoughts_token_count=136,
        prompt_tokens_details=tokens(text=332, audio=165),
        response_tokens_details=tokens(audio=42),
    )
    assert await billed(reported) == {
        "input_text_tokens": 332 + 25,
        "input_audio_tokens": 165,
        "output_text_tokens": 136,
        "output_audio_tokens": 42,
    }


@given(st.integers(0, 10_000), st.integers(0, 5_000), st.integers(0, 5_000), st.integers(0, 500))
def test_nothing_that_is_reported_is_lost(total: int, text: int, audio: int, thoughts: int) -> None:
    reported = types.UsageMetadata(
        prompt_token_count=total,
        response_token_count=audio,
        thoughts_token_count=thoughts,
        prompt_tokens_details=tokens(text=text, audio=audio),
    )
    again = whole(reported)
    read = sum(one.token_count or 0 for one in again.prompt_tokens_details or ())
    made_of = sum(one.token_count or 0 for one in again.response_tokens_details or ())
    assert read == max(total, text + audio)
    assert made_of == audio + thoughts


async def test_a_minute_of_it_has_a_price() -> None:
    reported = types.UsageMetadata(
        prompt_token_count=1750,
        response_token_count=750,
        prompt_tokens_details=tokens(text=1000, audio=750),
        response_tokens_details=tokens(audio=750),
    )
    meter = Meter(Prices.load(shipped("prices.yaml")))
    used = usage(
        RealtimeModelMetrics(
            label="x",
            request_id="r",
            timestamp=0,
            input_token_details=RealtimeModelMetrics.InputTokenDetails(text_tokens=1000, audio_tokens=750),
            output_token_details=RealtimeModelMetrics.OutputTokenDetails(audio_tokens=750),
            metadata=Metadata(model_name=LIVE, model_provider="Gemini"),
        )
    )
    assert used is not None
    assert used.quantities == await billed(reported)
    # 1000 tokens of text at $0.50, 30 s of hearing at $3 and 30 s of speech at $12 a million, 25 tokens a second.
    assert meter.charge("google", used).cost_usd == pytest.approx(0.0005 + 0.00225 + 0.009)


# -- a turn that is kept --------------------------------------------------------------------------------------
def frame(samples: int, rate_hz: int = 24_000) -> rtc.AudioFrame:
    tone = (8000 * np.sin(np.arange(samples) / 10)).astype(np.int16)
    return rtc.AudioFrame(tone.tobytes(), rate_hz, 1, samples)


@given(st.lists(st.integers(1, 2400), max_size=20))
def test_a_turn_is_kept_to_its_last_sample(sizes: list[int]) -> None:
    kept = Resampled(16_000)
    for size in sizes:
        kept.push(frame(size))
    pieces = kept.take()
    assert abs(sum(map(len, pieces)) / 2 - sum(sizes) * 2 / 3) <= 16  # a millisecond
    assert all(len(piece) == 2 * 16 * PIECE_MS for piece in pieces[:-1])
    assert kept.take() == []


def test_a_turn_that_is_forgotten_is_in_no_other() -> None:
    kept = Resampled(16_000)
    kept.push(frame(2400))
    kept.clear()
    assert kept.take() == []


def test_a_turn_in_the_right_rate_stays_as_it_is() -> None:
    kept = Resampled(24_000)
    kept.push(frame(480))
    assert kept.take() == [bytes(frame(480).data)]


# -- a session ------------------------------------------------------------------------------------------------
async def test_a_session_that_is_told_nothing_connects_nowhere() -> None:
    session = made().session()
    session.push_audio(frame(480))
    session.interrupt()
    session.clear_audio()
    assert session._link is None
    await session.aclose()


async def test_our_words_of_a_turn_are_its_words() -> None:
    session: GeminiSession = made().session()
    try:
        stored: list[llm.RemoteItemAddedEvent] = []
        session.on("remote_item_added", stored.append)
        session.push_audio(frame(4800))
        session.commit_audio()
        session.generate_reply()
        session.worded(stored[0].item.id, "where is my order")
        [message] = session.chat_ctx.messages()
        assert (message.role, message.text_content) == ("user", "where is my order")
    finally:
        await session.aclose()
