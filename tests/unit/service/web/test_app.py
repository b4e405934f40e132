"""The web application over HTTP: who is let in, what is read, and how it says that something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from cryptography.hazmat.primitives.asymmetric import ec

from compliance.access import Principal, Role, Verifier
from compliance.access.issuing import issue, revoke
from compliance.access.overseer import Overseer
from compliance.ledger import Ledger
from service.exchange import Exchange
from service.web import LiveKit
from service.web.bodies import MOST_BYTES
from tests.unit.compliance.access.oidc_issuer import serving
from tests.unit.service.web.rig import ORIGIN, SITE, web

pytestmark = pytest.mark.unit

ROOMS = LiveKit("ws://livekit.example.com", "key", "a secret of thirty-two characters")
JOIN = "/v1/rooms/join"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "tokens.sqlite")) as opened:
        yield opened


def token_for(ledger: Ledger, role: Role) -> tuple[str, str]:
    """A token that was just issued, and its id."""
    admin = Overseer(ledger, Principal("local:root", frozenset({Role.ADMIN})))
    made, _ = issue(admin, "shop.server", role, lasting=timedelta(days=1))
    return made.secret, made.id


async def problem(answer: ClientResponse) -> dict[str, Any]:
    assert answer.content_type == "application/problem+json"
    body: dict[str, Any] = await answer.json(content_type=None)
    assert body["status"] == answer.status
    assert {"type", "title", "detail"} <= body.keys()
    return body


# -- who is let in --------------------------------------------------------------------------------------------
async def test_a_site_is_let_in_by_its_token(exchange: Exchange) -> None:
    async with web(exchange, livekit=ROOMS) as app:
        assert (await app.post(JOIN, {})).status == 201


@pytest.mark.parametrize("token", ["", "wrong", "pba_000000000000_" + "x" * 43, "a.b.c", "\x80\xff"])
async def test_whoever_is_not_known_is_told_so_and_nothing_else(exchange: Exchange, token: str) -> None:
    async with web(exchange, livekit=ROOMS) as app:
        answer = await app.post(JOIN, {}, token=token)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert token not in (await problem(answer))["detail"] or not token


async def test_no_site_token_is_no_password_that_is_empty(exchange: Exchange) -> None:
    async with web(exchange, livekit=ROOMS, web_site_token=None) as app:
        for token in ("", " ", SITE):
            assert (await app.post(JOIN, {}, token=token)).status == 401


async def test_a_token_of_the_role_service_lets_in_until_it_is_revoked(
    exchange: Exchange, ledger: Ledger
) -> None:
    secret, token_id = token_for(ledger, Role.SERVICE)
    async with web(exchange, livekit=ROOMS, ledger=ledger) as app:
        assert (await app.post(JOIN, {}, token=secret)).status == 201
        revoke(Overseer(ledger, Principal("local:root", frozenset({Role.ADMIN}))), token_id)
        assert (await app.post(JOIN, {}, token=secret)).status == 401


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.SERVICE}))
async def test_a_token_of_another_role_is_good_for_nothing_here(
    exchange: Exchange, ledger: Ledger, role: Role
) -> None:
    secret, _ = token_for(ledger, role)
    async with web(exchange, livekit=ROOMS, ledger=ledger) as app:
        answer = await app.post(JOIN, {}, token=secret)
        assert answer.status == 403
        assert "role" in (await problem(answer))["type"]


@pytest.mark.parametrize(("roles", "status"), [(["service"], 201), (["auditor"], 403), ([], 401)])
async def test_somebody_of_the_issuer_is_let_in_by_the_role_service(
    exchange: Exchange, roles: list[str], status: int
) -> None:
    with serving() as issuer:
        issuer.keys = {"key": ec.generate_private_key(ec.SECP256R1())}
        token = issuer.token(kid="key", algorithm="ES256", roles=roles)
        oidc = Verifier(issuer.trusted())
        async with web(exchange, livekit=ROOMS, oidc=oidc) as app:
            assert (await app.post(JOIN, {}, token=token)).status == status
            issuer.broken = True
            fresh = Verifier(issuer.trusted())
            async with web(exchange, livekit=ROOMS, oidc=fresh) as other:
                assert (await other.post(JOIN, {}, token=token)).status == 503


async def test_health_wants_no_token(exchange: Exchange) -> None:
    async with web(exchange) as app:
        answer = await app.client.get("/v1/health")
        assert (answer.status, await answer.json()) == (200, {"ok": True, "direct_calls": 0})


# -- what is read ---------------------------------------------------------------------------------------------
async def test_a_body_of_another_type_is_not_read(exchange: Exchange) -> None:
    async with web(exchange, livekit=ROOMS) as app:
        answer = await app.post(JOIN, data="data=true", headers={"Content-Type": "text/plain"})
        assert answer.status == 415
        await problem(answer)


async def test_a_body_that_is_too_large_is_not_read(exchange: Exchange) -> None:
    async with web(exchange, livekit=ROOMS) as app:
        answer = await app.post("/v1/realtime/calls", {"sdp": "v" * MOST_BYTES})
        assert answer.status == 413
        await problem(answer)


@pytest.mark.parametrize("text", ["", "{", "\udcff".encode("utf-8", "surrogatepass"), "[" * 60_000])
async def test_what_is_not_json_is_a_problem(exchange: Exchange, text: str | bytes) -> None:
    async with web(exchange, livekit=ROOMS) as app:
        answer = await app.post(JOIN, data=text, headers={"Content-Type": "application/json"})
        assert answer.status == 400
        await problem(answer)


@pytest.mark.parametrize("body", [[], "text", {"data": "yes"}, {"room": "the-one-i-like"}, {"data": None}])
async def test_a_body_of_another_shape_is_told_where_it_is_wrong(exchange: Exchange, body: Any) -> None:
    async with web(exchange, livekit=ROOMS) as app:
        answer = await app.client.post(JOIN, json=body, headers={"Authorization": f"Bearer {SITE}"})
        assert answer.status == 422
        errors = (await problem(answer))["errors"]
        assert all(error["pointer"].startswith("/") or not error["pointer"] for error in errors)
        assert "the-one-i-like" not in str(errors)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("GET", JOIN, 405), ("POST", "/v1/realtime/calls/none/hangup", 404)],
)
async def test_what_is_not_there_is_a_problem_too(
    exchange: Exchange, method: str, path: str, status: int
) -> None:
    async with web(exchange) as app:
        answer = await app.client.request(method, path, headers={"Authorization": f"Bearer {SITE}"})
        assert answer.status == status
        await problem(answer)


# -- pages ----------------------------------------------------------------------------------------------------
async def test_a_page_of_a_listed_origin_may_ask_and_read_the_answer(exchange: Exchange) -> None:
    async with web(exchange, livekit=ROOMS) as app:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        preflight = await app.client.options(JOIN, headers={"Origin": ORIGIN, **asked})
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
        answer = await app.post(JOIN, {}, headers={"Origin": ORIGIN})
        assert answer.status == 201
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Vary"] == "Origin"
        refused = await app.post(JOIN, {"room": 1}, headers={"Origin": ORIGIN})
        assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN, "a page is told what was wrong"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://shop.example.com.evil.example"])
async def test_a_page_of_another_origin_begins_nothing(exchange: Exchange, origin: str) -> None:
    async with web(exchange, livekit=ROOMS) as app:
        for answer in (
            await app.client.options(JOIN, headers={"Origin": origin}),
            await app.post(JOIN, {}, headers={"Origin": origin}),
        ):
            assert answer.status == 403
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_answers_are_kept_by_nobody_on_the_way(exchange: Exchange) -> None:
    async with web(exchange, livekit=ROOMS) as app:
        answer = await app.post(JOIN, {})
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


# -- how often ------------------------------------------------------------------------------------------------
async def test_a_client_that_asks_too_often_is_told_when_to_come_back(exchange: Exchange) -> None:
    now_s = 0.0
    async with web(exchange, livekit=ROOMS, clock=lambda: now_s, web_requests_per_minute=4.0) as app:
        assert [(await app.post(JOIN, {})).status for _ in range(3)] == [201, 201, 429]
        refused = await app.post(JOIN, {}, token="guessed")
        assert refused.status == 429, "guessing tokens counts as well"
        assert refused.headers["Retry-After"] == "15"
        await problem(refused)
        now_s = 15.0
        assert (await app.post(JOIN, {})).status == 201


async def test_clients_behind_a_trusted_proxy_are_told_apart_and_cannot_pretend(exchange: Exchange) -> None:
    async with web(exchange, livekit=ROOMS, web_requests_per_minute=2.0, web_proxies=1) as app:

        async def asked(forwarded: str) -> int:
            return (await app.post(JOIN, {}, headers={"X-Forwarded-For": forwarded})).status

        assert [await asked("198.51.100.1"), await asked("198.51.100.2")] == [201, 201]
        assert await asked("203.0.113.9, 198.51.100.1") == 429, "the client wrote the first one itself"


async def test_without_a_proxy_nobody_is_believed_about_their_address(exchange: Exchange) -> None:
    async with web(exchange, livekit=ROOMS, web_requests_per_minute=2.0) as app:
        answers = [await app.post(JOIN, {}, headers={"X-Forwarded-For": f"198.51.100.{n}"}) for n in (1, 2)]
        assert [answer.status for answer in answers] == [201, 429]


async def test_without_a_livekit_server_there_are_no_rooms(exchange: Exchange) -> None:
    async with web(exchange) as app:
        answer = await app.post(JOIN, {})
        assert answer.status == 503
        assert "LIVEKIT_URL" in (await problem(answer))["detail"]


async def test_a_token_for_a_room_is_answered_and_its_keys_are_not(exchange: Exchange) -> None:
    async with web(exchange, livekit=ROOMS) as app:
        body = await (await app.post(JOIN, {})).json()
        assert body.keys() == {"url", "token", "room", "identity", "expires_at"}
        assert body["url"] == ROOMS.url
        assert ROOMS.secret not in str(body)
