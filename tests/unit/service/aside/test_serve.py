"""The server beside the calls: each call has work of its own, and who talks nonsense is detached."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import pytest

from service.aside.wire import Message, packed
from tests.unit.service.aside.beside import PATIENCE_S, Told, serving

pytestmark = pytest.mark.unit

QUICK_BYTES = 100


class Counting:
    """Work for a test: counts its messages."""

    made: weakref.WeakSet[Counting]

    def __init__(self) -> None:
        self.count = 0
        self.made.add(self)

    def answer(self, header: Mapping[str, Any], payload: bytes) -> tuple[Mapping[str, Any], bytes]:
        self.count += 1
        return {"count": self.count}, b""


@pytest.fixture(autouse=True)
def made() -> weakref.WeakSet[Counting]:
    Counting.made = weakref.WeakSet()
    return Counting.made


async def test_calls_do_not_share_their_work() -> None:
    one, other = Told(), Told()
    async with serving(toy=Counting) as address:
        lines = one.attach(address), other.attach(address)
        for line in (*lines, lines[0]):
            line.send({}, b"", None)
        await one.until(lambda: len(one.answered) == 2)
        await other.until(lambda: len(other.answered) == 1)
        for line in lines:
            await line.aclose()
    assert [header["count"] for _, header in one.answered] == [1, 2]
    assert [header["count"] for _, header in other.answered] == [1]


async def test_what_was_learnt_for_a_call_is_forgotten_when_it_detaches(
    made: weakref.WeakSet[Counting],
) -> None:
    staying, leaving = Told(), Told()
    async with serving(toy=Counting) as address:
        stays, leaves = staying.attach(address), leaving.attach(address)
        stays.send({}, b"", None)
        leaves.send({}, b"", None)
        await staying.until(lambda: len(staying.answered) == 1)
        await leaving.until(lambda: bool(leaving.answered))
        assert len(made) == 2
        leaves.hang_up()
        async with asyncio.timeout(PATIENCE_S):
            while len(made) > 1:  # until the server has heard of it
                staying.answered.clear()
                stays.send({}, b"", None)
                await staying.until(lambda: bool(staying.answered))
                gc.collect()
        await leaves.aclose()
        await stays.aclose()


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\n\r\n", packed(Message(0, {"work": "unheard of"})), packed(Message(0, {}))],
    ids=["another protocol", "unknown work", "no work"],
)
async def test_who_talks_nonsense_is_detached_and_others_are_served(said: bytes) -> None:
    told = Told()
    async with serving(toy=Counting) as address, asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_unix_connection(str(address))
        writer.write(said)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        line = told.attach(address)
        line.send({}, b"", None)
        await told.until(lambda: bool(told.answered))
        await line.aclose()


class Waiting:
    """Work for a test: a long message is answered when ``free`` is set, which another call's message does."""

    free = threading.Event()

    def answer(self, header: Mapping[str, Any], payload: bytes) -> tuple[Mapping[str, Any], bytes]:
        if len(payload) > QUICK_BYTES:
            assert self.free.wait(PATIENCE_S)
        elif header.get("free"):
            self.free.set()
        return {"bytes": len(payload)}, b""


async def test_nobody_waits_for_anothers_long_message_and_each_call_is_answered_in_order() -> None:
    Waiting.free.clear()
    one, other = Told(), Told()
    async with serving(toy=Waiting, quick_bytes=QUICK_BYTES) as address:
        long, quick = one.attach(address), other.attach(address)
        long.send({}, bytes(QUICK_BYTES + 1), "long")
        long.send({}, b"", "after it")
        quick.send({}, b"", "quick")
        await other.until(lambda: bool(other.answered))
        assert one.answered == []
        quick.send({"free": True}, b"", None)
        await one.until(lambda: len(one.answered) == 2)
        assert [about for about, _ in one.answered] == ["long", "after it"]
        await long.aclose()
        await quick.aclose()


async def test_the_text_of_an_error_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Quoting:
        def answer(self, header: Mapping[str, Any], payload: bytes) -> tuple[Mapping[str, Any], bytes]:
            raise ValueError(payload.decode())

    told = Told()
    async with serving(toy=Quoting) as address:
        line = told.attach(address)
        line.send({}, b"what a caller said", None)
        await told.until(lambda: bool(told.failures))
        await line.aclose()
    assert "ValueError" in caplog.text
    assert "what a caller said" not in caplog.text
