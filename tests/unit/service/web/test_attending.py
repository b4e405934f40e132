"""What a caller hears who waits or objects, whatever the vendor does late, breaks off or tells too late."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from livekit.agents import llm

from compliance.events import ConsentChanged, Disclosed, DisclosureMissed, Event, ProviderFailed
from engines.awaited import TOOL_WAIT_S
from engines.wording import Wording
from service.ending import GOODBYE_S
from service.exchange import Exchange
from service.patience import within
from service.web import attending
from service.web.attending import Attendant
from service.web.replies import LABEL
from service.web.session import GOODBYE
from tests.unit.service.web.rig import of
from tests.virtual_time import call_clock, in_virtual_time

pytestmark = pytest.mark.unit

STILL_HERE = Wording().still_here.strip()
AGAIN = "To be clear: you are speaking with an AI system."
PLAIN = ""
"""Asks for an answer, whatever the model makes it."""


class Line:
    """A call that is attended to, with a vendor that tells what the test has it tell."""

    def __init__(self, exchange: Exchange) -> None:
        engine = exchange.catalogue.engines["realtime"]
        self.events: list[Event] = []
        self.sent: list[dict[str, Any]] = []
        self.ended: list[str] = []
        self.attendant = Attendant(
            exchange,
            exchange.policy.for_tenant(exchange.settings.tenant),
            engine,
            clock=call_clock(),
            call_id="a call",
            stated=True,
            emit=self.events.append,
            send=lambda event: self.sent.append(dict(event)),
            end=self.ended.append,
        )
        patient = within(exchange.catalogue, exchange.policy.answer_within_ms)
        self.limit_s = patient.engines[engine.name].first_reply_s
        self._turns = 0

    def tell(self, event: str, **fields: Any) -> None:
        self.attendant.heard({"type": event, **fields})

    # -- what it was asked for ------------------------------------------------------------------------------
    def asked(self) -> list[str]:
        """The words of each reply that was asked for, :data:`PLAIN` of one that the model finds itself."""
        wanted = [event["response"] for event in self.sent if event["type"] == "response.create"]
        return [one.get("instructions", PLAIN).partition('"')[2].rstrip('"') for one in wanted]

    def last(self) -> dict[str, Any]:
        """The reply that was asked for last."""
        response: dict[str, Any] = [
            event["response"] for event in self.sent if event["type"] == "response.create"
        ][-1]
        return response

    @property
    def cancelled(self) -> int:
        return [event["type"] for event in self.sent].count("response.cancel")

    # -- what it tells --------------------------------------------------------------------------------------
    def begins(self, reply: str, *, own: bool = False, audible: bool = True) -> None:
        """The reply that was asked for last begins, or one of the vendor's own."""
        metadata = None if own else {LABEL: self.last()["metadata"][LABEL]}
        self.tell("response.created", response={"id": reply, "metadata": metadata})
        self.tell("response.output_audio_transcript.delta", response_id=reply, delta="a word")
        if audible:
            self.tell("output_audio_buffer.started", response_id=reply)

    def done(self, reply: str, text: str, *, status: str = "completed", calls: Sequence[str] = ()) -> None:
        content = [{"type": "output_audio", "transcript": text}]
        output: list[dict[str, Any]] = [{"type": "message", "role": "assistant", "content": content}]
        output += [
            {"type": "function_call", "call_id": f"{reply}-{name}", "name": name, "arguments": "{}"}
            for name in calls
        ]
        self.tell("response.done", response={"id": reply, "status": status, "output": output})

    def heard_out(self, reply: str) -> None:
        self.tell("output_audio_buffer.stopped", response_id=reply)

    def says(self, reply: str, text: str, *, own: bool = False) -> None:
        """A whole reply."""
        self.begins(reply, own=own)
        self.done(reply, text)
        self.heard_out(reply)

    def greets(self) -> None:
        self.says("greeting", self.asked()[-1])

    def caller(self, words: str, *, cuts: str = "") -> None:
        """A turn of the caller's, which may cut a reply."""
        self._turns += 1
        item = f"item-{self._turns}"
        self.tell("input_audio_buffer.speech_started", item_id=item, audio_start_ms=0)
        if cuts:
            self.done(cuts, "a word", status="cancelled")
            self.tell("output_audio_buffer.cleared", response_id=cuts)
        self.tell("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=500)
        self.tell("input_audio_buffer.committed", item_id=item)
        self.tell("conversation.item.input_audio_transcription.completed", item_id=item, transcript=words)

    def types(self, words: str) -> None:
        item = {"id": "typed", "role": "user", "content": [{"type": "input_text", "text": words}]}
        self.tell("conversation.item.added", item=item)


async def on(exchange: Exchange) -> Line:
    """A call that is on, its greeting asked for."""
    line = Line(exchange)
    async with AsyncExitStack() as stack:
        assert await line.attendant.prepare(stack) is None
    line.attendant.connected()
    return line


class SlowTool:
    """The tools of a call: one, which is done when the test says so."""

    def __init__(self) -> None:
        self.done = asyncio.Event()

    async def connected(self, *_: Any) -> tuple[llm.Tool, ...]:
        async def look(raw_arguments: dict[str, object]) -> str:
            await self.done.wait()
            return "found"

        return (
            llm.function_tool(
                look, raw_schema={"name": "look", "description": "", "parameters": {"type": "object"}}
            ),
        )


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> SlowTool:
    slow = SlowTool()
    monkeypatch.setattr(attending, "connected", slow.connected)
    return slow


async def settled() -> None:
    """All that is ready has happened."""
    await asyncio.sleep(0.001)


# -- what must be said ----------------------------------------------------------------------------------------
def cut_before(line: Line) -> None:
    """The caller cut the greeting, and has been answered: what must be said is said once more."""
    line.begins("greeting")
    line.caller("hello", cuts="greeting")
    line.says("r1", "Hello.", own=True)
    assert line.asked()[-1] == AGAIN


async def breaks_off(line: Line, reply: str) -> None:
    """A reply begins, and nothing more comes of it until it is cancelled."""
    line.begins(reply)
    await asyncio.sleep(line.limit_s + 0.1)
    assert line.cancelled == 1
    line.done(reply, "To be", status="cancelled")


@in_virtual_time
async def test_a_disclosure_that_the_vendor_breaks_off_is_said_again_and_once(exchange: Exchange) -> None:
    line = await on(exchange)
    cut_before(line)
    await breaks_off(line, "r2")
    assert line.asked()[-2:] == [AGAIN, AGAIN]
    line.heard_out("r2")
    line.says("r3", AGAIN)
    line.attendant.ended(0.0)
    assert [disclosed.complete for disclosed in of(line.events, Disclosed)] == [False, False, True]
    assert of(line.events, DisclosureMissed) == []
    assert line.asked().count(AGAIN) == 2


@in_virtual_time
async def test_a_disclosure_stays_owed_when_an_answer_is_asked_for_once_more_instead(
    exchange: Exchange,
) -> None:
    line = await on(exchange)
    cut_before(line)
    await breaks_off(line, "r2")
    line.heard_out("r2")
    line.caller("and where is my order")
    await asyncio.sleep(line.limit_s + 0.1)
    assert line.asked()[-1] == PLAIN
    line.says("r3", "It is on its way.")
    assert line.asked()[-1] == AGAIN


@in_virtual_time
async def test_a_greeting_that_breaks_off_is_not_followed_by_what_it_says_anyway(exchange: Exchange) -> None:
    line = await on(exchange)
    await breaks_off(line, "greeting")
    line.heard_out("greeting")
    greeting = line.asked()[-1]
    line.says("r2", greeting)
    assert line.asked() == [greeting, greeting]


# -- an answer ------------------------------------------------------------------------------------------------
@in_virtual_time
async def test_what_was_said_before_a_tool_and_is_told_late_answers_nothing(
    exchange: Exchange, tool: SlowTool
) -> None:
    tool.done.set()
    line = await on(exchange)
    line.greets()
    line.caller("where is my order")
    line.begins("r1", own=True, audible=False)
    line.done("r1", "Let me look.", calls=["look"])
    await settled()
    assert line.asked()[-1] == PLAIN
    asked = len(line.asked())
    line.tell("output_audio_buffer.started", response_id="r1")
    line.heard_out("r1")
    await asyncio.sleep(line.limit_s + 0.1)
    assert line.asked()[asked:] == [PLAIN]
    assert [failed.error for failed in of(line.events, ProviderFailed)] == ["TimeoutError"]


@in_virtual_time
async def test_a_reply_to_something_else_does_not_answer_what_is_typed_meanwhile(exchange: Exchange) -> None:
    line = await on(exchange)
    line.greets()
    line.caller("hello")
    line.begins("r1", own=True)
    line.types("where is my order")
    line.done("r1", "Hello.")
    line.heard_out("r1")
    assert line.asked()[-1] == PLAIN
    await asyncio.sleep(line.limit_s + 0.1)
    assert line.asked()[-2:] == [PLAIN, PLAIN], "the answer did not come, and is asked for once more"


# -- a tool ---------------------------------------------------------------------------------------------------
def uses_tool(line: Line) -> None:
    line.greets()
    line.caller("where is my order")
    line.begins("r1", own=True)
    line.done("r1", "Let me look.", calls=["look"])


@in_virtual_time
async def test_who_waits_for_a_tool_hears_again_and_again_that_they_are_not_forgotten(
    exchange: Exchange, tool: SlowTool
) -> None:
    line = await on(exchange)
    uses_tool(line)
    await asyncio.sleep(2.0)
    line.heard_out("r1")
    await asyncio.sleep(TOOL_WAIT_S - 0.1)
    assert STILL_HERE not in line.asked(), "silence is counted from what was heard last"
    for times in (1, 2):
        await asyncio.sleep(0.2)
        assert line.asked().count(STILL_HERE) == times
        assert (line.last()["conversation"], line.last()["input"]) == ("none", []), "it is in no history"
        line.begins(f"beside {times}")
        await asyncio.sleep(2 * TOOL_WAIT_S)
        assert line.asked().count(STILL_HERE) == times, "one at a time"
        line.done(f"beside {times}", STILL_HERE)
        line.heard_out(f"beside {times}")
        await asyncio.sleep(TOOL_WAIT_S - 0.1)
    tool.done.set()
    await settled()
    assert line.asked()[-1] == PLAIN
    line.says("r2", "It is on its way.")
    await asyncio.sleep(60)
    assert line.asked().count(STILL_HERE) == 2
    assert of(line.events, ProviderFailed) == []
    assert line.ended == []


@in_virtual_time
async def test_who_speaks_while_a_tool_works_is_not_told_to_wait(exchange: Exchange, tool: SlowTool) -> None:
    line = await on(exchange)
    uses_tool(line)
    line.heard_out("r1")
    line.tell("input_audio_buffer.speech_started", item_id="long", audio_start_ms=0)
    await asyncio.sleep(3 * TOOL_WAIT_S)
    assert STILL_HERE not in line.asked()
    await line.attendant.stop()


@in_virtual_time
async def test_words_for_who_waits_that_fail_are_no_answer_that_fails(
    exchange: Exchange, tool: SlowTool
) -> None:
    line = await on(exchange)
    uses_tool(line)
    line.heard_out("r1")
    asked = len(line.asked())
    for times in range(1, 4):
        await asyncio.sleep(TOOL_WAIT_S + 0.1)
        assert line.asked()[asked:] == [STILL_HERE] * times
        line.begins(f"beside {times}", audible=False)
        line.done(f"beside {times}", "", status="failed")
    assert line.ended == []
    await line.attendant.stop()


@in_virtual_time
async def test_an_answer_that_follows_words_for_who_waits_is_waited_for(
    exchange: Exchange, tool: SlowTool
) -> None:
    line = await on(exchange)
    uses_tool(line)
    line.heard_out("r1")
    await asyncio.sleep(TOOL_WAIT_S + 0.1)
    line.begins("beside")
    tool.done.set()
    await settled()
    line.done("beside", STILL_HERE)
    line.heard_out("beside")
    assert line.asked()[-2:] == [STILL_HERE, PLAIN]
    await asyncio.sleep(line.limit_s + 0.1)
    assert line.asked()[-2:] == [PLAIN, PLAIN]


# -- an objection ---------------------------------------------------------------------------------------------
OBJECTION = "i do not want my voice to go to an artificial intelligence"


@in_virtual_time
async def test_who_objects_hears_why_the_call_ends_and_is_not_heard_meanwhile(exchange: Exchange) -> None:
    line = await on(exchange)
    line.greets()
    line.caller(OBJECTION)
    line.begins("r1", own=True)
    assert line.cancelled == 1, "nothing is answered any more"
    line.done("r1", "I", status="cancelled")
    assert line.asked()[-1] == GOODBYE
    assert "conversation" not in line.last()
    assert line.last()["input"] == []
    updates = [event["session"] for event in line.sent if event["type"] == "session.update"]
    assert updates[-1]["audio"] == {"input": {"turn_detection": None}}
    assert of(line.events, ConsentChanged)[-1].given is False
    assert line.ended == []
    line.says("goodbye", GOODBYE)
    (reason,) = line.ended
    assert "objects" in reason
    await line.attendant.stop()


@in_virtual_time
async def test_who_objects_is_hung_up_though_the_goodbye_never_comes(exchange: Exchange) -> None:
    line = await on(exchange)
    line.greets()
    line.caller(OBJECTION)
    await asyncio.sleep(GOODBYE_S + 0.1)
    (reason,) = line.ended
    assert "objects" in reason
