"""Attends to a call that a browser has with a vendor's model: what it is told, which tools run, when it must end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from livekit.agents import llm
from openai.types.realtime import RealtimeSessionCreateRequestParam

from classifiers.tool_need import Tool, ToolSet
from compliance.clock import CallClock
from compliance.consent import Passage
from compliance.events import Event, Part, PartFailed, Topic
from compliance.redaction.entities import asked_for
from engines.catalogue import EngineSpec
from engines.tools import ToolHooks, ToolReport, described
from engines.usage import Usage
from router import Policy
from service.bill import Bill
from service.call_tools import called, connected
from service.exchange import Exchange
from service.facts import CallFacts
from service.patience import within
from service.web.conversation import ASKED_AGAIN, Conversation
from service.web.guards import Guards, why_closed
from service.web.listener import Reply, ToolCall
from service.web.prompting import Prompter
from service.web.session import WRAP_UP, first_words, session_of, transcribed_by
from service.web.tampering import SessionWatch
from service.web.telling import DirectConsents, wanted
from service.web.tool_use import use

OPUS_HZ = 48_000


class Attendant:
    """Implements :class:`service.web.listener.Listener` for one call.

    Args:
        exchange: what calls share.
        policy: of the call.
        engine: what answers.
        clock: the call's clock.
        call_id: goes into every event.
        stated: whether the page asked the caller, who consents to a speech-to-speech vendor.
        emit: takes events for the record.
        send: sends a client event to the vendor.
        end: ends the call, for the record because of what it is given.
    """

    def __init__(
        self,
        exchange: Exchange,
        policy: Policy,
        engine: EngineSpec,
        *,
        clock: CallClock,
        call_id: str,
        stated: bool,
        emit: Callable[[Event], None],
        send: Callable[[Mapping[str, Any]], None],
        end: Callable[[str], None],
    ) -> None:
        self.bill = Bill(exchange.prices, clock=clock, emit=emit, call_id=call_id)
        self.conversation = Conversation(
            emit,
            clock=clock,
            call_id=call_id,
            engine=engine.name,
            provider=engine.mind.provider,
            model=engine.mind.model,
            transcribed_by=transcribed_by(engine),
            listener=self,
        )
        self._exchange = exchange
        self._policy = policy
        self._engine = engine
        self._clock = clock
        self._call_id = call_id
        self._stated = stated
        self._emit = emit
        self._send_out = send
        self._end = end
        self._language = str(exchange.catalogue.transcriber.options.get("language", "en"))
        self._consents = DirectConsents(
            exchange.rules,
            wanted=wanted(exchange.settings, stated=stated),
            language=self._language,
            clock=clock,
            emit=emit,
            call_id=call_id,
            changed=self._consent_changed,
        )
        self._greeting = self._consents.greeting(exchange.catalogue.greeting, exchange.catalogue.offer)
        self._first = first_words(exchange.catalogue.instructions, _words(self._greeting))
        self._watch: SessionWatch
        self._session: RealtimeSessionCreateRequestParam
        self._hooks = ToolHooks(done=self._tool_done)
        self._tools: dict[str, llm.RawFunctionTool[..., Any]] = {}
        self._guards: Guards
        self._running: set[asyncio.Task[None]] = set()
        patient = within(exchange.catalogue, policy.answer_within_ms).engines[engine.name]
        self._prompter = Prompter(
            self._send,
            end,
            limit_s=patient.first_reply_s,
            late=lambda: self.conversation.failed("TimeoutError", ASKED_AGAIN),
        )

    # -- before and after the call ----------------------------------------------------------------------------
    async def prepare(self, stack: AsyncExitStack) -> str | None:
        """Put consents on record, connect the tools until ``stack`` is left, and ask the catalogue and the policy.

        Returns what denies the call, if anything does: a guard of the policy, or why the engine is closed to it.
        """
        (self._consents.answered_in_page if self._stated else self._consents.answered)()
        if closed := why_closed(self._exchange, self._engine, self._consents.given):
            return closed
        settings = self._exchange.settings
        failed = partial(self._part_failed, "tools")
        tools = await connected(settings, self._hooks, stack, failed) if self._engine.tools else ()
        self._tools = {tool.id: tool for tool in tools if isinstance(tool, llm.RawFunctionTool)}
        self._session = session_of(
            self._engine, instructions=self._first, tools=[*self._tools.values()], language=self._language
        )
        self._watch = SessionWatch(self._session)
        self._guards = Guards(
            self._policy,
            self._engine.name,
            people=self._exchange.catalogue.people,
            classifiers=self._exchange.classifiers,
            tools=ToolSet.of(Tool(name, description) for name, description in described(tools)),
            facts=CallFacts(
                transport="webrtc",
                codec_hz=OPUS_HZ,
                queue=settings.queue,
                region=settings.region,
                budget_usd=settings.budget_usd,
            ),
            clock=self._clock,
            consents=self._consents,
            call_id=self._call_id,
            failed=self._part_failed,
        )
        return self._guards.before()

    def session(self) -> RealtimeSessionCreateRequestParam:
        """What the vendor is asked for."""
        return self._session

    async def stop(self) -> None:
        """Ends the tools that run, and waits for nothing any more."""
        self._prompter.stop()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def ended(self, at_ms: float) -> None:
        """The call is over: what is known goes on record, and what was never told."""
        self.conversation.lost()
        self._consents.ended(at_ms)

    # -- the sideband -----------------------------------------------------------------------------------------
    def connected(self) -> None:
        """The vendor hears us, for the first time in the call."""
        self._instruct(self._exchange.catalogue.instructions)
        self._prompter.greet(self._greeting)

    def lost(self) -> None:
        """What the vendor told meanwhile is not known."""
        self.conversation.lost()
        self._watch.lost()
        self._prompter.lost()
        # The vendor tells the whole session once more, with what a page may have changed meanwhile.
        same = {"type": "realtime", "include": self._session["include"]}
        self._send({"type": "session.update", "session": same})

    def heard(self, event: Mapping[str, Any]) -> None:
        """One event of the vendor."""
        try:
            self.conversation.take(event)
            if (what := self._watch.foreign(event)) is not None:
                self._end(f"the page meddled with {what}")
            self._prompter.heard(event)
        except Exception as error:  # one event must not leave the call unwatched
            self._part_failed("call", error, "an event of the vendor was left out")

    def wrap_up(self) -> None:
        """Have the model bring the call to a close."""
        self._instruct(f"{self._exchange.catalogue.instructions}\n{WRAP_UP}")

    def leave(self, reason: str) -> None:
        """Have the caller told that the call ends, and end it because of ``reason``."""
        self._prompter.leave(reason)

    def _send(self, event: Mapping[str, Any]) -> None:
        self._watch.sent(event)
        self._send_out(event)

    def _instruct(self, instructions: str) -> None:
        self._send({"type": "session.update", "session": {"type": "realtime", "instructions": instructions}})

    # -- service.web.listener.Listener ------------------------------------------------------------------------
    def turn_ended(self, *, typed: bool) -> None:
        self._prompter.turn_ended(typed=typed)

    def turn_said(self, turn: int, text: str, start_ms: float, end_ms: float) -> None:
        guard = self._guards.turn_ended(text, start_ms, end_ms)
        if guard is not None:
            self.leave(denied(self._engine.name, guard))

    def reply_began(self, reply: Reply) -> None:
        self._prompter.began(reply)

    def reply_done(self, reply: Reply, tools: Sequence[ToolCall], *, status: str) -> None:
        self._prompter.done(reply, calls=bool(tools), status=status)
        if tools and not self._prompter.leaving:
            task = asyncio.create_task(self._use(tools), name=f"tools of {self._call_id}")
            self._running.add(task)
            task.add_done_callback(self._used_tools)
            self._prompter.tool_began()

    def reply_over(self, reply: Reply) -> None:
        if reply.text:
            self._guards.tally.last_agent_text = reply.text
        passages = self._prompter.over(reply)
        if passages and reply.start_ms is not None and reply.end_ms is not None:
            self._consents.sent(
                passages,
                text=reply.text,
                whole=reply.sent,
                broken=reply.broken and not reply.cut,
                turn=reply.turn,
                start_ms=reply.start_ms,
                end_ms=reply.end_ms,
            )
        busy = self._running or self._prompter.leaving or self._prompter.waits
        quiet = reply.sent and not busy and not asked_for(reply.text)
        if quiet and (owed := self._consents.after_reply()):
            self._prompter.recite(owed)

    def used(self, turn: int, used: Usage) -> None:
        self.bill.add(used, turn=turn, engine=self._engine.name, provider=self._engine.mind.provider)
        self._guards.tally.cost_usd = self.bill.cost_usd

    # -- tools ------------------------------------------------------------------------------------------------
    async def _use(self, calls: Sequence[ToolCall]) -> None:
        outputs = await asyncio.gather(*(use(self._tools, call, self._hooks) for call in calls))
        for call, output in zip(calls, outputs, strict=True):
            item = {"type": "function_call_output", "call_id": call.call_id, "output": output}
            self._send({"type": "conversation.item.create", "item": item})
        self._prompter.answer()

    def _used_tools(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not self._running:
            self._prompter.tools_done()

    def _tool_done(self, report: ToolReport) -> None:
        self._guards.tool_called(report.name, failed=report.failed)
        self.conversation.add(
            called(
                report,
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                turn=self.conversation.turns,
                engine=self._engine.name,
            )
        )

    # -- what goes wrong --------------------------------------------------------------------------------------
    def _consent_changed(self, what: Topic, given: bool) -> None:
        if what == "voice_ai" and not given:
            self.leave("the caller objects to a speech-to-speech vendor, and nothing else can answer")

    def _part_failed(self, part: Part, error: Exception, action: str = "the call goes on without it") -> None:
        self._emit(
            PartFailed(
                call_id=self._call_id,
                at_ms=self._clock.now_ms(),
                part=part,
                error=type(error).__name__,
                action=action,
            )
        )


def denied(engine: str, guard: str) -> str:
    """Why a call ends that a guard denies its only engine."""
    return f"{engine} is denied, and nothing else can answer: {guard}"


def _words(passages: Sequence[Passage]) -> str:
    return " ".join(passage.words for passage in passages)
