"""Callers who get to a person: a line in this process, and somebody scripted in a room of a real livekit-server."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import compliance.transcriber
from compliance.errors import LedgerError
from compliance.events import (
    AgentSaid,
    CallbackAsked,
    CallEnded,
    CallerSaid,
    Decided,
    Event,
    HandedOff,
    HumanSaid,
    PartFailed,
    ProviderFailed,
    TransferAnswered,
    TransferAsked,
    TransferEnded,
    TransferFailed,
    UsageIncurred,
    ValueSealed,
)
from compliance.ledger import Ledger
from compliance.recognisers import Persistence
from compliance.recording import PURPOSE, Recordings, read_recording
from compliance.tap import RATE_HZ
from compliance.voiced import Samples
from engines.people import TransferWords
from lab.faults import Fault
from lab.process import LabProcess
from service.call import Call
from service.exchange import Exchange
from service.line import Line, LineClosedError
from service.promises import promises
from service.summary import summarise
from service.transcript import transcript
from service.transfer.livekit import VARIABLES
from service.transfer.owed import Callback, callbacks
from tests.patience import without_limits
from tests.scenario.livekit_server import LiveKitServer
from tests.scenario.people import catalogue, policy, prices, redaction, waiting
from tests.scenario.room_line import joined, make_room
from tests.scenario.worker_process import WorkerProcess
from tests.together import understood
from tests.whole_call import PRIVATE, WholeCall, answered, asks, exchange_and_lab, greeted, recording, silence

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

LIMIT_S = 900.0
"""Only a hang takes so long."""
SILENT_MS = 6000.0
"""No machine is so busy that the lab's ears take longer; one call waits for it."""
UNDERSTOOD_S = 20.0
"""Who is not understood within it says it again."""
QUIET_MS = 2500.0
"""Silence after which the agent has nothing more to say."""
LATE_MS = 1000.0
"""By which what comes through a codec is dated late on a busy machine."""
WITHIN_DB = 6.0
"""What a codec and a resampler may do to a level."""
FURY, CARD_TURN = "05_furious_from_first_word_t01", "03_card_phone_two_breaths_t02"
ANSWER = "answer the phone"
"""Of :data:`FURY`: what is on record when it was understood through a codec."""
CARD, PHONE = "4111223498765501", "5550142778"
WORDS = TransferWords()


