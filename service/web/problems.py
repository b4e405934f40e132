"""What an HTTP client is told when something is wrong: ``application/problem+json`` (RFC 9457).

A problem says what was wrong and what to do, and quotes nothing that was sent: a request may hold a caller's words or a
credential.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"


class ProblemError(Exception):
    """Ends a request with this status and body.

    Args:
        status: of the answer.
        code: names the kind of problem for programs; the last part of its ``type``.
        detail: for people, about this request.
        headers: of the answer.
        more: members of the body beside the standard ones, JSON.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> web.Response:
        """The answer."""
        body = {
            "type": f"urn:patchbay:problem:{self.code}",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            **self.more,
        }
        return web.Response(
            text=json.dumps(body), status=self.status, headers=self.headers, content_type=CONTENT_TYPE
        )


_DETAILS = {
    404: "there is nothing here",
    405: "that cannot be done here; the header Allow says what can",
    413: "the body is larger than any that is expected here",
}


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers every failure with a problem; what was not foreseen is logged by its class alone."""
    try:
        return await handler(request)
    except ProblemError as problem:
        return problem.response()
    except web.HTTPException as error:
        if error.status < 400:
            raise
        status = HTTPStatus(error.status)
        detail = _DETAILS.get(error.status, status.phrase.lower())
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return ProblemError(
            status, status.phrase.lower().replace(" ", "-"), detail, headers=headers
        ).response()
    except Exception as error:
        logger.error("%s %s failed: %s", request.method, request.path, type(error).__name__)
        return ProblemError(
            HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "something failed here; the log says what"
        ).response()
