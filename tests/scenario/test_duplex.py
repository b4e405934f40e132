"""A full-duplex engine takes turns by itself: a call that it is given stays there, until it fails.

Real audio, the real session and the unmodified plugin in LiveKit's adapter, on the lab.
"""

import asyncio
from dataclasses import dataclass, replace
from functools import partial

import pytest

from compliance.events import AgentSaid, HandedOff, ProviderFailed
from engines.catalogue import Catalogue, EngineSpec
from engines.component import Component
from lab.delays import Delays
from lab.faults import Fault
from lab.openai_live import PROVIDER
from lab.server import Lab, LabSettings
from tests.desk_call import (
    BYE,
    HOURS,
    HOURS_TEXT,
    ORDER,
    ORDER_TEXT,
    PATIENCE_S,
    THANKS,
    THANKS_TEXT,
    DeskCall,
    Plan,
    patient,
)
from tests.together import DESK_CALLS, make_all

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

LIVE = "live"
NAMES = ("stays", "hangs", "is lost", "is denied")


def with_a_duplex_engine(catalogue: Catalogue) -> Catalogue:
    live = EngineSpec(LIVE, "duplex", Component("openai", "gpt-live-1", {}), (), True, 4.0)
    return replace(catalogue, engines={**catalogue.engines, LIVE: live})


@dataclass
class Finished:
    call: DeskCall
    messages: list[tuple[str, str]]
    engine: str


async def make(lab: Lab, name: str) -> Finished:
    plan = Plan(("fast", LIVE, "standard"), order=("standard", "tool", "fast"))
    limit_s = 10.0 if name == "hangs" else PATIENCE_S
    async with DeskCall(lab, plan, name=name, change=with_a_duplex_engine, silence_limit_s=limit_s) as call:
        await call.asks(HOURS)
        if name == "hangs":
            lab.context.faults.set(PROVIDER, Fault("hang"))
        await call.asks(ORDER)
        if name == "is lost":
            lab.context.faults.set(PROVIDER, Fault("refuse"))
            lab.cut("/v1/live")
            await call.until(lambda: call.desk.engine != LIVE)
        if name == "is denied":
            call.plan.denied = frozenset({LIVE})
            call.desk.consent_changed()
        await call.asks(THANKS)
        if name == "stays":
            await call.asks(BYE)
        # A reply is in the history when the session has heard that it was played.
        await call.until(lambda: [role for role, _ in call.messages][-1:] == ["assistant"])
        return Finished(call, call.messages, call.desk.engine)


@pytest.fixture(scope="module")
def calls() -> dict[str, Finished]:
    async def all_of_them() -> dict[str, Finished]:
        async def on_a_lab_of_their_own(*names: str) -> dict[str, Finished]:
            async with Lab(LabSettings(delays=Delays.none(), ears=1)) as lab:
                return await make_all(names, partial(make, lab), at_once=DESK_CALLS)

        async def in_turn() -> dict[str, Finished]:  # a fault is for everybody on a lab
            return {**await on_a_lab_of_their_own("hangs"), **await on_a_lab_of_their_own("is lost")}

        whole, failing = await asyncio.gather(on_a_lab_of_their_own("stays", "is denied"), in_turn())
        return {**whole, **failing}

    with patient():
        return asyncio.run(all_of_them())


def test_it_takes_the_turn_over_and_keeps_the_call(calls: dict[str, Finished]) -> None:
    done = calls["stays"]
    assert [(handed.from_engine, handed.to_engine) for handed in done.call.of(HandedOff)] == [("fast", LIVE)]
    assert done.engine == LIVE
    assert len(done.call.plan.turns) == 2, "the router is not asked about its turns"
    assert {said.engine for said in done.call.of(AgentSaid)[1:]} == {LIVE}


@pytest.mark.parametrize("name", NAMES)
def test_every_turn_is_heard_to_be_answered(calls: dict[str, Finished], name: str) -> None:
    done = calls[name]
    assert len(done.call.of(AgentSaid)) >= 3
    assert done.messages[0] == ("user", HOURS_TEXT)
    assert ("user", ORDER_TEXT) in done.messages
    assert ("user", THANKS_TEXT) in done.messages
    assert done.messages[-1][0] == "assistant"


def test_the_record_hears_its_turns_too(calls: dict[str, Finished]) -> None:
    segments = " ".join(segment.text for segment in calls["stays"].call.segments)
    assert THANKS_TEXT in segments


def test_one_that_says_nothing_is_followed_by_another(calls: dict[str, Finished]) -> None:
    done = calls["hangs"]
    assert [(f.engine, f.action) for f in done.call.of(ProviderFailed)] == [(LIVE, "moved to standard")]
    assert done.engine != LIVE


def test_one_whose_connection_is_lost_for_good_gives_the_call_back(calls: dict[str, Finished]) -> None:
    done = calls["is lost"]
    assert [(f.provider, f.engine, f.action) for f in done.call.of(ProviderFailed)] == [
        ("openai", LIVE, "moved to standard")
    ]
    assert done.engine == "standard"


def test_one_that_may_not_hear_the_caller_any_more_is_left_at_once(calls: dict[str, Finished]) -> None:
    done = calls["is denied"]
    assert done.engine == "standard"
    connections = done.call.lab.context.journal.names(PROVIDER)
    assert connections.count("disconnect") >= 1
