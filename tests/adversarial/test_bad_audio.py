"""Sound that is no caller, or no proper sound: the voice reads "unknown", and nothing is raised in a call."""

import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from classifiers import EmotionModel, EmotionReading, EmotionStream
from classifiers.emotion.resample import To16kHz
from classifiers.emotion.training.corpus import read_audio

pytestmark = pytest.mark.adversarial

CALLERS = Path(__file__).parents[2] / "lab" / "callers"
FURIOUS, CALM = "05_furious_from_first_word_t01", "03_card_phone_two_breaths_t03"
RATE_HZ = 16_000

Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def model() -> EmotionModel:
    return EmotionModel.load()


def caller(name: str) -> Floats:
    return read_audio(CALLERS / f"{name}.flac")


def to_int16(audio: Floats) -> NDArray[np.int16]:
    return np.round(audio * 32767).astype(np.int16)


def heard(stream: EmotionStream, audio: NDArray[np.generic], rate_hz: int = RATE_HZ) -> EmotionReading:
    """As a call pushes it: frame by frame, with a detector that calls everything speech."""
    step = rate_hz // 50
    for at in range(0, len(audio), step):
        stream.push(audio[at : at + step], rate_hz, speaking=True)  # type: ignore[arg-type]
    return stream.turn_result()


# --- sounds that are no voice


def seconds(length_s: float) -> NDArray[np.float64]:
    return np.arange(round(length_s * RATE_HZ)) / RATE_HZ


def tone(hz: float, length_s: float, harmonics: int = 1) -> NDArray[np.float64]:
    t = seconds(length_s)
    return np.sum([np.sin(2 * np.pi * hz * k * t) / k for k in range(1, harmonics + 1)], axis=0)


def note(hz: float, length_s: float, decay: float) -> NDArray[np.float64]:
    t = seconds(length_s)
    return tone(hz, length_s, harmonics=8) * np.exp(-decay * t) * np.minimum(1, t / 0.01)


def chords() -> NDArray[np.float64]:
    roots = [220.0, 174.6, 261.6, 196.0] * 2
    return np.concatenate([sum(note(root * third, 1.5, 1.0) for third in (1, 1.26, 1.5)) for root in roots])


def melody(length_s: float = 0.25) -> NDArray[np.float64]:
    scale = np.array([262, 294, 330, 349, 392, 440, 494, 523])
    picks = np.random.default_rng(3).integers(0, len(scale), round(12 / length_s))
    return np.concatenate([note(float(scale[pick]), length_s, 3.0) for pick in picks])


def song() -> NDArray[np.float64]:
    return chords() + 0.7 * melody()


def noise(colour: float) -> NDArray[np.float64]:
    """White, pink or brown for 0, 1 or 2: power falls with frequency to this power."""
    hz = np.maximum(np.fft.rfftfreq(8 * RATE_HZ, 1 / RATE_HZ), 50)
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal(8 * RATE_HZ))
    return np.fft.irfft(spectrum / hz ** (colour / 2))


def keys() -> NDArray[np.float64]:
    """ITU-T Q.23: 150 ms of two tones, 80 ms of nothing."""
    pairs = [(697, 1209), (770, 1336), (852, 1477), (941, 1336)] * 5
    gap = np.zeros(round(0.08 * RATE_HZ))
    return np.concatenate([x for low, high in pairs for x in (tone(low, 0.15) + tone(high, 0.15), gap)])


def ringing() -> NDArray[np.float64]:
    """The American ringing tone: 440 and 480 Hz, 2 s of 4."""
    return np.concatenate([tone(440, 2) + tone(480, 2), np.zeros(2 * RATE_HZ)] * 3)


SOUNDS = {
    "silence": lambda: np.zeros(8 * RATE_HZ),
    "an offset": lambda: np.ones(8 * RATE_HZ),
    "white noise": lambda: noise(0),
    "pink noise": lambda: noise(1),
    "brown noise": lambda: noise(2),
    "clicks": lambda: np.where(np.arange(8 * RATE_HZ) % 4000 == 0, 1.0, 0.0),
    "50 Hz hum": lambda: tone(50, 8, 20),
    "60 Hz hum": lambda: tone(60, 8, 20),
    "100 Hz hum": lambda: tone(100, 8, 20),
    "120 Hz hum": lambda: tone(120, 8, 20),
    "hum and noise": lambda: tone(100, 8, 20) + 0.3 * noise(0) / noise(0).std(),
    "dial tone": lambda: tone(425, 8),
    "ringing": ringing,
    "a 1 kHz tone": lambda: tone(1000, 8),
    "keys": keys,
    "chords": chords,
    "a melody": melody,
    "a slow melody": lambda: melody(0.5),
    "a song": song,
}


