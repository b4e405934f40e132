"""What a policy's latency budget means for the engines: how long each may be silent before another is asked.

An engine that fails shall not use up what the caller is willing to wait: it gets half of the budget, and the engine
that takes over the other half. Where the catalogue is stricter, that holds. Recognisers, which hear before an engine is
asked, and voices, which speak when one has begun, get their usual time under :data:`USUAL_MS` and a share of it under
less, so that the next one is there in time. No recogniser gets less than one that is well may take, which
:mod:`compliance.recognisers` has as ``LEAST_CONNECT_MS`` and ``LEAST_ANSWER_MS``: under a budget of less than four
seconds, the next one is late.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from engines.catalogue import Catalogue
from engines.desk import SILENCE_LIMIT_S

SHARE = 0.5
USUAL_MS = 8000
"""The budget that leaves voices their usual time; that of the default policy."""


def within(catalogue: Catalogue, answer_within_ms: int | None) -> Catalogue:
    """The catalogue with the time-outs that keep to ``answer_within_ms``; ``None``: those that it has."""
    if answer_within_ms is None:
        return catalogue
    share_s = SHARE * answer_within_ms / 1000
    engines = {
        name: replace(engine, first_reply_s=min(engine.first_reply_s, share_s))
        for name, engine in catalogue.engines.items()
    }
    patience = min(1.0, answer_within_ms / USUAL_MS)
    return replace(catalogue, engines=MappingProxyType(engines), patience=patience)


def silence_limit_s(answer_within_ms: int | None) -> float:
    """How long a turn may stay without an audible answer."""
    return SILENCE_LIMIT_S if answer_within_ms is None else min(SILENCE_LIMIT_S, answer_within_ms / 1000)
