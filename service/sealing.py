"""Seals the values of one call that were masked and may one day be revealed, as the redaction policy says."""

from __future__ import annotations

from compliance.events import ValueSealed
from compliance.ledger import Ledger
from compliance.redaction.policy import RedactionPolicy
from compliance.reveal import RevealError, Sealer, sealing_key


class Sealing:
    """Used by the call's recorder, on its thread; see :class:`compliance.recorder.Recorder`.

    Args:
        ledger: holds the call's key.
        call_id: the call.
        policy: says of which entities.
    """

    def __init__(self, ledger: Ledger, call_id: str, policy: RedactionPolicy) -> None:
        self._ledger = ledger
        self._call_id = call_id
        self._policy = policy
        self._sealer: Sealer | None = None

    def __call__(self, entity: str, value: str, at_ms: float) -> ValueSealed | None:
        """The event that keeps ``value`` sealed; ``None`` for what may never be revealed.

        Raises:
            compliance.errors.LedgerError: the call's key cannot be had.
        """
        if not self._policy.may_reveal(entity):
            return None
        if self._sealer is None:
            self._sealer = Sealer(self._call_id, sealing_key(self._ledger, self._call_id))
        try:
            return self._sealer.seal(entity, value, at_ms=at_ms)
        except RevealError:  # whatever it was taken for, it may be a card's number
            return None
