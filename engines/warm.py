"""A realtime session that is open before it is needed and outlives the agents that use it.

LiveKit opens a realtime session when an agent enters and closes it when the agent leaves: 400 to 800 ms of
connecting and replaying history in the middle of a call. :class:`WarmModel` hands out one session that is
already connected and in step with the conversation, and parks it when an agent lets go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from livekit.agents import llm

from engines.cascade import LEAST_STALL_S
from engines.owed import OwedSession
from engines.unfinished import OPENAI_AUDIO, AudioTokens
from engines.warm_session import WarmSession

STALL_S = 4.0
"""A model that sends nothing in mid-reply for longer than this has failed, or than it may take to begin, if less."""


class WarmModel(llm.RealtimeModel):
    """A realtime model whose one session is opened ahead of time and kept in step with the conversation.

    Args:
        inner: the plugin's model.
        first_reply_s: how long a reply may take to begin.
        previews: whether a reply may be asked for before its turn is certain to be over.
        on_metrics: told what the plugin measures, and estimates in place of what it does not tell.
        audio_tokens: how many tokens a second of audio is.
    """

    def __init__(
        self,
        inner: llm.RealtimeModel,
        *,
        first_reply_s: float,
        previews: bool = False,
        on_metrics: Callable[[object], None] = lambda event: None,
        audio_tokens: AudioTokens = OPENAI_AUDIO,
    ) -> None:
        self.previews = previews
        # The turn's words are ours in any case: LiveKit is to wait for no others.
        super().__init__(capabilities=replace(inner.capabilities, user_transcription=False))
        self._on_metrics = on_metrics
        self._audio_tokens = audio_tokens
        self._inner = inner
        self._first_reply_s = first_reply_s
        self._open: WarmSession | None = None
        self.generation: Callable[[], int] = lambda: 0
        """The number of the reply that the running task works for."""
        self.number: Callable[[], int] = lambda: 0
        """Gives a reply that is asked for ahead its number."""
        self.on_late: Callable[[str, int], None] = lambda event, generation: None
        """Told of an event that nobody waits for, and the generation it belongs to; it was dropped."""
        self.on_own_transcript: Callable[[int, str, str], None] = lambda generation, record, heard: None
        """Told what the engine itself heard in a turn: the generation that answers it, our words, its own."""
        self.on_lost: Callable[[Exception, bool], None] = lambda error, for_good: None
        """Told when the connection broke, and whether for good: else the plugin connects anew."""
        self.on_synced: Callable[[float], None] = lambda took_ms: None
        """Told when the server has acknowledged the conversation, and how long that took."""
        self.on_buffer_lost: Callable[[], None] = lambda: None
        """Told when the server no longer has the audio of the running turn: its connection is new, or it was used."""
        self._label = inner.label

    @property
    def model(self) -> str:
        return self._inner.model

    @property
    def provider(self) -> str:
        return self._inner.provider

    @property
    def begin_s(self) -> float:
        """How long what is in a message of its reply may take to begin; one that is taken late has time as if in
        mid-reply.
        """
        left_s = None if self._open is None else self._open.left_s
        return self.stall_s if left_s is None else left_s

    @property
    def stall_s(self) -> float:
        """How long it may send nothing in mid-reply."""
        return min(STALL_S, max(self._first_reply_s, LEAST_STALL_S))

    @property
    def transcribes(self) -> bool:
        """Whether the vendor writes down what it hears."""
        return self._inner.capabilities.user_transcription

    @property
    def warm(self) -> WarmSession | None:
        """The open session, if there is one."""
        return self._open

    def open(self) -> WarmSession:
        """The open session; a new one begins to connect if there is none."""
        if self._open is None:
            inner = self._inner.session(turn_detection_disabled=True)
            owed = OwedSession(
                inner,
                self.model,
                self._audio_tokens,
                self._on_metrics,
                self._asked_for,
            )
            self._open = WarmSession(
                self, cast(llm.RealtimeSession[Any], owed), first_reply_s=self._first_reply_s
            )
        return self._open

    def session(self, *, turn_detection_disabled: bool = False) -> llm.RealtimeSession[Any]:
        return self.open().take()

    def release(self) -> WarmSession | None:
        """Let go of the session, which the caller of this closes; the next use opens a fresh one."""
        session, self._open = self._open, None
        if session is not None:
            session.let_go()
        return session

    def _asked_for(self) -> int:
        return 0 if self._open is None else self._open.asked_for

    async def aclose(self) -> None:
        if (session := self.release()) is not None:
            await session.close()
        await self._inner.aclose()


class Stay(llm.RealtimeModel):
    """A warm model as one agent has it.

    LiveKit lets an agent go on with the session of the agent before if both have the same model, also with one that is
    closed by now.
    """

    def __init__(self, warm: WarmModel) -> None:
        super().__init__(capabilities=warm.capabilities)
        self._warm = warm
        self._label = warm.label

    @property
    def model(self) -> str:
        return self._warm.model

    @property
    def provider(self) -> str:
        return self._warm.provider

    def session(self, *, turn_detection_disabled: bool = False) -> llm.RealtimeSession[Any]:
        return self._warm.session(turn_detection_disabled=turn_detection_disabled)

    async def aclose(self) -> None:
        """Nothing to close: the model goes on."""
