"""Open realtime models by URL: OpenAI's plugin against servers that speak its protocol less than whole.

Servers of open weights (Moshi, Ultravox) answer under the names of the protocol's beta, and do not send a request's
metadata back, by which the plugin knows its own replies. Both are put right where the plugin shows each raw event to
who listens, before it reads it. What such a server must do besides is in docs/how-to/choose-engines.md.
"""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.plugins import openai

GA_NAMES = {
    "conversation.item.created": "conversation.item.added",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
}
"""The beta's event names, and what they became (OpenAI, *Realtime API: beta to GA migration*)."""
_FORGOTTEN_S = 10.0
"""The plugin waits no longer for a reply; one that was never begun must not claim a later one."""


class OpenRealtimeModel(openai.realtime.RealtimeModel):
    """OpenAI's realtime model at an address of one's own. Turns are taken on our side: no reply comes unasked."""

    def session(self, *, turn_detection_disabled: bool = False) -> openai.realtime.RealtimeSession:
        session = super().session(turn_detection_disabled=turn_detection_disabled)
        Interpreter().attach(session)
        return session


class Interpreter:
    """Makes of a server's events what the plugin expects, in place."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}
        """By id, the requests for a reply that no reply has begun for, in order; when each was made."""

    def attach(self, session: openai.realtime.RealtimeSession) -> None:
        session.on("openai_client_event_queued", self.sent)
        session.on("openai_server_event_received", self.received)

    def sent(self, event: dict[str, Any]) -> None:
        """The plugin sends an event."""
        if event.get("type") == "response.create" and (asked := event.get("event_id")):
            self._asked[asked] = _now_s()

    def received(self, event: dict[str, Any]) -> None:
        """The server sent an event, which the plugin reads next."""
        event["type"] = name = GA_NAMES.get(event.get("type", ""), event.get("type", ""))
        if name == "response.created" and isinstance(response := event.get("response"), dict):
            self._recognise(response)
        elif name == "error" and isinstance(error := event.get("error"), dict):
            self._asked.pop(error.get("event_id") or "", None)
            for field in ("event_id", "code", "message"):  # the plugin reads them of every error
                error.setdefault(field, None if field != "message" else "an error without a message")

    def _recognise(self, response: dict[str, Any]) -> None:
        """A reply that does not say which request it answers answers the oldest."""
        for asked, at_s in [*self._asked.items()]:
            if _now_s() - at_s > _FORGOTTEN_S:
                del self._asked[asked]
        metadata = response.get("metadata") or {}
        answered = metadata.get("client_event_id") or next(iter(self._asked), None)
        if answered is not None:
            self._asked.pop(answered, None)
            response["metadata"] = {**metadata, "client_event_id": answered}


def realtime_address(base_url: str) -> str:
    """The address of the socket; the plugin completes some addresses only, and takes others for whole ones."""
    return base_url if base_url.rstrip("/").endswith("/realtime") else f"{base_url.rstrip('/')}/realtime"


def _now_s() -> float:
    return asyncio.get_running_loop().time()
