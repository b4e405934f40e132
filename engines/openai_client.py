"""OpenAI's client, made as LiveKit's plugin makes it, but on the TLS context that all share."""

from __future__ import annotations

import httpx2
from openai import AsyncOpenAI
from openai.resources.audio import audio, speech, transcriptions
from openai.resources.chat import chat
from openai.resources.chat.completions import completions
from openai.resources.models import AsyncModels

from engines.trust import trust

LOADED = (audio, speech, transcriptions, chat, completions, AsyncModels)
"""What the client otherwise loads when it is first asked: 50 ms, in the caller's first turn."""
# As in the plugins, which read no further for longer than that: a stream that stalls has failed.
_TIMEOUT = httpx2.Timeout(connect=15.0, read=5.0, write=5.0, pool=5.0)
_LIMITS = httpx2.Limits(max_connections=50, max_keepalive_connections=50, keepalive_expiry=120)


def openai_client(
    api_key: str, base_url: str, *, max_retries: int = 0, timeout: float | httpx2.Timeout | None = None
) -> AsyncOpenAI:
    """A client with connections of its own; who asks for it closes it.

    Args:
        api_key: the key.
        base_url: where it is sent.
        max_retries: by the client itself; a call rather asks somebody else.
        timeout: in seconds; by default as in the plugins.
    """
    limit = timeout or _TIMEOUT
    http = httpx2.AsyncClient(verify=trust(), timeout=limit, follow_redirects=True, limits=_LIMITS)
    # Told twice, for OpenAI's client takes 5 s of ``http`` for httpx's default, and waits ten minutes.
    return AsyncOpenAI(
        api_key=api_key, base_url=base_url, timeout=limit, max_retries=max_retries, http_client=http
    )
