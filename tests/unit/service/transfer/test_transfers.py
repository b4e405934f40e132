"""In which order a caller is brought to a person, and what happens when nobody comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from compliance.clock import CallClock
from compliance.events import CallbackAsked, Event, TransferAnswered, TransferAsked, TransferFailed
from engines.human import NOBODY, Asked
from engines.people import PersonSpec, Target, TransferWords, Way
from service.transfer.callback import CallbackForm
from service.transfer.errors import NotPassedOnError, NotTakenError
from service.transfer.line import Line
from service.transfer.transfers import ANSWER_S, Transfers
from tests import virtual_time

pytestmark = pytest.mark.unit

WORDS = TransferWords()
ROOM, NUMBER = Target("room", "desk-anna"), Target("tel", "+41445550123")


class Speech:
    def __init__(self, takes_s: float) -> None:
        self._takes_s = takes_s

    async def wait_for_playout(self) -> None:
        await asyncio.sleep(self._takes_s)


class Session:
    """Says everything in ``takes_s``."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.takes_s = 0.0
        self.current_speech = None

    def say(self, text: str, **how: Any) -> Speech:
        self.said.append(text)
        return Speech(self.takes_s)


class Recorder:
    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def expect(self, entity: str) -> None:
        self.told.append((entity,))

    def know(self, entity: str, value: str) -> None:
        self.told.append((entity, value))


class Calling:
    """Nobody takes a call; ``free`` says who would be there."""

    def __init__(self) -> None:
        self.error: Exception = NotTakenError()
        self.tried: list[str] = []
        self.free = False

    async def reachable(self, target: Target) -> bool:
        return self.free

    @asynccontextmanager
    async def called(self, person: PersonSpec, target: Target) -> AsyncIterator[Any]:
        self.tried.append(str(target))
        raise self.error
        yield


class Bench:
    def __init__(
        self, *ways: Way, to: tuple[Target, ...] = (ROOM, NUMBER), keeps_numbers: bool = True
    ) -> None:
        self.person = PersonSpec("human", ways, to)
        self.session, self.recorder, self.calling = Session(), Recorder(), Calling()
        self.events: list[Event] = []
        self.given_back: list[tuple[str, str]] = []
        self.passed_on: list[Target] = []
        self.ended: list[str] = []
        self.seen: list[bool] = []
        self.met = 0
        self.refuses: Exception | None = None
        self.now_s = 0.0
        self.people = SimpleNamespace(
            fetching=None, listener=None, give_back=lambda *what: self.given_back.append(what)
        )
        stubs: Any = SimpleNamespace(
            session=self.session, recorder=self.recorder, desk=SimpleNamespace(people=self.people)
        )
        line = Line(
            session=stubs.session,
            caller=stubs.session,
            ear=stubs.session,
            desk=stubs.desk,
            clock=CallClock(monotonic=lambda: self.now_s),
            hears=stubs.session,
            recorder=stubs.recorder,
            emit=self.events.append,
            pass_on=self._pass_on,
            hang_up=self.ended.append,
            bill=lambda engine, minutes: None,
            met=self._meet,
            reason=lambda: "",
            keeps_numbers=keeps_numbers,
        )
        calling: Any = self.calling
        self.transfers = Transfers(line, {"human": self.person}, calling, "c", changed=self.seen.append)

    def _meet(self) -> None:
        self.met += 1

    async def _pass_on(self, to: Target) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.passed_on.append(to)

    async def fetched(self, *said: str) -> None:
        """Have a person fetched for a caller who says these turns when asked something."""
        self.transfers.fetch(Asked(self.person, "policy", "", 3))
        task = self.transfers._task
        assert task is not None
        for text in said:
            while self.people.listener is None:  # noqa: ASYNC110 -- there is no event to wait for
                await asyncio.sleep(0)
            self.people.listener(text)
        await task

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


async def test_every_place_is_tried_and_every_failure_told() -> None:
    bench = Bench("warm")
    await bench.fetched()
    assert bench.calling.tried == ["room:desk-anna", "tel:+41445550123"]
    assert [(one.way, one.to, one.error) for one in bench.of(TransferFailed)] == [
        ("warm", "room:desk-anna", "NotTakenError"),
        ("warm", "tel:+41445550123", "NotTakenError"),
    ]
    assert bench.given_back == [(WORDS.nobody, NOBODY)]


async def test_the_next_way_is_tried_when_nobody_takes_the_call() -> None:
    bench = Bench("warm", "blind")
    await bench.fetched()
    assert bench.passed_on == [NUMBER], "nobody is dialled in a room"
    [came] = bench.of(TransferAnswered)
    assert (came.way, came.to, came.person) == ("blind", "tel:+41445550123", "")
    assert bench.session.said == [WORDS.passing_on]
    assert bench.ended == ["the caller was passed on"]
    assert bench.given_back == []


async def test_a_caller_who_cannot_be_passed_on_is_called_back() -> None:
    bench = Bench("blind", "callback")
    bench.refuses = NotPassedOnError()
    await bench.fetched("five five five zero one four two", "yes", "tomorrow")
    assert [one.error for one in bench.of(TransferFailed)] == ["NotPassedOnError"]
    [wish] = bench.of(CallbackAsked)
    assert (wish.number, wish.best_time) == ("5550142", "tomorrow")
    assert bench.given_back == [(WORDS.noted, NOBODY)]


async def test_a_number_is_masked_before_it_is_read_back() -> None:
    bench = Bench("callback")
    await bench.fetched("five five five zero one four two", "yes", "tomorrow")
    assert bench.recorder.told[:2] == [("PHONE_NUMBER",), ("PHONE_NUMBER", "5550142")]


