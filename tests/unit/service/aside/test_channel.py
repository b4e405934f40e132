"""A call's line to the process beside it: it never waits, it is bounded, and it outlives the process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from service.aside import Aside, AsideGoneError, AsideHungError, WorkFailedError, channel
from service.aside.channel import PENDING, WINDOW
from tests.unit.service.aside.beside import Told, serving, slow

pytestmark = pytest.mark.unit


class Adding:
    """Work for a test: adds up what it is given over the call."""

    def __init__(self) -> None:
        self.sum = 0

    def answer(self, header: Mapping[str, Any], payload: bytes) -> tuple[Mapping[str, Any], bytes]:
        self.sum += header["add"] + len(payload)
        return {"sum": self.sum}, b""


async def test_answers_come_with_what_they_are_about_and_in_order() -> None:
    told = Told()
    async with serving(toy=Adding) as address:
        line = told.attach(address)
        for number in range(3):
            line.send({"add": number}, b"12345", f"number {number}")
        await told.until(lambda: len(told.answered) == 3)
        await line.aclose()
    assert told.answered == [
        ("number 0", {"sum": 5}),
        ("number 1", {"sum": 11}),
        ("number 2", {"sum": 18}),
    ]
    assert (told.dropped, told.failures) == ([], [])


async def test_a_process_that_does_not_answer_is_sent_no_more_than_a_window_and_the_oldest_is_dropped() -> (
    None
):
    told = Told()
    async with slow(told) as (address, process):
        line = told.attach(address)
        for number in range(WINDOW + PENDING + 3):
            line.send({}, b"", number)
            if number < WINDOW:
                await told.until(lambda sent=number: len(process.messages) == sent + 1)  # type: ignore[misc]
        assert told.dropped == [WINDOW, WINDOW + 1, WINDOW + 2]
        process.answer(1)
        await told.until(lambda: len(process.messages) == WINDOW + 1)
        assert [about for about, _ in told.answered] == [0]
        await line.aclose()
    assert told.failures == []


async def test_what_is_of_no_use_any_more_is_not_handed_over() -> None:
    told = Told()
    async with slow(told) as (address, process):
        line = told.attach(address)
        for number in range(WINDOW + 2):
            line.send({}, b"", number)
        await told.until(lambda: len(process.messages) == WINDOW)
        line.drop_pending()
        assert told.dropped == [WINDOW, WINDOW + 1]
        process.answer(WINDOW)
        await told.until(lambda: len(told.answered) == WINDOW)
        assert len(process.messages) == WINDOW
        await line.aclose()


async def test_a_process_that_is_lost_is_told_and_work_goes_on_when_it_is_back() -> None:
    told = Told()
    async with slow(told) as (address, process):
        line = told.attach(address)
        line.send({}, b"", "lost")
        await told.until(lambda: bool(process.messages))
        process.go()
        await told.until(lambda: bool(told.failures))
        assert [type(error) for error in told.failures] == [AsideGoneError]
        assert told.dropped == ["lost"]
        line.send({}, b"", "kept")
        await told.until(lambda: len(process.messages) == 2)
        process.answer()
        await told.until(lambda: bool(told.answered))
        assert told.answered[0][0] == "kept"
        assert line.lost == 1
        assert not line.closed
        await line.aclose()


async def test_an_address_where_nobody_listens_is_a_failure_and_not_a_loss(tmp_path: Path) -> None:
    told = Told()
    line = told.attach(tmp_path / "nobody")
    await told.until(lambda: bool(told.failures))
    assert [type(error) for error in told.failures] == [AsideGoneError]
    assert line.lost == 0
    await line.aclose()


async def test_a_process_that_leaves_a_message_unanswered_for_long_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = Told()
    async with slow(told) as (address, process):
        line = told.attach(address)
        line.send({}, b"", 0)
        await told.until(lambda: bool(process.messages))
        line.send({}, b"", 1)
        assert told.failures == []
        monkeypatch.setattr(channel, "HUNG_S", -1.0)
        line.send({}, b"", 2)
        assert [type(error) for error in told.failures] == [AsideHungError]
        assert not line.closed
        await line.aclose()


async def test_work_that_fails_is_told_by_name_and_ends_that_calls_line_only() -> None:
    told, other = Told(), Told()
    async with serving(toy=Adding) as address:
        line, well = told.attach(address), other.attach(address)
        line.send({}, b"", "no number to add")
        line.send({"add": 1}, b"", "after that")
        well.send({"add": 1}, b"", "well")
        await told.until(lambda: bool(told.failures))
        await other.until(lambda: bool(other.answered))
        assert [(type(error), str(error)) for error in told.failures] == [(WorkFailedError, "KeyError")]
        assert line.closed
        assert told.answered == []
        assert not well.closed
        await line.aclose()
        await well.aclose()


async def test_an_answer_that_cannot_be_used_is_a_failure() -> None:
    told = Told()

    def refuse(about: Any, header: Mapping[str, Any]) -> None:
        raise ValueError("of no use")

    async with serving(toy=Adding) as address:
        line = Aside(address).attach("toy", answered=refuse, dropped=told.dropped.append, failed=told.failed)
        line.send({"add": 1}, b"", None)
        await told.until(lambda: bool(told.failures))
        assert line.closed
        await line.aclose()
    assert [type(error) for error in told.failures] == [ValueError]


async def test_a_process_that_talks_nonsense_is_left() -> None:
    told = Told()
    async with slow(told) as (address, process):
        line = told.attach(address)
        line.send({}, b"", "asked")
        await told.until(lambda: bool(process.messages))
        process.attached[-1].write(b"HTTP/1.1 200 OK\r\n\r\n")
        await told.until(lambda: bool(told.failures))
        assert (line.lost, told.dropped) == (1, ["asked"])
        await line.aclose()


async def test_after_hanging_up_nothing_is_sent_and_nothing_told() -> None:
    told = Told()
    async with slow(told) as (address, process):
        line = told.attach(address)
        line.send({}, b"", 0)
        await told.until(lambda: bool(process.messages))
        line.hang_up()
        await told.until(lambda: process.attached[-1].is_closing())
        line.send({}, b"", 1)
        await line.aclose()
        assert len(process.messages) == 1
    assert (told.answered, told.dropped, told.failures) == ([], [], [])
