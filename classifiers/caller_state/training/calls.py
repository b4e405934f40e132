"""Makes calls: real voices of unheard speakers through the real stream, states and words drawn by the assumptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from classifiers.caller_state.training.assumptions import World
from classifiers.caller_state.turn import WordCues
from classifiers.emotion.folder import SAMPLE_RATE_HZ, Settings
from classifiers.emotion.model import EmotionScores
from classifiers.emotion.stream import EmotionReading, EmotionStream
from classifiers.emotion.training.augment import add_noise, telephone
from classifiers.emotion.training.corpus import LABELS, Utterance
from classifiers.measures import softmax

if TYPE_CHECKING:
    from classifiers.emotion.train import Trained

Floats = NDArray[np.float32]

CONDITIONS = ("16 kHz", "mu-law 8 kHz", "mu-law 8 kHz, 10 dB noise")
SPEECH_DBFS = -26.0  # nominal speech level of a line (ITU-T P.56, G.101)
LINES_DB = (-10.0, 4.0)  # how lines differ from it
PAUSE_S = 0.3
SHORT_S = 0.7
PUSH_S = 0.2
UNHEARD = EmotionReading("unknown", 0.0, 0.5, 0)


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """One turn of a made call: whether the caller was upset, and what the stream made of the voice."""

    upset: bool
    short: bool
    voice: EmotionReading


@dataclass(frozen=True, slots=True)
class HeardCall:
    """One made call: a speaker whom the emotion model never heard, on one line."""

    speaker: str
    condition: str
    turns: tuple[HeardTurn, ...]


class UnheardModel:
    """A trainer's model for the stream, before any export."""

    def __init__(self, trained: Trained, settings: Settings) -> None:
        self.settings = replace(settings, temperature=trained.temperature)
        self._trained = trained
        self._upset = [LABELS.index(label) for label in settings.upset_labels]

    def classify(self, samples: Floats) -> EmotionScores:
        p = softmax(self._trained.logits([samples])[0], self.settings.temperature)
        upset = float(p[self._upset].sum())
        return EmotionScores(dict(zip(LABELS, p.tolist(), strict=True)), upset, max(upset, 1 - upset))


def hear_calls(
    model: UnheardModel,
    utterances: Sequence[Utterance],
    world: World,
    calls: int,
    seed: int,
) -> list[HeardCall]:
    """``calls`` calls for each speaker of ``utterances``, heard by a model that never heard them."""
    made = []
    for speaker in sorted({utterance.speaker for utterance in utterances}):
        own: dict[str, list[Floats]] = {}
        for utterance in utterances:
            if utterance.speaker == speaker:
                own.setdefault(utterance.emotion, []).append(utterance.wave)
        for call in range(calls):
            rng = np.random.default_rng([seed, crc32(speaker.encode()), call])
            made.append(_hear_call(model, speaker, own, world, rng))
    return made


def _hear_call(
    model: UnheardModel, speaker: str, own: dict[str, list[Floats]], world: World, rng: np.random.Generator
) -> HeardCall:
    condition = CONDITIONS[rng.integers(len(CONDITIONS))]
    line_dbfs = SPEECH_DBFS + rng.uniform(*LINES_DB)
    passed_on = 0.5 if rng.random() < world.gain_control else 1.0
    sharp = 0.5 if rng.random() < world.sharp_voices else 0.0
    stream = EmotionStream(model)
    turns: list[HeardTurn] = []
    for upset in _states(world, int(rng.integers(3, 9)), rng):
        angry = bool(rng.random() < (world.audible if upset else sharp))
        short = bool(rng.random() < world.short_turns)
        louder_db = rng.normal(0, world.loudness_sd_db)
        if angry and upset:
            louder_db += rng.normal(world.shouting_db, world.shouting_sd_db)
        audio = _line(_turn(own, angry, short, world, rng), condition, line_dbfs + passed_on * louder_db, rng)
        stream.reset_turn()
        step = round(PUSH_S * SAMPLE_RATE_HZ)
        for at in range(0, len(audio), step):
            stream.push(audio[at : at + step], SAMPLE_RATE_HZ)
        turns.append(HeardTurn(upset, short, stream.turn_result()))
    return HeardCall(speaker, condition, tuple(turns))


def _states(world: World, turns: int, rng: np.random.Generator) -> list[bool]:
    upset = bool(rng.random() < world.starts_upset)
    states = [upset]
    for _ in range(turns - 1):
        changes = rng.random() < (world.calms_down if upset else world.becomes_upset)
        upset ^= bool(changes)
        states.append(upset)
    return states


def _turn(
    own: dict[str, list[Floats]], angry: bool, short: bool, world: World, rng: np.random.Generator
) -> Floats:
    """One to three utterances of one mood, all at the same level: the corpus's own levels are not those of voices."""
    there = [emotion for emotion in world.calm_voices if emotion in own]
    weights = np.array([world.calm_voices[emotion] for emotion in there])
    emotion = "anger" if angry else str(rng.choice(there, p=weights / weights.sum()))
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), dtype=np.float32)
    pieces: list[Floats] = [pause]
    for _ in range(1 if short else int(rng.integers(1, 4))):
        wave = own[emotion][rng.integers(len(own[emotion]))]
        if short:
            start = int(rng.integers(max(1, len(wave) - round(SHORT_S * SAMPLE_RATE_HZ))))
            wave = wave[start : start + round(SHORT_S * SAMPLE_RATE_HZ)]
        power = max(float(np.mean(np.square(wave))), 1e-12)
        pieces += [wave / np.float32(power**0.5), pause]
    return np.concatenate(pieces)


def _line(audio: Floats, condition: str, level_dbfs: float, rng: np.random.Generator) -> Floats:
    """Speech of unit power as the line delivers it: speech stands ``level_dbfs`` over full scale."""
    loud = audio * np.float32(10 ** (level_dbfs / 20))
    if condition == "16 kHz":
        return np.asarray(np.clip(loud, -1, 1), dtype=np.float32)
    if condition.endswith("noise"):
        loud = add_noise(loud, 10, 1, rng)
    whole_dbfs = 10 * float(np.log10(np.mean(np.square(loud)) + 1e-12))
    return telephone(loud, whole_dbfs)


def draw_cues(turn: HeardTurn, world: World, rng: np.random.Generator) -> WordCues:
    """What the words of a turn gave away, by its state; a turn of three words gives little."""
    words = int(rng.integers(1, 4)) if turn.short else 4 + int(rng.poisson(world.words - 4))
    chance = 0.25 if turn.short else 1.0
    given: dict[str, Any] = {
        cue: bool(rng.random() < chance * (rate.upset if turn.upset else rate.calm))
        for cue, rate in world.cues.items()
    }
    return WordCues(words=words, **given)
