"""What providers charge, as a book an operator keeps, and what a use of them costs.

Units follow the vendors' price pages: tokens and characters per million, audio and calls per minute. The book has one
list that is in force, by which calls are billed, and may have dated sets beside it to compare with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from policies import Document, Node

UNITS: Mapping[str, float] = {
    "input_text_tokens": 1e6,
    "cached_text_tokens": 1e6,
    "cache_write_text_tokens": 1e6,
    "output_text_tokens": 1e6,
    "input_audio_tokens": 1e6,
    "cached_audio_tokens": 1e6,
    "output_audio_tokens": 1e6,
    "characters": 1e6,
    "audio_minutes": 1.0,
    "call_minutes": 1.0,
}
"""What may be priced, and how many of it a price is for."""

ELSE: Mapping[str, str] = {
    "cached_text_tokens": "input_text_tokens",
    "cache_write_text_tokens": "input_text_tokens",
    "cached_audio_tokens": "input_audio_tokens",
}
"""What is billed as what where it has no price of its own: a vendor that gives no discount publishes none."""

VERSION = 2


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs.

    Attributes:
        usd: US dollars by unit of :data:`UNITS`.
        as_of: the day on which it was looked up.
        source: where.
    """

    usd: Mapping[str, float]
    as_of: str = ""
    source: str = ""

    def each(self, unit: str) -> float | None:
        """US dollars for :data:`UNITS` of a unit; ``None`` where it has no price."""
        usd = self.usd.get(unit)
        return self.usd.get(ELSE.get(unit, "")) if usd is None else usd


@dataclass(frozen=True, slots=True)
class Prices:
    """A dated list of prices by ``provider/model``.

    Attributes:
        file: where it was read.
        as_of: the day on which its prices were looked up, unless one says otherwise.
        source: where, unless one says otherwise.
        of: by ``provider/model``, or ``provider/*`` for a provider's other models.
        sets: other lists of the same book by name, which bill nothing.
    """

    file: str
    as_of: str
    source: str
    of: Mapping[str, Price]
    sets: Mapping[str, Prices] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Prices:
        """Read a price book. Raises :class:`policies.DocumentError` listing every problem."""
        return _read(Document.load(path))

    @classmethod
    def parse(cls, text: str, *, file: str = "<prices>") -> Prices:
        """Read a price book from text; ``file`` names it in errors."""
        return _read(Document.parse(text, file=file))

    @property
    def hash(self) -> str:
        """SHA-256 of what the prices in force say, in hex; not of the sets, nor of how the file is written."""
        listed = {
            model: [dict(price.usd), price.as_of, price.source] for model, price in sorted(self.of.items())
        }
        return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()

    def price(self, provider: str, model: str) -> Price | None:
        """The price of a model; one without an entry costs what its provider's ``*`` entry says."""
        return self.of.get(f"{provider}/{model}") or self.of.get(f"{provider}/*")

    def cost_usd(self, provider: str, model: str, quantities: Mapping[str, float]) -> float:
        """What ``quantities`` cost; what the list does not price counts nothing, see :meth:`unpriced`."""
        price = self.price(provider, model)
        if price is None:
            return 0.0
        return sum(
            (price.each(unit) or 0.0) * amount / UNITS.get(unit, 1.0) for unit, amount in quantities.items()
        )

    def unpriced(self, provider: str, model: str, units: Iterable[str]) -> tuple[str, ...]:
        """Those of the units that were used which should have a price and have none.

        One use may be told in several measures (a voice's characters and tokens, a recogniser's minutes and tokens), of
        which a vendor bills one. So it is enough when one measure is priced; all kinds of its tokens must be.
        """
        units, price = tuple(units), self.price(provider, model)
        if price is None:
            return units
        measures = {_measure(unit) for unit in price.usd} & {_measure(unit) for unit in units}
        if not measures:
            return units
        return tuple(unit for unit in units if _measure(unit) in measures and price.each(unit) is None)


def _measure(unit: str) -> str:
    return "tokens" if unit.endswith("_tokens") else unit


def _read(document: Document) -> Prices:
    root = document.root
    root.only(("version", "as_of", "source", "prices", "sets"))
    if (version := root.require("version")) is not None and version.value != VERSION:
        version.problem(f"this Patchbay reads price books of version {VERSION}, not {version.value!r}")
    sets: dict[str, Prices] = {}
    if (listing := root.get("sets")) is not None:
        for name, node in listing.items():
            node.only(("as_of", "source", "prices"))
            sets[name] = _list(node, document.file)
    found = _list(root, document.file, MappingProxyType(sets))
    document.finish()
    return found


def _list(node: Node, file: str, sets: Mapping[str, Prices] = MappingProxyType({})) -> Prices:
    as_of = _words(node.require("as_of"))
    source = _words(node.require("source"))
    listed: dict[str, Price] = {}
    if (listing := node.require("prices")) is not None:
        for model, entry in listing.items():
            entry.only((*UNITS, "as_of", "source"))
            usd = {unit: price.number(least=0) for unit, price in entry.items() if unit in UNITS}
            listed[model] = Price(
                MappingProxyType({unit: price for unit, price in usd.items() if price is not None}),
                _words(entry.get("as_of")) or as_of,
                _words(entry.get("source")) or source,
            )
    return Prices(file, as_of, source, MappingProxyType(listed), sets)


def _words(node: Node | None) -> str:
    """A text, or a day as YAML reads it."""
    return "" if node is None else str(node.value).strip()
