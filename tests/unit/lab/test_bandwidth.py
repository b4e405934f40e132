from pathlib import Path

import numpy as np
import pytest

from lab.callers import HERE, load_pcm, recorded_call
from lab.hearing.bandwidth import BandExtension, BandMeter, Regression
from lab.hearing.train_band_extension import through_a_telephone

pytestmark = pytest.mark.unit

RATE_HZ = 16_000
SPEECH = load_pcm(HERE / "02_order_status_t01.flac", sample_rate_hz=RATE_HZ)


def above_4_khz(samples: np.ndarray) -> float:
    """The share of the energy."""
    power = np.abs(np.fft.rfft(samples.astype(float))) ** 2
    return float(power[len(power) // 2 :].sum() / power.sum())


@pytest.mark.parametrize("name", ["02_order_status", "05_furious_from_first_word"])
def test_a_telephone_recording_is_told_from_a_wideband_one(name: str) -> None:
    for turn in recorded_call(name).turns:
        wideband, telephone = BandMeter(), BandMeter()
        assert turn.telephony is not None
        wideband.measure(load_pcm(turn.path, sample_rate_hz=RATE_HZ))
        telephone.measure(load_pcm(turn.telephony, sample_rate_hz=RATE_HZ))
        assert not wideband.narrow
        assert telephone.narrow


def test_what_the_telephone_cut_off_is_filled_again() -> None:
    telephone = through_a_telephone(SPEECH)
    extension = BandExtension(Regression.load())
    extended = np.concatenate([extension.push(telephone), extension.flush()])
    assert above_4_khz(telephone) < 1e-4
    assert above_4_khz(extended) == pytest.approx(above_4_khz(SPEECH), rel=1.0)


def test_the_result_does_not_depend_on_the_size_of_the_pieces_and_keeps_time() -> None:
    telephone = through_a_telephone(SPEECH)
    whole, pieces = BandExtension(Regression.load()), BandExtension(Regression.load())
    at_once = np.concatenate([whole.push(telephone), whole.flush()])
    bit_by_bit = [pieces.push(telephone[at : at + 300]) for at in range(0, len(telephone), 300)]
    np.testing.assert_array_equal(at_once, np.concatenate([*bit_by_bit, pieces.flush()]))
    assert len(at_once) == len(telephone)
    low = slice(RATE_HZ // 2, RATE_HZ)
    assert np.corrcoef(telephone[low], at_once[low])[0, 1] > 0.8


def test_a_trained_regression_survives_its_file(tmp_path: Path) -> None:
    pair = (SPEECH, through_a_telephone(SPEECH))
    trained = Regression.trained([pair])
    trained.save(tmp_path / "weights.npz")
    energies = np.full(36, -8.0)
    np.testing.assert_allclose(
        Regression.load(tmp_path / "weights.npz").predict(energies), trained.predict(energies), rtol=1e-3
    )
