"""Whole calls whose recognisers fail: the next one hears the caller, and a person is fetched where none is left.

One call each, at the same time, on labs of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import compliance.transcriber
from compliance.events import AgentSaid, CallerSaid, Event, PartFailed, TransferAsked, UsageIncurred
from compliance.recognisers import Persistence
from engines.people import PersonSpec, Target
from engines.plugins import Endpoint, Endpoints
from lab.delays import Delays
from lab.faults import Fault
from lab.process import LabProcess
from lab.server import LabSettings
from service.conversation import PASSED_ON
from service.exchange import Exchange
from service.health import SharedCircuits
from service.line import Line
from service.promises import promises
from service.transfer.livekit import TRUNK, VARIABLES
from tests.desk_call import BYE, BYE_TEXT, HOURS, HOURS_TEXT
from tests.patience import without_limits
from tests.together import understood
from tests.whole_call import (
    WholeCall,
    answered,
    asks,
    exchange,
    greeted,
    recording,
    until,
    without_settings,
)

pytestmark = [pytest.mark.adversarial, pytest.mark.alone]

FIRST, SPARE = "deepgram/nova-3", "openai/gpt-4o-mini-transcribe"
SILENT_MS = 6000.0
"""No machine is so busy that the lab's ears take longer; one call waits for it."""

Speak = Callable[[LabProcess, Line, list[Event]], Awaitable[None]]


async def refused(lab: LabProcess, line: Line, _: list[Event]) -> None:
    await lab.set_fault("deepgram", Fault("refuse"))
    await lab.cut("/deepgram/")
    await greeted(line)
    await asks(line, HOURS)
    await asks(line, BYE)


async def falls_silent(lab: LabProcess, line: Line, _: list[Event]) -> None:
    await greeted(line)
    await asks(line, HOURS)
    await lab.set_fault("deepgram", Fault("stall", after=0))
    await asks(line, BYE)  # one word


async def nobody_hears(lab: LabProcess, line: Line, events: list[Event]) -> None:
    await lab.set_fault("deepgram", Fault("refuse"))
    await lab.set_fault("openai.transcription", Fault("server_error"))
    await lab.cut("/deepgram/")
    await greeted(line)
    await line.say(recording(HOURS))
    await until(lambda: any(isinstance(event, TransferAsked) for event in events))
    await line.agent_started()
    await line.agent_finished(900)


CALLS: dict[str, tuple[Speak, tuple[str, ...]]] = {
    "falls silent": (falls_silent, (HOURS_TEXT, BYE_TEXT)),
    "refused": (refused, (HOURS_TEXT, BYE_TEXT)),
    "nobody hears": (nobody_hears, ()),
}


async def make(ready: Exchange, name: str) -> WholeCall:
    speak, texts = CALLS[name]

    async def call() -> WholeCall:
        async with LabProcess(LabSettings(delays=Delays.none(), ears=1)) as lab:
            stand_ins = {
                plugin: Endpoint("lab", url, simulated=True) for plugin, url in lab.stand_ins.items()
            }
            on = replace(ready, endpoints=Endpoints({}, stand_ins), circuits=SharedCircuits())
            events: list[Event] = []
            return await answered(
                on,
                lambda line, _: speak(lab, line, events),
                source=f"lab:{name}",
                watch=lambda _, event: events.append(event),
            )

    return await understood(call, lambda made: not texts or made.heard(*texts))


async def make_all(folder: Path) -> dict[str, WholeCall]:
    async with AsyncExitStack() as opened:
        ready = await opened.enter_async_context(exchange(folder))
        anna = PersonSpec("human", ("warm",), (Target("tel", "+15550100"),))
        ready = replace(ready, catalogue=replace(ready.catalogue, people={"human": anna}))
        made = await asyncio.gather(*(make(ready, name) for name in CALLS))
        return dict(zip(CALLS, made, strict=True))


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, WholeCall]]:
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch)
        without_limits(patch)
        limits = partial(Persistence, connect_within_ms=30_000, answer_within_ms=SILENT_MS)
        patch.setattr(compliance.transcriber, "Persistence", limits)
        for name, value in zip(
            (*VARIABLES, TRUNK), ("ws://127.0.0.1:1", "key", "secret" * 9, "trunk"), strict=True
        ):
            patch.setenv(name, value)  # a telephone counts as reachable until it was called
        yield asyncio.run(make_all(tmp_path_factory.mktemp("recognisers")))


@pytest.mark.parametrize("name", ["refused", "falls silent"])
def test_every_turn_is_heard_by_somebody_and_answered(calls: dict[str, WholeCall], name: str) -> None:
    done, texts = calls[name], CALLS[name][1]
    assert done.heard(*texts)
    assert [said.turn for said in done.of(AgentSaid) if said.turn] == list(range(1, len(texts) + 1))
    assert promises(done.events) == ()


def heard_by(done: WholeCall) -> list[tuple[str, str]]:
    said = sorted(done.of(CallerSaid), key=lambda one: one.start_ms)
    return [(one.text, one.heard_by) for one in said]


def test_who_heard_what_is_on_record(calls: dict[str, WholeCall]) -> None:
    assert heard_by(calls["refused"]) == [(HOURS_TEXT, SPARE), (BYE_TEXT, SPARE)]
    assert heard_by(calls["falls silent"]) == [(HOURS_TEXT, FIRST), (BYE_TEXT, SPARE)]


def failures(done: WholeCall) -> list[tuple[str, str]]:
    return [(one.error, one.action) for one in done.of(PartFailed) if one.part == "transcriber"]


def test_the_failure_is_on_record_once(calls: dict[str, WholeCall]) -> None:
    [(error, action)] = failures(calls["refused"])
    assert (error.startswith("API"), action) == (True, PASSED_ON)
    assert failures(calls["falls silent"]) == [("RecogniserStalledError", PASSED_ON)]


@pytest.mark.parametrize("name", ["refused", "falls silent"])
def test_the_spare_is_billed_as_its_vendor_charges(calls: dict[str, WholeCall], name: str) -> None:
    used = [one for one in calls[name].of(UsageIncurred) if one.engine == "transcriber"]
    assert sum(one.cost_usd for one in used if one.provider == "openai") > 0


def test_a_person_is_fetched_when_nobody_is_left_who_hears_the_caller(calls: dict[str, WholeCall]) -> None:
    done = calls["nobody hears"]
    [asked] = done.of(TransferAsked)
    assert (asked.engine, asked.cause) == ("human", "failure")
    assert done.of(CallerSaid) == []
