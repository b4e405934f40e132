"""What providers charge, as a list an operator keeps, and what a use of them costs.

Units follow the vendors' price pages: tokens and characters per million, audio per minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from policies import Document

UNITS: Mapping[str, float] = {
    "input_text_tokens": 1e6,
    "cached_text_tokens": 1e6,
    "output_text_tokens": 1e6,
    "input_audio_tokens": 1e6,
    "cached_audio_tokens": 1e6,
    "output_audio_tokens": 1e6,
    "characters": 1e6,
    "audio_minutes": 1.0,
}
"""What may be priced, and how many of it a price is for."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by ``plugin/model``; each is US dollars per unit of :data:`UNITS`."""

    file: str
    as_of: str
    of: Mapping[str, Mapping[str, float]]

    @classmethod
    def load(cls, path: Path) -> Prices:
        """Read a price list. Raises :class:`policies.DocumentError` listing every problem."""
        document = Document.load(path)
        root = document.root
        root.only(("version", "as_of", "prices"))
        as_of = root.require("as_of")
        listed: dict[str, Mapping[str, float]] = {}
        if (listing := root.require("prices")) is not None:
            for model, node in listing.items():
                node.only(UNITS)
                prices = {unit: price.number(least=0) for unit, price in node.items() if unit in UNITS}
                listed[model] = MappingProxyType(
                    {unit: usd for unit, usd in prices.items() if usd is not None}
                )
        document.finish()
        return cls(document.file, str(as_of.value) if as_of else "", MappingProxyType(listed))

    def cost_usd(self, plugin: str, model: str, quantities: Mapping[str, float]) -> float:
        """The price of ``quantities``; what the list does not price counts nothing.

        A model without an entry falls back to its plugin's ``*`` entry.
        """
        prices = self.of.get(f"{plugin}/{model}") or self.of.get(f"{plugin}/*") or {}
        return sum(
            prices.get(unit, 0.0) * amount / UNITS.get(unit, 1.0) for unit, amount in quantities.items()
        )

    def knows(self, plugin: str, model: str) -> bool:
        """Whether the list prices this model."""
        return f"{plugin}/{model}" in self.of or f"{plugin}/*" in self.of
