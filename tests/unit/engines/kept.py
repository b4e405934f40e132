"""A warmth over a vendor that does not exist, and a line that gives silence."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from livekit import rtc
from livekit.agents import llm
from livekit.agents.voice import io

from compliance.clock import CallClock
from compliance.tap import CallerTap
from engines.feed import TurnFeed
from engines.warm import WarmModel
from engines.warmth import Warmth
from tests.unit.engines.fakes import FakeRealtime


class Line(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="test")

    async def __anext__(self) -> rtc.AudioFrame:
        return rtc.AudioFrame(bytes(960), 24_000, 1, 480)


class Kept:
    """A warmth over a vendor that does not exist."""

    def __init__(
        self,
        wanted: Callable[[], bool] = lambda: True,
        first_reply_s: float = 5.0,
        *,
        previews: bool = False,
    ) -> None:
        self.inner = FakeRealtime()
        self.model = WarmModel(self.inner, first_reply_s=first_reply_s, previews=previews)
        self.tap = CallerTap(Line(), CallClock())
        self.feed = TurnFeed(self.tap)
        self.history = llm.ChatContext()
        self.failures: list[BaseException] = []
        self.opened = 0
        session: Any = SimpleNamespace(history=self.history)
        self.warmth = Warmth(
            self.model,
            self.feed,
            session,
            wanted=wanted,
            instructions="Be brief.",
            tools=[],
            failed=self.failures.append,
            worked=self._worked,
        )

    def _worked(self) -> None:
        self.opened += 1

    async def refreshed(self) -> None:
        self.warmth.refresh()
        await self.warmth.settled()

    async def caller_speaks(self, ms: int) -> None:
        for _ in range(ms // 20):
            await anext(self.tap)

    @property
    def told(self) -> list[str]:
        return self.inner.sessions[-1].told
