"""Reads what was sent: JSON of a known shape, or a problem that says where it is wrong."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from service.web.problems import ProblemError

MOST_BYTES = 64 * 1024
"""The largest body that is read: an SDP offer has a few thousand bytes."""


class Body(BaseModel):
    """What a request may hold; anything else in it is a problem."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


B = TypeVar("B", bound=Body)


async def read(request: web.Request, kind: type[B]) -> B:
    """The body of ``request``.

    Raises:
        ProblemError: it is of another type, is not JSON, or not of this shape; larger ones end in 413.
    """
    if request.content_type != "application/json":
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "content-type",
            "the body must be JSON, with the header Content-Type: application/json",
            headers={"Accept": "application/json"},
        )
    try:
        value = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "not-json", "the body is not JSON in UTF-8") from None
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        wrong = [
            {"pointer": "".join(f"/{part}" for part in problem["loc"]), "detail": problem["msg"]}
            for problem in error.errors(include_input=False, include_context=False, include_url=False)
        ]
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "body", "the body is not what is expected here", errors=wrong
        ) from None