async def test_no_callback_is_promised_whose_number_nobody_could_see() -> None:
    bench = Bench("callback", keeps_numbers=False)
    await bench.fetched()
    assert [one.error for one in bench.of(TransferFailed)] == ["NumberNotKeptError"]
    assert bench.given_back == [(WORDS.nobody, NOBODY)]
    assert not bench.transfers.available("human")


async def test_who_wants_no_callback_is_told_so_once() -> None:
    bench = Bench("callback")
    await bench.fetched("no thank you")
    assert bench.of(CallbackAsked) == []
    assert bench.given_back == [(WORDS.no_callback, NOBODY)]


@pytest.mark.parametrize(
    "said",
    [("five five five zero one four two", "yes", "tomorrow"), ("no thank you",)],
    ids=["left", "declined"],
)
async def test_who_was_asked_for_a_number_is_not_asked_again_for_the_same_wish(said: tuple[str, ...]) -> None:
    bench = Bench("warm", "callback", to=(ROOM,))
    bench.calling.free = True
    await looked(bench)
    await bench.fetched(*said)
    assert bench.met == 1


async def test_who_could_not_be_helped_to_anybody_still_wants_a_person() -> None:
    bench = Bench("warm", "callback", keeps_numbers=False)
    await bench.fetched()
    assert bench.met == 0


def test_a_caller_has_time_to_answer_once_the_question_was_heard_out() -> None:
    async def main() -> None:
        bench = Bench("callback")
        bench.session.takes_s = ANSWER_S
        asking = asyncio.create_task(bench.fetched())
        await asyncio.sleep(ANSWER_S + 1)
        assert bench.transfers.asking
        for text in ("five five five zero one four two", "yes", "tomorrow"):
            bench.people.listener(text)
            await asyncio.sleep(2 * ANSWER_S - 1)
        await asking
        [wish] = bench.of(CallbackAsked)
        assert wish.best_time == "tomorrow"
        assert not bench.transfers.asking

    virtual_time.run(main())


def test_who_gives_no_answer_is_asked_no_more() -> None:
    async def main() -> None:
        bench = Bench("callback")
        await bench.fetched()
        assert [one.error for one in bench.of(TransferFailed)] == ["TimeoutError"]
        assert bench.given_back == [(WORDS.nobody, NOBODY)]
        assert not bench.transfers.asking

    virtual_time.run(main())


def test_an_answer_that_nobody_understood_is_asked_for_again() -> None:
    async def main() -> None:
        bench = Bench("callback")
        asking = asyncio.create_task(bench.fetched())
        for text in ("five five five", "", "five five five zero one four two", "yes", "tomorrow"):
            await asyncio.sleep(ANSWER_S - 1)
            bench.people.listener(text)
        await asking
        assert WORDS.number_again in bench.session.said
        [wish] = bench.of(CallbackAsked)
        assert wish.number == "5550142"

    virtual_time.run(main())


async def test_whatever_a_server_does_the_caller_is_given_back() -> None:
    bench = Bench("warm", to=(ROOM,))
    bench.calling.error = OSError("no route to a secret host")
    await bench.fetched()
    assert [one.error for one in bench.of(TransferFailed)] == ["OSError"]
    assert bench.given_back == [(WORDS.nobody, NOBODY)]


async def test_a_way_that_breaks_down_is_on_record_and_the_next_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def break_down(form: CallbackForm, text: str) -> str:
        raise ZeroDivisionError("the caller said 555 0142")

    monkeypatch.setattr(CallbackForm, "heard", break_down)
    bench = Bench("callback", "warm", to=(ROOM,))
    await bench.fetched("five five five zero one four two")
    assert [(one.way, one.to, one.error) for one in bench.of(TransferFailed)] == [
        ("callback", "", "ZeroDivisionError"),
        ("warm", "room:desk-anna", "NotTakenError"),
    ]
    assert bench.given_back == [(WORDS.nobody, NOBODY)]


async def test_nobody_is_sought_again_at_once_when_nobody_came() -> None:
    bench = Bench("warm")
    bench.calling.free = True
    await looked(bench)
    assert bench.transfers.available("human")
    await bench.fetched()
    assert not bench.transfers.available("human")
    assert bench.seen == [True, False]
    bench.now_s += 61
    assert bench.transfers.available("human")


async def test_a_person_is_available_while_somebody_is_there() -> None:
    bench = Bench("warm")
    await looked(bench)
    assert not bench.transfers.available("human")
    bench.calling.free = True
    await looked(bench)
    assert bench.transfers.available("human")
    assert bench.seen == [False, True]


async def test_it_is_not_asked_with_every_word_who_is_there() -> None:
    bench = Bench("warm")
    await looked(bench)
    bench.transfers.look()
    await bench.transfers.aclose()
    assert bench.seen == [False]


async def test_a_call_that_ends_while_somebody_is_sought_leaves_nothing_behind() -> None:
    bench = Bench("callback")
    bench.transfers.fetch(Asked(bench.person, "tool", "they insist", 3))
    await asyncio.sleep(0)
    await bench.transfers.aclose()
    [asked] = bench.of(TransferAsked)
    assert (asked.cause, asked.reason, asked.turn) == ("tool", "they insist", 3)
    assert bench.given_back == []


async def looked(bench: Bench) -> None:
    bench.now_s += 10
    bench.transfers.look()
    looking = bench.transfers._looking
    assert looking is not None
    await looking
