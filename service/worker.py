"""The LiveKit worker: answers rooms that are dispatched to it by name, one process per call."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from livekit import rtc
from livekit.agents import AgentServer, AutoSubscribe, JobContext, JobProcess
from livekit.agents.cli import AgentsConsole

from service.aside import Aside, Emotion, Redaction
from service.call import Call
from service.exchange import Exchange
from service.happenings import HappeningsLog
from service.health import SharedCircuits
from service.ports import ConsolePort, RoomPort
from service.private_logs import keep_private
from service.settings import Settings
from service.settled import settle
from service.telemetry import watch_circuit

EXCHANGE = "exchange"
"""Where a job process keeps the exchange between its start and its call."""
CALL = "call"
"""Where a job process keeps its call, and the task that owns it, between the call's start and its end."""
PREPARE_LIMIT_S = 60.0
"""Models are loaded before a process takes a call; on a busy machine that outlasts LiveKit's ten seconds."""
TELEPHONE_HZ = 8_000
OPUS_HZ = 48_000
_LONG_NUMBER = re.compile(r"\+?\d{7,}")


def load_of(calls_per_worker: int) -> Callable[[AgentServer], float]:
    """The worker's load, from 0 to 1: its calls as a share of those it takes.

    LiveKit's default is the CPU load of the whole machine, which turns calls away because of others' work.
    """

    def load(server: AgentServer) -> float:
        return min(1.0, len(server.active_jobs) / calls_per_worker)

    return load


def source_of(room: str) -> str:
    """How the record names a room. LiveKit's SIP service puts the caller's number into the names it makes."""
    return "room:" + _LONG_NUMBER.sub("<PHONE_NUMBER>", room)


def prepare(process: JobProcess) -> None:
    """Load what a call needs before the call comes; the models beside the worker are not in every process."""
    process.userdata[EXCHANGE] = Exchange.load(
        Settings(),
        aside=Aside.handed_down(Emotion, os.environ),
        redaction=Aside.handed_down(Redaction, os.environ),
        circuits=SharedCircuits(HappeningsLog.handed_down(os.environ), watch=watch_circuit),
    )
    settle()


async def answer(context: JobContext) -> None:
    """Answer one call. The call goes on in a task of its own when this returns; :func:`hang_up` ends it."""
    async with _nobody_left_behind(context):
        call = await _incoming(context)
    # A call is opened and closed by the same task, which LiveKit must not cancel when it shuts the job down.
    task = asyncio.create_task(_converse(call, context), name=f"call {call.call_id}")
    context.proc.userdata[CALL] = call, task


async def _incoming(context: JobContext) -> Call:
    """The call that this job is for, not answered yet."""
    loaded: Exchange = context.proc.userdata[EXCHANGE]
    exchange = await loaded.for_call()  # this process may have been waiting for hours
    console = AgentsConsole.get_instance()
    if console.enabled:
        return Call(exchange, port=ConsolePort(console), source="console")
    await context.connect(auto_subscribe=AutoSubscribe.AUDIO_ONLY)
    caller = await context.wait_for_participant()
    telephone = caller.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
    call = Call(
        exchange,
        port=RoomPort(context, caller),
        source=source_of(context.room.name),
        transport="sip" if telephone else "webrtc",
        codec_hz=TELEPHONE_HZ if telephone else OPUS_HZ,
    )
    context.room.on("disconnected", lambda _: call.hang_up("the room was closed"))
    return call


@asynccontextmanager
async def _nobody_left_behind(context: JobContext) -> AsyncIterator[None]:
    """Close the room if this fails: who is in it would wait in silence. LiveKit logs the failure."""
    try:
        yield
    except BaseException:
        await context.delete_room()
        raise


async def _converse(call: Call, context: JobContext) -> None:
    try:
        async with _nobody_left_behind(context), call:
            await call.ended()
    finally:
        # LiveKit keeps a job alive after its session has closed, until it is told.
        context.shutdown("the call is over")


async def hang_up(context: JobContext) -> None:
    """End the call if it is not over yet, and return when its record is complete.

    LiveKit calls this once per job, when the session is closed and before the room is left.
    """
    exchange: Exchange = context.proc.userdata[EXCHANGE]
    try:
        if CALL in context.proc.userdata:
            call, task = context.proc.userdata[CALL]
            call.hang_up("the worker shut down")
            await task
    finally:
        exchange.close()


def make_server(settings: Settings) -> AgentServer:
    """The worker for ``settings``; dispatch is explicit, by ``settings.worker_name``."""
    server = AgentServer(
        setup_fnc=prepare,
        load_fnc=load_of(settings.calls_per_worker),
        load_threshold=1.0,
        num_idle_processes=settings.idle_processes,
        initialize_process_timeout=PREPARE_LIMIT_S,
        preload_modules=[__name__],
        host=settings.health_host,
        port=settings.health_port,
        prometheus_port=settings.metrics_port or None,
        # Calls run in processes of their own: they leave their figures in a folder, and the worker adds them up.
        prometheus_multiproc_dir=tempfile.mkdtemp(prefix="patchbay-metrics-")
        if settings.metrics_port
        else None,
    )
    server.rtc_session(answer, agent_name=settings.worker_name, on_session_end=hang_up)
    server.once("worker_started", keep_private)
    return server
