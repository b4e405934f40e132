"""A thread's line to the process beside it: an answer in time, or an error that says which kind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from service.aside import (
    AsideGoneError,
    AsideHungError,
    AsideUnreachableError,
    Asking,
    WireError,
    WorkFailedError,
)
from service.aside.wire import Message, packed
from tests.unit.service.aside.beside import PATIENCE_S, Slow, Told, serving, slow

pytestmark = pytest.mark.unit

T = TypeVar("T")


class Counting:
    """Work for a test: counts its messages, and echoes."""

    def __init__(self) -> None:
        self.count = 0

    def answer(self, header: Mapping[str, Any], payload: bytes) -> tuple[Mapping[str, Any], bytes]:
        if header.get("fail"):
            raise LookupError("what a caller said")
        self.count += 1
        return {"count": self.count}, payload


async def in_thread(ask: Callable[[], T]) -> T:
    return await asyncio.to_thread(ask)


def within(seconds: float) -> Callable[[], float]:
    until_s = time.monotonic() + seconds
    return lambda: until_s - time.monotonic()


def ask(line: Asking, payload: bytes = b"", **header: Any) -> Message:
    return line.ask(header, payload, left_s=within(PATIENCE_S))


async def test_answers_are_those_of_one_calls_work() -> None:
    async with serving(toy=Counting) as address:
        line, other = Asking(address, "toy"), Asking(address, "toy")
        assert not line.attached
        first = await in_thread(lambda: ask(line, b"one"))
        second = await in_thread(lambda: ask(line, b"x" * 500_000))
        others = await in_thread(lambda: ask(other))
        assert line.attached
        line.hang_up()
        other.hang_up()
    assert (first.header["count"], first.payload) == (1, b"one")
    assert (second.header["count"], len(second.payload)) == (2, 500_000)
    assert others.header["count"] == 1


async def test_work_that_fails_is_told_by_its_class_and_begins_anew() -> None:
    async with serving(toy=Counting) as address:
        line = Asking(address, "toy")
        await in_thread(lambda: ask(line))
        with pytest.raises(WorkFailedError, match=r"^LookupError$"):
            await in_thread(lambda: ask(line, fail=True))
        assert not line.attached
        assert (await in_thread(lambda: ask(line))).header["count"] == 1
        line.hang_up()


def test_an_address_where_nobody_listens_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(AsideUnreachableError):
        ask(Asking(tmp_path / "nobody", "toy"))


@pytest.fixture
async def told() -> Told:
    return Told()


async def asked(slow_one: tuple[Path, Slow], told: Told, then: Callable[[Slow], None]) -> Message:
    """Ask a process that does ``then`` when it has the question."""
    address, process = slow_one
    line = Asking(address, "toy")
    question = asyncio.create_task(in_thread(lambda: ask(line)))
    await told.until(lambda: bool(process.messages))
    then(process)
    try:
        return await question
    finally:
        assert not line.attached
        line.hang_up()


async def test_a_process_that_ends_before_it_answers_is_gone(told: Told) -> None:
    async with slow(told) as made:
        with pytest.raises(AsideGoneError):
            await asked(made, told, Slow.go)


@pytest.mark.parametrize(
    "said",
    [b"HTTP/1.1 200 OK\r\n\r\n", packed(Message(77, {})), packed(Message(1, {}))[:8] + b"\xff" * 4 + b"{}"],
    ids=["another protocol", "another question's answer", "an endless answer"],
)
async def test_what_is_no_answer_is_refused(told: Told, said: bytes) -> None:
    async with slow(told) as made:
        with pytest.raises(WireError):
            await asked(made, told, lambda process: process.attached[-1].write(said))


async def test_a_process_that_does_not_answer_in_time_hangs(told: Told) -> None:
    async with slow(told) as (address, _):
        line = Asking(address, "toy")
        with pytest.raises(AsideHungError):
            await in_thread(lambda: line.ask({}, b"", left_s=within(0.01)))
        assert not line.attached


async def test_a_wait_that_is_on_can_be_made_shorter(told: Told) -> None:
    left_s = [PATIENCE_S]
    async with slow(told) as (address, process):
        line = Asking(address, "toy")
        question = asyncio.create_task(in_thread(lambda: line.ask({}, b"", left_s=lambda: left_s[0])))
        await told.until(lambda: bool(process.messages))
        left_s[0] = 0.0
        with pytest.raises(AsideHungError):
            await question
