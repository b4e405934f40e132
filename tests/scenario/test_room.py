"""The room path: a real livekit-server, a real worker, and a caller who joins with LiveKit's own client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from compliance.events import CallEnded, CallerSaid, CallStarted, Decided, Event, HandedOff, ToolCalled
from compliance.ledger import Ledger
from compliance.tap import RATE_HZ
from lab.callers import RecordedCall, load_pcm, recorded_call
from service.call import Call
from service.cli.rig import rig
from service.exchange import Exchange
from service.line import Line
from service.ports import LinePort
from service.promises import promises
from service.settings import Settings
from tests.patience import patient_engines, patient_policy, without_limits
from tests.scenario.livekit_server import LiveKitServer, server_program
from tests.scenario.room_line import joined, make_room
from tests.scenario.worker_process import WorkerProcess
from tests.whole_call import PRIVATE, words

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

LIMIT_S = 900.0
"""Only a hang takes so long: the call lasts some fifty seconds, and the worker's models take a while to load."""
WORKER = "robin"
LOUD_ENOUGH = 300.0
"""Root mean square of speech; silence and what a codec makes of it stay below 10."""
REPLY_MS = 500.0
"""The least sound that is a reply."""
QUIET_MS = 1500.0
"""Silence after which a reply is over; a busy machine is silent for a while between two sentences."""
TOOLS = {2: "order_lookup", 5: "order_refund"}
"""What the turns of the recorded call that need the shop have it do."""
ENGINES = {2: "tool", 5: "realtime", 7: "standard"}
"""Who answers them, when they were understood and it was heard in time how they sound."""
FIGURES = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
UNDERSTOOD = 0.5
"""Of the different words said, those that are on record through a codec, by a recogniser that knows no codec."""


