"""The web application: what a browser, or the server of a site, may ask of Patchbay.

=================================== ============================================================================
``POST /v1/rooms/join``             a token for a new LiveKit room, in which the worker answers
``POST /v1/realtime/calls``         a direct call: the page's SDP offer, passed on to the vendor
``POST /v1/realtime/session``       a direct call that the page begins itself, with a client secret
``POST /v1/realtime/calls/ID/attach``  names the vendor's call of one that was begun so
``POST /v1/realtime/calls/ID/hangup``  ends a direct call
``GET /v1/health``                  whether the service runs
=================================== ============================================================================

Failures are problems (RFC 9457). Everything but ``/v1/health`` wants a token, and is counted by client.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import Field, StringConstraints

from compliance.access import Principal, Verifier
from service.exchange import Exchange
from service.web.bodies import MOST_BYTES, Body, read
from service.web.direct_calls import DirectCalls
from service.web.identity import Doorkeeper
from service.web.origins import cors
from service.web.problems import ProblemError, problems
from service.web.rates import Rates
from service.web.rooms import LiveKit, join_token
from service.web.vendor import CALL_ID

DIRECT = web.AppKey("direct", DirectCalls)
"""The direct calls that are on."""
HEALTH = "/v1/health"
API = "/v1/"
_MOST_SDP = 32 * 1024

Authorised = Callable[[web.Request, Principal], Awaitable[web.StreamResponse]]


class Join(Body):
    """Of ``POST /v1/rooms/join``."""

    data: bool = False
    """Whether the page may send data messages."""


class Begin(Body):
    """Of ``POST /v1/realtime/session``."""

    consents_to_voice_ai: bool = False
    """Whether the page asked the caller, who consents to their voice going to a speech-to-speech vendor."""


class Offer(Begin):
    """Of ``POST /v1/realtime/calls``."""

    sdp: Annotated[str, StringConstraints(max_length=_MOST_SDP, pattern=r"^v=0\r?\n(?s:.*)\nm=audio ")]
    """The page's SDP offer (RFC 8866), with audio."""


class Attach(Body):
    """Of ``POST /v1/realtime/calls/ID/attach``."""

    vendor_call: Annotated[str, Field(pattern=f"^{CALL_ID.pattern}$")]
    """The last part of the ``Location`` that the vendor answered the offer with."""


def make_app(
    exchange: Exchange,
    *,
    oidc: Verifier | None = None,
    livekit: LiveKit | None = None,
    pages: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> web.Application:
    """The application; calls that are on when it is closed are ended.

    Args:
        exchange: what calls share; it is not closed.
        oidc: verifies tokens of the configured issuer.
        livekit: the server of rooms; without one there are none.
        pages: a folder served at ``/``, to try things with.
        clock: seconds, monotonic; rates go by it.
    """
    settings = exchange.settings
    site_token = settings.web_site_token.get_secret_value() if settings.web_site_token else ""
    doorkeeper = Doorkeeper(exchange.ledger, oidc, site_token)
    rates = Rates(settings.web_requests_per_minute, max(1, int(settings.web_requests_per_minute / 2)))
    direct = DirectCalls(exchange)

    async def join(request: web.Request, _: Principal) -> web.StreamResponse:
        body = await read(request, Join)
        if livekit is None:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "rooms",
                "there are no rooms: LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET are not all set",
            )
        made = join_token(
            livekit,
            agent=settings.worker_name,
            lasting=timedelta(seconds=settings.web_join_s),
            data=body.data,
        )
        return web.json_response(
            {
                "url": livekit.url,
                "token": made.token,
                "room": made.room,
                "identity": made.identity,
                "expires_at": made.expires_at.isoformat(timespec="seconds"),
            },
            status=HTTPStatus.CREATED,
        )

    async def begin(request: web.Request, who: Principal) -> web.StreamResponse:
        body = await read(request, Begin)
        call, secret, url = await direct.with_secret(who.actor, stated=body.consents_to_voice_ai)
        return _created(
            call.call_id,
            {"client_secret": secret.value, "expires_at": secret.expires_at, "offer_url": url},
        )

    async def offer(request: web.Request, who: Principal) -> web.StreamResponse:
        body = await read(request, Offer)
        call, answered = await direct.with_offer(who.actor, body.sdp, stated=body.consents_to_voice_ai)
        return _created(call.call_id, {"sdp": answered.sdp})

    async def attach(request: web.Request, who: Principal) -> web.StreamResponse:
        call = direct.of(who.actor, request.match_info["call"])
        body = await read(request, Attach)
        if not call.attach(body.vendor_call):
            raise ProblemError(HTTPStatus.CONFLICT, "attached", "the call was named before, or is over")
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def hang_up(request: web.Request, who: Principal) -> web.StreamResponse:
        direct.of(who.actor, request.match_info["call"]).end("the caller hung up")
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def health(_: web.Request) -> web.StreamResponse:
        return web.json_response({"ok": True, "direct_calls": len(direct)})

    def known(handler: Authorised) -> Handler:
        async def let_in(request: web.Request) -> web.StreamResponse:
            return await handler(request, await doorkeeper.let_in(request))

        return let_in

    async def closing(_: web.Application) -> AsyncIterator[None]:
        yield
        await direct.aclose()

    app = web.Application(
        middlewares=[
            cors(settings.page_origins()),
            problems,
            _private,
            _counted(rates, settings.web_proxies, clock),
        ],
        client_max_size=MOST_BYTES,
    )
    app[DIRECT] = direct
    app.add_routes(
        [
            web.post("/v1/rooms/join", known(join)),
            web.post("/v1/realtime/session", known(begin)),
            web.post("/v1/realtime/calls", known(offer)),
            web.post("/v1/realtime/calls/{call}/attach", known(attach)),
            web.post("/v1/realtime/calls/{call}/hangup", known(hang_up)),
            web.get(HEALTH, health),
        ]
    )
    if pages is not None:
        index = pages / "index.html"

        async def page(_: web.Request) -> web.StreamResponse:
            return web.FileResponse(index)

        app.add_routes([web.get("/", page), web.static("/", pages)])
    app.cleanup_ctx.append(closing)
    return app


@web.middleware
async def _private(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers hold credentials: nobody on the way keeps them."""
    answer = await handler(request)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    if request.path.startswith(API):
        answer.headers["Cache-Control"] = "no-store"
    return answer


def _counted(rates: Rates, proxies: int, clock: Callable[[], float]) -> Middleware:
    """Refuses a client that asks too often, before anything is looked at."""

    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(API) and request.path != HEALTH:
            wait_s = rates.wait_s(client_of(request, proxies), clock())
            if wait_s:
                raise ProblemError(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    "rate",
                    f"this client asks too often: try again in {wait_s} s",
                    headers={"Retry-After": str(wait_s)},
                )
        return await handler(request)

    return counted


def client_of(request: web.Request, proxies: int) -> str:
    """The address of who asks: what the farthest of so many trusted proxies says of whom it answers."""
    if proxies:
        passed = [part.strip() for part in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")]
        if len(passed) >= proxies and passed[-proxies]:
            return passed[-proxies]
    return request.remote or ""


def _created(call_id: str, more: dict[str, object]) -> web.Response:
    return web.json_response(
        {"call_id": call_id, **more},
        status=HTTPStatus.CREATED,
        headers={"Location": f"/v1/realtime/calls/{call_id}"},
    )
