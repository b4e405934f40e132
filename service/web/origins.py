"""Which pages of other sites may ask: the CORS protocol (Fetch standard, section 3.2) with a list of origins.

A page that is not on the list is refused, rather than only kept from reading the answer: beginning a call costs money.
Whoever sends no ``Origin``, such as a site's own server, is not a page.
"""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.web.problems import ProblemError

_MAY = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}


def cors(allowed: Collection[str]) -> Middleware:
    """Answers preflights, and marks answers as readable, for pages of ``allowed`` and of this server itself."""

    @web.middleware
    async def origins(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is None:
            return await handler(request)
        own = urlsplit(origin).netloc == request.host
        if not own and origin not in allowed:
            return ProblemError(
                HTTPStatus.FORBIDDEN,
                "origin",
                "pages of this origin may not ask: PATCHBAY_WEB_ORIGINS lists those that may",
            ).response()
        if request.method == "OPTIONS":
            answer: web.StreamResponse = web.Response(status=HTTPStatus.NO_CONTENT, headers=_MAY)
        else:
            answer = await handler(request)
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Expose-Headers"] = "Location, Retry-After"
        answer.headers.add("Vary", "Origin")
        return answer

    return origins
