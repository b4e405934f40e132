"""User turn -> how likely it needs a tool, before any language model has run. Pure Python, tens of microseconds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Self

from classifiers.tool_need import folder
from classifiers.tool_need.features import CROSSED, NOTHING, Earlier, Key, blocks, said
from classifiers.tool_need.folder import Provenance
from classifiers.tool_need.tools import ToolSet

SHIPPED = Path(__file__).parent / "model"
_FARTHEST = 30.0


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
    """A linear model over the features of a turn.

    Attributes:
        weights: log-odds of each feature, by block (:func:`classifiers.tool_need.features.blocks`).
        bias: log-odds of a turn without any.
        base_rate: the answer when nothing was said.
        provenance: what it was trained on.
    """

    weights: Mapping[str, Mapping[Key, float]]
    bias: float
    base_rate: float
    provenance: Provenance = field(default=Provenance(), compare=False)
    _tables: Mapping[tuple[str, str], Mapping[Key, float]] = field(init=False, repr=False, compare=False)
    """Weights by block and by what is crossed in it: a look-up costs half when its key need not be put together."""

    def __post_init__(self) -> None:
        tables: dict[tuple[str, str], dict[Key, float]] = {}
        for block, known in self.weights.items():
            for key, weight in known.items():
                crossed, rest = (key[0], key[1]) if block in CROSSED else ("", key)
                tables.setdefault((block, crossed), {})[rest] = weight
        object.__setattr__(self, "_tables", tables)

    @classmethod
    def load(cls, path: Path = SHIPPED) -> Self:
        """Read ``config.json`` and ``weights.json``.

        Raises:
            ClassifierError: says which file is missing or wrong.
        """
        read = folder.read(path)
        return cls(read.weights, read.bias, read.base_rate, read.provenance)

    def score(
        self,
        user: str,
        agent: str = "",
        tools: ToolSet | None = None,
        *,
        turn: int = 0,
        earlier: Earlier = NOTHING,
    ) -> ToolNeed:
        """Judge a turn before any language model has run.

        Args:
            user: what the caller said.
            agent: what the agent had said last; empty at the start of a call.
            tools: those that the agent may call now, if known.
            turn: of the caller in the call: 1 is the opening, 0 is unknown.
            earlier: what is remembered of the call: ``Earlier().then(first turn).having_called(tools)``, and so on.
        """
        read = said(user)
        if not read:
            return ToolNeed(self.base_rate, 0.0)
        log_odds, tables = self.bias, self._tables
        found = blocks(read, agent, tools, turn, earlier, "?" in user, "stage" in self.weights)
        for block, crossed, keys in found:
            if (weights := tables.get((block, crossed))) is not None:
                log_odds += sum(map(weights.get, keys, repeat(0.0)))
        probability = 1 / (1 + math.exp(-max(-_FARTHEST, min(_FARTHEST, log_odds))))
        words = self.weights.get("word", {})
        known = sum(map(words.__contains__, read)) / len(read)
        return ToolNeed(probability, max(probability, 1 - probability) * known)


def write_folder(model: ToolNeedModel, path: Path) -> None:
    """Write what :meth:`ToolNeedModel.load` reads, as sorted, readable JSON."""
    folder.write(path, folder.Content(model.weights, model.bias, model.base_rate, model.provenance))
