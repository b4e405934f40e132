"""OpenAI Realtime as our server uses it: client secrets, calls by SDP, hang-up and the sideband.

Source: OpenAI API reference, ``/realtime/client_secrets`` and ``/realtime/calls``; *Webhooks and server-side controls*.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import openai
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnectionManager
from openai.types.realtime import RealtimeSessionCreateRequestParam

from engines.plugins import OPENAI_URL, Endpoint, keep_account

TIMEOUT_S = 10.0
CALL_ID = re.compile(r"rtc_[A-Za-z0-9_-]{1,200}", re.ASCII)
"""What the vendor calls a call."""


class VendorRefusedError(Exception):
    """The vendor did not do what was asked. The message is the error's class and status, never its text."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A client secret: what a browser may begin calls with until it expires (seconds since the epoch)."""

    value: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The vendor answered an SDP offer: its answer, and what it calls the call."""

    sdp: str
    vendor_call: str


class Vendor:
    """The vendor, asked with the key. Close it when done.

    Args:
        endpoint: where, and the key.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._client = AsyncOpenAI(
            api_key=endpoint.api_key,
            base_url=endpoint.base_url or OPENAI_URL,
            timeout=TIMEOUT_S,
            max_retries=0,  # a call that was begun twice would be watched once
        )
        keep_account(endpoint, self._client)

    @property
    def calls_url(self) -> str:
        """Where a browser posts its SDP offer with a client secret."""
        return f"{str(self._client.base_url).rstrip('/')}/realtime/calls"

    async def secret(self, session: RealtimeSessionCreateRequestParam, lasting_s: int) -> Secret:
        """A client secret for a session set up like this. Raises :class:`VendorRefusedError`."""
        try:
            made = await self._client.realtime.client_secrets.create(
                session=session, expires_after={"anchor": "created_at", "seconds": lasting_s}
            )
        except openai.OpenAIError as error:
            raise _refused(error) from None
        return Secret(made.value, made.expires_at)

    async def call(self, sdp: str, session: RealtimeSessionCreateRequestParam) -> Answered:
        """Passes a browser's offer on. Raises :class:`VendorRefusedError`."""
        try:
            answer = await self._client.realtime.calls.create(sdp=sdp, session=session)
        except openai.OpenAIError as error:
            raise _refused(error) from None
        place = answer.response.headers.get("location", "")
        if not CALL_ID.fullmatch(vendor_call := place.rpartition("/")[2]):
            raise VendorRefusedError("the answer's Location names no call")
        return Answered(answer.text, vendor_call)

    async def hang_up(self, vendor_call: str) -> None:
        """Ends a call, if it is still on. Raises :class:`VendorRefusedError` when that failed twice."""
        for last in (False, True):
            try:
                return await self._client.realtime.calls.hangup(vendor_call)
            except openai.NotFoundError:
                return
            except openai.OpenAIError as error:
                if last:
                    raise _refused(error) from None

    def sideband(self, vendor_call: str) -> AsyncRealtimeConnectionManager:
        """Another connection to a call's session, for us. Reconnecting is ours to do."""
        return self._client.realtime.connect(call_id=vendor_call)

    async def aclose(self) -> None:
        await self._client.close()


def _refused(error: openai.OpenAIError) -> VendorRefusedError:
    status = f" {error.status_code}" if isinstance(error, openai.APIStatusError) else ""
    return VendorRefusedError(f"{type(error).__name__}{status}")
