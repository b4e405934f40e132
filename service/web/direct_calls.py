"""The calls between browsers and the vendor that are on: who began them, and what may be done with them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from engines.catalogue import EngineSpec
from engines.errors import EngineNotConfiguredError
from service.exchange import Exchange
from service.web.direct_call import DeniedError, DirectCall
from service.web.problems import ProblemError
from service.web.session import direct_engine
from service.web.telling import given_before
from service.web.vendor import Answered, Secret, Vendor, VendorRefusedError

logger = logging.getLogger(__name__)

ANSWER_S = 30.0
"""How long the vendor may take to answer an offer that we pass on."""
GRACE_S = 10.0
"""A client secret may be used at its last moment, and its call be named a little later."""


@dataclass(frozen=True, slots=True)
class _Owned:
    call: DirectCall
    owner: str


class DirectCalls:
    """All of this process.

    Args:
        exchange: what calls share.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._calls: dict[str, _Owned] = {}
        self._engine = direct_engine(exchange.catalogue, exchange.settings.web_engine)
        self._vendor: Vendor | None = None

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, call_id: object) -> bool:
        return call_id in self._calls

    async def with_secret(self, owner: str, *, stated: bool) -> tuple[DirectCall, Secret, str]:
        """A call that a page may begin with a client secret; the secret, and where the page posts its offer.

        Raises:
            ProblemError: there may be no such call, or the vendor refuses.
        """
        settings = self._exchange.settings
        if not settings.web_client_secrets:
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                "client-secrets",
                "pages get no client secrets here, with which they could call the vendor unrecorded: post the SDP "
                "offer to /v1/realtime/calls, or set PATCHBAY_WEB_CLIENT_SECRETS",
            )
        vendor, call = await self._opened(owner, stated=stated, within_s=settings.web_secret_s + GRACE_S)
        try:
            secret = await vendor.secret(call.session(), settings.web_secret_s)
        except VendorRefusedError as error:
            raise _refused(call, error) from None
        call.given_away()
        return call, secret, vendor.calls_url

    async def with_offer(self, owner: str, sdp: str, *, stated: bool) -> tuple[DirectCall, Answered]:
        """A call that is begun by passing a page's SDP offer on, and is watched from now on.

        Raises:
            ProblemError: there may be no such call, or the vendor refuses.
        """
        vendor, call = await self._opened(owner, stated=stated, within_s=ANSWER_S)
        try:
            answered = await vendor.call(sdp, call.session())
        except VendorRefusedError as error:
            raise _refused(call, error) from None
        if not call.attach(answered.vendor_call):  # it took too long
            await vendor.hang_up(answered.vendor_call)
            raise ProblemError(
                HTTPStatus.GATEWAY_TIMEOUT, "vendor", "the vendor took too long to begin the call"
            )
        return call, answered

    def of(self, owner: str, call_id: str) -> DirectCall:
        """A call that ``owner`` began. Raises :class:`ProblemError` when there is none that is not over."""
        known = self._calls.get(call_id)
        if known is None or known.owner != owner:
            raise ProblemError(HTTPStatus.NOT_FOUND, "call", "no call of that id is offered or on")
        return known.call

    async def aclose(self) -> None:
        """Ends every call, and returns when their records are complete."""
        calls = [known.call for known in self._calls.values()]
        for call in calls:
            call.end("the service shut down")
        await asyncio.gather(*(call.ended() for call in calls))
        if self._vendor is not None:
            await self._vendor.aclose()

    async def _opened(self, owner: str, *, stated: bool, within_s: float) -> tuple[Vendor, DirectCall]:
        settings = self._exchange.settings
        if len(self._calls) >= settings.web_calls:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "full",
                "as many calls as are allowed are on: try again in a moment",
                headers={"Retry-After": "10"},
            )
        engine = self._configured()
        vendor = self._vendor_of(engine)
        if not stated and not given_before(self._exchange.rules, settings):
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                "consent",
                "on this path a caller's voice goes to a speech-to-speech vendor from the first word: ask the caller "
                "in the page and say so (consents_to_voice_ai), or set PATCHBAY_CONSENT_VOICE_AI",
            )
        exchange = await self._exchange.for_call()
        call = DirectCall(exchange, vendor, engine, call_id=secrets.token_hex(16), stated=stated)
        self._calls[call.call_id] = _Owned(call, owner)
        try:
            await call.open(within_s=within_s, over=partial(self._forget, call.call_id))
        except DeniedError as denied:
            raise ProblemError(
                HTTPStatus.FORBIDDEN, "denied", f"such a call is denied just now: {denied}"
            ) from None
        return vendor, call

    def _forget(self, call_id: str) -> None:
        self._calls.pop(call_id, None)

    def _configured(self) -> EngineSpec:
        if self._engine is None:
            name = self._exchange.settings.web_engine
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "engine",
                f"the engine catalogue has no realtime engine {f'{name} ' if name else ''}of OpenAI's own",
            )
        return self._engine

    def _vendor_of(self, engine: EngineSpec) -> Vendor:
        if self._vendor is None:
            try:
                self._vendor = Vendor(self._exchange.endpoints.of(engine.mind))
            except EngineNotConfiguredError:
                raise ProblemError(
                    HTTPStatus.SERVICE_UNAVAILABLE, "engine", "the engine's vendor is not configured"
                ) from None
        return self._vendor


def _refused(call: DirectCall, error: VendorRefusedError) -> ProblemError:
    call.vendor_refused(error)
    return ProblemError(HTTPStatus.BAD_GATEWAY, "vendor", f"the vendor did not begin the call: {error}")
