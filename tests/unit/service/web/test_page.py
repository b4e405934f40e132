"""The example page: it asks Patchbay and nobody else, has no key, and is served to try it with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from service.exchange import Exchange
from service.web import make_app

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).parents[4] / "docs" / "examples" / "web-call"
PAGE = (FOLDER / "index.html").read_text(encoding="utf-8")


def served(exchange: Exchange) -> set[str]:
    """The paths that may be asked, with any call's id as ID."""
    routes = make_app(exchange).router.routes()
    paths = (route.resource.canonical for route in routes if route.resource is not None)
    return {path.replace("{call}", "ID") for path in paths if path.startswith("/v1/")}


async def test_the_page_asks_patchbay_only_what_there_is(exchange: Exchange) -> None:
    asked = {
        re.sub(r"\$\{[^}]*\}", "ID", path) for path in re.findall(r'(?:ask|fetch)\(["`]([^"`]+)["`]', PAGE)
    }
    assert asked == {path for path in served(exchange) if path != "/v1/health"}


def test_the_page_names_no_other_address_and_loads_nothing_from_one() -> None:
    assert re.findall(r"(?:https?|wss?):", PAGE) == []
    assert re.findall(r'\bsrc="([^"]+)"', PAGE) == ["livekit-client.umd.min.js"]
    elsewhere = re.findall(r"fetch\(([^,]+),", PAGE)
    assert elsewhere == ["BASE + path", "call.offer_url"], "what it is told by Patchbay, and nothing else"


def test_the_page_hangs_up_at_patchbay_too_whatever_goes_wrong_with_a_call_that_was_begun() -> None:
    direct = PAGE[PAGE.index("async offer()") : PAGE.index("async room()")]
    begun = direct.count("leave = direct(call.call_id, own)")
    assert begun == direct.count("catch (error) { await leaving(leave); throw error; }") == 2
    assert PAGE.count("/hangup`") == 1, "in one place, which all ways out of a direct call take"


def test_the_page_has_no_key() -> None:
    assert not re.search(r"\b(sk-|ek_|pba_|API[_-]?KEY|secret_key)", PAGE, re.IGNORECASE)
    assert re.findall(r"Bearer ([^`]+)`", PAGE) == ['${element("token").value}', "${call.client_secret}"]


async def test_the_page_is_served_where_the_operator_says_so(exchange: Exchange) -> None:
    async with TestClient(TestServer(make_app(exchange, pages=FOLDER))) as client:
        answer = await client.get("/")
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert (await client.get("/../../../pyproject.toml")).status == 404
    async with TestClient(TestServer(make_app(exchange))) as client:
        assert (await client.get("/")).status == 404
