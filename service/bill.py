"""What a call's use of its providers costs, put on record use by use."""

from __future__ import annotations

from collections.abc import Callable

from compliance.clock import CallClock
from compliance.events import Event, UsageIncurred
from engines.meter import Meter
from engines.prices import Prices
from engines.usage import Usage


class Bill:
    """The bill of one call.

    Args:
        prices: of the line.
        clock: the call's clock.
        emit: takes events for the record.
        call_id: goes into every event.
    """

    def __init__(
        self, prices: Prices, *, clock: CallClock, emit: Callable[[Event], None], call_id: str
    ) -> None:
        self._meter = Meter(prices)
        self._clock = clock
        self._emit = emit
        self._call_id = call_id

    @property
    def cost_usd(self) -> float:
        """All that was used so far."""
        return self._meter.cost_usd

    def add(self, used: Usage, *, turn: int, engine: str, provider: str) -> None:
        """``engine``, or a part, used ``provider`` in a turn."""
        charge = self._meter.charge(provider, used)
        self._emit(
            UsageIncurred(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                turn=turn,
                engine=engine,
                provider=provider,
                model=used.model,
                quantities=used.quantities,
                cost_usd=charge.cost_usd,
                again_usd=charge.again_usd,
                estimated=used.estimated,
            )
        )
