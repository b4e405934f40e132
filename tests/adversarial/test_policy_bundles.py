"""Policies from a server that lies, hangs, breaks off, floods and is impersonated; bundles that were tampered with."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.policies.bundles import LIMIT_BYTES, PAYLOAD_TYPE, Bundle
from service.policies.envelope import sealed
from service.policies.errors import BundleError, NoPolicyError
from service.policies.fetching import Fetcher
from service.policies.following import Follower
from service.policies.gate import Gate
from service.policies.offers import Offer
from service.policies.store import PolicyStore
from tests.unit.service.policies.samples import (
    ENGINES,
    KEY,
    KEYRING,
    OTHER_KEY,
    Clock,
    signed,
    store_of,
    text,
)
from tests.unit.service.policies.server import Handler, PolicyServer, self_signed, serving

pytestmark = pytest.mark.adversarial


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return self_signed(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def server(certificates: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[PolicyServer]:
    """A server of policies over HTTPS, which offers version 2."""
    async with serving(certificates[0]) as running:
        running.data = signed(2)
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[PolicyStore]:
    with closing(store_of(None, tmp_path / "cache", clock, keyring=KEYRING)) as opened:
        yield opened


@pytest.fixture
def follower(
    store: PolicyStore,
    server: PolicyServer,
    clock: Clock,
    certificates: tuple[ssl.SSLContext, ssl.SSLContext],
) -> Follower:
    fetcher = Fetcher(server.url, trust=certificates[1], limit_s=20.0)
    return Follower(store, fetcher, every_s=30.0, source=fetcher.name, spread=lambda: 1.0, now=clock)


def served(store: PolicyStore) -> int | None:
    return store.accepted and store.accepted.policy.version


# -- servers ------------------------------------------------------------------------------------------------------
async def test_a_policy_is_fetched_over_https_and_only_when_it_changed(
    follower: Follower, store: PolicyStore, server: PolicyServer
) -> None:
    assert server.url.startswith("https://")
    await follower.step()
    await follower.step()
    assert (served(store), server.statuses) == (2, [200, 304])
    server.data = signed(3)
    await follower.step()
    assert served(store) == 3


async def test_a_server_whose_certificate_nobody_vouches_for_is_not_believed(
    store: PolicyStore, server: PolicyServer, clock: Clock
) -> None:
    stranger = Follower(store, Fetcher(server.url), every_s=30.0, source="there", now=clock)
    with pytest.raises(NoPolicyError, match="certificate"):
        await stranger.step()
    assert server.asked == []


def answering(**response: object) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(**response)  # type: ignore[arg-type] # what a test wants

    return answer


async def breaks_off(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "100000"})
    await answer.prepare(request)
    await answer.write(signed(3)[:500])
    assert request.transport is not None
    request.transport.close()
    return answer


async def floods(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    try:
        while True:
            await answer.write(b" " * 1_000_000)
    except ConnectionError:
        return answer


async def redirects_for_ever(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "/again"})


def redirecting(location: str) -> Handler:
    return answering(status=301, headers={"Location": location})


AWAY = {
    "404": (answering(status=404), "answers 404 Not Found"),
    "500": (answering(status=500), "answers 500 Internal Server Error"),
    "204": (answering(status=204), "answers 204"),
    "206": (answering(status=206, body=signed(3)), "answers 206"),
    "unasked 304": (answering(status=304), "answers 304"),
    "compressed": (answering(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}), "compressed"),
    "breaks off": (breaks_off, "no answer that can be used"),
    "floods": (floods, f"sends more than {LIMIT_BYTES} bytes"),
    "redirects for ever": (redirects_for_ever, "redirects more than 3 times"),
    "redirects to plain http": (redirecting("http://policies.example.com/x"), "redirects elsewhere"),
    "redirects to a file": (redirecting("file:///etc/passwd"), "redirects elsewhere"),
    "redirects nowhere": (redirecting("https://[/"), "redirects elsewhere"),
}


@pytest.mark.parametrize("name", AWAY)
async def test_a_server_that_gives_nothing_to_read_leaves_the_last_policy_and_is_told_of(
    name: str, follower: Follower, store: PolicyStore, server: PolicyServer
) -> None:
    handler, reason = AWAY[name]
    if name != "unasked 304":
        await follower.step()
        server.handler = handler
        await follower.step()
        assert served(store) == 2
    else:
        server.handler = handler
        with pytest.raises(NoPolicyError):
            await follower.step()
    assert follower.away is not None
    assert reason in follower.away.reason
    server.handler, server.data = None, signed(3)
    await follower.step()
    assert served(store) == 3


REFUSED = {
    "garbage": (b"\x00\xff garbage", "is not a signed bundle"),
    "nothing": (b"", "is not a signed bundle"),
    "a page of a captive portal": (b"<!doctype html><title>Log in</title>", "is not a signed bundle"),
    "a policy that nobody signed": (text(3).encode(), "is not a signed bundle"),
    "a signature of somebody else": (signed(3, key=OTHER_KEY), "is not signed by a trusted key"),
    "an old version": (signed(1), "version 2 was accepted before"),
    "the same version with another content": (
        signed(2, policy=text(2, route="tool")),
        "is not what was accepted before",
    ),
    "another policy": (signed(9, name="sales"), "is the policy 'sales'"),
    "an engine that is not there": (
        signed(3, policy=text(3).replace("tool", "jukebox")),
        "jukebox",
    ),
    "nested for ever": (b'{"payload":' * 5_000, "is not a signed bundle"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_may_not_be_served_leaves_the_last_policy_and_is_told_of(
    name: str, follower: Follower, store: PolicyStore, server: PolicyServer
) -> None:
    await follower.step()
    server.data, reason = REFUSED[name]
    await follower.step()
    assert served(store) == 2
    assert store.refused is not None
    assert reason in store.refused.reasons[0]
    server.data = signed(4)
    await follower.step()
    assert served(store) == 4
    assert store.refused is None


async def test_a_server_that_never_ends_its_answer_is_left_in_time(
    store: PolicyStore,
    server: PolicyServer,
    clock: Clock,
    certificates: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    left = asyncio.Event()

    async def hangs(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(b"{")
        await left.wait()
        return answer

    store.take([Offer("before", signed(2))])
    server.handler = hangs
    fetcher = Fetcher(server.url, trust=certificates[1], limit_s=0.2)
    follower = Follower(store, fetcher, every_s=30.0, source="there", now=clock)
    async with asyncio.timeout(60):
        await follower.step()
    left.set()
    assert served(store) == 2
    assert follower.away is not None
    assert "no whole answer within 0.2 s" in follower.away.reason


async def test_a_redirect_to_another_place_over_https_is_followed(
    follower: Follower, store: PolicyStore, server: PolicyServer
) -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        if request.path == "/stored":
            return web.Response(body=signed(5))
        return web.Response(status=307, headers={"Location": "/stored"})

    server.handler = elsewhere
    await follower.step()
    assert served(store) == 5


async def test_a_server_that_is_gone_is_told_of_without_the_secret_in_its_address(
    store: PolicyStore, server: PolicyServer, clock: Clock
) -> None:
    store.take([Offer("before", signed(2))])
    fetcher = Fetcher("https://user:hunter2@127.0.0.1:1/support?token=hunter2", limit_s=20.0)
    follower = Follower(store, fetcher, every_s=30.0, source=fetcher.name, now=clock)
    await follower.step()
    assert follower.away is not None
    assert "Cannot connect" in follower.away.reason
    assert "hunter2" not in json.dumps([follower.away.reason, store.shelf.noted()])


async def test_calls_go_on_while_a_server_does_its_worst(
    follower: Follower, store: PolicyStore, server: PolicyServer
) -> None:
    await follower.step()
    call = await store.current()
    for handler, _ in AWAY.values():
        server.handler = handler
        await follower.step()
        assert await store.current() is call
    server.handler = None
    for data, _ in REFUSED.values():
        server.data = data
        await follower.step()
        assert await store.current() is call


# -- bundles --------------------------------------------------------------------------------------------------------
GENUINE = signed(3)


def judged(data: bytes) -> int | None:
    verdict = Gate(ENGINES, KEYRING, now=Clock()).judge([Offer("offered", data)])
    assert (verdict.accepted is None) == bool(verdict.refusals)
    return verdict.accepted and verdict.accepted.policy.version


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.integers(0, len(GENUINE) - 1), byte=st.integers(0, 255))
def test_a_bundle_of_which_one_byte_was_changed_is_the_same_policy_or_none(place: int, byte: int) -> None:
    """White space, and the hint at the key, may change: they are not signed, and nothing hangs on them."""
    changed = bytearray(GENUINE)
    changed[place] = byte
    verdict = Gate(ENGINES, KEYRING, now=Clock()).judge([Offer("offered", bytes(changed))])
    if verdict.accepted is not None:
        assert verdict.accepted.policy.content.source == text(3)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_refused_cleanly(data: bytes) -> None:
    assert judged(data) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries(
        {}, optional={"payload": JSON, "payloadType": JSON | st.just(PAYLOAD_TYPE), "signatures": JSON}
    )
)
def test_envelopes_of_any_kind_are_refused_cleanly(envelope: object) -> None:
    assert judged(json.dumps(envelope).encode()) is None


CLAIMS = json.loads(base64.b64decode(json.loads(GENUINE)["payload"]))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(CLAIMS)), JSON)
def test_payloads_of_any_kind_are_refused_cleanly_even_when_they_are_signed(
    field: str, value: object
) -> None:
    """A trusted key may sign nonsense: by another release, or by mistake."""
    payload = json.dumps({**CLAIMS, field: value}).encode()
    version = judged(sealed(PAYLOAD_TYPE, payload, KEY))
    assert version is None or field in ("not_before", "expires", "tests", "created")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_policies_of_any_text_are_refused_cleanly_even_when_they_are_signed(policy: str) -> None:
    assert judged(signed(3, policy=policy or " ")) is None


def test_a_signature_for_one_bundle_is_none_for_another_with_the_same_claims() -> None:
    envelope = json.loads(GENUINE)
    payload = json.dumps({**CLAIMS, "policy": text(3, route="tool")}).encode()
    envelope["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(BundleError, match="not signed by a trusted key"):
        Bundle.opened(json.dumps(envelope).encode(), KEYRING)


def test_many_signatures_cost_little() -> None:
    envelope = json.loads(GENUINE)
    envelope["signatures"] = [{"sig": base64.b64encode(bytes(64)).decode()}] * 10_000
    with pytest.raises(BundleError, match="at most 16"):
        Bundle.opened(json.dumps(envelope).encode(), KEYRING)


def test_a_folder_full_of_rubbish_still_gives_its_one_good_bundle(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    for name in REFUSED.keys() - {"another policy"}:
        clock.write(folder / f"{name}.bundle.json", REFUSED[name][0])
    (folder / "link.bundle.json").symlink_to("/dev/zero")
    (folder / "folder.bundle.json").mkdir()
    clock.write(folder / "huge.bundle.json", b" " * (LIMIT_BYTES + 1))
    clock.write(folder / "good.bundle.json", signed(7))
    with closing(store_of(folder, tmp_path / "cache", clock, keyring=KEYRING)) as store:
        assert store.refresh().version == 7
        assert store.refused is not None
