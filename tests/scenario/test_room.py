"""The room path: a real livekit-server, a real worker, and a caller who joins with LiveKit's own client."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compliance.events import CallEnded, CallerSaid, CallStarted, Decided, Event, HandedOff, ToolCalled
from compliance.ledger import Ledger
from lab.caller import Caller, CallerReport
from lab.callers import RecordedCall, load_pcm, recorded_call
from service.call import Call
from service.cli.rig import rig
from service.exchange import Exchange
from service.line import Line
from service.ports import LinePort
from service.promises import promises
from service.settings import Settings
from tests.scenario.livekit_server import LiveKitServer, server_program
from tests.scenario.room_line import joined, make_room
from tests.scenario.worker_process import WorkerProcess

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

LIMIT_S = 170.0
WORKER = "robin"
LOUD_ENOUGH = 300.0
"""Root mean square of speech; silence and what a codec makes of it stay below 10."""


async def test_a_call_in_a_room_is_routed_and_recorded_as_one_without_a_room(tmp_path: Path) -> None:
    # An order number, fury, and a wish for a supervisor: three engines, with tools in the first two.
    whole = recorded_call("04_calm_becomes_furious")
    recorded = replace(whole, turns=tuple(turn for turn in whole.turns if turn.number in (2, 5, 7)))
    # A human agent who is in the room as well, and furious: not on the caller's channel.
    overheard = recorded_call("05_furious_from_first_word").turns[0]
    ledger = tmp_path / "room.sqlite"
    events_without = await _without_a_room(recorded, tmp_path)
    async with asyncio.timeout(LIMIT_S), LiveKitServer(tmp_path) as server:
        environment = {
            **server.environment,
            "PATCHBAY_WORKER_NAME": WORKER,
            "PATCHBAY_CONSENT_VOICE_AI": "true",
            "PATCHBAY_LEDGER": str(ledger),
            "PATCHBAY_IDLE_PROCESSES": "1",
            "PATCHBAY_HEALTH_PORT": "0",
        }
        async with WorkerProcess(tmp_path, environment, ["--log-level", "debug"]) as worker:
            await worker.says("registered worker")
            await make_room(server, "room-1", agent=WORKER)
            line, colleague = Line(), Line()
            async with (
                joined(line, server, "room-1"),
                joined(colleague, server, "room-1", identity="colleague"),
            ):
                caller = asyncio.create_task(Caller(recorded, line).run(), name="the caller")
                await line.agent_started(0)
                worker.terminate()  # a call that is in progress is finished first
                await colleague.say(load_pcm(overheard.path))
                report = await caller
            status = await worker.ended()
            left_behind = await worker.left_behind()
            log = worker.log

    events = _only_call(ledger)
    assert _heard_everything(report)
    assert _answers_were_audible(report, line)
    assert promises(events) == ()

    started, ended = events[0], events[-1]
    assert isinstance(started, CallStarted)
    assert started.source == "room:room-1"
    assert isinstance(ended, CallEnded)
    assert ended.reason == "the caller hung up"
    assert {_transport(event) for event in events if isinstance(event, Decided)} == {"webrtc"}

    assert _routes(events) == _routes(events_without)
    assert _routes(events) == ["tool", "realtime", "standard"]
    assert [event.to_engine for event in events if isinstance(event, HandedOff)] == ["realtime", "standard"]
    assert _tools(events) == _tools(events_without)
    words = _words(events)
    for turn in recorded.turns:
        assert len(set(turn.text.split()) & words) >= 0.7 * len(set(turn.text.split())), (turn.text, words)

    only_overheard = set(overheard.text.split()) - {
        word for turn in whole.turns for word in turn.text.split()
    }
    assert only_overheard
    assert not only_overheard & words, "somebody else in the room was heard as the caller"

    assert status == 0
    assert left_behind == []
    for turn in recorded.turns:
        assert turn.text not in log, "the log has the caller's words"


def test_without_livekit_server_and_go_the_room_is_skipped_but_ci_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="go install"):
        server_program()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="go install"):
        server_program()


async def _without_a_room(recorded: RecordedCall, folder: Path) -> tuple[Event, ...]:
    settings = Settings(ledger=str(folder / "line.sqlite"), consent_voice_ai=True)
    async with rig(settings, folder / "line", lab_only=True) as ready:
        exchange = await asyncio.to_thread(Exchange.load, ready)
        try:
            line = Line()
            async with Call(exchange, port=LinePort(line), clock=line.clock, source="lab:line") as call:
                await Caller(recorded, line).run()
            return exchange.ledger.events(call.call_id)
        finally:
            exchange.close()


def _only_call(path: Path) -> tuple[Event, ...]:
    ledger = Ledger.open(path, must_exist=True)
    try:
        (call_id,) = ledger.calls()
        check = ledger.verify()
        assert check.ok, check
        return ledger.events(call_id)
    finally:
        ledger.close()


def _heard_everything(report: CallerReport) -> bool:
    answered = all(turn.heard_latency_ms is not None for turn in report.turns)
    return report.greeted and report.gave_up is None and not report.cut_off and answered


def _answers_were_audible(report: CallerReport, line: Line) -> bool:
    _, agent = line.recording()
    sound = agent[np.flatnonzero(agent)]
    level = float(np.sqrt(np.mean(sound.astype(np.float64) ** 2))) if sound.size else 0.0
    return level > LOUD_ENOUGH and all(turn.agent_ms > 500 for turn in report.turns)


def _routes(events: Sequence[Event]) -> list[str]:
    return [event.engine for event in events if isinstance(event, Decided)]


def _tools(events: Sequence[Event]) -> list[str]:
    return [event.name for event in events if isinstance(event, ToolCalled)]


def _words(events: Sequence[Event]) -> set[str]:
    return {word for event in events if isinstance(event, CallerSaid) for word in event.text.split()}


def _transport(decided: Decided) -> object:
    return decided.signals["call.transport"]
