import tracemalloc
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers import EmotionModel, EmotionReading, EmotionScores, EmotionStream
from classifiers.emotion.folder import Settings
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


class Scripted:
    """A model that says what it is told to, window by window, and remembers how much it was given."""

    settings = Settings(window_s=2.5)

    def __init__(self, upset: Iterable[float]) -> None:
        self._upset: Iterator[float] = iter(upset)
        self.samples: list[int] = []

    def classify(self, samples: Floats) -> EmotionScores:
        self.samples.append(len(samples))
        upset = next(self._upset)
        return EmotionScores({"angry": upset, "neutral": 1 - upset}, upset, max(upset, 1 - upset))


def speech(seconds: float, gain_db: float = 0.0) -> Floats:
    """A calm caller who talks on and on."""
    said = np.concatenate([caller(name) for name in CALM])
    return np.resize(said, round(seconds * RATE_HZ)) * np.float32(10 ** (gain_db / 20))


def scripted(upset: Iterable[float]) -> EmotionReading:
    """The reading of one turn whose windows say this, and no more windows than that."""
    values = list(upset)
    model = Scripted(values)
    stream = EmotionStream(model)
    audio = speech(60)
    at = 0
    while len(model.samples) < len(values):
        stream.push(audio[at : at + 320], RATE_HZ)
        at += 320
    return stream.turn_result()


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


def test_a_caller_who_becomes_furious_within_a_turn_reads_upset() -> None:
    assert scripted([0.1] * 15 + [0.9] * 10).label == "upset"
    assert scripted([0.9] * 10 + [0.1] * 15).label == "calm"


def test_windows_that_disagree_make_a_reading_less_sure() -> None:
    agreed, torn = scripted([0.8] * 4), scripted([0.99, 0.2, 0.99, 0.2])
    assert agreed.upset == pytest.approx(0.8)
    assert 0.5 < torn.upset < agreed.upset


def test_windows_that_contradict_each_other_are_unknown() -> None:
    assert scripted([0.97, 0.03, 0.9, 0.1, 0.6]).label == "unknown"


def test_a_caller_who_shouts_is_heard_as_raised(model: EmotionModel) -> None:
    stream = EmotionStream(model)
    stream.push(speech(8), RATE_HZ)
    before = stream.turn_result()
    stream.reset_turn()
    stream.push(speech(8, gain_db=8), RATE_HZ)
    shouted = stream.turn_result()
    assert before.raised_windows == 0
    assert shouted.raised_windows > shouted.windows / 2
    assert shouted.level_change_db == pytest.approx(8, abs=2)


def test_a_caller_who_speaks_up_within_a_turn_is_heard_as_raised(model: EmotionModel) -> None:
    stream = EmotionStream(model)
    stream.push(np.concatenate([speech(8), speech(4, gain_db=8)]), RATE_HZ)
    assert stream.turn_result().raised_windows >= 3


def test_a_quiet_line_is_no_quieter_caller(model: EmotionModel) -> None:
    changes = []
    for line_db in (0.0, -15.0):
        stream = EmotionStream(model)
        for gain_db in (0.0, 6.0):
            stream.reset_turn()
            stream.push(speech(8, gain_db=line_db + gain_db), RATE_HZ)
        changes.append(stream.turn_result().level_change_db)
    assert changes[0] == pytest.approx(changes[1], abs=0.5)
    assert changes[0] > 3


def test_lowering_the_voice_is_not_raising_it(model: EmotionModel) -> None:
    stream = EmotionStream(model)
    stream.push(speech(8), RATE_HZ)
    stream.reset_turn()
    stream.push(speech(8, gain_db=-8), RATE_HZ)
    reading = stream.turn_result()
    assert reading.raised_windows == 0
    assert reading.level_change_db < -4


def test_a_caller_who_is_furious_from_the_first_word_is_not_their_own_baseline() -> None:
    stream = EmotionStream(Scripted([0.9] * 200))
    readings = []
    for _ in range(5):
        stream.reset_turn()
        stream.push(speech(8), RATE_HZ)
        readings.append(stream.turn_result())
    assert {reading.label for reading in readings} == {"upset"}
    assert readings[0].upset == pytest.approx(readings[-1].upset)
    assert readings[-1].level_change_db == 0.0


