"""The policy that a call beginning now is answered under, and why what was offered instead was refused.

Every process has a store of its own, and those of one source share a :class:`~service.policies.shelf.Shelf`: whatever
any of them accepts is on it, so none goes back behind another, and a process that starts while the source is wrong
starts on the last policy that was right.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from router import Policy
from service.policies.addresses import is_address
from service.policies.errors import KeyFileError, NoPolicyError, ShelfError
from service.policies.gate import Accepted, Floor, Gate, Verdict
from service.policies.keys import Keyring
from service.policies.offers import SETTLED_S, LocalSource, Offer, Refusal
from service.policies.served import shelf_of
from service.policies.shelf import Shelf
from service.settings import Settings

logger = logging.getLogger(__name__)

PATIENCE_S = 0.5
"""A call waits no longer than this for a look at the source; then it takes the policy that is known."""

_Sight = tuple[tuple[object, ...], str]


@dataclass(frozen=True, slots=True)
class Refused:
    """What the source offers and is not served, and since when."""

    at: datetime
    refusals: tuple[Refusal, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(reason for refusal in self.refusals for reason in refusal.reasons)


def _now() -> datetime:
    return datetime.now(UTC)


class PolicyStore:
    """Holds the current policy. Threads may share it.

    Args:
        source: looked at by :meth:`refresh`; ``None`` where something else fetches, and hands over by :meth:`take`.
        gate: what is accepted.
        shelf: where it is kept.
        patience_s: how long :meth:`current` waits.
        now: the clock for when something was refused.
        pause: waits for some seconds, at the start, for a file that is being written.
    """

    def __init__(
        self,
        source: LocalSource | None,
        gate: Gate,
        shelf: Shelf,
        *,
        patience_s: float,
        now: Callable[[], datetime] = _now,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.shelf = shelf
        self._source = source
        self._gate = gate
        self._patience_s = patience_s
        self._now = now
        self._pause = pause
        self._lock = threading.Lock()
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="policy")
        self._accepted: Accepted | None = None
        self._refused: Refused | None = None
        self._seen: _Sight | None = None
        self._started = False
        self._unkept = ""

    @classmethod
    def of(cls, settings: Settings, engines: Collection[str] | None) -> Self:
        """The store for a deployment. An address is left to a :class:`~service.policies.following.Follower`.

        Raises:
            KeyFileError: the keys in the settings cannot be used.
        """
        keyring = Keyring.parse(settings.policy_keys)
        if keyring is None and is_address(str(settings.policy)):
            raise KeyFileError(
                "PATCHBAY_POLICY is an address, and what comes from one must be signed: "
                "set PATCHBAY_POLICY_KEYS to the public keys that may sign it"
            )
        gate = Gate(engines, keyring, allow_downgrade=settings.policy_allow_downgrade)
        place = str(settings.policy)
        source = None if is_address(place) else LocalSource(Path(place))
        return cls(source, gate, shelf_of(settings), patience_s=PATIENCE_S)

    # -- what is served -------------------------------------------------------------------------------------
    @property
    def accepted(self) -> Accepted | None:
        """What is served, and where it came from."""
        return self._accepted

    @property
    def refused(self) -> Refused | None:
        """What the source offers that is not served; ``None`` when that is nothing."""
        return self._refused

    @property
    def unkept(self) -> str:
        """Why the policy that is served would not be there after a restart; empty when it would."""
        return self._unkept

    async def current(self) -> Policy:
        """The policy for a call that begins now; the call keeps it to its end.

        Looks at the source on a thread, so calls that are on are not held up by it. A source that does not answer in
        time, such as a folder on a network that is away, leaves the policy that is known.

        Raises:
            NoPolicyError: :meth:`refresh` never succeeded.
        """
        try:
            looked = asyncio.wrap_future(self._looking.submit(self.refresh))
            return await asyncio.wait_for(looked, self._patience_s)
        except Exception as error:  # a call is answered, whatever became of the look
            if self._accepted is None:
                raise
            reason = str(error) or type(error).__name__
            logger.warning("the policy known is served, for its source was not looked at: %s", reason)
            return self._accepted.policy

    def refresh(self) -> Policy:
        """Look at the source and accept what it offers, if it may be served; then the current policy.

        Raises:
            NoPolicyError: nothing offered may be served, and nothing was accepted before; with every reason.
        """
        return self._look(tuple if self._source is None else self._source.offers)

    def take(self, offers: Sequence[Offer | Refusal]) -> Policy:
        """The same for what was fetched elsewhere."""
        return self._look(lambda: offers)

    def examine(self) -> Verdict:
        """What would become of what the source offers now. Changes nothing."""
        return self.judged(() if self._source is None else self._source.offers())

    def judged(self, offers: Sequence[Offer | Refusal]) -> Verdict:
        """The same for what was fetched elsewhere."""
        return self._gate.judge(offers, self._floor(self.shelf.last()), hasty=True)

    def kept(self) -> Accepted | None:
        """What was accepted last by any process, as a start without the source would serve it."""
        last = self.shelf.last()
        return None if last is None else self._gate.reopened(last)

    def close(self) -> None:
        self._looking.shutdown(wait=False, cancel_futures=True)

    # -- deciding -------------------------------------------------------------------------------------------
    def _look(self, read: Callable[[], Sequence[Offer | Refusal]]) -> Policy:
        with self._lock:
            if not self._started and not self._gate.signed and _being_written(read()):
                self._pause(SETTLED_S)  # who starts a process right after an edit means what they wrote
            self._started = True
            if self._seen is None or self._seen != self._sight(read()):
                with self.shelf.locked():
                    offers = read()  # again, for another process may have accepted something newer meanwhile
                    again = self._decide(offers)
                    self._seen = None if again else self._sight(offers)
            if self._accepted is None:
                none = (
                    f"nothing that is offered may be served yet, and no policy is kept in {self.shelf.folder}"
                )
                raise NoPolicyError(self._refused.reasons if self._refused else (none,))
            return self._accepted.policy

    def _sight(self, offers: Sequence[Offer | Refusal]) -> _Sight:
        """What a decision depends on, cheap to compare."""
        offered = tuple((each.digest, each.settled) if isinstance(each, Offer) else each for each in offers)
        return offered, _digest(self.shelf.last())

    def _decide(self, offers: Sequence[Offer | Refusal]) -> bool:
        """Accept one of ``offers``, or stay with the last that was accepted; whether to look again at the same."""
        last = self.shelf.last()
        verdict = self._gate.judge(offers, self._floor(last))
        if verdict.accepted is not None:
            if _digest(verdict.accepted.offer) != _digest(self._served):
                self._accepted = verdict.accepted
        elif last is not None and not self._unkept and _digest(last) != _digest(self._served):
            self._accepted = self._gate.reopened(last) or self._accepted
        fresh = verdict.accepted is not None or last is None
        if fresh and self._accepted is not None and _digest(self._served) != _digest(last):
            self._keep(self._accepted)
        waiting = verdict.again and not verdict.refusals  # a file is being written: what was wrong still is
        if not verdict.refusals and not waiting:
            self._refused = None
        elif verdict.refusals and (self._refused is None or self._refused.refusals != verdict.refusals):
            self._refused = Refused(self._now(), verdict.refusals)
        return verdict.again

    def _keep(self, accepted: Accepted) -> None:
        try:
            self.shelf.keep(accepted.offer, accepted.policy.content.source)
            self._unkept = ""
        except ShelfError as error:
            self._unkept = str(error)

    def _floor(self, last: Offer | None) -> Floor | None:
        offers = (last, self._served)
        floors = [floor for each in offers if each is not None and (floor := self._gate.floor(each))]
        return max(floors, key=lambda floor: floor.version, default=None)

    @property
    def _served(self) -> Offer | None:
        return None if self._accepted is None else self._accepted.offer


def _being_written(offers: Sequence[Offer | Refusal]) -> bool:
    return any(isinstance(each, Offer) and not each.settled for each in offers)


def _digest(offer: Offer | None) -> str:
    return "" if offer is None else offer.digest
