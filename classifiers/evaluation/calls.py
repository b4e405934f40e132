"""Three utterances of a caller instead of one: what averaging is worth, and whether the stream delivers it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.emotion.stream import EmotionReading, EmotionStream
from classifiers.evaluation.corpus import Corpus
from classifiers.evaluation.judging import Judge
from classifiers.measures import Interval, auroc, bootstrap

Floats = NDArray[np.float64]

SEED = 29
TOGETHER = 3
PAUSE_S = 0.4
PUSHED_S = 0.1
SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True)
class CallLevel:
    """AUROC of anger against the rest.

    Attributes:
        turns: how many threes of utterances of one speaker in one emotion.
        one: of single utterances.
        averaged: of the mean log-odds of three.
        gain: how much better that is.
        streamed: of what ``EmotionStream`` reads when it hears the three one after the other.
        streamed_gain: how much better that is than single utterances.
        unknown: share of the turns that the stream calls unknown.
        recall: share of the angry turns that the stream calls upset.
        false_positives: share of the calm-like turns that it calls upset.
    """

    turns: int
    one: Interval
    averaged: Interval
    gain: Interval
    streamed: Interval
    streamed_gain: Interval
    unknown: float
    recall: float
    false_positives: float


def threes(corpus: Corpus) -> NDArray[np.int64]:
    """``[turns, 3]`` recordings of the same speaker and emotion, each in one of them at most."""
    rng = np.random.default_rng(SEED)
    keys = np.char.add(np.char.add(corpus.speakers, "\n"), corpus.emotions)
    groups = []
    for key in np.unique(keys):
        own = rng.permutation(np.flatnonzero(keys == key))
        groups.append(own[: len(own) // TOGETHER * TOGETHER].reshape(-1, TOGETHER))
    return np.concatenate(groups)


def call_level(corpus: Corpus, judge: Judge, draws: int) -> CallLevel | None:
    """Intervals come of ``draws``. None when no speaker says three things in the same emotion."""
    turns = threes(corpus)
    if not len(turns) or not corpus.angry[turns[:, 0]].any():
        return None
    single = judge.judge(corpus.waves, corpus.speakers).log_odds[turns]
    angry, calm, speakers = (values[turns[:, 0]] for values in (corpus.angry, corpus.calm, corpus.speakers))
    readings = [
        _streamed([corpus.recordings[i].wave for i in turn], judge, speaker)
        for turn, speaker in zip(turns.tolist(), speakers.tolist(), strict=True)
    ]
    streamed = np.array([reading.upset for reading in readings])
    label = np.array([reading.label for reading in readings])

    def of_one(scores: Floats, positive: NDArray[np.bool_]) -> float:
        return auroc(scores.ravel(), np.repeat(positive, scores.shape[1]))

    def interval_of(scores: Floats) -> Interval:
        return bootstrap(auroc, scores, angry, groups=speakers, draws=draws)

    def gain_of(scores: Floats) -> Interval:
        return bootstrap(
            lambda s, one, positive: auroc(s, positive) - of_one(one, positive),
            scores,
            single,
            angry,
            groups=speakers,
            draws=draws,
        )

    return CallLevel(
        len(turns),
        bootstrap(of_one, single, angry, groups=speakers, draws=draws),
        interval_of(single.mean(axis=1)),
        gain_of(single.mean(axis=1)),
        interval_of(streamed),
        gain_of(streamed),
        float((label == "unknown").mean()),
        float((label[angry] == "upset").mean()),
        float((label[calm] == "upset").mean()) if calm.any() else float("nan"),
    )


def _streamed(waves: list[NDArray[np.float32]], judge: Judge, speaker: str) -> EmotionReading:
    """What a call would have read of the three, with pauses between them."""
    stream = EmotionStream(judge.model_for(speaker))
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), dtype=np.float32)
    audio = np.concatenate([part for wave in waves for part in (wave, pause)])
    step = round(PUSHED_S * SAMPLE_RATE_HZ)
    for at in range(0, len(audio), step):
        stream.push(audio[at : at + step], SAMPLE_RATE_HZ)
    return stream.turn_result()
