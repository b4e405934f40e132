"""Which policy a call that begins now is answered under, while its source changes, breaks and comes back."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from service.policies.errors import NoPolicyError
from service.policies.offers import LIMIT_BYTES, LocalSource, Offer, Refusal
from service.policies.store import PolicyStore
from tests.unit.service.policies.samples import BAD, KEYRING, Clock, signed, store_of, text

pytestmark = pytest.mark.unit


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path, clock: Clock) -> Path:
    return clock.write(tmp_path / "support.yaml", text(1))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def store(path: Path, cache: Path, clock: Clock) -> Iterator[PolicyStore]:
    with closing(store_of(path, cache, clock)) as opened:
        yield opened


# -- a file ---------------------------------------------------------------------------------------------------
async def test_a_file_that_was_changed_is_served_from_the_next_call_on(
    store: PolicyStore, path: Path, clock: Clock
) -> None:
    first = await store.current()
    clock.write(path, text(2))
    second = await store.current()
    assert (first.version, second.version) == (1, 2)
    assert await store.current() is second


def test_a_change_that_leaves_size_and_time_of_the_file_alone_is_seen(
    store: PolicyStore, path: Path, clock: Clock
) -> None:
    store.refresh()
    before = path.stat()
    clock.write(path, text(2))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert store.refresh().version == 2


def test_a_file_with_errors_leaves_the_last_good_policy_and_every_error_with_its_place(
    store: PolicyStore, path: Path, clock: Clock
) -> None:
    good = store.refresh()
    clock.write(path, BAD)
    assert store.refresh() is good
    assert store.refused is not None
    assert [reason.partition(": ")[0] for reason in store.refused.reasons] == [f"{path}:2:25", f"{path}:5:23"]


def test_a_refusal_keeps_the_time_at_which_it_was_found_and_ends_with_its_reason(
    store: PolicyStore, path: Path, clock: Clock
) -> None:
    store.refresh()
    clock.write(path, BAD)
    store.refresh()
    found = clock.now
    clock.passes(minutes=5)
    store.refresh()
    assert store.refused is not None
    assert store.refused.at == found
    clock.write(path, text(2))
    assert store.refresh().version == 2
    assert store.refused is None


def test_a_file_that_is_being_written_is_left_alone_even_if_what_is_there_is_a_policy(
    store: PolicyStore, path: Path, clock: Clock
) -> None:
    store.refresh()
    half = text(2).partition("never:")[0]
    clock.write(path, half, ago_s=0.2)
    assert store.refresh().version == 1
    assert store.refused is None
    clock.write(path, text(2), ago_s=0.1)
    assert store.refresh().version == 1
    clock.passes(seconds=2)
    policy = store.refresh()
    assert policy.version == 2
    assert policy.content.never


def test_what_was_written_just_before_a_start_is_meant(
    store: PolicyStore, path: Path, cache: Path, clock: Clock
) -> None:
    store.refresh()
    clock.write(path, text(3), ago_s=0.0)
    with closing(store_of(path, cache, clock)) as started:
        assert started.refresh().version == 3


def test_a_start_while_a_file_is_being_written_goes_on_with_the_last_good_policy(
    store: PolicyStore, path: Path, cache: Path, clock: Clock
) -> None:
    store.refresh()

    def goes_on(seconds: float) -> None:
        clock.passes(seconds=seconds)
        clock.write(path, text(3).partition("never:")[0], ago_s=0.0)

    goes_on(0)
    with closing(store_of(path, cache, clock, pause=goes_on)) as started:
        assert started.refresh().version == 1
    with closing(store_of(path, path.parent / "new", clock, pause=goes_on)) as new:
        with pytest.raises(NoPolicyError, match="may be served yet"):
            new.refresh()
        clock.passes(seconds=5)
        assert new.refresh().version == 3


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe\x00", b"policy: [", b"\x00" * 100, b"a" * (LIMIT_BYTES + 1)],
    ids=["nothing", "not UTF-8", "not YAML", "zeros", "too large"],
)
def test_bytes_that_are_no_policy_leave_the_last_good_one(
    store: PolicyStore, path: Path, clock: Clock, data: bytes
) -> None:
    good = store.refresh()
    clock.write(path, data)
    assert store.refresh() is good
    assert store.refused is not None
    assert all(reason.startswith(f"{path}:1:") for reason in store.refused.reasons)


@pytest.mark.parametrize("instead", ["nothing", "pipe", "dangling link", "folder"])
def test_what_is_no_file_any_longer_leaves_the_last_good_policy(
    store: PolicyStore, path: Path, instead: str
) -> None:
    good = store.refresh()
    path.unlink()
    match instead:
        case "pipe":
            os.mkfifo(path)
        case "dangling link":
            path.symlink_to(path.with_name("gone.yaml"))
        case "folder":
            path.mkdir()
    assert store.refresh() is good
    assert store.refused is not None


def test_a_link_that_is_moved_to_another_file_is_followed(
    store: PolicyStore, path: Path, clock: Clock
) -> None:
    store.refresh()
    clock.write(path.with_name("v2.yaml"), text(2))
    path.with_name("next").symlink_to("v2.yaml")
    os.replace(path.with_name("next"), path)  # as Kubernetes rolls out a ConfigMap
    assert store.refresh().version == 2


# -- a start --------------------------------------------------------------------------------------------------
def test_a_start_on_a_file_with_errors_goes_on_with_the_last_good_policy(
    store: PolicyStore, path: Path, cache: Path, clock: Clock
) -> None:
    good = store.refresh()
    clock.write(path, BAD)
    with closing(store_of(path, cache, clock)) as restarted:
        assert restarted.refresh().hash == good.hash
        assert restarted.refused is not None
        assert len(restarted.refused.reasons) == 2


def test_a_start_without_any_good_policy_names_every_error(path: Path, cache: Path, clock: Clock) -> None:
    clock.write(path, BAD)
    with closing(store_of(path, cache, clock)) as store, pytest.raises(NoPolicyError) as error:
        store.refresh()
    assert [line.partition(": ")[0] for line in str(error.value).splitlines()] == [
        f"{path}:2:25",
        f"{path}:5:23",
    ]


def test_what_is_kept_is_not_trusted_more_than_what_is_offered(
    store: PolicyStore, path: Path, cache: Path, clock: Clock
) -> None:
    store.refresh()
    store.shelf.policy.write_bytes(b"nonsense")
    clock.write(path, BAD)
    with closing(store_of(path, cache, clock)) as restarted, pytest.raises(NoPolicyError):
        restarted.refresh()


def test_where_nothing_can_be_kept_the_policy_is_served_and_that_is_said(
    path: Path, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with closing(store_of(path, tmp_path / "file" / "cache", clock)) as store:
        assert store.refresh().version == 1
        assert "PATCHBAY_POLICY_CACHE" in store.unkept
        clock.write(path, text(2))
        assert store.refresh().version == 2
        clock.write(path, BAD)
        assert store.refresh().version == 2


def test_what_is_kept_is_for_nobody_else_to_write(store: PolicyStore) -> None:
    store.refresh()
    assert store.shelf.folder.stat().st_mode & 0o077 == 0
    assert store.shelf.policy.read_text() == text(1)
    assert {path.name for path in store.shelf.folder.iterdir()} == {"policy.yaml", "lock"}


# -- several processes ------------------------------------------------------------------------------------------
def test_a_process_that_saw_nothing_of_a_rollout_still_goes_on_with_its_policy(
    store: PolicyStore, path: Path, cache: Path, clock: Clock
) -> None:
    idle = store
    idle.refresh()
    with closing(store_of(path, cache, clock)) as busy:
        clock.write(path, text(2))
        busy.refresh()
    clock.write(path, BAD)
    assert idle.refresh().version == 2


class Overtaken(LocalSource):
    """A source of which another process accepts something newer when this one has looked."""

    overtake: Callable[[], None] | None = None

    def offers(self) -> tuple[Offer | Refusal, ...]:
        found = LocalSource.offers(self)
        overtake, Overtaken.overtake = Overtaken.overtake, None
        if overtake is not None:
            overtake()
        return found


def test_a_process_that_was_overtaken_while_it_looked_does_not_put_an_older_policy_back(
    path: Path, cache: Path, clock: Clock
) -> None:
    source = Overtaken(path, clock.time_s)
    with (
        closing(store_of(path, cache, clock)) as other,
        closing(store_of(path, cache, clock, source=source)) as slow,
    ):
        slow.refresh()

        def overtake() -> None:
            clock.write(path, text(3))
            other.refresh()

        clock.write(path, text(2))
        Overtaken.overtake = staticmethod(overtake)
        assert slow.refresh().version == 3
        assert Overtaken.overtake is None
        assert store_kept_version(other) == 3


def store_kept_version(store: PolicyStore) -> int:
    kept = store.kept()
    assert kept is not None
    return kept.policy.version


def test_a_process_without_a_source_serves_what_another_accepted(cache: Path, clock: Clock) -> None:
    with closing(store_of(None, cache, clock, keyring=KEYRING)) as main:
        main.take([Offer("https://policies.example.com/support", signed(7))])
        with closing(store_of(None, cache, clock, keyring=KEYRING)) as job:
            assert job.refresh().version == 7
            main.take([Offer("https://policies.example.com/support", signed(8))])
            assert job.refresh().version == 8


JOB = """
import os, sys
from service.policies.store import PolicyStore
from service.settings import Settings
for line in sys.stdin:
    store = PolicyStore.of(Settings(), None)
    print(store.refresh().version, flush=True)