async def test_a_caller_who_asks_for_a_person_talks_to_one_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said_to_caller = np.concatenate(
        (
            recording(FURY),
            recording(CARD_TURN),
        )
    )
    said_to_anna = recording("08_asks_for_human_t03")
    asked_for, taken, fury, card, anna_spoke, parted = (asyncio.Event() for _ in range(6))
    since_ms: list[float] = []

    def watch(_: Line, event: Event) -> None:
        if isinstance(event, TransferAsked):
            asked_for.set()
        if isinstance(event, TransferAnswered):
            taken.set()
        if isinstance(event, TransferEnded):
            parted.set()
        if isinstance(event, HumanSaid) and ANSWER in event.text:
            fury.set()
        if isinstance(event, HumanSaid) and "<CREDIT_CARD>" in event.text:
            card.set()

    async def anna(line: Line) -> None:
        await line.agent_started(0.0)
        await line.agent_finished(2500)  # the summary, and what to do
        since_ms.append(line.clock.now_ms())
        await _says_until(line, "08_asks_for_human_t04", taken)
        await line.say(silence(1000))
        await _says_until(line, FURY, fury)
        await _says_until(line, CARD_TURN, card)
        since_ms.append(line.clock.now_ms())
        anna_spoke.set()
        await line.agent_started()
        await line.agent_finished(1500)

    without_limits(monkeypatch)
    async with asyncio.timeout(LIMIT_S), LiveKitServer(tmp_path) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        chosen = {
            "catalogue": catalogue(tmp_path),
            "policy": policy(tmp_path),
            "prices": prices(tmp_path, usd_a_minute=0.6),
            "consent_recording": True,
            "region": "uk",  # where the notice is enough
        }
        async with (
            exchange_and_lab(tmp_path, tmp_path / "shop.sqlite", **chosen) as (ready, lab),
            waiting(server, "desk-anna", "anna", anna) as desk,
        ):

            async def speak(line: Line, call: Call) -> None:
                await greeted(line)
                await asks(line, "03_card_phone_two_breaths_t01")
                await asks(line, CARD_TURN)
                await _says_until(line, "08_asks_for_human_t01", asked_for)
                await anna_spoke.wait()
                await asyncio.sleep(2.0)
                await line.say(said_to_anna)
                await parted.wait()
                await line.agent_started()  # the machine is back
                await line.agent_finished(QUIET_MS)

            done = await answered(ready, speak, watch=watch)
            kept = _kept(ready, done.call_id)
            told = " ".join(
                _voiced_texts(lab_entry) for lab_entry in await lab.journal(provider="elevenlabs")
            )
        _, heard_by_anna = desk.recording()

    [asked], [came], [left] = done.of(TransferAsked), done.of(TransferAnswered), done.of(TransferEnded)
    assert (asked.engine, asked.cause) == ("human", "policy")
    assert (came.way, came.to, came.person) == ("warm", "room:desk-anna", "anna")
    assert (left.by, left.person) == ("person", "anna")
    assert left.spoke_ms > 1500

    # What Anna was told, before she was asked to take the call: words of the caller, and no number of theirs.
    assert "person" in told
    assert "withheld" in told
    assert not _digits(told) & {CARD, CARD[-4:]}

    # Both were heard, as loud as they spoke.
    heard_by_caller = done.agent[_at(came.at_ms) : _at(left.at_ms)]
    assert abs(_level_db(heard_by_caller) - _level_db(said_to_caller)) < WITHIN_DB
    assert abs(_level_db(heard_by_anna[_at(since_ms[1]) :]) - _level_db(said_to_anna)) < WITHIN_DB
    assert _level_db(heard_by_anna[: _at(since_ms[0])]) > 30, "nobody told her anything"

    # What Anna said is on record under her name, where she said it, and no number of it.
    words = done.of(HumanSaid)
    assert {(one.engine, one.person, one.turn) for one in words} == {("human", "anna", asked.turn)}
    assert ANSWER in " ".join(one.text for one in words)
    assert "<CREDIT_CARD>" in " ".join(one.text for one in words)
    assert came.at_ms - LATE_MS <= words[0].start_ms < words[-1].end_ms < left.at_ms + LATE_MS
    everything = " ".join(event.model_dump_json() for event in done.events)
    assert not _digits(everything) & {CARD, CARD[-4:]}
    assert "nine eight seven six" not in everything
    assert ANSWER not in caplog.text
    to_anna = [one for one in done.of(CallerSaid) if came.at_ms < one.start_ms < left.at_ms]
    assert "transfer me to an agent" in " ".join(one.text for one in to_anna)
    assert words[-1].end_ms < to_anna[-1].end_ms
    lines = [
        line
        for line in transcript(done.events, summarise(done.events))
        if words[0].start_ms <= line.at_ms < left.at_ms
    ]
    assert [line.kind for line in lines] == ["agent"] * len(words) + ["caller"] * len(to_anna)
    assert done.of(PartFailed) == []
    heard_minutes = sum(
        one.quantities["audio_minutes"] for one in done.of(UsageIncurred) if one.engine == "transcriber"
    )
    call_minutes = done.of(CallEnded)[0].at_ms / 60_000
    assert heard_minutes == pytest.approx(call_minutes + left.duration_ms / 60_000, rel=0.2)

    # A recording has her on the agent's channel, without the number.
    for one in words:
        start, stop = _at(one.start_ms), _at(one.end_ms)
        if "<" in one.text:
            assert not kept[:, start:stop].any()
        else:
            assert abs(_level_db(kept[1, start:stop]) - _level_db(done.agent[start:stop])) < WITHIN_DB

    # The record went on for the caller, no machine answered meanwhile, and one did afterwards.
    assert not [one for one in done.of(Decided) if one.at_ms > came.at_ms]
    assert [(one.from_engine, one.to_engine) for one in done.of(HandedOff)][-2:] == [
        (done.of(HandedOff)[-2].from_engine, "human"),
        ("human", "standard"),
    ]
    assert done.of(AgentSaid)[-1].text == WORDS.back
    [minutes] = [one for one in done.of(UsageIncurred) if one.provider == "human"]
    assert minutes.quantities["call_minutes"] == pytest.approx(left.duration_ms / 60_000)
    assert minutes.cost_usd == pytest.approx(0.6 * left.duration_ms / 60_000)
    assert promises(done.events) == ()


