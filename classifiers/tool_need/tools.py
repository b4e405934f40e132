"""The tools that an agent may call, as what their names and descriptions say: a new tool counts on its first day."""
# ruff: noqa: SIM905 - lists of words read as words

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Self

_SEAM = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^0-9A-Za-z]+")
_STEM = 5  # letters: cancel, cancels, cancelling; order, ordered
_SHORTEST = 3  # letters of a word that says something of a tool
_MOST_TOOLS = 200
_COMMON = frozenset(
    "about add all and any api are been call called can current customer data does for from function get given gets "
    "has have help into its like list make may more need new not one our out please provide return returns service "
    "set shall some specific specified than that the their them this tool use used user users want was what when "
    "which will with would yes you your based let know could should how much there where".split()
)


MATCHES = ("no tool", "faint", "weak", "fair", "strong")
_LEVELS = (1e-9, 1.0, 2.0, 3.0)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the agent may call.

    Attributes:
        name: as in the call: ``get_order_status`` or ``GetOrderStatus``.
        description: what it does, in a sentence.
    """

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class ToolSet:
    """The tools active at a turn, read once; scoring only looks words up.

    Attributes:
        names: of the tools.
        speaks_of: stems of the words in names and descriptions; of each, how much it says for which tools. A stem that
            many tools share says little (inverse document frequency); a word of the name says twice as much.
    """

    names: tuple[str, ...]
    speaks_of: Mapping[str, tuple[tuple[int, float], ...]]

    @classmethod
    def of(cls, tools: Iterable[Tool]) -> Self:
        """Read names (split at capitals and signs) and descriptions; the first 200 tools count."""
        listed = tuple(tools)[:_MOST_TOOLS]
        found: dict[str, dict[int, float]] = {}
        for position, tool in enumerate(listed):
            for text, worth in ((tool.description, 1.0), (tool.name, 2.0)):
                for stem in _stems(text):
                    found.setdefault(stem, {})[position] = worth
        return cls(
            tuple(tool.name for tool in listed),
            {stem: tuple((at, w / len(of) ** 0.5) for at, w in of.items()) for stem, of in found.items()},
        )

    def match(self, user: Iterable[str]) -> tuple[str, ...]:
        """How well the caller's words speak of the tool that they speak of most, as one fact."""
        score: dict[int, float] = {}
        known = self.speaks_of.get
        spoken_of = {
            stem: worths
            for word in user
            if (worths := known(stem := word[:_STEM])) is not None and word not in _COMMON
        }
        for tool, worth in chain.from_iterable(spoken_of.values()):
            score[tool] = score.get(tool, 0.0) + worth
        return (MATCHES[bisect_right(_LEVELS, max(score.values(), default=0.0))],)


def _stems(text: str) -> dict[str, None]:
    """The first letters of words that say something, each once, in order."""
    words = (word.lower() for word in _SEAM.split(text) if len(word) >= _SHORTEST)
    return dict.fromkeys(word[:_STEM] for word in words if word not in _COMMON)
