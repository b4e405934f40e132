"""Whether a call may go on while its record cannot be kept, and its polite end when it may not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from compliance.keeping import Keeping

REASON = "the record could not be kept"
"""Why such a call ended, for the record, should it be kept after all."""


def ends_in_s(keeping: Keeping, *, fail_open: bool, grace_s: float) -> float | None:
    """Seconds until a call is ended whose record stays where it is now; ``None`` when it goes on.

    Args:
        keeping: where the record is.
        fail_open: whether the call matters more than its record.
        grace_s: how long the disk may stand in for the ledger.
    """
    if fail_open or keeping is Keeping.LEDGER:
        return None
    return grace_s if keeping is Keeping.SPOOL else 0.0


class RecordDemand:
    """Ends one call that may not go on without a record. Everything of it runs on the event loop of the call.

    Args:
        fail_open: whether the call matters more than its record.
        grace_s: how long the disk may stand in for the ledger.
        retry: has the ledger asked once more; when that helps, :meth:`kept_in` is told before it returns.
        end: tells the caller, and ends the call.
    """

    def __init__(
        self,
        *,
        fail_open: bool,
        grace_s: float,
        retry: Callable[[], Awaitable[None]],
        end: Callable[[], Awaitable[None]],
    ) -> None:
        self._fail_open = fail_open
        self._grace_s = grace_s
        self._retry = retry
        self._end = end
        self._ending: asyncio.Task[None] | None = None
        self._closed = False

    def kept_in(self, keeping: Keeping) -> None:
        """The record is kept there from now on."""
        self._stop()
        wait_s = ends_in_s(keeping, fail_open=self._fail_open, grace_s=self._grace_s)
        if wait_s is not None and not self._closed:
            self._ending = asyncio.create_task(self._end_after(wait_s), name="patchbay.record_demand")

    async def aclose(self) -> None:
        """Do not end the call any more."""
        self._closed = True
        self._stop()
        if self._ending is not None:
            await asyncio.gather(self._ending, return_exceptions=True)

    def _stop(self) -> None:
        if self._ending is not None:
            self._ending.cancel()

    async def _end_after(self, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        await self._retry()
        await self._end()
