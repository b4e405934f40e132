"""Whatever is written, broken, taken away or signed, in any order, while processes come and go and calls are on."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from router import Policy
from service.policies.errors import NoPolicyError
from service.policies.keys import Keyring
from service.policies.offers import SETTLED_S
from service.policies.store import PolicyStore
from tests.unit.service.policies.samples import BAD, KEYRING, OTHER_KEY, Clock, signed, store_of, text

pytestmark = pytest.mark.unit

SETTINGS = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
PROCESS = st.integers(0, 2)
SLOT = st.integers(0, 2)


@dataclass(frozen=True)
class LiveCall:
    """A call that is on, and what it was told its policy is when it began."""

    policy: Policy
    version: int
    hash: str
    source: str


class Line(RuleBasedStateMachine):
    """Three processes that answer calls, and the calls. Each process looks when a call of it begins, and not else."""

    keyring: Keyring | None = None

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.folder = Path(self.home.name)
        self.place = self.folder / "source"
        self.clock = Clock()
        self.on: list[LiveCall] = []
        self.begin()
        self.processes = [self.started() for _ in range(3)]

    def begin(self) -> None:
        """What is there before the first process starts."""

    def check(self, store: PolicyStore, policy: Policy) -> None:
        """Whether ``policy`` may be served now."""

    def teardown(self) -> None:
        for store in self.processes:
            store.close()
        self.home.cleanup()

    def started(self) -> PolicyStore:
        store = store_of(self.place, self.folder / "cache", self.clock, keyring=self.keyring)
        self.served(store)
        return store

    def served(self, store: PolicyStore) -> Policy | None:
        try:
            policy = store.refresh()
        except NoPolicyError:
            return None
        self.check(store, policy)
        return policy

    @rule(which=PROCESS)
    def a_process_is_replaced(self, which: int) -> None:
        self.processes[which].close()
        self.processes[which] = self.started()

    @rule(which=PROCESS)
    def a_call_begins(self, which: int) -> None:
        policy = self.served(self.processes[which])
        if policy is not None:
            self.on.append(LiveCall(policy, policy.version, policy.hash, policy.content.source))

    @rule(seconds=st.sampled_from([0.1, 1.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.passes(seconds=seconds)

    @invariant()
    def a_calls_policy_never_changes(self) -> None:
        for call in self.on:
            assert (call.policy.version, call.policy.hash) == (call.version, call.hash)
            assert call.policy.content.source == call.source


class FileLine(Line):
    """One file that an operator edits. Every state of it is known by its bytes and by when it was written last."""

    def begin(self) -> None:
        self.written: dict[bytes, int] = {}
        self.half: set[bytes] = set()
        self.newest_served = 0
        self.edited(text(1), ago_s=5.0, half=False)

    @rule(
        content=st.one_of(
            st.integers(1, 20).map(text),
            st.just(BAD),
            st.just(""),
            st.text(max_size=20),
        ),
        ago_s=st.sampled_from([0.0, 5.0]),
    )
    def the_file_is_written(self, content: str, ago_s: float) -> None:
        self.edited(content, ago_s=ago_s, half=False)

    @rule(version=st.integers(1, 20), cut=st.sampled_from(["rules:", "never:", "because"]))
    def the_file_is_being_written(self, version: int, cut: str) -> None:
        self.edited(text(version).partition(cut)[0], ago_s=0.0, half=True)

    @rule()
    def the_file_is_deleted(self) -> None:
        self.place.unlink(missing_ok=True)
        self.half.clear()

    def edited(self, content: str, *, ago_s: float, half: bool) -> None:
        data = content.encode()
        self.written[data] = len(self.written) and max(self.written.values()) + 1
        self.half = {data} if half else set()
        self.since = self.clock.now
        self.clock.write(self.place, data, ago_s=ago_s)

    def check(self, store: PolicyStore, policy: Policy) -> None:
        data = policy.content.source.encode()
        assert Policy.parse(data.decode()).hash == policy.hash, "not loaded in full"
        assert self.written[data] >= self.newest_served, "an older state of the file after a newer one"
        being_written = data in self.half and (self.clock.now - self.since).total_seconds() < SETTLED_S
        assert not being_written, "half of what is being written"
        self.newest_served = self.written[data]


class BundleLine(Line):
    """A folder of bundles, into which anybody may throw anything."""

    keyring = KEYRING

    def begin(self) -> None:
        self.place.mkdir()
        self.published: dict[int, str] = {}
        self.highest_served = 0
        self.name = ""

    def put(self, slot: int, data: bytes) -> None:
        self.clock.write(self.place / f"{slot}.bundle.json", data, ago_s=0.0)

    @rule(slot=SLOT, version=st.integers(1, 5), route=st.sampled_from(["standard", "tool"]))
    def a_bundle_is_published(self, slot: int, version: int, route: str) -> None:
        self.put(slot, signed(version, policy=text(version, route=route)))

    @rule(
        slot=SLOT,
        version=st.integers(1, 5),
        how=st.sampled_from(["half", "forged", "other policy", "for later", "short-lived", "nonsense"]),
    )
    def something_else_is_published(self, slot: int, version: int, how: str) -> None:
        minutes = timedelta(minutes=6)
        match how:
            case "half":
                self.put(slot, signed(version)[:300])
            case "forged":
                self.put(slot, signed(version, key=OTHER_KEY))
            case "other policy":
                self.put(slot, signed(version, name="sales"))
            case "for later":
                self.put(slot, signed(version, not_before=self.clock.now + minutes))
            case "short-lived":
                self.put(slot, signed(version, expires=self.clock.now + minutes))
            case "nonsense":
                self.put(slot, b"{}")

    @rule(slot=SLOT)
    def a_bundle_is_taken_away(self, slot: int) -> None:
        (self.place / f"{slot}.bundle.json").unlink(missing_ok=True)

    def check(self, store: PolicyStore, policy: Policy) -> None:
        accepted = store.accepted
        assert accepted is not None
        assert accepted.signer == KEYRING.keys[0].id
        assert policy.version >= self.highest_served, "a lower version after a higher one"
        assert self.published.setdefault(policy.version, policy.hash) == policy.hash, "two of one version"
        assert policy.name == (self.name or policy.name), "another policy"
        self.highest_served, self.name = policy.version, policy.name


TestFile = FileLine.TestCase
TestFile.settings = SETTINGS
TestBundles = BundleLine.TestCase
TestBundles.settings = SETTINGS


def test_threads_and_processes_that_look_at_once_never_see_an_older_policy_after_a_newer(
    tmp_path: Path,
) -> None:
    clock, path, rounds, looks = Clock(), tmp_path / "support.yaml", 12, 4
    clock.write(path, text(1))
    stores = [store_of(path, tmp_path / "cache", clock) for _ in range(3)]

    def look(store: PolicyStore) -> list[int]:
        return [store.refresh().version for _ in range(rounds * looks)]

    def publish() -> None:
        for version in range(2, rounds):
            clock.write(path.with_name("next"), text(version))
            os.replace(path.with_name("next"), path)
            stores[0].refresh()

    with ThreadPoolExecutor(7) as pool, closing(stores[0]), closing(stores[1]), closing(stores[2]):
        seen = [pool.submit(look, store) for store in (*stores, *stores)]
        pool.submit(publish).result(60)
        assert all(versions.result(60) == sorted(versions.result(60)) for versions in seen)
        assert {store.refresh().version for store in stores} == {rounds - 1}
