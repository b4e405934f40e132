"""A caller who spoke and cannot be heard is told so, every time, and passed on to a person where there is one.

While recognisers fail there are no turns, so nothing that watches over turns notices the silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from compliance.heard import Ears

PATIENCE_S = 2.5
"""A recogniser that has heard so soon after the caller stopped what was said has lost nothing of it."""
BEFORE_A_PERSON = 2
"""Apologies after which a person is fetched while recognisers are still tried; at once when they are given up."""
SPEECH_MS = 600
"""Voiced sound that is more than a cough, even if nobody finds words in it."""


class Unheard:
    """Watches over what the caller says while no recogniser is well, or none makes anything of it.

    Args:
        apologise: say that there is a problem, and that it should be said again.
        fetch: have a person fetched; False when there is nobody.
        with_person: whether the caller talks with a person, or waits for one: what they say is for no recogniser.
        patience_s: see :data:`PATIENCE_S`.
    """

    def __init__(
        self,
        apologise: Callable[[], object],
        fetch: Callable[[], bool],
        with_person: Callable[[], bool],
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._apologise = apologise
        self._fetch = fetch
        self._with_person = with_person
        self._patience_s = patience_s
        self._well = True
        self._given_up = False
        self._sounds = 0
        """In how many sounds of the caller in a row nobody found words."""
        self._speaking = False
        self._waiting = False
        """Whether the caller has said something that nobody has heard yet."""
        self._apologies = 0
        self._timer: asyncio.TimerHandle | None = None

    def caller(self, *, speaking: bool) -> None:
        """The caller began to speak, or stopped."""
        self._stop()
        self._speaking, self._waiting = speaking, self._waiting or not speaking
        if self._with_person():
            self.heard()
        self._watch()

    def ears(self, state: Ears) -> None:
        """The state of those who listen changed."""
        self._well, self._given_up = state is Ears.LISTENING, state is Ears.DEAF
        self._watch()

    def nothing(self, voiced_ms: float) -> None:
        """Nobody found words in a sound of the caller of that length."""
        if self._with_person():
            return  # who laughs with a person is not misunderstood
        self._sounds += 1
        if not self._speaking and (voiced_ms >= SPEECH_MS or self._sounds > 1):
            self._tell()

    def heard(self) -> None:
        """Words of the caller came."""
        self._waiting, self._apologies, self._sounds = False, 0, 0
        self._stop()

    def close(self) -> None:
        """Say no more."""
        self.heard()
        self._well = True

    def _watch(self) -> None:
        if self._waiting and not self._speaking and not self._well and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._patience_s, self._due)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = None
        if not (self._well or self._with_person()):  # a well one listens again, to what was said, too
            self._tell()

    def _tell(self) -> None:
        self._waiting = False
        if (self._given_up or self._apologies == BEFORE_A_PERSON) and self._fetch():
            return
        self._apologies += 1
        self._apologise()
