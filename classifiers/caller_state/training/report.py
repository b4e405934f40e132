"""What training made and what it measured, all of it on calls of speakers whom neither model had heard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from classifiers.caller_state.training.figures import Figures


@dataclass(frozen=True, slots=True)
class OtherWorld:
    """What ships, in a world where an assumption is wrong; ``log_loss_if_fitted`` is that of a fit to that world."""

    name: str
    auroc: float
    ece: float
    found: float
    false_alarms: float
    log_loss: float
    log_loss_if_fitted: float


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of the reliability diagram."""

    stated: float
    observed: float
    turns: int


@dataclass(frozen=True, slots=True)
class Report:
    """What ``train`` made and measured.

    Attributes:
        out: the folder that was written.
        calls: how many were made.
        weights: log-odds of upset per unit of each term.
        ways: the voice alone, the words alone and both, each with and without memory of earlier turns.
        groups: what ships, by line and by sex.
        ablation: one term left out of the fit.
        worlds: assumptions halved and doubled.
        reliability: of what ships.
        accuracy: of the likelier answer.
        accuracy_of_the_surest: the same for the 70 % of turns that are surest.
    """

    out: Path
    calls: int
    weights: Mapping[str, float]
    ways: tuple[Figures, ...]
    groups: tuple[Figures, ...]
    ablation: tuple[Figures, ...]
    worlds: tuple[OtherWorld, ...]
    reliability: tuple[Bin, ...]
    accuracy: float
    accuracy_of_the_surest: float
