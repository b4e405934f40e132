"""User turn -> how likely it needs a tool, before any language model has run. Pure Python, tens of microseconds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from classifiers.errors import ClassifierError
from classifiers.tool_need.features import features, last_sentence, words

SHIPPED = Path(__file__).parent / "model"
MODEL_TYPE = "patchbay-tool-need"


@dataclass(frozen=True, slots=True)
class ToolNeed:
    """Whether answering this turn takes a tool.

    Attributes:
        probability: calibrated, 0 to 1.
        confidence: the probability that the likelier answer is right, times the share of the user's words that the
            model knows: near 0 for gibberish and another language, 0 for silence.
    """

    probability: float
    confidence: float


@dataclass(frozen=True, slots=True)
class ToolNeedModel:
    """A linear model over words and word pairs of the user and of the agent's last sentence.

    ``base_rate`` is the answer when nothing was said.
    """

    weights: Mapping[str, float]
    bias: float
    base_rate: float

    @classmethod
    def load(cls, folder: Path = SHIPPED) -> Self:
        """Read ``config.json`` and ``weights.json``.

        Raises:
            ClassifierError: says which file is missing or wrong.
        """
        config = _read_object(folder, "config.json")
        if config.get("model_type") != MODEL_TYPE:
            raise ClassifierError(
                folder / "config.json", f"model_type is {config.get('model_type')!r}", f"want {MODEL_TYPE!r}"
            )
        weights = _read_object(folder, "weights.json")
        for name, value in weights.items():
            if not _is_number(value):
                raise ClassifierError(
                    folder / "weights.json", f"{name!r} weighs {value!r}", "every weight is a number"
                )
        for name in ("bias", "base_rate"):
            if not _is_number(config.get(name)):
                raise ClassifierError(
                    folder / "config.json", f"{name} is {config.get(name)!r}", "it must be a number"
                )
        return cls(weights, config["bias"], min(max(config["base_rate"], 0.0), 1.0))

    def score(self, user_text: str, last_agent_text: str = "") -> ToolNeed:
        """Judge what the user said in answer to what the agent said last ("" at the start of a call)."""
        user = words(user_text)
        if not user:
            return ToolNeed(self.base_rate, 0.0)
        get = self.weights.get
        log_odds = self.bias
        for name in set(features(user, last_sentence(last_agent_text))):
            log_odds += get(name, 0.0)
        probability = 1 / (1 + math.exp(-max(-30.0, min(30.0, log_odds))))
        known = sum(word in self.weights for word in user) / len(user)
        return ToolNeed(probability, max(probability, 1 - probability) * known)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _read_object(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        raise ClassifierError(
            folder, f"has no {name}", "train one with python -m classifiers.tool_need.train"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as broken:
        raise ClassifierError(path, f"is no JSON ({broken})", "train it again") from broken
    if not isinstance(content, dict):
        raise ClassifierError(path, "holds no JSON object", "train it again")
    return content
