"""What of one call may go to whom: its veil, its gates, and what is put on record of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from compliance.clock import CallClock
from compliance.events import Event, PartFailed, Refused, Topic
from compliance.redaction.policy import RedactionPolicy
from engines.catalogue import Catalogue
from engines.gates import Gates, Refusal
from engines.vault import NO_VEIL, Veil
from service.aside import Aside
from service.placeholders import CallFinder
from service.redaction_line import RedactionLine


class CallPrivacy:
    """One call's. Make it on the call's event loop; close it when nothing of the call runs any more.

    Args:
        policy: says which models see placeholders.
        redaction: where values are found.
        catalogue: says what each part may be given.
        region: of the caller.
        given: whether the caller consents to something now.
        clock: the call's clock.
        emit: takes events for the record.
        call_id: goes into every event.

    Attributes:
        veil: what models see of the conversation.
        gates: asked before anything is sent.
        where: the turn in hand and the engine that the running task works for.
    """

    def __init__(
        self,
        policy: RedactionPolicy,
        redaction: Aside,
        catalogue: Catalogue,
        *,
        region: str,
        given: Callable[[Topic], bool],
        clock: CallClock,
        emit: Callable[[Event], None],
        call_id: str,
    ) -> None:
        wanted = policy.placeholders
        self._clock, self._emit, self._call_id = clock, emit, call_id
        self._finder = None if wanted.engines == frozenset() else CallFinder(RedactionLine(redaction.address))
        self._withheld = 0
        self.where: Callable[[], tuple[int, str]] = lambda: (0, "")
        self.veil = NO_VEIL if self._finder is None else Veil(wanted, self._finder, lost=self._lost)
        self.gates = Gates(
            catalogue, region=region, given=given, voice_closed=wanted.demanded, refused=self._record_refused
        )

    # -- tools ------------------------------------------------------------------------------------------------
    def for_tool(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A tool's arguments with the values."""
        return self.veil.for_tool(self.where()[1], dict(arguments))

    async def from_tool(self, result: str) -> str:
        """A tool's result as the model that asked may see it."""
        return await self.veil.from_tool(self.where()[1], result)

    # -- the end ----------------------------------------------------------------------------------------------
    async def aclose(self) -> None:
        """Forget every value, and put on record what went wrong."""
        made_up = len(self.veil.vault.unknown)
        if made_up:
            self._failed(
                "UnknownPlaceholder", f"{made_up} placeholder(s) that a model made up stood for nothing"
            )
        if self._withheld > 1:
            self._failed("Withheld", f"words were withheld from models {self._withheld} times")
        if self._finder is not None:
            self.veil.wipe()
            await self._finder.aclose()

    # -- the record -------------------------------------------------------------------------------------------
    def _lost(self, error: BaseException) -> None:
        self._withheld += 1
        if self._withheld == 1:  # one for each text would say no more
            self._failed(type(error).__name__, "words are withheld from models while values cannot be found")

    def _failed(self, error: str, action: str) -> None:
        self._emit(
            PartFailed(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                part="placeholders",
                error=error,
                action=action,
            )
        )

    def _record_refused(self, refusal: Refusal, turn: int | None) -> None:
        self._emit(
            Refused(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                turn=self.where()[0] if turn is None else turn,
                used_by=refusal.used_by,
                provider=refusal.provider,
                because=refusal.because,
            )
        )
