"""What the record is told of a recogniser that fails."""

from __future__ import annotations

from collections.abc import Callable

from compliance.heard import Condition, Ears
from engines.gates import GateError


class HearingFailures:
    """Tells of every failure until the recogniser is given up for now, and of that once, until it listens again.

    A gate that is closed has told why itself.

    Args:
        tell: told the error and what is done about it.
        kept: what is done while it is connected again.
        passed_on: what is done while another is connected instead.
        lost: what is done once it is given up for now.
    """

    def __init__(
        self, tell: Callable[[Exception, str], None], *, kept: str, passed_on: str, lost: str
    ) -> None:
        self._tell = tell
        self._kept = kept
        self._passed_on = passed_on
        self._lost = lost
        self._deaf = False

    def changed(self, condition: Condition) -> None:
        """The recogniser's state changed, or an attempt has failed again."""
        if condition.error is None or isinstance(condition.error, GateError):
            self._deaf = False
            return
        was_deaf, self._deaf = self._deaf, condition.state is Ears.DEAF
        if not was_deaf:
            kept = self._passed_on if condition.passed_on else self._kept
            self._tell(condition.error, self._lost if self._deaf else kept)
