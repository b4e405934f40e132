"""What telephones, rooms and headsets do to a voice, drawn at random from a seeded generator.

Every function takes and returns mono float32 at 16 kHz. The equaliser matters most: without it a bright headset on a
calm caller looks like raised vocal effort.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifiers.emotion.training.frontend import SAMPLE_RATE_HZ

Floats = NDArray[np.float32]


def presence_boost(wave: Floats, gain_db: float, centre_hz: float = 2800.0, octaves: float = 1.0) -> Floats:
    """A bell of ``gain_db`` around ``centre_hz``: what a bright headset does to everything said into it."""
    hz = _frequencies(len(wave))
    bell = np.exp(-0.5 * (np.log2(hz / centre_hz) / (octaves / 2)) ** 2)
    return _filtered(wave, gain_db * bell)


def random_eq(wave: Floats, rng: np.random.Generator) -> Floats:
    """A tilt of up to 4 dB an octave and two bells of up to 10 dB, somewhere in the telephone band."""
    hz = _frequencies(len(wave))
    octaves = np.log2(hz / 1000)
    gain_db = rng.uniform(-4, 4) * np.clip(octaves, -3, 2)
    for _ in range(2):
        centre = rng.uniform(np.log2(0.2), np.log2(4.0))
        width = rng.uniform(0.3, 1.2)
        gain_db += rng.uniform(-10, 10) * np.exp(-0.5 * ((octaves - centre) / width) ** 2)
    return _filtered(wave, gain_db)


def telephone(wave: Floats, level_dbfs: float = -23.0) -> Floats:
    """G.711 mu-law: 300 to 3400 Hz at 8 kHz, set to ``level_dbfs`` first, for the coder is coarse on quiet speech."""
    hz = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE_HZ)
    edge = np.clip((hz - 200) / 100, 0, 1) * np.clip((3600 - hz) / 200, 0, 1)
    narrow = np.fft.irfft(np.fft.rfft(wave) * edge, len(wave))
    narrow *= 10 ** (level_dbfs / 20) / max(float(np.sqrt(np.mean(narrow**2))), 1e-9)
    at_8k = np.clip(narrow[::2], -1, 1)
    code = np.round(np.sign(at_8k) * np.log1p(255 * np.abs(at_8k)) / np.log(256) * 127) / 127
    decoded = np.sign(code) * (np.power(256.0, np.abs(code)) - 1) / 255
    spectrum = np.fft.rfft(decoded)
    wide = np.zeros(len(wave) // 2 + 1, dtype=complex)
    kept = min(len(spectrum), len(wide))
    wide[:kept] = spectrum[:kept]
    return np.asarray(np.fft.irfft(wide, len(wave)) * 2, dtype=np.float32)


def add_noise(wave: Floats, snr_db: float, colour: float, rng: np.random.Generator) -> Floats:
    """Noise whose power falls as 1/f^``colour`` (0 white, 1 pink, 2 brown), ``snr_db`` under the speech."""
    hz = _frequencies(len(wave))
    white = np.fft.rfft(rng.standard_normal(len(wave)))
    noise = np.fft.irfft(white / np.maximum(hz, 50) ** (colour / 2), len(wave))
    wanted = float(np.mean(wave**2)) / 10 ** (snr_db / 10)
    return np.asarray(wave + noise * np.sqrt(wanted / max(float(np.mean(noise**2)), 1e-12)), dtype=np.float32)


def change_speed(wave: Floats, factor: float) -> Floats:
    """Play ``factor`` times as fast: pitch and rate move together, so neither alone can stand for an emotion."""
    positions = np.arange(0, len(wave) - 1, factor)
    return np.asarray(np.interp(positions, np.arange(len(wave)), wave), dtype=np.float32)


def reverberate(wave: Floats, decay_s: float, direct_db: float, rng: np.random.Generator) -> Floats:
    """A room: noise falling 60 dB in ``decay_s`` follows the direct sound, ``direct_db`` under it (Polack 1988)."""
    samples = round(decay_s * SAMPLE_RATE_HZ)
    tail = rng.standard_normal(samples) * 10 ** (-3 * np.arange(samples) / samples)
    tail *= 10 ** (-direct_db / 20) / np.sqrt(np.sum(tail**2))
    response = np.concatenate([[1.0], np.zeros(int(rng.integers(32, 160))), tail])
    size = 1 << (len(wave) + len(response)).bit_length()
    heard = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(response, size), size)[: len(wave)]
    return np.asarray(heard, dtype=np.float32)


def between_pauses(
    wave: Floats, before_s: float, after_s: float, floor_db: float, rng: np.random.Generator
) -> Floats:
    """The line's own noise, ``floor_db`` under the speech, before, behind and beneath it."""
    edges = (round(before_s * SAMPLE_RATE_HZ), round(after_s * SAMPLE_RATE_HZ))
    padded = np.pad(wave, edges)
    floor = float(np.sqrt(np.mean(wave**2))) * 10 ** (-floor_db / 20)
    return np.asarray(padded + floor * rng.standard_normal(len(padded)), dtype=np.float32)


def as_in_a_call(wave: Floats, samples: int, rng: np.random.Generator) -> Floats:
    """One random draw of all of it: some 1.2 s or more of the utterance, repeated to fill ``samples``."""
    heard = change_speed(wave, rng.uniform(0.84, 1.2))
    length = min(len(heard), int(rng.uniform(1.2 * SAMPLE_RATE_HZ, samples)))
    start = int(rng.integers(len(heard) - length + 1))
    heard = heard[start : start + length]
    if rng.random() < 0.2:
        heard = between_pauses(heard, rng.uniform(0, 0.8), rng.uniform(0, 0.8), rng.uniform(25, 60), rng)
    heard = np.resize(heard[-samples:], samples)
    if rng.random() < 0.8:
        heard = random_eq(heard, rng)
    if rng.random() < 0.25:
        heard = reverberate(heard, rng.uniform(0.15, 0.8), rng.uniform(-3, 12), rng)
    if rng.random() < 0.5:
        heard = add_noise(heard, rng.uniform(3, 25), rng.uniform(0, 2), rng)
    if rng.random() < 0.5:
        heard = telephone(heard, rng.uniform(-35, -12))
    return heard


def _frequencies(samples: int) -> NDArray[np.float64]:
    return np.asarray(np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ), 20.0))


def _filtered(wave: Floats, gain_db: NDArray[np.float64]) -> Floats:
    return np.asarray(np.fft.irfft(np.fft.rfft(wave) * 10 ** (gain_db / 20), len(wave)), dtype=np.float32)
