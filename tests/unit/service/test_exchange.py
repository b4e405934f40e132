"""What the calls of a line share, and the policy that each of them gets when it begins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compliance.errors import LedgerError
from policies import DocumentError, shipped
from service.exchange import Exchange
from service.policies.errors import NoPolicyError
from service.settings import Settings
from tests.unit.service.policies.samples import BAD, PATIENCE_S, text

pytestmark = pytest.mark.unit


def write(path: Path, content: str) -> Path:
    """Write a file as if that had been a while ago."""
    path.write_text(content)
    os.utime(path, (1e9, 1e9))
    return path


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    folder = tmp_path_factory.mktemp("line")
    settings = Settings(
        policy=write(folder / "support.yaml", text(1)),
        ledger=str(folder / "ledger.sqlite"),
        stand_ins=dict.fromkeys(("openai", "deepgram", "elevenlabs"), "http://127.0.0.1:1"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.policies.store.PATIENCE_S", PATIENCE_S)
        patch.setattr("service.exchange.ARCHIVE_S", PATIENCE_S)
        with closing(Exchange.load(settings, lab_only=True)) as exchange:
            yield exchange


@pytest.fixture
def path(loaded: Exchange) -> Path:
    return write(Path(loaded.settings.policy), text(1))


async def test_a_process_that_waited_for_its_call_answers_it_under_the_policy_of_now(
    loaded: Exchange, path: Path
) -> None:
    first = await loaded.for_call()
    write(path, text(2))
    second = await loaded.for_call()
    assert (first.policy.version, second.policy.version) == (1, 2)
    assert first.ledger is second.ledger


async def test_a_call_that_is_on_keeps_its_policy(loaded: Exchange, path: Path) -> None:
    on = await loaded.for_call()
    policy = on.policy
    write(path, text(2))
    await loaded.for_call()
    assert on.policy is policy
    assert on.policy.version == 1


async def test_a_policy_is_archived_when_a_call_begins_under_it(loaded: Exchange, path: Path) -> None:
    source = text(7) + "# with its comments\n"
    write(path, source)
    exchange = await loaded.for_call()
    assert loaded.ledger.policy(exchange.policy.hash) == source


class FullLedger:
    """A ledger on a disk that is full."""

    def keep_policy(self, *policy: Any) -> None:
        raise LedgerError("the disk is full. Make room.")


async def test_a_policy_that_cannot_be_archived_is_served_all_the_same(
    loaded: Exchange, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    full: Any = FullLedger()
    exchange = await replace(loaded, ledger=full).for_call()
    assert exchange.policy.version == 1
    assert "is not archived" in caplog.text


async def test_a_tenants_policy_is_ready_before_the_call_asks_for_it(loaded: Exchange, path: Path) -> None:
    write(path, text(8) + "overlays:\n  acme: {disable: []}\n")
    ours = replace(loaded, settings=loaded.settings.model_copy(update={"tenant": "acme"}))
    exchange = await ours.for_call()
    assert exchange.policy.for_tenant("acme").content.tenant == "acme"


def test_an_exchange_without_a_good_policy_is_not_loaded(tmp_path: Path) -> None:
    bad = Settings(policy=write(tmp_path / "bad.yaml", BAD), ledger=str(tmp_path / "ledger.sqlite"))
    with pytest.raises(NoPolicyError) as error:
        Exchange.load(bad)
    assert [line.partition(": ")[0] for line in str(error.value).splitlines()] == [
        f"{tmp_path}/bad.yaml:2:25",
        f"{tmp_path}/bad.yaml:5:23",
    ]


def test_a_catalogue_with_errors_is_told_with_their_places(tmp_path: Path) -> None:
    bad = Settings(catalogue=shipped("prices.yaml"), ledger=str(tmp_path / "ledger.sqlite"))
    with pytest.raises(DocumentError, match=r"prices\.yaml:\d+:\d+"):
        Exchange.load(bad)
