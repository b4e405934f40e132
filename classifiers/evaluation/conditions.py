"""What may lie between a caller's mouth and the model: lines, noise, loss, headsets.

Conditions are drawn from a generator that each recording has to itself, so the same corpus is heard the same way twice.
None of them is what training drew at random: the noises and losses here are only for measuring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from classifiers.emotion.training.augment import add_noise, presence_boost, telephone
from classifiers.evaluation.corpus import Corpus

Floats = NDArray[np.float32]
Voices = Callable[[np.random.Generator], Floats]  # what others say meanwhile
Condition = Callable[[Floats, np.random.Generator, Voices], Floats]

SEED = 17
FRAME_SAMPLES = 320  # 20 ms at 16 kHz: one RTP packet
MEAN_BURST_FRAMES = 3.0
BABBLERS = 5
WIDE_BAND, TELEPHONE = "16 kHz", "µ-law 8 kHz"


def babble_noise(wave: Floats, rng: np.random.Generator, voices: Voices, *, snr_db: float) -> Floats:
    """Five other people talking at once, as loud as each other, ``snr_db`` under the speech."""
    babble = np.zeros(len(wave))
    for _ in range(BABBLERS):
        voice = voices(rng)
        started = int(rng.integers(len(voice)))
        babble += np.resize(np.roll(voice, -started), len(wave)) / max(
            float(np.sqrt(np.mean(voice**2))), 1e-6
        )
    wanted = float(np.mean(wave**2)) / 10 ** (snr_db / 10)
    return np.asarray(wave + babble * np.sqrt(wanted / max(float(np.mean(babble**2)), 1e-12)), np.float32)


def lost_frames(frames: int, rate: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which packets are lost, by Gilbert's two states (Gilbert 1960): ``rate`` of all, three at a time on average."""
    recovers = 1 / MEAN_BURST_FRAMES
    fails = recovers * rate / (1 - rate)
    lost, down = np.zeros(frames, dtype=bool), bool(rng.random() < rate)
    for frame, chance in enumerate(rng.random(frames)):
        lost[frame] = down
        down = chance >= recovers if down else chance < fails
    return lost


def packet_loss(
    wave: Floats, rng: np.random.Generator, *, rate: float, instead: Literal["silence", "the last frame"]
) -> Floats:
    """Lose 20 ms packets in bursts; the receiver plays silence, or the last frame that came, again and again."""
    whole = np.pad(wave, (0, -len(wave) % FRAME_SAMPLES)).reshape(-1, FRAME_SAMPLES)
    lost = lost_frames(len(whole), rate, rng)
    if instead == "silence":
        heard = np.where(lost[:, None], 0, whole)
    else:
        came = np.maximum.accumulate(np.where(lost, -1, np.arange(len(whole))))
        heard = np.where(came[:, None] < 0, 0, whole[came])
    return np.asarray(heard.reshape(-1)[: len(wave)], np.float32)


def clipped(wave: Floats, *, over_db: float) -> Floats:
    """A microphone that clips everything within ``over_db`` of the loudest peak."""
    limit = float(np.abs(wave).max()) / 10 ** (over_db / 20)
    return np.clip(wave, -limit, limit)


def _noise(snr_db: float, line: Callable[[Floats], Floats] = lambda wave: wave) -> Condition:
    return lambda wave, rng, _: line(add_noise(wave, snr_db, 1.0, rng))


def _loss(rate: float, instead: Literal["silence", "the last frame"]) -> Condition:
    return lambda wave, rng, _: packet_loss(wave, rng, rate=rate, instead=instead)


CONDITIONS: Mapping[str, Condition] = {
    WIDE_BAND: lambda wave, rng, voices: wave,
    TELEPHONE: lambda wave, rng, voices: telephone(wave),
    **{f"pink noise {snr_db} dB": _noise(snr_db) for snr_db in (20, 10, 5)},
    **{f"babble {snr_db} dB": partial(babble_noise, snr_db=snr_db) for snr_db in (20, 10, 5)},
    "µ-law, pink noise 10 dB": _noise(10, telephone),
    **{f"{rate:.0%} lost, silence": _loss(rate, "silence") for rate in (0.01, 0.05, 0.1)},
    **{f"{rate:.0%} lost, repeated": _loss(rate, "the last frame") for rate in (0.01, 0.05, 0.1)},
    "clipped by 12 dB": lambda wave, rng, voices: clipped(wave, over_db=12),
    "bright headset +6 dB": lambda wave, rng, voices: presence_boost(wave, 6),
    "bright headset +9 dB": lambda wave, rng, voices: presence_boost(wave, 9),
}


def heard(corpus: Corpus, name: str) -> list[Floats]:
    """Every recording of the corpus as it is heard under the condition of that name."""
    condition = CONDITIONS[name]
    others = {
        speaker: [one.wave for one in corpus.recordings if one.speaker != speaker]
        for speaker in set(corpus.speakers.tolist())
    }

    def voices(speaker: str) -> Voices:
        return lambda rng: others[speaker][int(rng.integers(len(others[speaker])))]

    return [
        condition(one.wave, np.random.default_rng([SEED, number]), voices(one.speaker))
        for number, one in enumerate(corpus.recordings)
    ]
