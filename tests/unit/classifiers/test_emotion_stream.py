from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers import EmotionModel, EmotionReading, EmotionStream
from classifiers.emotion.training.augment import presence_boost
from classifiers.emotion.training.corpus import read_audio

pytestmark = pytest.mark.unit

CALLERS = Path(__file__).parents[3] / "lab" / "callers"
FURIOUS = ("04_calm_becomes_furious_t05", "04_calm_becomes_furious_t07", "05_furious_from_first_word_t01")
CALM = ("01_quick_question_t01", "03_card_phone_two_breaths_t03", "08_asks_for_human_t01")
RATE_HZ = 16_000

Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def model() -> EmotionModel:
    return EmotionModel.load()


def heard(
    model: EmotionModel,
    audio: Floats,
    *,
    frame_ms: int = 20,
    rate_hz: int = RATE_HZ,
    speaking: bool | None = None,
) -> EmotionReading:
    stream = EmotionStream(model)
    step = rate_hz * frame_ms // 1000
    for at in range(0, len(audio), step):
        stream.push(audio[at : at + step], rate_hz, speaking)
    return stream.turn_result()


def caller(name: str) -> Floats:
    return read_audio(CALLERS / f"{name}.flac")


@pytest.mark.parametrize("name", FURIOUS)
def test_a_furious_caller_reads_upset(model: EmotionModel, name: str) -> None:
    reading = heard(model, caller(name))
    assert reading.label == "upset"
    assert reading.confidence == reading.upset >= 0.6


@pytest.mark.parametrize("name", FURIOUS)
def test_a_furious_caller_reads_upset_over_the_telephone(model: EmotionModel, name: str) -> None:
    assert heard(model, read_audio(CALLERS / f"{name}_8k_mulaw.wav")).label == "upset"


@pytest.mark.parametrize("name", CALM)
def test_a_calm_caller_reads_calm(model: EmotionModel, name: str) -> None:
    assert heard(model, caller(name)).label == "calm"


@pytest.mark.parametrize("name", CALM)
def test_a_bright_headset_does_not_make_a_calm_caller_upset(model: EmotionModel, name: str) -> None:
    assert heard(model, presence_boost(caller(name), 9)).label == "calm"


def test_a_single_word_is_too_little_to_judge(model: EmotionModel) -> None:
    reading = heard(model, caller("01_quick_question_t03"))
    assert (reading.label, reading.confidence, reading.windows) == ("unknown", 0.0, 0)


@pytest.mark.parametrize("name", ["07_silence_and_noise_t02", "07_silence_and_noise_t03"])
def test_silence_and_line_noise_are_unknown(model: EmotionModel, name: str) -> None:
    assert heard(model, caller(name)) == EmotionReading("unknown", 0.0, 0.5, 0)


@pytest.mark.parametrize("colour", [0.0, 1.0, 2.0])
def test_noise_of_any_colour_is_unknown_even_if_a_detector_calls_it_speech(
    model: EmotionModel, colour: float
) -> None:
    hz = np.maximum(np.fft.rfftfreq(5 * RATE_HZ, 1 / RATE_HZ), 50)
    white = np.fft.rfft(np.random.default_rng(7).standard_normal(5 * RATE_HZ))
    noise = np.fft.irfft(white / hz ** (colour / 2))
    noise *= 0.1 / noise.std()
    assert heard(model, noise.astype(np.float32), speaking=True).windows == 0


def test_what_a_detector_says_is_not_speech_is_not_heard(model: EmotionModel) -> None:
    assert heard(model, caller(FURIOUS[0]), speaking=False).windows == 0


def test_silence_around_speech_does_not_change_the_reading(model: EmotionModel) -> None:
    silence = np.zeros(2 * RATE_HZ, dtype=np.float32)
    alone, surrounded = (
        heard(model, caller(FURIOUS[0])),
        heard(model, np.concatenate([silence, caller(FURIOUS[0]), silence])),
    )
    assert surrounded.label == alone.label
    assert surrounded.upset == pytest.approx(alone.upset, abs=0.05)


def test_frame_size_does_not_change_the_reading(model: EmotionModel) -> None:
    audio = caller(FURIOUS[0])
    assert (
        heard(model, audio, frame_ms=10)
        == heard(model, audio, frame_ms=100)
        == heard(model, audio, frame_ms=5000)
    )


def test_integer_samples_are_heard_as_float_samples_are(model: EmotionModel) -> None:
    audio = caller(FURIOUS[0])
    whole = heard(model, np.round(audio * 32768).astype(np.int16))
    assert whole.upset == pytest.approx(heard(model, audio).upset, abs=0.01)


@pytest.mark.parametrize("rate_hz", [8_000, 24_000, 48_000])
def test_any_rate_is_heard(model: EmotionModel, rate_hz: int) -> None:
    audio = caller(FURIOUS[0])
    at = np.arange(0, len(audio) - 1, RATE_HZ / rate_hz)
    resampled = np.interp(at, np.arange(len(audio)), audio).astype(np.float32)
    assert heard(model, resampled, rate_hz=rate_hz).label == "upset"


def test_a_rate_may_change_within_a_turn(model: EmotionModel) -> None:
    audio = caller(FURIOUS[0])
    stream = EmotionStream(model)
    stream.push(audio[:24_000:2], 8_000)
    stream.push(audio[24_000:], RATE_HZ)
    assert stream.turn_result().windows >= 4


def test_a_new_turn_forgets_the_one_before(model: EmotionModel) -> None:
    stream = EmotionStream(model)
    stream.push(caller(FURIOUS[0]), RATE_HZ)
    assert stream.turn_result().label == "upset"
    stream.reset_turn()
    assert stream.turn_result().windows == 0
    stream.push(caller(CALM[0]), RATE_HZ)
    assert stream.turn_result().label == "calm"


def test_asking_for_the_result_changes_nothing(model: EmotionModel) -> None:
    stream = EmotionStream(model)
    stream.push(caller(FURIOUS[0])[:40_000], RATE_HZ)
    assert stream.turn_result() == stream.turn_result()


def test_scores_come_out_while_the_caller_speaks(model: EmotionModel) -> None:
    stream = EmotionStream(model)
    audio = caller(CALM[0])
    scores = [stream.push(audio[at : at + 320], RATE_HZ) for at in range(0, len(audio), 320)]
    completed = [score for score in scores if score is not None]
    assert 3 <= len(completed) <= stream.turn_result().windows


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0, dtype=np.int16),
        np.zeros(1, dtype=np.float32),
        np.full(40_000, np.nan, dtype=np.float32),
        np.full(40_000, np.inf, dtype=np.float32),
        np.full(40_000, 32767, dtype=np.int16),
    ],
    ids=["nothing", "one sample", "not numbers", "infinite", "stuck at full scale"],
)
def test_broken_audio_is_unknown(model: EmotionModel, samples: NDArray[np.generic]) -> None:
    stream = EmotionStream(model)
    stream.push(samples, RATE_HZ)  # type: ignore[arg-type]
    stream.push(samples, 8_000)  # type: ignore[arg-type]
    assert stream.turn_result().label == "unknown"


def test_two_calls_in_two_threads_share_a_model(model: EmotionModel) -> None:
    names = [FURIOUS[0], CALM[0]] * 4
    with ThreadPoolExecutor(max_workers=2) as pool:
        at_once = list(pool.map(lambda name: heard(model, caller(name)), names))
    assert at_once == [heard(model, caller(name)) for name in names]
