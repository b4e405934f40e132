"""How much silence ends the caller's turn: as the engine catalogue says, or as the policy wants it.

A rule may hint at it: a caller who is reading out a number is given time to breathe. The turn is previewed on every
result of the recogniser, so the hint of the rule that would answer now is in force when speech pauses.
"""

from __future__ import annotations

from collections.abc import Callable

from livekit.agents import UserInputTranscribedEvent

from engines.routing import Route


class Endpointing:
    """Follows the words of the running turn, and has the session wait as long as they ask for.

    The session asks for the delay when speech ends and again at every final result; both come after the words are
    told here, so a change counts at once.

    Args:
        usual_s: the delay where no rule hints at another one.
        preview: how the running turn would be routed if it ended now with these words.
        changed: told the delay in seconds whenever it becomes another one.
    """

    def __init__(
        self, usual_s: float, *, preview: Callable[[str], Route], changed: Callable[[float], None]
    ) -> None:
        self._usual_s = self._wanted_s = usual_s
        self._preview = preview
        self._changed = changed
        self._certain: list[str] = []

    def heard(self, event: UserInputTranscribedEvent) -> None:
        """The session was given words of the running turn, certain ones or a guess."""
        if event.item_id is not None or not event.transcript:
            return  # a realtime engine's item, for a turn that is over
        words = [*self._certain, event.transcript]
        if event.is_final:
            self._certain = words
        self.decided(self._preview(" ".join(words)).endpointing_ms)

    def turn_ended(self) -> None:
        """The next words belong to a new turn."""
        self._certain.clear()

    def decided(self, hint_ms: int | None) -> None:
        """What a decision hints at, or the preview of one; ``None``: nothing."""
        wanted_s = self._usual_s if hint_ms is None else hint_ms / 1000
        if wanted_s != self._wanted_s:
            self._wanted_s = wanted_s
            self._changed(wanted_s)
