"""A call at the desk: the real line, tap, recogniser, LiveKit session and engines on a lab, with scripted routing.

What the router, the classifiers and the record would add is left out, so that a test says which engine answers
each turn and looks at nothing but the hand-off.

Nothing here depends on how fast the machine is: every limit that a test is not about is far beyond what a busy
one takes, and the end of a reply is when the desk says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import numpy as np
import pytest
from livekit.agents import AgentSession, APIConnectOptions, inference, llm
from livekit.agents.voice.agent_session import SessionConnectOptions
from livekit.agents.voice.transcription import TranscriptSynchronizer

import engines.awaited
import engines.cascade
import engines.voices
import engines.warm
import lab.hearing.pool
import lab.voices
from compliance.clock import CallClock
from compliance.events import Event
from compliance.shared_stt import SharedSTT
from compliance.tap import RATE_HZ, AgentTap, CallerTap
from compliance.transcriber import Persistence, Segment, Transcriber
from compliance.voiced import Samples
from engines.cascade import ONCE
from engines.catalogue import Catalogue
from engines.desk import Desk
from engines.duplex import FullDuplex
from engines.human import People
from engines.plugins import Endpoint, Endpoints
from engines.routing import CallerTurn, Route
from engines.wording import Wording
from lab.callers import HERE as RECORDINGS
from lab.callers import load_pcm
from lab.journal import Entry
from lab.server import Lab
from policies import shipped
from service.cast import cast
from service.health import ALL_WELL, Health
from service.heard_text import HeardText
from service.line import Line, Said

HOURS, HOURS_TEXT = "01_quick_question_t01", "hi what are your opening hours on saturday"
ORDER, ORDER_TEXT = "02_order_status_t01", "hello i'd like to know where my order is"
THANKS, THANKS_TEXT = "01_quick_question_t02", "great thank you that is all i needed"
BYE, BYE_TEXT = "01_quick_question_t03", "goodbye"
PATIENCE_S = 120.0
"""No machine is so busy that anything here takes longer; an answer takes well under a second on an idle one."""


def recording(name: str) -> Samples:
    """A recorded turn, 24 kHz."""
    return load_pcm(RECORDINGS / f"{name}.flac")


def silence(ms: int) -> Samples:
    return np.zeros(RATE_HZ * ms // 1000, np.int16)


@contextmanager
def patient(*, voice_s: float = PATIENCE_S, voice_stall_s: float = 2 * PATIENCE_S) -> Iterator[None]:
    """Give the models time to go on and the voices time to begin and to go on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines.awaited, "TOOL_WAIT_S", PATIENCE_S)
        patch.setattr(engines.awaited, "NOISE_S", PATIENCE_S)
        patch.setattr(engines.cascade, "STALL_S", PATIENCE_S)
        patch.setattr(engines.warm, "STALL_S", PATIENCE_S)
        patch.setattr(engines.voices, "VOICE", APIConnectOptions(max_retry=0, timeout=voice_s))
        patch.setattr(engines.voices, "VOICE_STALL_S", voice_stall_s)
        patch.setattr(lab.hearing.pool, "_PATIENCE_S", PATIENCE_S)
        patch.setattr(lab.voices, "_TIMEOUT_S", PATIENCE_S)
        yield


ENDPOINTING_S = 0.9
"""Long enough that a turn's words are final before it is over, however busy the machine: every turn has its
preview, and what becomes of it is certain."""


@dataclass
class Plan:
    """Routing by a list: the engine of each turn, and what a preview of each says if that differs."""

    engines: Sequence[str]
    previews: Mapping[int, str] = field(default_factory=dict)
    order: Sequence[str] = ("standard", "tool", "fast", "realtime")
    wants_warm: bool = True
    denied: frozenset[str] = frozenset()
    turns: list[CallerTurn] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def preview(self, text: str) -> Route:
        number = len(self.turns) + 1
        turn = min(number, len(self.engines))
        return Route(number, self.previews.get(turn, self.engines[turn - 1]), self.denied)

    def decide(self, turn: CallerTurn) -> Route:
        self.turns.append(turn)
        number = len(self.turns)
        return Route(number, self.engines[min(number, len(self.engines)) - 1], self.denied)

    def fallback(self, route: Route, failed: Collection[str]) -> str | None:
        out = {route.engine, *route.denied, *failed}
        return next((one for one in self.order if one not in out), None)

    def warm(self, engine: str) -> bool:
        return self.wants_warm

    def moved(self, engine: str) -> None:
        """Nothing sticks to a plan."""

    def asked(self, engine: str) -> None:
        """A plan knows no circuits."""

    def worked(self, engine: str) -> None:
        """A plan knows no circuits."""

    def failed(self, engine: str) -> None:
        self.failures.append(engine)