@pytest.mark.parametrize("level_dbfs", [-40, -6], ids=lambda level: f"{level} dBFS")
@pytest.mark.parametrize("sound", SOUNDS)
def test_what_is_no_voice_is_unknown(model: EmotionModel, sound: str, level_dbfs: int) -> None:
    wave = SOUNDS[sound]()
    wave = (wave / (np.abs(wave).max() + 1e-9) * 10 ** (level_dbfs / 20)).astype(np.float32)
    reading = heard(EmotionStream(model), wave)
    assert (reading.label, reading.windows) == ("unknown", 0)


@pytest.mark.parametrize("sound", ["a song", "ringing", "50 Hz hum", "100 Hz hum", "white noise"])
def test_a_voice_is_heard_again_after_a_sound_that_is_none(model: EmotionModel, sound: str) -> None:
    stream = EmotionStream(model)
    wave = SOUNDS[sound]()
    heard(stream, (0.1 * wave / np.abs(wave).max()).astype(np.float32))
    stream.reset_turn()
    assert heard(stream, caller(FURIOUS)).label == "upset"


@pytest.mark.parametrize("name", [FURIOUS, CALM])
@pytest.mark.parametrize("sound", ["50 Hz hum", "100 Hz hum", "a song", "pink noise"])
def test_a_voice_is_heard_over_a_sound_that_is_none(model: EmotionModel, sound: str, name: str) -> None:
    voice, under = caller(name), SOUNDS[sound]()
    under = 0.1 * voice.std() / under.std() * np.resize(under, len(voice))  # 20 dB below
    plain = heard(EmotionStream(model), voice)
    both = heard(EmotionStream(model), (voice + under).astype(np.float32))
    assert both.label in (plain.label, "unknown")
    assert both.windows >= plain.windows / 2


# --- a voice that arrives in another shape


@pytest.mark.parametrize("name", [FURIOUS, CALM])
def test_a_clipped_voice_is_still_judged_or_unknown(model: EmotionModel, name: str) -> None:
    plain = heard(EmotionStream(model), caller(name)).label
    clipped = heard(EmotionStream(model), np.clip(caller(name) * 20, -1, 1)).label
    assert clipped in (plain, "unknown")


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("name", [FURIOUS, CALM])
def test_any_usual_rate_reads_alike(model: EmotionModel, name: str, rate_hz: int) -> None:
    audio = caller(name)
    at = np.arange(0, len(audio) - 1, RATE_HZ / rate_hz)
    resampled = np.interp(at, np.arange(len(audio)), audio).astype(np.float32)
    assert heard(EmotionStream(model), resampled, rate_hz).label == heard(EmotionStream(model), audio).label


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, ">f4", ">f8"])
def test_floats_of_any_width_and_order_read_alike(model: EmotionModel, dtype: str) -> None:
    plain = heard(EmotionStream(model), caller(FURIOUS))
    other = heard(EmotionStream(model), caller(FURIOUS).astype(dtype))
    assert other.label == plain.label
    assert other.upset == pytest.approx(plain.upset, abs=0.02)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((320, 2), np.int16),
        np.zeros((2, 320), np.float32),
        np.zeros((), np.float32),
        np.zeros(320, np.uint8),
        np.zeros(320, np.int32),
        np.zeros(320, np.int64),
        np.zeros(320, np.bool_),
        np.zeros(320, np.complex64),
        np.array(["a"] * 320),
        np.array([None] * 320),
    ],
    ids=lambda samples: f"{samples.dtype.name}{list(samples.shape)}",
)
def test_samples_that_nobody_can_take_for_mono_audio_are_refused_and_leave_the_stream_as_it_was(
    model: EmotionModel, samples: NDArray[np.generic]
) -> None:
    stream = EmotionStream(model)
    before = heard(stream, caller(FURIOUS))
    with pytest.raises(ValueError, match="give"):
        stream.push(samples, RATE_HZ)  # type: ignore[arg-type]
    assert stream.turn_result() == before


@pytest.mark.parametrize("rate_hz", [-16_000, 0, 1, 3_999, 192_001, 10**9])
def test_a_rate_that_cannot_be_is_refused_and_leaves_the_stream_as_it_was(
    model: EmotionModel, rate_hz: int
) -> None:
    stream = EmotionStream(model)
    before = heard(stream, caller(FURIOUS))
    with pytest.raises(ValueError, match="sample_rate_hz"):
        stream.push(np.zeros(320, np.float32), rate_hz)
    assert stream.turn_result() == before


def test_interleaved_stereo_taken_for_mono_raises_nothing(model: EmotionModel) -> None:
    assert heard(EmotionStream(model), np.repeat(caller(FURIOUS), 2)).label in ("upset", "calm", "unknown")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e-40, 1e30])
def test_single_samples_that_are_no_sound_do_not_change_the_reading(
    model: EmotionModel, value: float
) -> None:
    spoilt = caller(CALM).copy()
    spoilt[:: RATE_HZ * 2] = value
    plain, other = heard(EmotionStream(model), caller(CALM)), heard(EmotionStream(model), spoilt)
    assert other.label in (plain.label, "unknown")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e-40, -1e-45, 1e30])
