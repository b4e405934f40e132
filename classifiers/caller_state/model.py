"""A caller's state as a two-state hidden Markov model: what a turn says adds to what the turns before it left.

Between turns a calm caller may become upset and an upset one may calm down, so what earlier turns said fades and can
never outweigh the present for good (forward filter, Rabiner 1989). Within a turn every term adds its weight of
evidence, ``weight * value`` in log-odds; nothing heard and nothing said adds nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from classifiers.caller_state.turn import CALMING, LARGEST_LOG_ODDS, TERMS
from classifiers.errors import ClassifierError

SHIPPED = Path(__file__).parent / "model"
MODEL_TYPE = "patchbay-caller-state"
RETRAIN = "train one with patchbay train caller-state"
_SMALLEST, _LARGEST = 0.001, 0.999  # chances of 0 or 1 would let no evidence ever change a mind


@dataclass(frozen=True, slots=True)
class CallerStateModel:
    """The numbers, monotone by construction: a complaint never lowers the score, a calm voice never raises it.

    Attributes:
        starts_upset: share of callers who are upset when they are answered.
        becomes_upset: chance that a calm caller is upset in the next turn.
        calms_down: chance that an upset caller is calm in the next turn.
        neutral_log_odds: what the voice model says when the voice says nothing either way.
        weights: log-odds of upset per unit of each term.
        upset_at: at this probability or above the caller reads upset.
        confident_at: below this confidence the caller reads unknown.
        material: what moves the log-odds by less is no evidence.
    """

    starts_upset: float
    becomes_upset: float
    calms_down: float
    neutral_log_odds: float
    weights: Mapping[str, float]
    upset_at: float
    confident_at: float
    material: float

    @classmethod
    def load(cls, folder: Path = SHIPPED) -> Self:
        """Read ``config.json``.

        Raises:
            ClassifierError: the file or a number is missing or wrong, or a sign would turn evidence round.
        """
        path = folder / "config.json"
        if not path.is_file():
            raise ClassifierError(folder, "has no config.json", RETRAIN)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as broken:
            raise ClassifierError(path, f"is no JSON ({broken})", RETRAIN) from broken
        if not isinstance(content, dict) or content.get("model_type") != MODEL_TYPE:
            raise ClassifierError(path, "is no caller state model", f"want model_type {MODEL_TYPE!r}")
        weights = content.get("weights")
        if not isinstance(weights, dict) or set(weights) != set(TERMS):
            raise ClassifierError(path, "does not weigh every term once", f"terms are {', '.join(TERMS)}")
        model = cls(
            starts_upset=_number(path, content, "starts_upset", _SMALLEST, _LARGEST),
            becomes_upset=_number(path, content, "becomes_upset", _SMALLEST, _LARGEST),
            calms_down=_number(path, content, "calms_down", _SMALLEST, _LARGEST),
            neutral_log_odds=_number(path, content, "neutral_log_odds", -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS),
            weights={
                term: _number(path, weights, term, -100, 0)
                if term in CALMING
                else _number(path, weights, term, 0, 100)
                for term in TERMS
            },
            upset_at=_number(path, content, "upset_at", 0, 1),
            confident_at=_number(path, content, "confident_at", 0.5, 1),
            material=_number(path, content, "material", 0.001, 100),
        )
        if model.becomes_upset + model.calms_down > 1:
            raise ClassifierError(
                path,
                "becomes_upset and calms_down add up to more than 1",
                "then an upset turn would calm the next",
            )
        return model

    @property
    def start(self) -> float:
        """Log-odds of upset as the first turn begins."""
        return _log_odds(self.starts_upset)

    def next_turn(self, log_odds: float) -> float:
        """Log-odds of upset as the next turn begins: never beyond what moods between two turns allow."""
        upset = probability(log_odds)
        return _log_odds(upset * (1 - self.calms_down) + (1 - upset) * self.becomes_upset)


def write_folder(model: CallerStateModel, folder: Path) -> None:
    """Write what :meth:`CallerStateModel.load` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"model_type": MODEL_TYPE, **asdict(model)}
    (folder / "config.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def probability(log_odds: float) -> float:
    """0 to 1, finite for any ``log_odds``."""
    return 1 / (1 + math.exp(-min(max(log_odds, -500.0), 500.0)))


def _log_odds(chance: float) -> float:
    return math.log(chance / (1 - chance))


def _number(path: Path, content: Mapping[str, Any], name: str, low: float, high: float) -> float:
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ClassifierError(path, f"{name} is {value!r}", f"it must be a number from {low} to {high}")
    return float(value)