class DeskCall:
    """One call; use as an async context manager. ``name`` marks its requests in the lab's journal."""

    def __init__(
        self,
        lab: Lab,
        plan: Plan,
        *,
        name: str,
        tools: Sequence[llm.Tool] = (),
        shop: Any = None,
        greeting: str = "",
        silence_limit_s: float = PATIENCE_S,
        first_reply_s: float = PATIENCE_S,
        wording: Wording | None = None,
        change: Callable[[Catalogue], Catalogue] = lambda catalogue: catalogue,
        endpointing_s: float = ENDPOINTING_S,
        clock: CallClock | None = None,
        health: Health = ALL_WELL,
    ) -> None:
        self.lab = lab
        self.plan = plan
        self.name = name
        self.shop = shop
        self.events: list[Event] = []
        self.segments: list[Segment] = []
        self.sounds_ms: list[float] = []
        self.used: list[tuple[str, str, object]] = []
        """What was used: by which engine, of which provider, and the measurement."""
        self.voices_failed: list[tuple[str, str]] = []
        """The providers of voices that failed, and what was done."""
        self.line = Line(clock)
        self._tools = tools
        self._greeting = greeting
        self._silence_limit_s = silence_limit_s
        self._first_reply_s = first_reply_s
        self._wording = wording
        self._change = change
        self._endpointing_s = endpointing_s
        self._health = health
        self._open = AsyncExitStack()

    async def __aenter__(self) -> DeskCall:
        try:
            await self._answer()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def _answer(self) -> None:
        opened, clock = self._open, self.line.clock
        http = await opened.enter_async_context(aiohttp.ClientSession())
        stand_ins = {
            plugin: Endpoint("lab", url, simulated=True) for plugin, url in self.lab.stand_ins.items()
        }
        catalogue = self._change(Catalogue.load(shipped("engines.yaml")))
        limits = {
            name: replace(engine, first_reply_s=self._first_reply_s)
            for name, engine in catalogue.engines.items()
        }
        catalogue = replace(catalogue, engines=limits)
        self.cast = cast(
            catalogue,
            Endpoints({}, stand_ins),
            http,
            lambda *used: self.used.append(used),
            health=self._health,
            on_voice_failed=lambda provider, error, action: self.voices_failed.append((provider, action)),
        )
        opened.push_async_callback(self.cast.aclose)
        self.tap = CallerTap(self.line.input, clock)
        self.transcriber = Transcriber(
            self.cast.transcriber,
            self.tap,
            clock,
            persistence=Persistence(connect_within_ms=1000 * PATIENCE_S, answer_within_ms=1000 * PATIENCE_S),
        )
        self.transcriber.on_segment.append(self._segment)
        self.transcriber.start()
        opened.push_async_callback(self.transcriber.aclose)
        self.session: AgentSession[Any] = AgentSession(
            vad=inference.VAD(),
            turn_handling={
                "turn_detection": "vad",
                "endpointing": {"min_delay": self._endpointing_s},
                "interruption": {"mode": "vad", "resume_false_interruption": False},
            },
            conn_options=SessionConnectOptions(
                llm_conn_options=ONCE, tts_conn_options=ONCE, max_unrecoverable_errors=1_000_000
            ),
            user_away_timeout=None,
            aec_warmup_duration=None,
        )
        self.desk = Desk(
            session=self.session,
            clock=clock,
            cascades=self.cast.cascades,
            realtime=self.cast.realtime,
            recogniser=SharedSTT(self.transcriber),
            tap=self.tap,
            voices=self.cast.half_cascades,
            people=People(catalogue.people),
            full_duplex=FullDuplex(self.cast.duplex),
            routing=self.plan,
            emit=self.events.append,
            call_id=self.name,
            instructions=f"{catalogue.instructions}\n[{self.name}]",
            tools=self._tools,
            wording=self._wording,
            silence_limit_s=self._silence_limit_s,
        )
        opened.push_async_callback(self.desk.aclose)
        self.ear = agent_tap = AgentTap(self.line.output, clock)
        agent_tap.on_first_sound.append(self._sounded)
        heard = TranscriptSynchronizer(next_in_chain_audio=agent_tap, next_in_chain_text=HeardText())
        opened.push_async_callback(heard.aclose)
        self.session.input.audio = self.tap
        self.session.output.audio = heard.audio_output
        self.session.output.transcription = heard.text_output
        self.session.on("user_state_changed", self._user_state)
        await self.session.start(self.desk.attach())
        opened.push_async_callback(self.session.aclose)
        opened.callback(self.line.hang_up)
        if self._greeting:
            self.session.say(self._greeting)

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    def _segment(self, segment: Segment) -> None:
        self.segments.append(segment)
        self.desk.caller_said(segment.text, segment.end_ms)

    def _sounded(self, at_ms: float) -> None:
        self.sounds_ms.append(at_ms)
        self.desk.first_sound()

    def _user_state(self, event: Any) -> None:
        if event.new_state != "speaking":
            self.transcriber.finalize()

    # -- what a caller does ---------------------------------------------------------------------------------
    async def says(self, name: str) -> Said:
        """Say a recorded turn, after a breath."""
        await self.line.say(silence(300))
        return await self.line.say(recording(name))

    async def asks(self, name: str) -> None:
        """Say a recorded turn and hear the reply to its end."""
        said = await self.says(name)
        await self.answered(said)
        await self.heard_out()

    async def answered(self, said: Said) -> float:
        """Wait for the first sound after what was said."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.line.agent_started(said.end_ms)

    async def heard_out(self) -> None:
        """Wait until the agent has nothing more to say and the last of it was heard.

        Silence alone does not tell: a reply pauses between sentences, and longer when a machine is busy.
        """
        await self.until(
            lambda: self.desk._leaving is None and all(one.closed for one in self.desk.generations)
        )
        async with asyncio.timeout(PATIENCE_S):
            await self.line.agent_finished()

    async def until(self, what: Callable[[], bool]) -> None:
        """Wait until something has come about; polled, for it may have no event of its own."""
        async with asyncio.timeout(PATIENCE_S):
            while not what():  # noqa: ASYNC110 -- there is no event to wait for
                await asyncio.sleep(0.02)

    async def in_step(self) -> None:
        """Wait until the warm session has followed the conversation."""
        for warmth in self.desk._realtime.values():
            await warmth.settled()

    # -- what it looks at ------------------------------------------------------------------------------------
    def of(self, kind: type[Any]) -> list[Any]:
        """The desk's events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Role and text of the conversation as the session keeps it."""
        return [
            (item.role, item.text_content or "")
            for item in self.session.history.items
            if item.type == "message" and item.role in ("user", "assistant")
        ]

    @property
    def completions(self) -> list[Entry]:
        """This call's requests to the chat model."""
        mark = f"[{self.name}]"
        entries = self.lab.context.journal.of("openai.chat", "chat.completions")
        return [entry for entry in entries if mark in str(entry.payload["messages"][0]["content"])]

    def realtime(self, name: str) -> list[Entry]:
        """What this call's realtime connections sent under a protocol name."""
        journal, mark = self.lab.context.journal, f"[{self.name}]"
        mine = {
            entry.connection
            for entry in journal.of("openai.realtime", "session.update")
            if mark in str(entry.payload["session"].get("instructions", ""))
        }
        return [entry for entry in journal.of("openai.realtime", name) if entry.connection in mine]

    def written_to_server(self, role: str) -> list[str]:
        """The texts of messages that this call wrote into a realtime conversation."""
        items = [entry.payload["item"] for entry in self.realtime("conversation.item.create")]
        return [
            part.get("text", "")
            for item in items
            if item.get("role") == role
            for part in item.get("content", ())
        ]

    def server_conversation(self) -> set[str]:
        """The ids of the messages in the open realtime conversation."""
        session = self.cast.realtime["realtime"].warm
        items = session.chat_ctx.items if session is not None else []
        return {item.id for item in items if item.type == "message"}

    def history_ids(self) -> set[str]:
        return {
            item.id
            for item in self.session.history.items
            if item.type == "message" and item.role in ("user", "assistant")
        }
