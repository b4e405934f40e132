"""User turn -> how likely it needs a tool, before any language model has run. Pure Python, tens of microseconds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from sys import intern
from typing import Self

from classifiers.tool_need import folder
from classifiers.tool_need.features import CROSSED, NOTHING, Before, Block, Earlier, Key, blocks, said
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
class Ready:
    """What a model makes of all that is known of a turn before the caller speaks."""

    before: Before
    log_odds: float


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
        one_of: dict[float, float] = {}
        for block, known in self.weights.items():
            for key, weight in known.items():
                crossed, rest = (key[0], key[1]) if block in CROSSED else ("", key)
                # Each word and number is one object, wherever it stands: the tables fit the processor's cache.
                rest = intern(rest) if isinstance(rest, str) else tuple(map(intern, rest))
                tables.setdefault((block, crossed), {})[rest] = one_of.setdefault(weight, weight)
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
        """:meth:`judge` a turn with all that is to be known, at once."""
        return self.judge(user, self.ready(agent, turn=turn, earlier=earlier), tools)

    def ready(self, agent: str = "", *, turn: int = 0, earlier: Earlier = NOTHING) -> Ready:
        """Sum up what is known before the caller speaks, so that less is left to do when they have spoken.

        Args:
            agent: what the agent said last; empty at the start of a call.
            turn: of the caller in the call: 1 is the opening, 0 is unknown.
            earlier: what is remembered of the call: ``Earlier().then(first turn).having_called(tools)``, and so on.
        """
        before = Before.of(agent, turn, earlier, stages="stage" in self.weights)
        return Ready(before, self.bias + self._sum(before.blocks()))

    def judge(self, user: str, ready: Ready, tools: ToolSet | None = None) -> ToolNeed:
        """Judge a turn before any language model has run.

        Args:
            user: what the caller said.
            ready: from :meth:`ready` of the same model.
            tools: those that the agent may call now, if known.
        """
        read = said(user)
        if not read:
            return ToolNeed(self.base_rate, 0.0)
        once = dict.fromkeys(read)
        words = list(map(self._tables.get(("word", ""), {}).get, once))
        log_odds = ready.log_odds + sum(filter(None, words))
        log_odds += self._sum(blocks(read, once, ready.before, tools, "?" in user))
        probability = 1 / (1 + math.exp(-max(-_FARTHEST, min(_FARTHEST, log_odds))))
        known = 1 - words.count(None) / len(words)
        return ToolNeed(probability, max(probability, 1 - probability) * known)

    def _sum(self, found: Iterable[Block]) -> float:
        log_odds, tables = 0.0, self._tables
        for block, crossed, keys in found:
            if (weights := tables.get((block, crossed))) is not None:
                log_odds += sum(map(weights.get, keys, repeat(0.0)))
        return log_odds


def write_folder(model: ToolNeedModel, path: Path) -> None:
    """Write what :meth:`ToolNeedModel.load` reads, as sorted, readable JSON."""
    folder.write(path, folder.Content(model.weights, model.bias, model.base_rate, model.provenance))
