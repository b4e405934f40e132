"""A recogniser's result on the call's clock, by the times that it gives."""

import pytest
from livekit import rtc
from livekit.agents import LanguageCode, stt
from livekit.agents.types import TimedString

from compliance.heard import Timeline, segment
from compliance.tap import Stamped

pytestmark = pytest.mark.unit

HEARD_MS = (3_000.0, 4_000.0)
"""When there was speech, by the tap."""


def timeline(start_ms: float) -> Timeline:
    """Of a stream whose first second of audio was heard at ``start_ms`` of the call."""
    line = Timeline()
    line.push(Stamped(start_ms, rtc.AudioFrame(bytes(48_000), 24_000, 1, 24_000)))
    return line


def data(*words: tuple[str, float, float], window: tuple[float, float] = (0.0, 0.0)) -> stt.SpeechData:
    start, end = window
    timed = [TimedString(text, start_time=since, end_time=until) for text, since, until in words]
    return stt.SpeechData(LanguageCode("en"), " ".join(map(str, timed)), start, end, words=timed)


def test_a_segment_is_where_its_words_are_whatever_audio_the_result_is_of() -> None:
    """Flux gives the window of all audio since the turn before, silence and the agent's reply included."""
    heard = segment(
        data(("good", 8.1, 8.4), ("bye", 8.4, 8.8), window=(2.0, 9.0)), timeline(1_000.0), otherwise=HEARD_MS
    )
    assert (heard.start_ms, heard.end_ms) == pytest.approx((9_100, 9_800))
    assert [word.text for word in heard.words] == ["good", "bye"]


def test_words_without_times_are_left_out_and_the_results_own_times_used() -> None:
    heard = segment(data(("goodbye", 0, 0), window=(2.0, 2.5)), timeline(1_000.0), otherwise=HEARD_MS)
    assert (heard.start_ms, heard.end_ms, heard.words) == (3_000, 3_500, ())
    assert heard.text == "goodbye"


def test_without_any_times_a_segment_is_where_there_was_speech() -> None:
    heard = segment(stt.SpeechData(LanguageCode("en"), "goodbye"), timeline(1_000.0), otherwise=HEARD_MS)
    assert (heard.start_ms, heard.end_ms) == HEARD_MS
