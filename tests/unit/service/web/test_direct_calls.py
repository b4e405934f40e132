"""Calls between a browser and a vendor: the real ``openai`` client against the lab, on the real record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import llm

from compliance.errors import LedgerError
from compliance.events import (
    AgentSaid,
    CallEnded,
    CallerSaid,
    CallStarted,
    ConsentChanged,
    Disclosed,
    DisclosureMissed,
    PartFailed,
    ProviderFailed,
    ToolCalled,
    TurnAnswered,
    TurnEnded,
    UsageIncurred,
)
from compliance.ledger import Ledger
from lab.faults import Fault
from lab.shop import ShopProcess
from service.exchange import Exchange
from service.summary import summarise
from service.web import attending, direct_calls, sideband, vendor, waiting
from service.web.prompting import STILL_HERE
from service.web.session import GOODBYE
from tests.unit.service.web.rig import REALTIME, SDP, ending, lab_hearing, of, offer, web

pytestmark = pytest.mark.unit

CARD = "4111 1111 1111 1111"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "ledger.sqlite")) as opened:
        yield opened


def in_files(folder: Path) -> bytes:
    """All that a ledger wrote."""
    return b"".join(path.read_bytes() for path in folder.glob("ledger*"))


# -- a whole call ---------------------------------------------------------------------------------------------
async def test_a_call_with_a_tool_and_a_hang_up_is_on_record_redacted_and_verifies(
    exchange: Exchange, ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    heard = (
        "my order number is four four one seven nine two",
        f"my card number is {CARD} did you get that",
        "what is the difference",
    )
    async with (
        ShopProcess(tmp_path / "shop.sqlite") as shop,
        lab_hearing(*heard) as lab,
        web(exchange, lab, ledger=ledger, mcp=shop.url) as app,
    ):
        call_id = await app.begun(offer("a number", "a card", "a question", stays=True))
        await app.until(AgentSaid, lambda said: said.turn == 3)
        assert (await app.post(f"/v1/realtime/calls/{call_id}/hangup")).status == 204
        events = await app.over(call_id)
        assert lab.context.journal.count(REALTIME, "hangup") == 1
        assert (await app.post(f"/v1/realtime/calls/{call_id}/hangup")).status == 404

    (started,) = of(events, CallStarted)
    assert started.source == "webrtc:openai"
    assert set(started.without) == {"router", "emotion", "transcriber", "recording"}
    assert started.simulated == ("openai",)
    assert ending(events) == "the caller hung up"

    said = [(event.kind, event.turn) for event in events if isinstance(event, ToolCalled | AgentSaid)]
    assert said == [
        ("agent_said", 0),
        ("tool_called", 1),
        ("agent_said", 1),
        ("agent_said", 2),
        ("agent_said", 3),
    ]
    (tool,) = of(events, ToolCalled)
    assert (tool.name, tool.failed, tool.arguments) == ("order_lookup", False, {"order_number": "441792"})
    assert "coffee machine" in of(events, AgentSaid)[1].text
    assert len(of(events, CallerSaid)) == len(of(events, TurnEnded)) == 3
    assert of(events, TurnAnswered) == [], "what was heard when is not known on this path"
    assert "<CREDIT_CARD>" in of(events, CallerSaid)[1].text

    usage = of(events, UsageIncurred)
    assert {event.model for event in usage} == {"gpt-realtime", "gpt-4o-mini-transcribe"}
    (ended,) = of(events, CallEnded)
    assert ended.cost_usd > 0
    assert ended.cost_usd == pytest.approx(sum(event.cost_usd for event in usage))
    assert [turn.turn for turn in summarise(events).turns] == [1, 2, 3]

    assert ledger.verify().ok
    ledger.close()
    written = in_files(tmp_path)
    for planted in (CARD, CARD.replace(" ", ""), "1111 1111"):
        assert planted.encode() not in written
        assert planted not in caplog.text
        assert not [event for event in app.watched if planted in event.model_dump_json()]
    assert written


async def test_a_caller_who_waits_long_for_a_tool_is_told_so_and_then_answered(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = asyncio.Event()

    async def look(raw_arguments: dict[str, object]) -> str:
        await told.wait()
        return '{"item": "coffee machine"}'

    async def connected(*_: Any) -> tuple[llm.Tool, ...]:
        schema = {"name": "order_lookup", "description": "", "parameters": {"type": "object"}}
        return (llm.function_tool(look, raw_schema=schema),)

    monkeypatch.setattr(attending, "connected", connected)
    monkeypatch.setattr(waiting, "TOOL_WAIT_S", 0.2)
    number = "my order number is four four one seven nine two"
    async with lab_hearing(number) as lab, web(exchange, lab) as app:
        call_id = await app.begun(offer("a number", stays=True))
        await app.until(AgentSaid, lambda said: said.text == STILL_HERE)
        told.set()
        await app.until(AgentSaid, lambda said: "coffee machine" in said.text)
        await app.post(f"/v1/realtime/calls/{call_id}/hangup")
        events = await app.over(call_id)
    assert {said.text for said in of(events, AgentSaid) if said.turn == 1} > {STILL_HERE}
    assert of(events, ProviderFailed) == []


async def test_the_ai_is_disclosed_first_and_the_record_says_what_that_rests_on(exchange: Exchange) -> None:
    async with lab_hearing("hello") as lab, web(exchange, lab) as app:
        events = await app.over(await app.begun(offer("hello")))
    (disclosed,) = of(events, Disclosed)
    assert (disclosed.what, disclosed.turn, disclosed.complete, disclosed.proof) == ("ai", 0, True, "sent")
    first = of(events, AgentSaid)[0]
    assert "You are speaking with an AI system." in first.text
    assert of(events, DisclosureMissed) == []


async def test_a_greeting_that_the_caller_cuts_is_no_disclosure_and_is_said_again(exchange: Exchange) -> None:
    async with lab_hearing("hello there", character_ms=40.0) as lab, web(exchange, lab) as app:
        call_id = await app.begun(SDP + "a=x-lab-interrupts\r\na=x-lab-says:hello\r\na=x-lab-stays\r\n")
        await app.until(Disclosed, lambda disclosed: disclosed.complete)
        await app.post(f"/v1/realtime/calls/{call_id}/hangup")
        events = await app.over(call_id)
    assert [disclosed.complete for disclosed in of(events, Disclosed)] == [False, True]
    assert of(events, AgentSaid)[0].interrupted


async def test_a_disclosure_that_was_never_said_to_its_end_is_missed(exchange: Exchange) -> None:
    async with lab_hearing(character_ms=500.0) as lab, web(exchange, lab) as app:
        call_id = await app.begun(offer(stays=True))
        await app.post(f"/v1/realtime/calls/{call_id}/hangup")
        events = await app.over(call_id)
    (missed,) = of(events, DisclosureMissed)
    assert missed.what == ("ai",)


async def test_two_calls_are_two_records(exchange: Exchange) -> None:
    async with lab_hearing("hello", "hello") as lab, web(exchange, lab) as app:
        ids = [await app.begun(offer("hello")) for _ in range(2)]
        for call_id in ids:
            assert {event.call_id for event in await app.over(call_id)} == {call_id}


# -- client secrets -------------------------------------------------------------------------------------------
async def post_to_vendor(app: Any, url: str, secret: str, sdp: str) -> Any:
    """What a page does with a client secret: it asks the vendor itself."""
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/sdp"}
    return await app.client.session.post(url, data=sdp, headers=headers)


async def test_a_page_with_a_client_secret_names_the_vendors_call_and_is_watched_from_then_on(
    exchange: Exchange,
) -> None:
    async with lab_hearing("hello") as lab, web(exchange, lab, web_client_secrets=True) as app:
        answer = await app.post("/v1/realtime/session", {})
        assert answer.status == 201
        body = await answer.json()
        assert body["client_secret"].startswith("ek_")
        assert "lab-key" not in str(body)
        answered = await post_to_vendor(app, body["offer_url"], body["client_secret"], offer("hello"))
        vendor_call = answered.headers["Location"].rpartition("/")[2]
        attach = f"{answer.headers['Location']}/attach"
        assert (await app.post(attach, {"vendor_call": vendor_call})).status == 204
        assert (await app.post(attach, {"vendor_call": vendor_call})).status == 409
        events = await app.over(body["call_id"])
    assert len(of(events, CallerSaid)) == 1
    assert ending(events) == "the caller hung up"
    (late,) = of(events, PartFailed)
    assert late.part == "call"
    assert "before its call was watched" in late.action


async def test_a_client_secret_expires(exchange: Exchange) -> None:
    async with lab_hearing() as lab, web(exchange, lab, web_client_secrets=True) as app:
        body = await (await app.post("/v1/realtime/session", {})).json()
        lab.context.wall = lambda: body["expires_at"]
        refused = await post_to_vendor(app, body["offer_url"], body["client_secret"], offer("hello"))
        assert refused.status == 401


async def test_a_secret_whose_call_was_never_named_is_on_record_as_that(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct_calls, "GRACE_S", 0.0)
    async with (
        lab_hearing() as lab,
        web(exchange, lab, web_client_secrets=True) as app,
    ):
        app.exchange.settings.__dict__["web_secret_s"] = 0.0  # the vendor's least is ten seconds
        monkeypatch.setattr("service.web.vendor.Vendor.secret", _given)
        body = await (await app.post("/v1/realtime/session", {})).json()
        events = await app.over(body["call_id"])
    assert ending(events) == "the page had a client secret and named no call"
    (failed,) = of(events, PartFailed)
    assert failed.part == "call"
    assert "on no record" in failed.action


async def test_a_page_that_hangs_up_before_it_names_its_call_may_have_one_nevertheless(
    exchange: Exchange,
) -> None:
    async with lab_hearing() as lab, web(exchange, lab, web_client_secrets=True) as app:
        body = await (await app.post("/v1/realtime/session", {})).json()
        assert (await app.post(f"/v1/realtime/calls/{body['call_id']}/hangup")).status == 204
        events = await app.over(body["call_id"])
    assert ending(events) == "the caller hung up"
    (failed,) = of(events, PartFailed)
    assert "on no record" in failed.action


async def _given(*_: Any) -> Any:
    from service.web.vendor import Secret

    return Secret("ek_given", 0)


async def test_there_are_no_client_secrets_unless_the_operator_says_so(exchange: Exchange) -> None:
    async with lab_hearing() as lab, web(exchange, lab) as app:
        answer = await app.post("/v1/realtime/session", {})
        assert answer.status == 403
        assert "PATCHBAY_WEB_CLIENT_SECRETS" in (await answer.json(content_type=None))["detail"]


@pytest.mark.parametrize(
    "named", ["rtc_", "rtc_a/../../x", "call_1", "rtc_" + "a" * 300, "rtc_a b", "rtc_a\n"]
)
async def test_what_is_no_call_of_the_vendors_is_not_watched(exchange: Exchange, named: str) -> None:
    async with lab_hearing() as lab, web(exchange, lab, web_client_secrets=True) as app:
        body = await (await app.post("/v1/realtime/session", {})).json()
        answer = await app.post(f"/v1/realtime/calls/{body['call_id']}/attach", {"vendor_call": named})
        assert answer.status == 422


async def test_a_call_that_the_vendor_does_not_know_is_not_waited_for_for_ever(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sideband, "PATIENCE_S", 0.0)
    async with lab_hearing() as lab, web(exchange, lab, web_client_secrets=True) as app:
        body = await (await app.post("/v1/realtime/session", {})).json()
        await app.post(f"/v1/realtime/calls/{body['call_id']}/attach", {"vendor_call": "rtc_made_up"})
        assert ending(await app.over(body["call_id"])) == "the vendor let nobody watch the call"


# -- who may ----------------------------------------------------------------------------------------------------
async def test_no_voice_goes_to_the_vendor_without_consent(exchange: Exchange) -> None:
    async with lab_hearing("hello") as lab, web(exchange, lab, consent_voice_ai=False) as app:
        refused = await app.post("/v1/realtime/calls", {"sdp": offer("hello")})
        assert refused.status == 403
        assert lab.context.journal.count(REALTIME, "calls") == 0
        body = {"sdp": offer("hello"), "consents_to_voice_ai": True}
        answer = await app.post("/v1/realtime/calls", body)
        events = await app.over((await answer.json())["call_id"])
    (consent,) = of(events, ConsentChanged)
    assert (consent.what, consent.given, consent.how, consent.turn) == ("voice_ai", True, "stated", 0)


async def test_a_caller_who_takes_consent_back_is_not_heard_any_longer(exchange: Exchange) -> None:
    objection = "i do not want my voice to go to an artificial intelligence"
    async with lab_hearing("hello", objection, "more") as lab, web(exchange, lab) as app:
        call_id = await app.begun(offer("hello", "stop it", "more", stays=True))
        events = await app.over(call_id)
        assert lab.context.journal.count(REALTIME, "hangup") == 1
    assert "objects" in ending(events)
    assert of(events, ConsentChanged)[-1].given is False
    assert of(events, AgentSaid)[-1].text == GOODBYE, "nobody is hung up without a word"
    assert len(of(events, TurnEnded)) == 2


async def test_a_call_over_its_budget_is_ended_by_the_policys_guard(exchange: Exchange) -> None:
    async with lab_hearing("hello", "more") as lab, web(exchange, lab, budget_usd=1e-6) as app:
        call_id = await app.begun(offer("hello", "more", stays=True))
        events = await app.over(call_id)
        assert lab.context.journal.count(REALTIME, "hangup") == 1
    assert ending(events) == "realtime is denied, and nothing else can answer: over-budget"
    assert of(events, AgentSaid)[-1].text == GOODBYE, "nobody is hung up without a word"


async def test_a_policy_that_denies_the_engine_denies_the_call(exchange: Exchange) -> None:
    async with lab_hearing() as lab, web(exchange, lab, budget_usd=0.0) as app:
        answer = await app.post("/v1/realtime/calls", {"sdp": offer("hello")})
        assert answer.status == 403
        assert "over-budget" in (await answer.json(content_type=None))["detail"]
        assert lab.context.journal.count(REALTIME, "calls") == 0


async def test_an_engine_that_serves_another_region_is_closed_to_the_call(exchange: Exchange) -> None:
    catalogue = exchange.catalogue
    engine = catalogue.engines["realtime"]
    closed = replace(engine, mind=replace(engine.mind, callers=("eu",)))
    own = replace(exchange, catalogue=replace(catalogue, engines={**catalogue.engines, "realtime": closed}))
    async with lab_hearing() as lab, web(own, lab, region="us") as app:
        answer = await app.post("/v1/realtime/calls", {"sdp": offer("hello")})
        assert answer.status == 403
        assert "callers of eu" in (await answer.json(content_type=None))["detail"]
        assert lab.context.journal.count(REALTIME, "calls") == 0


async def test_only_so_many_calls_are_on_at_once(exchange: Exchange) -> None:
    async with lab_hearing() as lab, web(exchange, lab, web_calls=1) as app:
        call_id = await app.begun(offer(stays=True))
        full = await app.post("/v1/realtime/calls", {"sdp": offer()})
        assert (full.status, full.headers["Retry-After"]) == (503, "10")
        await app.post(f"/v1/realtime/calls/{call_id}/hangup")
        await app.over(call_id)
        await app.begun(offer(stays=True))


async def test_calls_that_are_on_when_the_service_stops_are_ended_and_on_record(exchange: Exchange) -> None:
    async with lab_hearing() as lab:
        async with web(exchange, lab) as app:
            call_id = await app.begun(offer(stays=True))
        assert lab.context.journal.count(REALTIME, "hangup") == 1
    assert ending(exchange.ledger.events(call_id)) == "the service shut down"


@pytest.mark.parametrize(
    "sdp", ["", "v=0\r\n", "m=audio 9\r\n", "v=0\r\nm=video 9 x\r\n", "v=0\r\n" + "x" * 40_000]
)
async def test_what_is_no_offer_of_audio_is_not_passed_on(exchange: Exchange, sdp: str) -> None:
    async with lab_hearing() as lab, web(exchange, lab) as app:
        assert (await app.post("/v1/realtime/calls", {"sdp": sdp})).status == 422
        assert lab.context.journal.count(REALTIME, "calls") == 0


# -- what goes wrong --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["refuse", "rate_limited", "server_error"])
async def test_a_vendor_that_refuses_is_told_and_on_record(exchange: Exchange, kind: Any) -> None:
    async with lab_hearing() as lab, web(exchange, lab) as app:
        lab.context.faults.set(REALTIME, Fault(kind))
        answer = await app.post("/v1/realtime/calls", {"sdp": offer("hello")})
        assert answer.status == 502
        await app.until(CallEnded)
        (failed,) = of(app.watched, ProviderFailed)
    assert failed.provider == "openai"
    assert "not begun" in failed.action


async def test_an_offer_that_the_vendor_does_not_answer_in_time_is_not_passed_on_twice(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor, "TIMEOUT_S", 2.0)
    async with lab_hearing() as lab, web(exchange, lab) as app:
        lab.context.faults.set(REALTIME, Fault("hang"))
        answer = await app.post("/v1/realtime/calls", {"sdp": offer("hello")})
        assert answer.status == 502
        assert lab.context.journal.count(REALTIME, "calls") == 1
        await app.until(CallEnded)
        (failed,) = of(app.watched, ProviderFailed)
    assert failed.error == "APITimeoutError"


async def test_a_server_of_ones_own_takes_no_direct_calls(exchange: Exchange) -> None:
    catalogue = exchange.catalogue
    engine = catalogue.engines["realtime"]
    open_server = replace(engine, mind=replace(engine.mind, base_url="http://127.0.0.1:1/v1", keyless=True))
    own = replace(exchange, catalogue=replace(catalogue, engines={"realtime": open_server}))
    async with lab_hearing() as lab, web(own, lab) as app:
        answer = await app.post("/v1/realtime/calls", {"sdp": offer("hello")})
        assert answer.status == 503
        assert "OpenAI's own" in (await answer.json(content_type=None))["detail"]


async def test_a_sideband_that_is_lost_comes_back_and_the_record_says_what_is_missing(
    exchange: Exchange,
) -> None:
    async with lab_hearing("hello", "and more") as lab, web(exchange, lab) as app:
        call_id = await app.begun(offer("hello", "and more", stays=True))
        await app.until(Disclosed)
        assert lab.cut("/v1/realtime") == 1
        await app.until(PartFailed, lambda failed: "watched again" in failed.action)
        await app.until(AgentSaid, lambda said: said.turn >= 1)
        await app.post(f"/v1/realtime/calls/{call_id}/hangup")
        events = await app.over(call_id)
    failed = [(one.part, one.error) for one in of(events, PartFailed)]
    # Words that were just being written down may be lost with it.
    assert [one for one in failed if one != ("transcriber", "LookupError")] == [
        ("call", "ConnectionClosedError")
    ]
    assert of(events, CallerSaid)


async def test_a_call_that_nobody_can_watch_any_more_is_hung_up(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sideband, "PATIENCE_S", 0.0)
    async with lab_hearing() as lab, web(exchange, lab) as app:
        call_id = await app.begun(offer(stays=True))
        await app.until(Disclosed)
        lab.context.faults.set(REALTIME, Fault("server_error", times=1))
        lab.cut("/v1/realtime")
        events = await app.over(call_id)
        assert lab.context.journal.count(REALTIME, "hangup") == 1
    assert ending(events) == "the connection that watches the call was lost"


async def test_a_call_that_may_not_go_on_without_a_record_is_hung_up(
    exchange: Exchange, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    demanded: dict[str, Any] = {"fail_open_audio": False, "record_grace_s": 0.0}
    async with lab_hearing("hello") as lab, web(exchange, lab, ledger=ledger, **demanded) as app:
        await app.begun(offer("hello", stays=True))
        await app.until(Disclosed)
        monkeypatch.setattr(Ledger, "append_many", refusing)
        await app.until(CallEnded)
        assert lab.context.journal.count(REALTIME, "hangup") == 1
    assert ending(app.watched) == "the record could not be kept"


def refusing(*_: Any, **__: Any) -> Any:
    raise LedgerError("the disk is full")


async def test_a_frame_that_is_not_json_leaves_the_call_on(exchange: Exchange) -> None:
    async with lab_hearing("hello", "more", character_ms=20.0) as lab, web(exchange, lab) as app:
        call_id = await app.begun(offer("hello", "more", stays=True))
        await app.until(UsageIncurred)  # the greeting is still heard
        lab.context.faults.set(REALTIME, Fault("malformed", times=1))
        await app.until(AgentSaid, lambda said: said.turn == 2)
        await app.post(f"/v1/realtime/calls/{call_id}/hangup")
        assert ending(await app.over(call_id)) == "the caller hung up"
