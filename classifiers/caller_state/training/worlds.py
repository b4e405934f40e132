"""Worlds in which one assumption is wrong by a factor of two, to see what a call loses there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from classifiers.caller_state.training.assumptions import Rate, World

_ASSUMED = World()

HEARD: Mapping[str, World] = MappingProxyType(
    {
        "half as many callers upset": replace(_ASSUMED, starts_upset=0.075, becomes_upset=0.04),
        "twice as many callers upset": replace(_ASSUMED, starts_upset=0.3, becomes_upset=0.16),
        "moods last half as long": replace(_ASSUMED, becomes_upset=0.16, calms_down=0.3),
        "anger half as often audible": replace(_ASSUMED, audible=0.25),
        "anger always audible": replace(_ASSUMED, audible=1.0),
        "twice as many sharp voices": replace(_ASSUMED, sharp_voices=0.12),
        "nobody raises their voice": replace(_ASSUMED, shouting_db=0.0),
    }
)
"""Callers who sound otherwise: calls have to be made and heard again."""


def _with_rates(calm: float, upset: float) -> World:
    cues = {cue: Rate(calm * rate.calm, upset * rate.upset) for cue, rate in _ASSUMED.cues.items()}
    return replace(_ASSUMED, cues=MappingProxyType(cues))


WORDED: Mapping[str, World] = MappingProxyType(
    {
        "upset callers give half as many cues": _with_rates(1, 0.5),
        "upset callers give twice as many": _with_rates(1, 2),
        "calm callers give half as many cues": _with_rates(0.5, 1),
        "calm callers give twice as many": _with_rates(2, 1),
    }
)
"""The same callers with other words."""
