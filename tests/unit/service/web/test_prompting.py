"""What a caller hears of a call that fails or has to end: a second attempt, a goodbye, and on record why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from compliance.events import (
    AgentSaid,
    CallEnded,
    Disclosed,
    ProviderFailed,
    TurnEnded,
    UsageIncurred,
)
from engines.people import PersonSpec
from lab.faults import Fault
from service.exchange import Exchange
from service.web import prompting
from service.web.session import GOODBYE
from tests.unit.service.web.rig import REALTIME, ending, lab_hearing, of, offer, web

pytestmark = pytest.mark.unit


SLOWLY_MS = 40.0
"""A greeting at so much a character is heard for seconds after it was made: time to have the next reply fail."""


def impatient(exchange: Exchange, limit_s: float = 4.0) -> Exchange:
    """The same with an engine that may be silent for no longer."""
    engines = dict(exchange.catalogue.engines)
    engines["realtime"] = replace(engines["realtime"], first_reply_s=limit_s)
    return replace(exchange, catalogue=replace(exchange.catalogue, engines=engines))


@pytest.mark.parametrize(
    "fault", [Fault("hang", times=1), Fault("stall", times=1, after=0), Fault("stall", times=1, after=3)]
)
async def test_a_reply_that_does_not_begin_or_breaks_off_is_asked_for_once_more(
    exchange: Exchange, fault: Fault
) -> None:
    async with lab_hearing("hello", character_ms=SLOWLY_MS) as lab, web(impatient(exchange), lab) as app:
        call_id = await app.begun(offer("hello", stays=True))
        await app.until(UsageIncurred)
        lab.context.faults.set(REALTIME, fault)
        await app.until(AgentSaid, lambda said: said.turn == 1 and not said.interrupted)
        await app.post(f"/v1/realtime/calls/{call_id}/hangup")
        events = await app.over(call_id)
    assert [failed.error for failed in of(events, ProviderFailed)] == ["TimeoutError"]


@pytest.mark.parametrize(
    ("kind", "error"), [("hang", "TimeoutError"), ("server_error", "response server_error")]
)
async def test_a_caller_whom_the_vendor_does_not_answer_twice_is_hung_up_and_the_record_says_why(
    exchange: Exchange, kind: Any, error: str
) -> None:
    async with lab_hearing("hello", character_ms=SLOWLY_MS) as lab, web(impatient(exchange), lab) as app:
        call_id = await app.begun(offer("hello", stays=True))
        await app.until(UsageIncurred)
        lab.context.faults.set(REALTIME, Fault(kind, times=2))
        await app.until(CallEnded)
        events = await app.over(call_id)
    assert ending(events) == prompting.SILENT
    assert [failed.error for failed in of(events, ProviderFailed)][:2] == [error, error]


async def test_a_reply_that_fails_is_asked_for_once_more(exchange: Exchange) -> None:
    async with lab_hearing("hello", character_ms=SLOWLY_MS) as lab, web(exchange, lab) as app:
        call_id = await app.begun(offer("hello", stays=True))
        await app.until(UsageIncurred)
        lab.context.faults.set(REALTIME, Fault("server_error", times=1))
        await app.until(AgentSaid, lambda said: said.turn == 1)
        await app.post(f"/v1/realtime/calls/{call_id}/hangup")
        events = await app.over(call_id)
    assert [failed.error for failed in of(events, ProviderFailed)] == ["response server_error"]


async def test_a_guard_that_forces_another_machine_leaves_the_call_to_the_one_there_is(
    exchange: Exchange,
) -> None:
    async with lab_hearing("hello", "i want to speak to a person") as lab, web(exchange, lab) as app:
        call_id = await app.begun(offer("hello", "a person", stays=True))
        await app.until(AgentSaid, lambda said: said.turn == 2)
        await app.post(f"/v1/realtime/calls/{call_id}/hangup")
        events = await app.over(call_id)
    assert "denied" not in ending(events)
    assert GOODBYE not in [said.text for said in of(events, AgentSaid)]


async def test_a_guard_that_forces_a_person_ends_the_call_with_a_word(exchange: Exchange) -> None:
    people = {"standard": PersonSpec("standard", ())}  # whom the shipped guard forces, then
    staffed = replace(exchange, catalogue=replace(exchange.catalogue, people=people))
    async with lab_hearing("hello", "i want to speak to a person") as lab, web(staffed, lab) as app:
        events = await app.over(await app.begun(offer("hello", "a person", stays=True)))
    assert ending(events) == "realtime is denied, and nothing else can answer: asked-for-a-person"
    assert of(events, AgentSaid)[-1].text == GOODBYE
    assert len(of(events, TurnEnded)) == 2


async def test_a_call_that_lasts_too_long_is_told_to_end_and_then_ended(exchange: Exchange) -> None:
    async with lab_hearing() as lab, web(exchange, lab, web_longest_call_s=3.0) as app:
        events = await app.over(await app.begun(offer(stays=True)))
        told = [entry.payload["session"] for entry in lab.context.journal.of(REALTIME, "session.update")]
    assert any("bring it to a close" in session.get("instructions", "") for session in told)
    assert "longest" in ending(events)
    assert of(events, AgentSaid)[-1].text == GOODBYE


async def test_a_caller_is_not_kept_longer_by_a_goodbye_that_is_never_said(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompting, "GOODBYE_S", 0.1)
    async with lab_hearing(character_ms=0.1) as lab, web(exchange, lab, web_longest_call_s=2.0) as app:
        call_id = await app.begun(offer(stays=True))
        await app.until(Disclosed)
        lab.context.faults.set(REALTIME, Fault("hang", times=1))
        assert "longest" in ending(await app.over(call_id))
