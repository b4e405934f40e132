"""Sees to it that a caller is not left in silence by a model that does not answer, or stops in mid-reply."""

from __future__ import annotations

from collections.abc import Callable

from engines.watch import SilenceWatch


class Waiting:
    """What the caller waits for: asked for once more when it does not come, then given up.

    Args:
        limit_s: how long the model may be silent.
        paused: whether the caller speaks or a tool works just now; then the limit starts anew.
        late: told that it was silent for so long.
        again: asks for the answer once more.
        give_up: told that it did not come then either.
    """

    def __init__(
        self,
        limit_s: float,
        *,
        paused: Callable[[], bool],
        late: Callable[[], None],
        again: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        self._watch = SilenceWatch(limit_s, paused=paused, expired=self._expired)
        self._late = late
        self._again = again
        self._give_up = give_up
        self._asked_again = False
        self._told = False

    def due(self) -> None:
        """The caller waits for an answer from now on."""
        self._asked_again = self._told = False
        self._watch.start()

    def going_on(self) -> None:
        """More of the answer was made: the rest of it is waited for."""
        self._told = True
        self._watch.start()

    def begun(self) -> None:
        """The answer is heard; where nothing is told of its being made, the rest of it is not waited for."""
        if self._told:
            self._watch.start()
        else:
            self._watch.stop()

    def over(self) -> None:
        """Nothing is waited for: the caller speaks, or the call ends."""
        self._watch.stop()

    def answered(self) -> None:
        """All of the answer was made."""
        self._watch.stop()
        self._asked_again = self._told = False

    def missed(self) -> None:
        """Events were missed: an answer that was waited for is waited for anew."""
        if self._watch.running:
            self._watch.start()

    def failed(self) -> None:
        """The answer does not come."""
        self._watch.stop()
        if self._asked_again:
            self._give_up()
            return
        self._asked_again = True
        self._watch.start()
        self._again()

    def _expired(self) -> None:
        self._late()
        self.failed()
