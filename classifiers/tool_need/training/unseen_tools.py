"""What a match between the caller's words and a tool is worth, learnt where the words were never seen.

A model of words that was taught a domain knows its requests anyway, and would leave nothing to the match. So the model
of words is fitted without a group of domains, and the match on that group, on top of what such a model says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers.tool_need.features import NOTHING, Before, blocks, said
from classifiers.tool_need.regression import Rows, fit
from classifiers.tool_need.tools import MATCHES, Tool, ToolSet
from classifiers.tool_need.training.corpora import Turn

Floats = NDArray[np.float64]
Judge = Callable[[Sequence[Turn]], Floats]
"""Log-odds of turns, by a model that saw neither them nor their domains."""

_GROUPS = 5
_PENALTY = 10.0


def tools_of_domains(turns: Sequence[Turn]) -> Mapping[str, ToolSet]:
    """A tool for each intent that touches an account, by domain; the intent's name is the tool's."""
    intents = {(turn.domain, turn.intent) for turn in turns if turn.domain and turn.needs_tool}
    domains = {domain for domain, _ in intents}
    return {
        one: ToolSet.of(Tool(intent) for domain, intent in sorted(intents) if domain == one)
        for one in sorted(domains)
    }


def groups_of_domains(turns: Sequence[Turn]) -> list[frozenset[str]]:
    """The domains, dealt to groups; each group is left out once."""
    domains = sorted({turn.domain for turn in turns if turn.domain})
    return [frozenset(domains[at::_GROUPS]) for at in range(_GROUPS)]


def match_weights(turns: Sequence[Turn], without: Callable[[frozenset[str]], Judge]) -> dict[str, float]:
    """The log-odds of each :data:`classifiers.tool_need.tools.MATCHES`, when tools are known.

    Args:
        turns: to fit on; only single questions of known domains count.
        without: fits a model of words without a group of domains.
    """
    tools = tools_of_domains(turns)
    asked: list[Turn] = []
    offsets = []
    for group in groups_of_domains(turns):
        inside = [turn for turn in turns if turn.domain in group and turn.domain in tools]
        asked += inside
        offsets.append(without(group)(inside))
    rows = Rows.of(
        [_match(turn, tools[turn.domain]) for turn in asked],
        {name: at for at, name in enumerate(MATCHES)},
    )
    weights = fit(
        rows,
        np.array([turn.needs_tool for turn in asked]),
        np.array([turn.weight for turn in asked]),
        np.full(len(MATCHES), _PENALTY),
        offset=np.concatenate(offsets),
    )
    # A turn that asks has exactly one of the matches, so the bias can go into each.
    return {name: float(weight + weights[-1]) for name, weight in zip(MATCHES, weights, strict=False)}


def _match(turn: Turn, tools: ToolSet) -> list[object]:
    read = said(turn.user)
    found = blocks(read, dict.fromkeys(read), Before.of(turn.agent, 0, NOTHING), tools, "?" in turn.user)
    return [key for block, _, keys in found if block == "tools" for key in keys]
