"""What a record teaches: a model that is better beyond doubt, or the reasons why there is none."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from classifiers.tool_need import Report, TooFewTurnsError, ToolNeedModel, ToolSet, adapt
from service.learning.advice import experiment
from service.learning.reading import Material
from service.learning.weighing import Selection, examples, selection

SEED = 0  # of the folds and the intervals: the same record gives the same model


@dataclass(frozen=True, slots=True)
class Learnt:
    """The outcome of one training."""

    model: ToolNeedModel
    """The new one if it is better, else the one that was started from."""
    better: bool
    why: str
    """Why it is better, or why it is not, in a sentence."""
    report: Report | None
    """What changed on calls held out; ``None`` where there were too few turns to try."""
    selection: Selection
    """Which turns had labels."""
    advice: str
    """What to add to the policy to hear of turns that never have one, as YAML; empty where nothing is to be added."""


def learn(start: ToolNeedModel, material: Material, able: Collection[str], tools: ToolSet) -> Learnt:
    """Adapt ``start`` to the labelled turns of ``material``.

    Args:
        start: the model to start from.
        material: the calls.
        able: the engines that have tools.
        tools: of the line.
    """
    chosen = selection(material.calls, able)
    advice = ""
    if chosen.out_of_reach and material.policy is not None:
        advice = experiment(material.policy.content, chosen.rules, able)
    try:
        adapted = adapt(start, examples(material.calls, tools), seed=SEED)
    except TooFewTurnsError as error:
        return Learnt(start, False, f"{error.what}; {error.remedy}", None, chosen, advice)
    report = adapted.report
    return Learnt(adapted.model, report.ship, report.why, report, chosen, advice)