@pytest.mark.parametrize("rate_hz", [8_000, RATE_HZ])
def test_a_stream_survives_seconds_of_samples_that_are_no_sound(
    model: EmotionModel, value: float, rate_hz: int
) -> None:
    stream = EmotionStream(model)
    heard(stream, np.full(3 * rate_hz, value, np.float32), rate_hz)
    assert stream.turn_result().windows == 0
    stream.reset_turn()
    assert heard(stream, caller(FURIOUS)).label == "upset"


def test_ten_milliseconds_are_unknown(model: EmotionModel) -> None:
    assert heard(EmotionStream(model), caller(FURIOUS)[16_000:16_160]).windows == 0


def test_empty_frames_change_nothing(model: EmotionModel) -> None:
    plain, holed = EmotionStream(model), EmotionStream(model)
    audio = caller(FURIOUS)
    for at in range(0, len(audio), 320):
        plain.push(audio[at : at + 320], RATE_HZ)
        holed.push(np.zeros(0, np.int16), RATE_HZ)
        holed.push(audio[at : at + 320], RATE_HZ)
    assert holed.turn_result() == plain.turn_result()


def rates() -> Iterator[int]:
    while True:
        yield from (8_000, 48_000, 16_000, 44_100, 24_000)


def test_a_rate_that_changes_with_every_push_reads_alike(model: EmotionModel) -> None:
    stream, audio = EmotionStream(model), caller(FURIOUS)
    for start, rate_hz in zip(range(0, len(audio), 8_000), rates(), strict=False):
        piece = audio[start : start + 8_000]
        at = np.arange(0, len(piece) - 1, RATE_HZ / rate_hz)
        stream.push(np.interp(at, np.arange(len(piece)), piece).astype(np.float32), rate_hz)
    assert stream.turn_result().label == heard(EmotionStream(model), audio).label


SAMPLES = (
    arrays.arrays(np.float32, st.integers(0, 2_000), elements=st.floats(width=32), fill=st.floats(width=32))
    | arrays.arrays(np.float64, st.integers(0, 2_000), elements=st.floats(), fill=st.floats())
    | arrays.arrays(np.int16, st.integers(0, 2_000), elements=st.integers(-32768, 32767))
)


@given(pushes=st.lists(st.tuples(SAMPLES, st.integers(4_000, 192_000), st.sampled_from([True, False, None]))))
@settings(max_examples=40, deadline=None)
def test_any_samples_at_any_rate_are_heard_without_an_error(
    model: EmotionModel, pushes: list[tuple[NDArray[np.float32], int, bool | None]]
) -> None:
    stream = EmotionStream(model)
    for samples, rate_hz, speaking in pushes:
        stream.push(samples, rate_hz, speaking)
    reading = stream.turn_result()
    assert reading.label in ("calm", "upset", "unknown")
    assert 0 <= reading.confidence <= 1
    assert 0 <= reading.upset <= 1


@given(st.lists(st.tuples(st.integers(0, 5_000), st.sampled_from([8_000, 16_000, 44_100, 48_000]))))
@settings(max_examples=60, deadline=None)
def test_a_resampler_gives_as_much_sound_as_it_was_given(pieces: list[tuple[int, int]]) -> None:
    resampler, given_s, got = To16kHz(), 0.0, 0
    for length, rate_hz in pieces:
        out = resampler.convert(np.zeros(length, np.float32), rate_hz)
        assert out.dtype == np.float32
        given_s += length / rate_hz
        got += len(out)
    # A filter holds back some milliseconds, which are lost when the rate changes.
    assert 0 <= given_s - got / RATE_HZ + 1e-3 <= 0.02 * (len(pieces) + 1)


# --- long sound


def test_ten_minutes_take_no_more_memory_and_no_more_work_than_one(model: EmotionModel) -> None:
    pause = np.zeros(3 * RATE_HZ, np.int16)
    minute = np.resize(np.concatenate([to_int16(caller(CALM)), pause]), 60 * RATE_HZ)
    stream, spent_s = EmotionStream(model), []
    for _ in range(9):
        began_s = time.process_time()
        heard(stream, minute)
        spent_s.append(time.process_time() - began_s)
    tracemalloc.start()
    try:
        heard(stream, minute[: 20 * RATE_HZ])
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 500_000  # the samples alone are 640 kB
    assert min(spent_s[-3:]) < 2 * min(spent_s[:3])
    assert stream.turn_result().label in ("calm", "unknown")


def test_ten_minutes_at_once_are_heard_too(model: EmotionModel) -> None:
    stream = EmotionStream(model)
    stream.push(np.zeros(540 * RATE_HZ, np.int16), RATE_HZ, speaking=True)
    stream.push(np.resize(to_int16(caller(FURIOUS)), 60 * RATE_HZ), RATE_HZ, speaking=True)
    reading = stream.turn_result()
    assert reading.label == "upset"
    assert reading.windows > 50
