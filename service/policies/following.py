"""Follows the source of the policy in a worker's main process: fetches, accepts, and says in the log what it finds."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from router import Policy
from service.policies.addresses import is_address
from service.policies.errors import FetchError, NoPolicyError, ShelfError
from service.policies.fetching import Fetcher
from service.policies.store import PolicyStore, Refused
from service.settings import Settings

logger = logging.getLogger(__name__)

LOCAL_S = 2.0
"""Seconds between two looks at a file or folder. Calls look for themselves; this is for the log."""
NOTE_EVERY = timedelta(seconds=30)
"""The status is written at every change, and at least this often."""
MOST_TIMES = 16
"""A source that is away is asked less and less often, up to this many times less."""


@dataclass(frozen=True, slots=True)
class Away:
    """The address gives nothing, and since when."""

    at: datetime
    reason: str


def _now() -> datetime:
    return datetime.now(UTC)


class Follower:
    """Looks at one source again and again. One per worker.

    Args:
        store: takes what is found.
        fetcher: asks the address; ``None`` where the store looks at a file or folder itself.
        every_s: between two looks.
        source: what the log calls it.
        spread: a number from 0.8 to 1.2, so that workers do not all ask at once.
    """

    def __init__(
        self,
        store: PolicyStore,
        fetcher: Fetcher | None = None,
        *,
        every_s: float,
        source: str,
        spread: Callable[[], float] = lambda: random.uniform(0.8, 1.2),  # noqa: S311 # no secret
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._store = store
        self._fetcher = fetcher
        self._every_s = every_s
        self._source = source
        self._spread = spread
        self._now = now
        self._served: Policy | None = None
        self._refused: Refused | None = None
        self._unkept = ""
        self._failures = 0
        self._noted: dict[str, Any] = {}
        self._noted_at = now()
        self.away: Away | None = None
        """Why the address gives nothing; ``None`` when it does."""

    @property
    def pause_s(self) -> float:
        """Seconds to the next look."""
        return self._every_s * self._spread() * min(1 << self._failures, MOST_TIMES)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self.pause_s)
            try:
                await self.step()
            except Exception:  # a policy is served meanwhile, and the next look may succeed
                logger.exception("%s could not be looked at", self._source)

    async def step(self) -> None:
        """Look once.

        Raises:
            NoPolicyError: there is nothing to serve, neither from the source nor from before.
        """
        if self._fetcher is None:
            await asyncio.to_thread(self._store.refresh)
        else:
            await self._fetch(self._fetcher)
        self._tell()
        await self._note()

    async def _fetch(self, fetcher: Fetcher) -> None:
        try:
            offer = await fetcher.fetch()
        except FetchError as error:
            await self._missed(str(error))
            return
        self._failures = 0
        if self.away is not None:
            logger.info("%s answers again", self._source)
            self.away = None
        if offer is None:
            await asyncio.to_thread(self._store.refresh)
            return
        await asyncio.to_thread(self._store.take, (offer,))
        accepted = self._store.accepted
        if accepted is not None and accepted.offer.digest == offer.digest:
            fetcher.accepted()

    async def _missed(self, reason: str) -> None:
        """The address gave nothing: serve what is kept. Raises :class:`NoPolicyError` when nothing is."""
        self._failures += 1
        if self.away is None or self.away.reason != reason:
            self.away = Away(self._now(), reason)
            logger.warning("%s; the last policy that was accepted is served", reason)
        if self._store.accepted is None:
            try:
                await asyncio.to_thread(self._store.refresh)
            except NoPolicyError as error:
                raise NoPolicyError([reason, *error.reasons]) from error

    # -- telling --------------------------------------------------------------------------------------------
    def _tell(self) -> None:
        """Log what changed since the last look."""
        store, accepted = self._store, self._store.accepted
        if accepted is not None and accepted.policy.hash != (self._served and self._served.hash):
            if self._served is None:
                earlier = store.refused is not None or self.away is not None
                logger.info(
                    "calls are answered under %s%s, from %s",
                    shown(accepted.policy),
                    ", which was accepted earlier" if earlier else "",
                    self._source,
                )
            else:
                logger.info(
                    "from the next call on %s is served, from %s; it was %s",
                    shown(accepted.policy),
                    self._source,
                    shown(self._served),
                )
            self._served = accepted.policy
        if store.refused is not None and store.refused != self._refused:
            logger.error(
                "what %s offers is refused and %s stays:\n%s",
                self._source,
                "nothing" if self._served is None else shown(self._served),
                "\n".join(store.refused.reasons),
            )
        elif store.refused is None and self._refused is not None:
            logger.info("nothing that %s offers is refused any longer", self._source)
        if store.unkept and store.unkept != self._unkept:
            logger.error("%s", store.unkept)
        self._refused, self._unkept = store.refused, store.unkept

    async def _note(self) -> None:
        """Write down what was found, where ``patchbay policy status`` reads it; a full disk is told of elsewhere."""
        found, now = self.status(), self._now()
        if found == self._noted and now - self._noted_at < NOTE_EVERY:
            return
        self._noted, self._noted_at = found, now
        told = {"checked_at": now.isoformat(timespec="seconds"), **found}
        with suppress(ShelfError):
            await asyncio.to_thread(self._store.shelf.note, told)

    def status(self) -> dict[str, Any]:
        """What was found, schema ``patchbay.policy-follower/1``; for ``patchbay policy status``."""
        refused = self._store.refused
        return {
            "schema": "patchbay.policy-follower/1",
            "served": self._served
            and {"name": self._served.name, "version": self._served.version, "hash": self._served.hash},
            "refused": refused
            and {"at": refused.at.isoformat(timespec="seconds"), "reasons": list(refused.reasons)},
            "away": self.away
            and {"at": self.away.at.isoformat(timespec="seconds"), "reason": self.away.reason},
        }


def shown(policy: Policy) -> str:
    """A policy in a sentence. Seven digits of its hash in a row would be masked in a worker's log, as a number is."""
    return f"policy {policy.name} version {policy.version} ({policy.hash[:6]})"


def follower_of(settings: Settings, engines: Collection[str]) -> tuple[PolicyStore, Follower]:
    """The store and follower for a deployment. Raises :class:`~service.policies.errors.KeyFileError`."""
    store, place = PolicyStore.of(settings, engines), str(settings.policy)
    if not is_address(place):
        return store, Follower(store, every_s=LOCAL_S, source=place)
    fetcher = Fetcher(place)
    return store, Follower(store, fetcher, every_s=settings.policy_poll_s, source=fetcher.name)


@asynccontextmanager
async def following(settings: Settings, engines: Collection[str]) -> AsyncIterator[None]:
    """Follow the source while this is open; when it opens, there is a policy to serve.

    Raises:
        NoPolicyError: there is none.
        KeyFileError: the keys in the settings cannot be used.
    """
    store, follower = follower_of(settings, engines)
    try:
        await follower.step()
        running = asyncio.create_task(follower.run(), name="policy follower")
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    finally:
        store.close()
