"""The worker without a LiveKit server: its load, its name, its health, its logs, and its command line."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from livekit import rtc
from livekit.agents import AgentServer, AgentSession, JobContext, JobExecutorType
from livekit.agents.cli import AgentsConsole, _legacy
from typer.testing import CliRunner

from service.cli import app, work
from service.cli.errors import CommandError
from service.ports import ConsolePort
from service.private_logs import PrivateLogs, keep_private
from service.settings import Settings
from service.worker import EXCHANGE, answer, hang_up, load_of, make_server, prepare, source_of

pytestmark = pytest.mark.unit

LIMIT_S = 60.0
SERVER = {"LIVEKIT_URL": "ws://127.0.0.1:7880", "LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "secret"}


def worker_with(calls: int) -> AgentServer:
    return cast(AgentServer, SimpleNamespace(active_jobs=[object()] * calls))


@pytest.mark.parametrize(("calls", "load"), [(0, 0.0), (1, 0.25), (3, 0.75), (4, 1.0), (5, 1.0)])
def test_the_load_is_the_share_of_calls_taken(calls: int, load: float) -> None:
    assert load_of(4)(worker_with(calls)) == load


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("support-42", "room:support-42"),
        ("call-_+15550100000_x7Kq", "room:call-_<PHONE_NUMBER>_x7Kq"),
        ("call-4915550100123", "room:call-<PHONE_NUMBER>"),
    ],
)
def test_the_record_names_the_room_without_the_callers_number(room: str, source: str) -> None:
    assert source_of(room) == source


async def test_the_worker_tells_its_name_and_its_load_where_it_was_told_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("livekit.agents"), "level", logging.ERROR)
    server = make_server(Settings(worker_name="robin", health_port=0))
    server.setup_fnc = lambda process: None
    server.update_options(job_executor_type=JobExecutorType.THREAD, num_idle_processes=0)
    started = asyncio.Event()
    server.once("worker_started", started.set)
    running = asyncio.create_task(server.run(unregistered=True), name="worker")
    async with asyncio.timeout(LIMIT_S), aiohttp.ClientSession() as client:
        await started.wait()
        url = f"http://127.0.0.1:{server.worker_info.http_port}"
        async with client.get(url) as answer:
            assert await answer.text() == "OK"
        async with client.get(f"{url}/worker") as answer:
            told = await answer.json()
        await server.aclose()
        await running
    assert told["agent_name"] == "robin"
    assert told.get("worker_load", 0.0) == 0.0


def test_a_job_process_loads_what_a_call_needs_before_the_call() -> None:
    assert make_server(Settings()).setup_fnc is prepare


# -- a call that fails ----------------------------------------------------------------------------------------


class FailingError(Exception):
    """What a test has fail."""


class Job:
    """A job for a room with a caller in it; what is named in ``fails`` does.

    Attributes:
        room_closed: whether nobody is left in the room.
        over: whether LiveKit was told that the job is.
        exchange_closed: whether what the process had loaded was let go.
    """

    def __init__(self, fails: str) -> None:
        self._fails = fails
        self.room = SimpleNamespace(name="room-1", on=lambda event, told: None)
        self.room_closed = self.over = self.exchange_closed = False
        exchange = SimpleNamespace(for_call=self._for_call, close=self._close)
        self.proc = SimpleNamespace(userdata={EXCHANGE: exchange})

    @property
    def context(self) -> JobContext:
        return cast(JobContext, self)

    async def connect(self, **_: object) -> None:
        self._may_fail("the connection")

    async def wait_for_participant(self) -> object:
        self._may_fail("the caller")
        return SimpleNamespace(kind=rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD, identity="caller")

    async def delete_room(self) -> None:
        self.room_closed = True

    def shutdown(self, reason: str) -> None:
        self.over = True

    def call(self, *_: object, **__: object) -> object:
        """In the place of :class:`service.call.Call`."""
        self._may_fail("the wiring")
        return self

    call_id = "call-1"

    async def __aenter__(self) -> None:
        self._may_fail("the answer")

    async def __aexit__(self, *_: object) -> None:
        self._may_fail("the end")

    async def ended(self) -> None:
        """At once."""

    def hang_up(self, reason: str) -> None:
        """It has."""

    async def _for_call(self) -> None:
        self._may_fail("the policy")

    def _close(self) -> None:
        self.exchange_closed = True

    def _may_fail(self, what: str) -> None:
        if what == self._fails:
            raise FailingError(what)


@pytest.fixture
def job_that_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Job]:
    def made(fails: str) -> Job:
        job = Job(fails)
        monkeypatch.setattr("service.worker.Call", job.call)
        return job

    return made


@pytest.mark.parametrize("what", ["the policy", "the connection", "the caller", "the wiring"])
async def test_nobody_is_left_in_the_room_of_a_call_that_could_not_begin(
    what: str, job_that_fails: Callable[[str], Job]
) -> None:
    job = job_that_fails(what)
    with pytest.raises(FailingError, match=what):  # which LiveKit logs
        await answer(job.context)
    assert job.room_closed
    await hang_up(job.context)
    assert job.exchange_closed


@pytest.mark.parametrize("what", ["the answer", "the end"])
async def test_nobody_is_left_in_the_room_of_a_call_that_fails(
    what: str, job_that_fails: Callable[[str], Job]
) -> None:
    job = job_that_fails(what)
    await answer(job.context)
    with pytest.raises(FailingError, match=what):
        await hang_up(job.context)
    assert (job.room_closed, job.over, job.exchange_closed) == (True, True, True)


async def test_the_room_of_a_call_that_went_well_is_left_to_its_port(
    job_that_fails: Callable[[str], Job],
) -> None:
    job = job_that_fails("")
    await answer(job.context)
    await hang_up(job.context)
    assert (job.room_closed, job.over, job.exchange_closed) == (False, True, True)


# -- logs ---------------------------------------------------------------------------------------------------


def record_of(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger("livekit.agents").makeRecord(
        "livekit.agents", logging.INFO, __file__, 1, message, arguments, None, extra=extra
    )


def test_logs_lose_what_livekit_marks_as_personal() -> None:
    record = record_of("received user transcript", **{"lk.pii.user_transcript": "hello", "language": "en"})
    assert PrivateLogs().filter(record)
    assert "hello" not in json.dumps(vars(record), default=str)
    assert vars(record)["language"] == "en"


def test_logs_mask_the_number_of_a_caller_wherever_it_is() -> None:
    record = record_of("%s joined", "sip_+15550100000", room="call-_+15550100000_x", job_id="AJ_sQHwfy5yqt8Y")
    PrivateLogs().filter(record)
    assert "15550100000" not in json.dumps(vars(record), default=str)
    assert record.getMessage() == "sip_<PHONE_NUMBER> joined"
    assert vars(record)["job_id"] == "AJ_sQHwfy5yqt8Y"


def test_logs_mask_the_number_of_a_caller_in_an_exception() -> None:
    record = record_of("cannot transfer")
    try:
        raise RuntimeError("no route to +15550100000")
    except RuntimeError:
        record.exc_info = sys.exc_info()
    PrivateLogs().filter(record)
    assert "no route to <PHONE_NUMBER>" in logging.Formatter().format(record)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("call +1 (555) 010-0000 back", "call <PHONE_NUMBER> back"),
        ("call 555-010-0000 back", "call <PHONE_NUMBER> back"),
        ("call 555.010.0000 back", "call <PHONE_NUMBER> back"),
        ("the card 4111 1111 1111 1111 is", "the card <PHONE_NUMBER> is"),
        ("mail jane.doe+x@mail.example.com now", "mail <EMAIL_ADDRESS> now"),
        ("on 2026-11-16 4111 1111 1111 1111", "on <PHONE_NUMBER>"),
    ],
)
def test_logs_mask_numbers_as_people_write_them_and_addresses(message: str, kept: str) -> None:
    record = record_of(message)
    PrivateLogs().filter(record)
    assert record.getMessage() == kept


@pytest.mark.parametrize(
    "message",
    [
        "started at 2026-11-16 09:30:00 and 2026-11-16T09:30:00.123+00:00",
        "due on 2026-11-16, or 2026-11-17",
        "listening on 192.168.178.20:8080 for 12.5 s",
        "turns 1, 2, 3, 4, 5, 6, 7 and 8 of livekit @ 1.2.3",
    ],
)
def test_logs_keep_times_and_places(message: str) -> None:
    record = record_of(message)
    PrivateLogs().filter(record)
    assert record.getMessage() == message


def test_a_message_that_cannot_be_put_together_is_logged_without_its_arguments() -> None:
    record = record_of("%d calls", "+15550100000")
    assert PrivateLogs().filter(record)
    assert record.getMessage() == "%d calls (its arguments do not fit and are left out)"


def test_every_handler_is_filtered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = logging.NullHandler()
    monkeypatch.setattr(logging.root, "handlers", [handler])
    keep_private()
    keep_private()
    assert [type(known) for known in handler.filters] == [PrivateLogs]


# -- the console ----------------------------------------------------------------------------------------------


async def test_switching_the_console_over_and_back_leaves_the_calls_own_ends_alone() -> None:
    console = _legacy.AgentsConsole()
    session: AgentSession[Any] = AgentSession()
    source, output = await ConsolePort(cast(AgentsConsole, console)).open(session)
    session.input.audio, session.output.audio = source, output
    console.console_mode = "text"
    console.console_mode = "audio"
    switched = asyncio.Event()
    asyncio.get_running_loop().call_soon_threadsafe(switched.set)  # after the switches, which wait in line
    await switched.wait()
    assert session.input.audio is source
    assert session.output.audio is output


async def test_the_console_hands_over_what_the_microphone_hears() -> None:
    console = _legacy.AgentsConsole()
    session: AgentSession[Any] = AgentSession()
    source, _ = await ConsolePort(cast(AgentsConsole, console)).open(session)
    session.input.audio = source
    frame = rtc.AudioFrame(bytes(480), 24_000, 1, 240)
    console._io_audio_input.push_frame(frame)
    assert await anext(source) is frame


# -- the command ------------------------------------------------------------------------------------------------


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line on a machine without a LiveKit server, where starting the lab is an error."""

    def no_lab(*_: object) -> None:
        raise AssertionError("the lab was started")

    monkeypatch.setattr(work, "rig", no_lab)
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    for name in SERVER:
        monkeypatch.delenv(name, raising=False)
    return CliRunner()


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["start", "--help"], "--drain-timeout"),
        (["dev", "--help"], "--reload"),
        (["console", "--help"], "--input-device"),
    ],
)
def test_help_for_a_mode_is_livekits_and_starts_nothing(
    command: CliRunner, arguments: list[str], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = command.invoke(app, ["worker", *arguments])
    assert result.exit_code == 0, result.output
    assert shown in result.output


def test_a_worker_without_a_server_says_what_to_set_and_exits_2(command: CliRunner) -> None:
    result = command.invoke(app, ["worker", "start", "--api-key=key"])
    assert result.exit_code == 2
    assert "LIVEKIT_URL, LIVEKIT_API_SECRET are not set" in result.output
    assert "--url, --api-secret" in result.output


@pytest.mark.parametrize(("option", "reason"), [("--text", "heard, not read"), ("--record", "unredacted")])
def test_the_console_refuses_what_would_go_past_the_record(
    command: CliRunner, option: str, reason: str
) -> None:
    result = command.invoke(app, ["worker", "console", option])
    assert result.exit_code == 2
    assert reason in result.output


def test_a_console_without_sound_says_so_and_exits_2(
    command: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)  # importing it now fails
    result = command.invoke(app, ["worker", "console"])
    assert result.exit_code == 2
    assert "microphone" in result.output


@pytest.mark.parametrize(
    ("arguments", "may"),
    [
        (["start"], False),
        (["dev"], False),
        (["--simulated", "start"], True),
        (["--simulated", "dev", "--log-level", "debug"], True),
        (["console"], True),
    ],
)
def test_the_lab_stands_in_for_a_vendor_in_rooms_only_when_it_is_asked_to(
    command: CliRunner, monkeypatch: pytest.MonkeyPatch, arguments: list[str], may: bool
) -> None:
    asked: list[bool] = []

    def rigged(*_: object, may_simulate: bool) -> None:
        asked.append(may_simulate)
        raise CommandError("far enough")

    monkeypatch.setattr(work, "rig", rigged)
    monkeypatch.setattr(work, "check_sound", lambda arguments: None)
    for name, value in SERVER.items():
        monkeypatch.setenv(name, value)
    assert command.invoke(app, ["worker", *arguments]).exit_code == 2
    assert asked == [may]


def test_a_server_may_be_named_by_the_environment_or_by_options() -> None:
    work.check_server(["start"], SERVER)
    work.check_server(["start", "--url", "ws://h", "--api-key", "k", "--api-secret=s"], {})
    with pytest.raises(CommandError, match="LIVEKIT_API_SECRET is not set: set it"):
        work.check_server(["start"], {**SERVER, "LIVEKIT_API_SECRET": ""})
