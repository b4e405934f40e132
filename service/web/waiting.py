"""Sees to it that a model that does not answer, or stops in mid-reply, or a tool leaves no caller in silence."""

from __future__ import annotations

from collections.abc import Callable

from engines.awaited import TOOL_WAIT_S
from engines.watch import SilenceWatch


class Waiting:
    """What the caller waits for: asked for once more when it does not come, then given up.

    A reply that began before the caller waited, or is said beside, answers nothing, whenever the vendor tells of it.

    Args:
        limit_s: how long the model may be silent.
        caller_speaks: whether the caller speaks just now; then the limit starts anew.
        quiet: whether nobody is heard, nor about to be.
        late: told that it was silent for so long.
        again: asks for the answer once more.
        give_up: told that it did not come then either.
        still_here: tells who waits for a tool that they are not forgotten.
    """

    def __init__(
        self,
        limit_s: float,
        *,
        caller_speaks: Callable[[], bool],
        quiet: Callable[[], bool],
        late: Callable[[], None],
        again: Callable[[], None],
        give_up: Callable[[], None],
        still_here: Callable[[], None],
    ) -> None:
        self._watch = SilenceWatch(
            limit_s, paused=lambda: caller_speaks() or self._tool_wait.running, expired=self._expired
        )
        self._tool_wait = SilenceWatch(TOOL_WAIT_S, paused=lambda: not quiet(), expired=self._forgotten)
        """Runs while a tool works."""
        self._late = late
        self._again = again
        self._give_up = give_up
        self._still_here = still_here
        self._answers: dict[str, bool] = {}
        """Of each reply that began, whether it is what is waited for."""
        self._asked_again = False
        self._told = False

    @property
    def waits(self) -> bool:
        """Whether an answer is waited for, or the rest of one."""
        return self._watch.running

    def due(self) -> None:
        """The caller waits for an answer from now on."""
        self._answers = dict.fromkeys(self._answers, False)
        self._asked_again = self._told = False
        self._watch.start()

    def over(self) -> None:
        """No answer is waited for: the caller speaks."""
        self._watch.stop()

    def missed(self) -> None:
        """Events were missed: an answer that was waited for is waited for anew."""
        if self._watch.running:
            self._watch.start()

    def stop(self) -> None:
        """Nothing is waited for any more: the call ends."""
        self._watch.stop()
        self._tool_wait.stop()

    # -- replies --------------------------------------------------------------------------------------------
    def began(self, reply_id: str, *, answers: bool) -> None:
        """A reply is being made; ``answers``: it is what the caller waits for."""
        self._answers[reply_id] = answers

    def going_on(self, reply_id: str) -> None:
        """More of it was made: if it is the answer, the rest of that is waited for."""
        if self._is_awaited(reply_id):
            self._told = True
            self._watch.start()

    def audible(self, reply_id: str) -> None:
        """It is heard; where nothing is told of its being made, the rest of the answer is not waited for."""
        if self._is_awaited(reply_id):
            if self._told:
                self._watch.start()
            else:
                self._watch.stop()

    def made(self, reply_id: str) -> None:
        """All of it was made."""
        if self._is_awaited(reply_id):
            self._watch.stop()
            self._asked_again = self._told = False

    def failed(self, reply_id: str) -> None:
        """It does not come."""
        if self._is_awaited(reply_id):
            self._ask_again()

    def _is_awaited(self, reply_id: str) -> bool:
        return self._answers.get(reply_id, True)  # one that is not known began while nobody listened

    def _expired(self) -> None:
        self._late()
        self._ask_again()

    def _ask_again(self) -> None:
        self._watch.stop()
        if self._asked_again:
            self._give_up()
            return
        self._asked_again = True
        self._watch.start()
        self._again()

    # -- tools ----------------------------------------------------------------------------------------------
    def tool_began(self) -> None:
        """A tool runs, which has a limit of its own."""
        if not self._tool_wait.running:
            self._tool_wait.start()

    def tools_done(self) -> None:
        """None runs any more."""
        self._tool_wait.stop()

    def fell_silent(self) -> None:
        """Who spoke does no more: silence is counted from now on."""
        if self._tool_wait.running:
            self._tool_wait.start()

    def _forgotten(self) -> None:
        self._tool_wait.start()
        self._still_here()