def test_a_caller_whose_ordinary_voice_scores_high_needs_more_to_read_upset() -> None:
    def after(ordinary: float, then: float) -> EmotionReading:
        def upset() -> Iterator[float]:
            while True:
                yield level

        level = ordinary
        stream = EmotionStream(Scripted(upset()))
        stream.push(speech(20), RATE_HZ)
        stream.reset_turn()
        level = then
        stream.push(speech(8), RATE_HZ)
        return stream.turn_result()

    assert after(0.05, 0.65).label == "upset"
    assert after(0.45, 0.65).label != "upset"
    assert after(0.45, 0.95).label == "upset"


def test_the_reading_at_the_end_of_speech_costs_one_window_at_most() -> None:
    model = Scripted([0.5] * 100)
    stream = EmotionStream(model)
    for seconds in (1.3, 0.1, 0.1, 0.2, 5.0, 0.05):
        stream.push(speech(seconds), RATE_HZ)
        scored = len(model.samples)
        first = stream.turn_result()
        assert len(model.samples) <= scored + 1
        scored = len(model.samples)
        assert stream.turn_result() == first
        assert len(model.samples) == scored


def test_a_long_turn_takes_no_more_memory_or_work_than_a_short_one() -> None:
    model = Scripted(0.2 for _ in iter(int, 1))
    stream = EmotionStream(model)
    stream.push(speech(20), RATE_HZ)
    model.samples.clear()
    audio = speech(10)
    tracemalloc.start()
    stream.push(audio, RATE_HZ)
    early, (held, _) = len(model.samples), tracemalloc.get_traced_memory()
    for _ in range(3):
        model.samples.clear()
        stream.push(audio, RATE_HZ)
    late, (held_later, _) = len(model.samples), tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held_later < held + 100_000
    assert abs(late - early) <= 1
    assert max(model.samples) <= 2.5 * RATE_HZ


def test_ten_minutes_in_one_piece_are_heard() -> None:
    reading = EmotionStream(Scripted(0.2 for _ in iter(int, 1)))
    reading.push(np.zeros(600 * RATE_HZ, dtype=np.int16), RATE_HZ, speaking=False)
    reading.push(speech(4), RATE_HZ)
    assert reading.turn_result().label == "calm"


@pytest.mark.parametrize("rate_hz", [8_000, RATE_HZ])
def test_samples_that_are_no_numbers_spoil_nothing_that_follows(model: EmotionModel, rate_hz: int) -> None:
    audio = caller(FURIOUS[0])[:: RATE_HZ // rate_hz].copy()
    audio[2_000:2_400] = np.nan
    audio[9_000:9_100] = -np.inf
    reading = heard(model, audio, rate_hz=rate_hz)
    assert reading.label == "upset"


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((320, 2), dtype=np.int16),
        np.zeros((1, 320), dtype=np.float32),
        np.float32(0),
        np.zeros(320, dtype=np.int32),
        np.zeros(320, dtype=np.uint8),
        np.zeros(320, dtype=np.complex64),
        np.array(["quiet"] * 320),
    ],
    ids=["stereo", "a row", "a number", "int32", "bytes", "complex", "text"],
)
def test_what_is_not_mono_audio_is_refused(model: EmotionModel, samples: NDArray[np.generic]) -> None:
    with pytest.raises(ValueError, match="give "):
        EmotionStream(model).push(samples, RATE_HZ)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate_hz", [0, -8_000, 1_000, 10_000_000])
def test_an_impossible_rate_is_refused(model: EmotionModel, rate_hz: int) -> None:
    with pytest.raises(ValueError, match="sample_rate_hz"):
        EmotionStream(model).push(np.zeros(320, dtype=np.int16), rate_hz)


def test_float_samples_far_over_full_scale_are_heard_clipped(model: EmotionModel) -> None:
    loud = speech(4).astype(np.float64) * 1e300
    assert heard(model, loud) == heard(model, np.clip(loud, -1, 1))  # type: ignore[arg-type]
