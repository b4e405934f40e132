"""What a source offers, what of it would be accepted, and what is served: asked from outside of the worker."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.policies.addresses import is_address, shown_address
from service.policies.gate import Accepted
from service.policies.keys import Keyring
from service.policies.offers import Offer, Refusal
from service.policies.store import PolicyStore
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Examined:
    """A source, looked at. Nothing is accepted by looking."""

    source: str
    """A path, or an address without what may be secret in it."""
    keys: tuple[str, ...]
    """The ids of the keys that may sign; empty when policies are not signed."""
    offered: Accepted | None
    """What the source offers, if it may be served."""
    reasons: tuple[str, ...]
    """Why what it offers is refused, or why it offers nothing."""
    kept: Accepted | None
    """What was accepted last, and what a worker starts on when the source offers nothing."""
    kept_at: datetime | None
    worker: dict[str, Any] | None
    """What a worker noted when it looked last, schema ``patchbay.policy-follower/1``."""

    @property
    def served(self) -> Accepted | None:
        """What the next call is answered under."""
        return self.offered or self.kept


def examined(
    settings: Settings, engines: Collection[str], fetched: Offer | Refusal | None = None
) -> Examined:
    """Look at the configured source.

    Args:
        settings: of the deployment.
        engines: those of the catalogue.
        fetched: what an address gave; without it, what an address offers is not known.

    Raises:
        KeyFileError: the keys in the settings cannot be used.
    """
    place, keyring = str(settings.policy), Keyring.parse(settings.policy_keys)
    with closing(PolicyStore.of(settings, engines)) as store:
        verdict = store.examine() if fetched is None else store.judged((fetched,))
        last = store.shelf.last_at()
        return Examined(
            source=shown_address(place) if is_address(place) else place,
            keys=() if keyring is None else tuple(key.id for key in keyring.keys),
            offered=verdict.accepted,
            reasons=tuple(reason for refusal in verdict.refusals for reason in refusal.reasons),
            kept=store.kept(),
            kept_at=None if last is None else datetime.fromtimestamp(last, UTC),
            worker=store.shelf.noted(),
        )
