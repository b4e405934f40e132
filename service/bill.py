"""What a call's use of its providers costs, put on record use by use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from compliance.clock import CallClock
from compliance.events import Event, UsageIncurred
from engines.meter import Meter
from engines.prices import Prices
from engines.usage import Usage, usage

VOICE = "voice"
"""Who uses what reads an engine's words aloud, whichever engine that is."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is being done while something is used.

    Attributes:
        turn: the caller turn.
        engine: that answers it.
        generation: its reply; 0 for none.
    """

    turn: int
    engine: str
    generation: int = 0


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

    def measured(self, event: object, work: Work, *, engine: str, provider: str) -> None:
        """A plugin of ``engine``, or of what all engines share, tells what it measured.

        What holds no use is not billed. A voice's use is the use of the engine whose words it reads.
        """
        used, voice = usage(event), engine == VOICE
        if used is None:
            return
        if not used.generation and (voice or engine == work.engine):
            used = replace(used, generation=work.generation)
        part: Literal["model", "voice"] = "voice" if voice else "model"
        self.add(used, turn=work.turn, engine=work.engine if voice else engine, provider=provider, part=part)

    def add(
        self,
        used: Usage,
        *,
        turn: int,
        engine: str,
        provider: str,
        part: Literal["model", "voice"] = "model",
    ) -> None:
        """``engine``, or what all engines share, used ``provider`` in a turn."""
        charge = self._meter.charge(provider, used)
        self._emit(
            UsageIncurred(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                turn=turn,
                engine=engine,
                part=part,
                generation=used.generation,
                provider=provider,
                model=used.model,
                quantities=used.quantities,
                cost_usd=charge.cost_usd,
                again_usd=charge.again_usd,
                unpriced=charge.unpriced,
                estimated=used.estimated,
            )
        )