async def test_a_call_in_a_room_is_routed_and_recorded_as_one_without_a_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_limits(monkeypatch)
    # An order number, fury, and a wish for a supervisor: three engines, with tools in the first two.
    whole = recorded_call("04_calm_becomes_furious")
    recorded = replace(whole, turns=tuple(turn for turn in whole.turns if turn.number in (2, 5, 7)))
    # A human agent who is in the room as well, and furious: not on the caller's channel.
    overheard = recorded_call("05_furious_from_first_word").turns[0]
    ledger, engines, policy = (tmp_path / name for name in ("room.sqlite", "engines.yaml", "policy.yaml"))
    engines.write_text(patient_engines(), encoding="utf-8")
    policy.write_text(patient_policy(), encoding="utf-8")
    async with (
        asyncio.timeout(LIMIT_S),
        asyncio.TaskGroup() as beside,
        LiveKitServer(tmp_path) as server,
    ):
        without_a_room = beside.create_task(_without_a_room(recorded, tmp_path, engines, policy))
        environment = {
            **server.environment,
            "PATCHBAY_WORKER_NAME": WORKER,
            "PATCHBAY_CONSENT_VOICE_AI": "true",
            "PATCHBAY_LEDGER": str(ledger),
            "PATCHBAY_CATALOGUE": str(engines),
            "PATCHBAY_POLICY": str(policy),
            "PATCHBAY_REDACTION_CLOSING_S": "60",
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
                caller = asyncio.create_task(
                    _converse(line, recorded, lambda: _only_call(ledger)), name="the caller"
                )
                await line.agent_started(0)
                worker.terminate()  # a call that is in progress is finished first
                await colleague.say(load_pcm(overheard.path))
                replies_ms = await caller
            status = await worker.ended()
            left_behind = await worker.left_behind()
            log = worker.log

    events, events_without = _only_call(ledger, verified=True), without_a_room.result()
    assert min(replies_ms) > REPLY_MS
    assert _level(line) > LOUD_ENOUGH
    assert promises(events) == ()

    started, ended = events[0], events[-1]
    assert isinstance(started, CallStarted)
    assert started.source == "room:room-1"
    assert isinstance(ended, CallEnded)
    assert ended.reason == "the caller hung up"
    assert {_transport(event) for event in events if isinstance(event, Decided)} == {"webrtc"}

    # Where a turn was said again, the engines and tools that it had at last are compared.
    for made in (events, events_without):
        assert _routes(made)[-2:] == ["realtime", "standard"]
        assert "tool" in _routes(made)
        hand_offs = [event.to_engine for event in made if isinstance(event, HandedOff)]
        assert hand_offs[-2:] == ["realtime", "standard"]
        assert _tools(made) == list(TOOLS.values())
    said, heard = {word for turn in recorded.turns for word in turn.text.split()}, _heard(events)
    assert len(said & heard) >= UNDERSTOOD * len(said), (said, heard)

    # Nobody else in the room was heard as the caller: a word of theirs may be what became of one of the caller's.
    only_overheard = set(overheard.text.split()) - {
        word for turn in whole.turns for word in turn.text.split()
    }
    assert len(only_overheard) >= 4
    assert len(only_overheard & heard) < 0.5 * len(only_overheard), heard

    assert status == 0
    assert left_behind == []
    assert "SIMULATED: the lab answers in the place of deepgram, elevenlabs, openai" in log
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


async def _converse(line: Line, recorded: RecordedCall, record: Callable[[], Sequence[Event]]) -> list[float]:
    """Say the turns of a call, each again until the shop did what it asks for and the engine that it is for answered.

    Returns the sound in ms of the reply to each.

    What is said is not what is at test: through a codec a recogniser may take one word for another.
    """
    replies_ms = []
    await line.agent_started(0.0)
    await line.agent_finished(QUIET_MS)
    for turn in recorded.turns:
        understood = False
        while not understood:
            said = await line.say(load_pcm(turn.path))
            await line.agent_started(said.end_ms)
            await line.agent_finished(QUIET_MS)
            events = record()
            done = turn.number not in TOOLS or TOOLS[turn.number] in _tools(events)
            understood = done and _routes(events)[-1:] == [ENGINES[turn.number]]
        sound = line.recording()[1][round(said.end_ms * RATE_HZ / 1000) :]
        replies_ms.append(1000 * float(np.count_nonzero(sound)) / RATE_HZ)
    line.hang_up()
    return replies_ms


async def _without_a_room(
    recorded: RecordedCall, folder: Path, engines: Path, policy: Path
) -> tuple[Event, ...]:
    settings = Settings(
        ledger=str(folder / "line.sqlite"), catalogue=engines, policy=policy, consent_voice_ai=True
    )
    async with rig(settings, folder / "line", lab_only=True) as ready:
        exchange = await asyncio.to_thread(Exchange.load, ready)
        try:
            line = Line()
            async with Call(exchange, port=LinePort(line), clock=line.clock, source="lab:line") as call:
                await _converse(line, recorded, lambda: exchange.ledger.events(call.call_id))
            return exchange.ledger.events(call.call_id)
        finally:
            exchange.close()


def _only_call(path: Path, *, verified: bool = False) -> tuple[Event, ...]:
    with closing(Ledger.open(path, must_exist=True)) as ledger:
        (call_id,) = ledger.calls()
        if verified:
            check = ledger.verify()
            assert check.ok, check
        return ledger.events(call_id)


def _level(line: Line) -> float:
    _, agent = line.recording()
    sound = agent[np.flatnonzero(agent)]
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2))) if sound.size else 0.0


def _routes(events: Sequence[Event]) -> list[str]:
    return [engine for engine, _ in groupby(event.engine for event in events if isinstance(event, Decided))]


def _tools(events: Sequence[Event]) -> list[str]:
    return list(dict.fromkeys(event.name for event in events if isinstance(event, ToolCalled)))


def _heard(events: Sequence[Event]) -> set[str]:
    """The caller's words on record; where a number is masked, all of the figures that may stand for."""
    heard = {word for event in events if isinstance(event, CallerSaid) for word in words(event.text)}
    return heard | (FIGURES if PRIVATE in heard else set())


def _transport(decided: Decided) -> object:
    return decided.signals["call.transport"]