"""


def test_a_real_process_finds_what_another_accepted_from_the_same_settings(
    path: Path, cache: Path, clock: Clock
) -> None:
    environment = {**os.environ, "PATCHBAY_POLICY": str(path), "PATCHBAY_POLICY_CACHE": str(cache)}
    with subprocess.Popen(  # noqa: S603 # our own code
        [sys.executable, "-c", JOB], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as job:
        assert job.stdin is not None
        assert job.stdout is not None

        def served() -> int:
            job.stdin.write("\n")  # type: ignore[union-attr] # asked above
            job.stdin.flush()  # type: ignore[union-attr]
            return int(job.stdout.readline())  # type: ignore[union-attr]

        assert served() == 1
        clock.write(path, text(2))
        assert served() == 2
        clock.write(path, BAD)
        assert served() == 2
        job.stdin.close()
        assert job.wait(timeout=60) == 0


# -- calls that are on --------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Hanging(LocalSource):
    """A file on a network that may be away."""

    answers: threading.Event = field(default_factory=threading.Event)

    def offers(self) -> tuple[Offer | Refusal, ...]:
        self.answers.wait(30)
        return LocalSource.offers(self)


async def test_a_source_that_does_not_answer_does_not_keep_a_call_waiting(
    path: Path, cache: Path, clock: Clock
) -> None:
    source = Hanging(path, clock.time_s)
    source.answers.set()
    with closing(store_of(path, cache, clock, source=source, patience_s=0.01)) as store:
        known = store.refresh()
        clock.write(path, text(2))
        source.answers.clear()
        assert [await store.current(), await store.current()] == [known, known]
        source.answers.set()
        assert (await asyncio.to_thread(store.refresh)).version == 2


async def test_looking_does_not_hold_up_the_event_loop(path: Path, cache: Path, clock: Clock) -> None:
    """The look waits until the event loop has done something else: on the loop itself it would wait in vain."""
    source = Hanging(path, clock.time_s)
    source.answers.set()
    with closing(store_of(path, cache, clock, source=source, patience_s=20.0)) as store:
        store.refresh()
        clock.write(path, text(2))
        source.answers.clear()
        asyncio.get_running_loop().call_soon(source.answers.set)
        assert (await store.current()).version == 2


async def test_calls_that_begin_together_are_given_the_same_policy(
    store: PolicyStore, path: Path, clock: Clock
) -> None:
    await store.current()
    clock.write(path, text(2))
    policies = await asyncio.gather(*(store.current() for _ in range(20)))
    assert {id(policy) for policy in policies} == {id(policies[0])}
    assert policies[0].version == 2


async def test_a_store_that_is_closed_still_knows_its_policy(store: PolicyStore) -> None:
    known = await store.current()
    store.close()
    assert await store.current() is known


# -- a folder of bundles --------------------------------------------------------------------------------------------
def test_the_highest_version_in_a_folder_is_served(tmp_path: Path, cache: Path, clock: Clock) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    for version in (2, 10, 9):
        clock.write(folder / f"support-{version}.bundle.json", signed(version))
    clock.write(folder / "support-99.bundle.json.part", signed(99))
    with closing(store_of(folder, cache, clock, keyring=KEYRING)) as store:
        assert store.refresh().version == 10
        clock.write(folder / "support-11.bundle.json", signed(11), ago_s=0.0)
        assert store.refresh().version == 11
        assert store.refused is None


def test_a_bundle_that_is_half_there_is_not_served_until_it_is_whole(
    tmp_path: Path, cache: Path, clock: Clock
) -> None:
    path, whole = tmp_path / "support.bundle.json", signed(2)
    clock.write(path, signed(1))
    with closing(store_of(path, cache, clock, keyring=KEYRING)) as store:
        store.refresh()
        for cut in range(0, len(whole) - 2, 97):
            clock.write(path, whole[:cut], ago_s=0.0)
            assert store.refresh().version == 1
            assert store.refused is not None
        clock.write(path, whole, ago_s=0.0)
        assert store.refresh().version == 2


def test_a_bundle_that_is_taken_away_again_stays(tmp_path: Path, cache: Path, clock: Clock) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    clock.write(folder / "support-1.bundle.json", signed(1))
    newest = clock.write(folder / "support-2.bundle.json", signed(2))
    with closing(store_of(folder, cache, clock, keyring=KEYRING)) as store:
        store.refresh()
        newest.unlink()
        assert store.refresh().version == 2
    with closing(store_of(folder, cache, clock, keyring=KEYRING)) as restarted:
        assert restarted.refresh().version == 2
        assert restarted.refused is not None
        assert "version 2 was accepted before" in restarted.refused.reasons[0]


def test_a_downgrade_that_was_allowed_is_made(tmp_path: Path, cache: Path, clock: Clock) -> None:
    path = clock.write(tmp_path / "support.bundle.json", signed(2))
    with closing(store_of(path, cache, clock, keyring=KEYRING)) as store:
        store.refresh()
    clock.write(path, signed(1))
    with closing(store_of(path, cache, clock, keyring=KEYRING, allow_downgrade=True)) as store:
        assert store.refresh().version == 1
    with closing(store_of(path, cache, clock, keyring=KEYRING)) as store:
        assert store.refresh().version == 1
        assert store.refused is None


def test_a_bundle_for_later_is_served_when_its_time_has_come(
    tmp_path: Path, cache: Path, clock: Clock
) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    clock.write(folder / "support-1.bundle.json", signed(1))
    later = clock.now.replace(hour=18)
    clock.write(folder / "support-2.bundle.json", signed(2, not_before=later))
    with closing(store_of(folder, cache, clock, keyring=KEYRING)) as store:
        assert store.refresh().version == 1
        assert store.refused is not None
        assert "is not valid before 2026-11-02T18:00:00+00:00" in store.refused.reasons[0]
        clock.passes(hours=9)
        assert store.refresh().version == 2
        assert store.refused is None


def test_a_bundle_that_expires_while_it_is_served_goes_on_and_is_not_accepted_anew(
    tmp_path: Path, cache: Path, clock: Clock
) -> None:
    path = clock.write(tmp_path / "support.bundle.json", signed(1, expires=clock.now.replace(hour=12)))
    with closing(store_of(path, cache, clock, keyring=KEYRING)) as store:
        store.refresh()
        clock.passes(hours=5)
        assert store.refresh().version == 1
    with closing(store_of(path, cache, clock, keyring=KEYRING)) as restarted:
        assert restarted.refresh().version == 1
        assert restarted.refused is not None
    with (
        closing(store_of(path, tmp_path / "elsewhere", clock, keyring=KEYRING)) as new,
        pytest.raises(NoPolicyError, match="expired at 2026-11-02T12:00:00"),
    ):
        new.refresh()
