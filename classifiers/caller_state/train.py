"""Train the caller's state: constructed calls -> a model folder and what it is worth.

Run it again whenever the emotion model changes: voices are judged by emotion models that are trained in the same run
without the speaker who is heard. The same corpus gives the same numbers every time. Extra ``train``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from classifiers.caller_state.model import write_folder
from classifiers.caller_state.training.assumptions import World
from classifiers.caller_state.training.calls import HeardCall, UnheardModel, hear_calls
from classifiers.caller_state.training.figures import (
    Figures,
    Judged,
    accuracy_when_answering,
    figures,
    fitted,
    judge,
)
from classifiers.caller_state.training.fitting import draw, fit, forgetful
from classifiers.caller_state.training.report import Bin, OtherWorld, Report
from classifiers.caller_state.training.worlds import HEARD, WORDED
from classifiers.caller_state.turn import TERMS, VOICE, WORDS
from classifiers.emotion import EmotionModel
from classifiers.emotion import train as emotion
from classifiers.emotion.training.corpus import FEMALE_SPEAKERS, Utterance, read_corpus
from classifiers.measures import reliability

Progress = Callable[[str, float], None]  # what is being done, and how much of it is done, 0 to 1

SEED = 11
CALLS = 40  # of each speaker
CALLS_OF_OTHER_WORLDS = 12
DRAWS = 3  # of words for each call


def train(emodb: Path, out: Path, *, progress: Progress = lambda stage, done: None) -> Report:
    """Make calls from the corpus in ``emodb``, fit, write ``out``, and measure on speakers left out.

    Raises:
        ClassifierError: ``emodb`` is no corpus.
    """
    utterances = read_corpus(emodb)
    ears = _ears(utterances, partial(progress, "training voices without the speakers who are heard"))
    hear = partial(_hear, ears, utterances)
    heard = hear(World(), CALLS, partial(progress, "hearing calls"))
    calls = draw(heard, World(), DRAWS, SEED)
    model = fit(calls)
    write_folder(model, out)

    progress("measuring", 0.0)
    fits = fitted(fit, calls, ears)
    judged = judge(fits, calls)
    measure = partial(figures, confident_at=model.confident_at)
    share_upset = float(judged.upset.mean())

    def way(name: str, deaf_to: tuple[str, ...], *, remembers: bool) -> Figures:
        models = fitted(partial(fit, deaf_to=deaf_to), calls, ears)
        if not remembers:
            models = {names: forgetful(one, share_upset) for names, one in models.items()}
        return measure(name, judge(models, calls))

    worlds = []
    for number, (name, world) in enumerate({**WORDED, **HEARD}.items()):
        progress("hearing other worlds", number / (len(WORDED) + len(HEARD)))
        there = hear(world, CALLS_OF_OTHER_WORLDS, lambda done: None) if name in HEARD else heard
        drawn = draw(there, world, DRAWS, SEED)
        ours = measure(name, judge(fits, drawn))
        best = measure(name, judge(fitted(fit, drawn, ears), drawn))
        worlds.append(
            OtherWorld(
                name, ours.auroc.value, ours.ece, ours.found, ours.false_alarms, ours.log_loss, best.log_loss
            )
        )
    progress("done", 1.0)
    curve = reliability(judged.probability, judged.upset)
    return Report(
        out,
        len(heard),
        model.weights,
        (
            way("voice, this turn", WORDS, remembers=False),
            way("voice over turns", WORDS, remembers=True),
            way("words, this turn", VOICE, remembers=False),
            way("words over turns", VOICE, remembers=True),
            way("both, this turn", (), remembers=False),
            measure("both over turns", judged),
        ),
        tuple(measure(name, part) for name, part in _groups(judged).items()),
        tuple(way(f"without {term}", (term,), remembers=True) for term in TERMS),
        tuple(worlds),
        tuple(map(Bin, curve.stated.tolist(), curve.observed.tolist(), curve.count.tolist())),
        accuracy_when_answering(judged, 1.0),
        accuracy_when_answering(judged, 0.7),
    )


def _ears(
    utterances: Sequence[Utterance], progress: Callable[[float], None]
) -> dict[frozenset[str], UnheardModel]:
    """For each group of speakers a voice model that never heard them."""
    settings = EmotionModel.load().settings
    ears = {}
    left_out = emotion.folds(utterances)
    for number, names in enumerate(left_out):
        progress(number / len(left_out))
        others = [utterance for utterance in utterances if utterance.speaker not in names]
        ears[names] = UnheardModel(emotion.fit(others), settings)
    return ears


def _hear(
    ears: Mapping[frozenset[str], UnheardModel],
    utterances: Sequence[Utterance],
    world: World,
    calls: int,
    progress: Callable[[float], None],
) -> list[HeardCall]:
    heard: list[HeardCall] = []
    for number, (names, ear) in enumerate(ears.items()):
        progress(number / len(ears))
        heard += hear_calls(ear, [u for u in utterances if u.speaker in names], world, calls, SEED)
    return heard


def _groups(judged: Judged) -> dict[str, Judged]:
    women = np.isin(judged.speaker, sorted(FEMALE_SPEAKERS))
    lines = {str(line): judged.where(judged.condition == line) for line in np.unique(judged.condition)}
    return {**lines, "women": judged.where(women), "men": judged.where(~women)}
