"""A worker's main process follows its source: what it fetches, how often, and what it says of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web

from service.policies.addresses import safe_address, shown_address
from service.policies.errors import KeyFileError, NoPolicyError
from service.policies.fetching import Fetcher
from service.policies.following import LOCAL_S, Follower, follower_of, following
from service.policies.store import PolicyStore
from service.settings import Settings
from tests.unit.service.policies.samples import BAD, ENGINES, KEY, KEYRING, Clock, signed, store_of, text
from tests.unit.service.policies.server import PolicyServer, serving

pytestmark = pytest.mark.unit


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server() -> AsyncIterator[PolicyServer]:
    async with serving() as running:
        running.data = signed(1)
        yield running


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[PolicyStore]:
    with closing(store_of(None, tmp_path / "cache", clock, keyring=KEYRING)) as opened:
        yield opened


def follower(store: PolicyStore, server: PolicyServer, clock: Clock) -> Follower:
    fetcher = Fetcher(server.url, limit_s=20.0)
    return Follower(store, fetcher, every_s=30.0, source=fetcher.name, spread=lambda: 1.0, now=clock)


def served(store: PolicyStore) -> int | None:
    return store.accepted and store.accepted.policy.version


# -- an address ---------------------------------------------------------------------------------------------------
async def test_a_policy_is_sent_once_and_asked_for_by_its_etag_from_then_on(
    store: PolicyStore, server: PolicyServer, clock: Clock
) -> None:
    following = follower(store, server, clock)
    for _ in range(3):
        await following.step()
    assert served(store) == 1
    assert server.statuses == [200, 304, 304]
    server.data = signed(2)
    await following.step()
    assert served(store) == 2
    await following.step()
    assert server.statuses == [200, 304, 304, 200, 304]


async def test_what_was_refused_is_asked_for_again_in_full(
    store: PolicyStore, server: PolicyServer, clock: Clock
) -> None:
    """It may be refused only for now: because it is too early for it."""
    following = follower(store, server, clock)
    await following.step()
    server.data = signed(2, not_before=clock.now.replace(hour=10))
    await following.step()
    assert served(store) == 1
    clock.passes(hours=2)
    await following.step()
    assert served(store) == 2


async def test_other_processes_serve_what_was_fetched(
    store: PolicyStore, server: PolicyServer, clock: Clock, tmp_path: Path
) -> None:
    await follower(store, server, clock).step()
    with closing(store_of(None, tmp_path / "cache", clock, keyring=KEYRING)) as job:
        assert (await job.current()).version == 1


async def test_what_was_accepted_is_kept_again_when_somebody_cleared_the_cache(
    store: PolicyStore, server: PolicyServer, clock: Clock, tmp_path: Path
) -> None:
    following = follower(store, server, clock)
    await following.step()
    for path in store.shelf.folder.iterdir():
        path.unlink()
    await following.step()
    assert server.statuses == [200, 304]
    with closing(store_of(None, tmp_path / "cache", clock, keyring=KEYRING)) as job:
        assert job.refresh().version == 1


async def test_a_server_that_is_away_is_asked_less_and_less_often(
    store: PolicyStore, server: PolicyServer, clock: Clock
) -> None:
    following = follower(store, server, clock)
    await following.step()
    url, server.handler = server.url, unavailable
    pauses = [following.pause_s]
    for _ in range(6):
        await following.step()
        pauses.append(following.pause_s)
    assert pauses == [30, 60, 120, 240, 480, 480, 480]
    assert served(store) == 1
    assert following.away is not None
    assert following.away.reason == f"{url}: answers 503 Service Unavailable"
    server.handler = None
    await following.step()
    assert following.pause_s == 30
    assert following.away is None


async def unavailable(request: web.Request) -> web.StreamResponse:
    return web.Response(status=503)


async def test_a_start_while_the_server_is_away_goes_on_with_the_last_policy(
    store: PolicyStore, server: PolicyServer, clock: Clock, tmp_path: Path
) -> None:
    await follower(store, server, clock).step()
    server.handler = unavailable
    with closing(store_of(None, tmp_path / "cache", clock, keyring=KEYRING)) as restarted:
        await follower(restarted, server, clock).step()
        assert served(restarted) == 1


async def test_a_first_start_while_the_server_is_away_is_refused(
    store: PolicyStore, server: PolicyServer, clock: Clock
) -> None:
    server.handler = unavailable
    with pytest.raises(NoPolicyError, match="answers 503"):
        await follower(store, server, clock).step()


def test_workers_do_not_all_ask_at_once(store: PolicyStore) -> None:
    following = Follower(store, every_s=30.0, source="here")
    pauses = {following.pause_s for _ in range(50)}
    assert len(pauses) > 40
    assert 24.0 <= min(pauses) <= max(pauses) <= 36.0


# -- what is said --------------------------------------------------------------------------------------------------
@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "service.policies")
    return caplog


def said(log: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    told = [(record.levelname, record.getMessage()) for record in log.records]
    log.clear()
    return told


async def test_every_change_is_said_once(tmp_path: Path, clock: Clock, log: pytest.LogCaptureFixture) -> None:
    path = clock.write(tmp_path / "support.yaml", text(1))
    with closing(store_of(path, tmp_path / "cache", clock)) as store:
        following = Follower(store, every_s=1.0, source="support.yaml", now=clock)
        first = store.refresh().hash[:6]
        await following.step()
        await following.step()
        assert said(log) == [
            ("INFO", f"calls are answered under policy support version 1 ({first}), from support.yaml")
        ]
        clock.write(path, BAD)
        await following.step()
        await following.step()
        [(level, message)] = said(log)
        assert level == "ERROR"
        assert message.splitlines()[0] == (
            f"what support.yaml offers is refused and policy support version 1 ({first}) stays:"
        )
        assert [line.partition(": ")[0] for line in message.splitlines()[1:]] == [
            f"{path}:2:25",
            f"{path}:5:23",
        ]
        clock.write(path, text(2))
        await following.step()
        second = store.refresh().hash[:6]
        assert said(log) == [
            (
                "INFO",
                f"from the next call on policy support version 2 ({second}) is served, from support.yaml; "
                f"it was policy support version 1 ({first})",
            ),
            ("INFO", "nothing that support.yaml offers is refused any longer"),
        ]


async def test_a_start_on_the_last_good_policy_is_said_loudly(
    tmp_path: Path, clock: Clock, log: pytest.LogCaptureFixture
) -> None:
    path = clock.write(tmp_path / "support.yaml", text(1))
    with closing(store_of(path, tmp_path / "cache", clock)) as store:
        store.refresh()
    clock.write(path, BAD)
    with closing(store_of(path, tmp_path / "cache", clock)) as store:
        await Follower(store, every_s=1.0, source="support.yaml").step()
    (_, first), (level, refusal) = said(log)
    assert first.endswith("which was accepted earlier, from support.yaml")
    assert level == "ERROR"
    assert "turn.cout" in refusal


async def test_that_a_server_is_away_is_said_once_and_that_it_is_back(
    store: PolicyStore, server: PolicyServer, clock: Clock, log: pytest.LogCaptureFixture
) -> None:
    following = follower(store, server, clock)
    await following.step()
    said(log)
    server.handler = unavailable
    await following.step()
    await following.step()
    server.handler = None
    await following.step()
    [away, back] = [message for _, message in said(log)]
    assert "answers 503" in away
    assert back.endswith("answers again")


async def test_that_a_policy_is_not_kept_is_said_once(
    tmp_path: Path, clock: Clock, log: pytest.LogCaptureFixture
) -> None:
    path = clock.write(tmp_path / "support.yaml", text(1))
    with closing(store_of(path, path / "no folder", clock)) as store:
        following = Follower(store, every_s=1.0, source="support.yaml")
        await following.step()
        await following.step()
    [told] = [message for level, message in said(log) if level == "ERROR"]
    # The file's name is a hash: one with many digits is masked in logs.
    assert told.partition(": ")[2] == store.unkept.partition(": ")[2] != ""


async def test_the_status_tells_what_was_found_and_since_when(
    store: PolicyStore, server: PolicyServer, clock: Clock
) -> None:
    following = follower(store, server, clock)
    await following.step()
    server.data = b"garbage"
    clock.passes(minutes=1)
    await following.step()
    server.handler = unavailable
    clock.passes(minutes=1)
    await following.step()
    noted = store.shelf.noted()
    assert noted is not None
    assert noted["schema"] == "patchbay.policy-follower/1"
    assert noted["checked_at"] == "2026-11-02T09:02:00+00:00"
    assert (noted["served"]["name"], noted["served"]["version"]) == ("support", 1)
    assert noted["refused"]["at"] == "2026-11-02T09:01:00+00:00"
    assert "is not a signed bundle" in noted["refused"]["reasons"][0]
    assert noted["away"]["at"] == "2026-11-02T09:02:00+00:00"


# -- a deployment --------------------------------------------------------------------------------------------------
async def test_a_deployment_has_a_policy_before_it_begins_and_leaves_no_task_behind(
    server: PolicyServer, tmp_path: Path
) -> None:
    chosen = Settings(policy=server.url, policy_keys=KEY.public.line, policy_cache=tmp_path / "cache")
    async with following(chosen, ENGINES):
        with closing(PolicyStore.of(chosen, ENGINES)) as job:
            assert job.refresh().version == 1
        assert [task for task in asyncio.all_tasks() if task.get_name() == "policy follower"]
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "policy follower"]


async def test_it_looks_again_and_again_whatever_it_meets(
    store: PolicyStore, server: PolicyServer, clock: Clock
) -> None:
    fetcher, accepted = Fetcher(server.url), asyncio.Event()
    following = Follower(store, fetcher, every_s=0.0, source=fetcher.name, now=clock)
    await following.step()
    answers = iter([web.Response(status=500), web.Response(body=b"garbage")])

    async def after_a_while(request: web.Request) -> web.StreamResponse:
        if request.headers.get("If-None-Match") == "2":
            accepted.set()
        return next(answers, web.Response(body=signed(2), headers={"ETag": "2"}))

    server.handler = after_a_while
    running = asyncio.create_task(following.run())
    async with asyncio.timeout(60):
        await accepted.wait()
    assert served(store) == 2
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_a_file_is_looked_at_more_often_than_an_address(tmp_path: Path, clock: Clock) -> None:
    path = clock.write(tmp_path / "support.yaml", text(1))
    store, local = follower_of(Settings(policy=path, policy_cache=tmp_path / "cache"), ENGINES)
    with closing(store):
        assert local.pause_s <= 1.2 * LOCAL_S


def test_an_address_without_keys_is_refused(tmp_path: Path) -> None:
    settings = Settings(policy="https://policies.example.com/support", policy_cache=tmp_path)
    with pytest.raises(KeyFileError, match="must be signed"):
        follower_of(settings, ENGINES)


async def test_nothing_to_serve_is_said_before_anything_is_followed(tmp_path: Path) -> None:
    settings = Settings(policy=tmp_path / "none.yaml", policy_cache=tmp_path / "cache")
    with pytest.raises(NoPolicyError, match=r"none\.yaml:1:1: cannot be read"):
        async with following(settings, ENGINES):
            raise AssertionError("there is nothing to answer calls under")


# -- addresses -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "address",
    [
        "https://a.example/x",
        "http://127.0.0.1:1/x",
        "http://localhost/x",
        "http://[::1]:80/x",
        "https://u:p@a/x?t=1",
    ],
)
def test_an_address_over_https_or_on_this_machine_is_safe(address: str) -> None:
    assert safe_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "http://a.example/x",
        "http://127.0.0.1.example/x",
        "ftp://a/x",
        "file:///etc/passwd",
        "https://",
        "https:///x",
    ],
)
def test_any_other_address_is_not(address: str) -> None:
    with pytest.raises(ValueError, match="https"):
        safe_address(address)


def test_what_may_be_secret_in_an_address_is_not_shown() -> None:
    assert shown_address("https://user:secret@a.example:8443/x?token=secret#s") == "https://a.example:8443/x"
