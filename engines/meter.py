"""The meter of one call: every use is billed once, and what was billed again is told apart.

A language model is sent the whole conversation with every request, so a growing part of each bill is for words that
were paid before: by the same model, or by the one that had the call until then. What is sent again is told from token
counts, for no vendor marks it: all that the request before held and brought forth, as far as this one holds as much.
Cached tokens are taken to be of that part, the rest of it to be text and audio as the uncached input is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engines.prices import Prices
from engines.usage import Usage

_CACHED = ("cached_text_tokens", "cached_audio_tokens")
_FRESH = ("input_text_tokens", "cache_write_text_tokens", "input_audio_tokens")
_MADE = ("output_text_tokens", "output_audio_tokens")


@dataclass(frozen=True, slots=True)
class Charge:
    """What one use costs.

    Attributes:
        cost_usd: all of it.
        again_usd: the part of it that is for context sent again, an estimate; what a hand-off bills anew is in it.
        again_tokens: how many tokens of the input that is.
        unpriced: units of what was used that the list has no price for.
    """

    cost_usd: float
    again_usd: float
    again_tokens: float
    unpriced: tuple[str, ...]


class Meter:
    """Bills what one call uses, in the order it is used."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._context = 0.0
        """Tokens of the conversation at the end of the last request to a language model."""
        self.cost_usd = 0.0
        self.again_usd = 0.0

    def charge(self, provider: str, used: Usage) -> Charge:
        """The cost of one use of a provider; counted from now on."""
        cost_usd = self._prices.cost_usd(provider, used.model, used.quantities)
        again = self._again(used.quantities) if used.sends_conversation else {}
        again_usd = self._prices.cost_usd(provider, used.model, again)
        self.cost_usd += cost_usd
        self.again_usd += again_usd
        unpriced = self._prices.unpriced(provider, used.model, used.quantities)
        return Charge(cost_usd, again_usd, sum(again.values()), unpriced)

    def _again(self, quantities: Mapping[str, float]) -> dict[str, float]:
        """The quantities of the input that the conversation held already."""
        cached = sum(quantities.get(unit, 0.0) for unit in _CACHED)
        fresh = sum(quantities.get(unit, 0.0) for unit in _FRESH)
        before, self._context = (
            self._context,
            cached + fresh + sum(quantities.get(unit, 0.0) for unit in _MADE),
        )
        again: dict[str, float] = {}
        for units, tokens, held in ((_CACHED, cached, before), (_FRESH, fresh, max(before - cached, 0.0))):
            share = min(held / tokens, 1.0) if tokens else 0.0
            again |= {unit: share * quantities[unit] for unit in units if share * quantities.get(unit, 0.0)}
        return again