async def test_when_every_engine_fails_and_nobody_comes_the_caller_leaves_a_number(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    without_limits(monkeypatch)
    done, owed = await understood(
        lambda: _leaves_a_number(tmp_path_factory.mktemp("number")), lambda made: _heard_a_number(made[0])
    )

    assert {one.engine for one in done.of(ProviderFailed)} >= {"fast", "standard", "tool"}
    [asked], [failed], [wish] = done.of(TransferAsked), done.of(TransferFailed), done.of(CallbackAsked)
    assert (asked.engine, asked.cause) == ("human", "failure")
    assert (failed.way, failed.error) == ("warm", "NoLiveKitError")
    assert re.search(r"\d", wish.number) is None
    assert wish.best_time == "yes i will wait"
    [callback] = owed
    assert callback.values == tuple(
        one.number for one in done.of(ValueSealed) if one.entity == "PHONE_NUMBER"
    )
    assert not _digits(" ".join(event.model_dump_json() for event in done.events)) & {PHONE}
    assert done.of(AgentSaid)[-1].text == WORDS.noted
    assert promises(done.events) == ()


def _heard_a_number(call: WholeCall) -> bool:
    """Whether what the caller says to leave a number was understood; the number itself is not on record."""
    said = " ".join(call.words)
    return "opening hours" in said and f"number is {PRIVATE}" in said and said.endswith("yes i will wait")


@asynccontextmanager
async def _calling_back(folder: Path, *, ways: str) -> AsyncIterator[tuple[Exchange, LabProcess]]:
    """A line whose people call back, and the lab, for one call."""
    chosen = {
        "catalogue": catalogue(folder, ways=ways),
        "policy": policy(folder),
        "redaction": redaction(folder),
        "consent_voice_ai": False,
    }
    async with (
        asyncio.timeout(LIMIT_S),
        exchange_and_lab(folder, folder / "shop.sqlite", **chosen) as ready_and_lab,
    ):
        yield ready_and_lab


async def _gives_the_number(line: Line) -> None:
    """Say the number, that it was read back rightly, and a time."""
    for turn in (
        "03_card_phone_two_breaths_t03",  # the number
        "03_card_phone_two_breaths_t04",  # "yes that's correct"
        "08_asks_for_human_t04",  # as good a time as any
    ):
        await asks(line, turn, quiet_ms=QUIET_MS)


async def _leaves_a_number(folder: Path) -> tuple[WholeCall, tuple[Callback, ...]]:
    """A call in which every engine fails, and the callbacks that are owed after it."""
    async with _calling_back(folder, ways="[warm, callback]") as (ready, lab):

        async def speak(line: Line, call: Call) -> None:
            await greeted(line)
            await lab.set_fault("openai.chat", Fault("server_error"))
            await asks(line, "01_quick_question_t01", quiet_ms=QUIET_MS)
            await _gives_the_number(line)

        done = await answered(ready, speak)
        return done, callbacks([done.events], ready.ledger.oversight())


async def test_a_number_that_no_recogniser_understood_is_asked_for_again(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    without_limits(monkeypatch)
    limits = partial(Persistence, connect_within_ms=30_000, answer_within_ms=SILENT_MS)
    monkeypatch.setattr(compliance.transcriber, "Persistence", limits)
    done = await understood(
        lambda: _says_a_number_to_the_deaf(tmp_path_factory.mktemp("unheard")), _heard_a_number
    )

    said = [one.text for one in done.of(AgentSaid)]
    assert WORDS.number_again in said[said.index(WORDS.number) :]
    assert len(done.of(CallbackAsked)) == 1
    assert said[-1] == WORDS.noted
    assert {broken.promise for broken in promises(done.events)} == {"Nothing is said in vain"}


async def _says_a_number_to_the_deaf(folder: Path) -> WholeCall:
    """A call whose recognisers fall silent while a number is said to them, and are well when it is said again."""
    async with _calling_back(folder, ways="[callback]") as (ready, lab):

        async def speak(line: Line, call: Call) -> None:
            await greeted(line)
            await lab.set_fault("openai.chat", Fault("server_error"))
            await asks(line, "01_quick_question_t01")
            await lab.set_fault("deepgram", Fault("stall", after=0))
            await lab.set_fault("openai.transcription", Fault("hang"))
            await asks(line, "03_card_phone_two_breaths_t03")
            await lab.clear_faults()
            await _gives_the_number(line)

        return await answered(ready, speak)


async def _says_until(line: Line, name: str, understood: asyncio.Event) -> None:
    """Say a recorded turn, again whenever nothing comes of it."""
    while not understood.is_set():
        await line.say(recording(name))
        with suppress(TimeoutError):
            async with asyncio.timeout(UNDERSTOOD_S):
                await understood.wait()


async def _on_record(ledger: Path, kind: type[Event], seen: asyncio.Event, text: str = "") -> None:
    """Set ``seen`` when another process has put an event of ``kind`` on record, whose ledger tells nobody.

    Args:
        text: that the event has to have.
    """
    while not seen.is_set():
        await asyncio.sleep(0.5)
        with suppress(LedgerError), closing(Ledger.open(ledger, must_exist=True)) as opened:
            events = (event for call_id in opened.calls() for event in opened.events(call_id))
            if any(isinstance(event, kind) and text in getattr(event, "text", "") for event in events):
                seen.set()


def _voiced_texts(entry: object) -> str:
    payload = getattr(entry, "payload", {})
    return str(payload.get("text", "")) if isinstance(payload, dict) else ""


def _digits(text: str) -> set[str]:
    return set(re.findall(r"\d+", re.sub(r"(?<=\d)[ -](?=\d)", "", text)))


def _at(at_ms: float) -> int:
    return int(at_ms * RATE_HZ / 1000)


def _level_db(samples: Samples) -> float:
    """Of what is not silence."""
    sound = samples[np.abs(samples.astype(np.int32)) > 64].astype(np.float64)
    return float(10 * np.log10(np.mean(sound**2))) if sound.size else 0.0


async def test_a_caller_in_a_room_talks_to_somebody_in_another_and_the_call_ends_with_them(
    tmp_path: Path,
) -> None:
    said_to_caller = recording(FURY)
    ledger = tmp_path / "room.sqlite"
    line = Line()
    asked_for, taken, fury, anna_left = (asyncio.Event() for _ in range(4))
    since_ms: list[float] = []
    """When Anna began to speak to the caller, on the caller's clock."""

    async def anna(hers: Line) -> None:
        await hers.agent_started(0.0)
        await hers.agent_finished(2500)
        await _says_until(hers, "08_asks_for_human_t04", taken)
        since_ms.append(line.clock.now_ms())
        await hers.say(silence(1000))
        await _says_until(hers, FURY, fury)
        await asyncio.sleep(1.0)
        anna_left.set()

    async with asyncio.timeout(LIMIT_S), LiveKitServer(tmp_path) as server:
        entry = catalogue(tmp_path)
        entry.write_text(f"{entry.read_text()}    returns: false\n")
        environment = {
            **server.environment,
            "PATCHBAY_WORKER_NAME": "robin",
            "PATCHBAY_CATALOGUE": str(entry),
            "PATCHBAY_POLICY": str(policy(tmp_path)),
            "PATCHBAY_LEDGER": str(ledger),
            "PATCHBAY_IDLE_PROCESSES": "1",
            "PATCHBAY_HEALTH_PORT": "0",
            "PATCHBAY_REDACTION_CLOSING_S": "60",
        }
        async with WorkerProcess(tmp_path, environment) as worker:
            await worker.says("registered worker")
            await make_room(server, "room-1", agent="robin")
            strangers: set[str] = set()
            async with (
                waiting(server, "desk-anna", "anna", anna),
                joined(line, server, "room-1") as room,
                asyncio.TaskGroup() as looking,
            ):
                room.on("participant_connected", lambda one: strangers.add(one.identity))
                looking.create_task(_on_record(ledger, TransferAsked, asked_for))
                looking.create_task(_on_record(ledger, TransferAnswered, taken))
                looking.create_task(_on_record(ledger, HumanSaid, fury, ANSWER))
                await line.agent_started(0)
                await line.agent_finished(1500)
                with suppress(LineClosedError):  # whoever is called while the caller still asks may be quick
                    await _says_until(line, "08_asks_for_human_t01", asked_for)
                strangers |= {one.identity for one in room.remote_participants.values()}
                await line.hung_up()
            worker.terminate()
            await worker.ended()
            _, heard = line.recording()
        (events,) = _calls(ledger)

    [came] = [event for event in events if isinstance(event, TransferAnswered)]
    [left] = [event for event in events if isinstance(event, TransferEnded)]
    [ended] = [event for event in events if isinstance(event, CallEnded)]
    said = [event for event in events if isinstance(event, HumanSaid)]
    assert (came.to, came.person, left.by) == ("room:desk-anna", "anna", "person")
    assert ended.reason == "the person who had taken the call left"
    assert anna_left.is_set()
    assert {one.person for one in said} == {"anna"}
    assert ANSWER in " ".join(one.text for one in said)
    assert "anna" not in strangers, "the person is in the caller's room"
    assert abs(_level_db(heard[_at(since_ms[0]) :]) - _level_db(said_to_caller)) < WITHIN_DB
    assert promises(events) == ()


def _kept(ready: Exchange, call_id: str) -> Samples:
    """What a call's recording gives back: shape (2, n)."""
    path = Recordings(ready.settings.recordings_folder()).path(call_id)
    return np.concatenate(list(read_recording(path, ready.ledger.derived_key(call_id, PURPOSE))), axis=1)


def _calls(path: Path) -> list[tuple[Event, ...]]:
    ledger = Ledger.open(path, must_exist=True)
    try:
        assert ledger.verify().ok
        return [ledger.events(call_id) for call_id in ledger.calls()]
    finally:
        ledger.close()
