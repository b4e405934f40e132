"""The realtime engines of a call: each has a session that may be warm, and hears the turns while it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from livekit.agents import AgentSession, llm

from compliance.tap import CallerTap
from engines.feed import TurnFeed
from engines.warm import WarmModel
from engines.warmth import Warmth


class RealtimeEngines(Mapping[str, Warmth]):
    """The warmth of each realtime engine by its name, and what concerns all of them.

    Args:
        models: the engines' models by name.
        session: the call, for its history.
        tap: where they hear the caller's turns.
        wanted: whether the next turn may need the engine.
        instructions: given to a fresh session.
        tools: given to a fresh session.
        failed: told of an engine and its provider when a session could not be kept in step.
        worked: told of an engine whose fresh session is open and in step.
    """

    def __init__(
        self,
        models: Mapping[str, WarmModel],
        *,
        session: AgentSession[Any],
        tap: CallerTap,
        wanted: Callable[[str], bool],
        instructions: str,
        tools: Sequence[llm.Tool],
        failed: Callable[[str, str, BaseException], None],
        worked: Callable[[str], None],
    ) -> None:
        self.models = models
        self._warmth = {
            name: Warmth(
                model,
                TurnFeed(tap),
                session,
                wanted=partial(wanted, name),
                instructions=instructions,
                tools=tools,
                failed=partial(failed, name, model.provider),
                worked=partial(worked, name),
            )
            for name, model in models.items()
        }

    def __getitem__(self, engine: str) -> Warmth:
        return self._warmth[engine]

    def __iter__(self) -> Iterator[str]:
        return iter(self._warmth)

    def __len__(self) -> int:
        return len(self._warmth)

    @property
    def any_ready(self) -> bool:
        """Whether one of them has a session open."""
        return any(warmth.ready for warmth in self.values())

    def lacks_session(self, engine: str) -> bool:
        """Whether ``engine`` is one of them, and its agent, if it is in charge, has lost its session."""
        return engine in self and not self[engine].in_use

    def has_heard(self, engine: str) -> bool:
        """Whether ``engine`` is one of them and has heard enough of the turn to be asked about it."""
        return engine in self and self[engine].feed.has_turn

    def is_replying(self, engine: str) -> bool:
        """Whether the server of ``engine`` is in the middle of a reply."""
        model = self.models.get(engine)
        return model is not None and model.warm is not None and model.warm.busy

    def expect(self, engine: str, message: llm.ChatMessage) -> bool:
        """Make ``engine`` answer the turn in its buffer. False when it has not heard enough of it."""
        session, feed = self.models[engine].warm, self[engine].feed
        if not feed.has_turn or session is None:
            return False
        started_at = message.metrics.get("started_speaking_at")
        session.expect(message.text_content or "", started_at, sent=feed.commit)
        return True

    # -- a turn ---------------------------------------------------------------------------------------------
    def speech_started(self, onset_ms: float) -> None:
        for warmth in self.values():
            warmth.speech_started(onset_ms)

    def speech_stopped(self) -> None:
        for warmth in self.values():
            warmth.speech_stopped()

    def turn_ended(self) -> None:
        for warmth in self.values():
            warmth.turn_ended()

    def turn_goes_to(self, engine: str, started_ms: float | None) -> None:
        """The turn, which began at ``started_ms`` if that is known, is for ``engine``: no other keeps it."""
        for name, warmth in self.items():
            if name != engine:
                warmth.feed.discard()
            elif started_ms is not None:
                warmth.turn_complete(started_ms)

    def taken_back(self) -> list[llm.ChatMessage]:
        """The turns that one of them was to answer and was not asked about; it is not any more."""
        taken = (None if model.warm is None else model.warm.take_back() for model in self.models.values())
        return [message for message in taken if message is not None]

    # -- their sessions -------------------------------------------------------------------------------------
    def refresh(self) -> None:
        """Bring their sessions in line with what is wanted and with the conversation."""
        for warmth in self.values():
            warmth.refresh()

    async def aclose(self) -> None:
        """Let go of all sessions. Safe to call twice."""
        for warmth in self.values():
            await warmth.aclose()
