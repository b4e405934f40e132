"""The recorded caller, against agents that are a few lines each."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from livekit import rtc

from compliance.events import AgentSaid, TurnAnswered, TurnMoved
from lab.caller import Caller, CallerReport, Understanding
from lab.callers import RecordedCall, RecordedTurn
from service.audio import read_audio, write_wav
from service.line import Line
from tests import virtual_time

pytestmark = pytest.mark.unit

PER_MS = 24
Agent = Callable[[Line], Awaitable[None]]


def sound(ms: float, level: int = 2000) -> np.ndarray:
    return np.full(int(ms * PER_MS), level, np.int16)


async def reply(line: Line, ms: float) -> None:
    line_ear = line.output
    await line_ear.capture_frame(rtc.AudioFrame(sound(ms).tobytes(), 24_000, 1, int(ms * PER_MS)))
    line_ear.flush()


async def caller_stops(line: Line) -> None:
    """Wait for the caller to have spoken, and to have been silent for 300 ms."""
    spoke, silent_ms = False, 0.0
    async for frame in line.input:
        if np.any(np.frombuffer(frame.data, np.int16)):
            spoke, silent_ms = True, 0.0
        else:
            silent_ms += 20
        if spoke and silent_ms >= 300:
            return


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., RecordedCall]:
    """A call whose turns are one second of sound each; ``states`` and interruptions as given."""

    def make(*turns: str | int) -> RecordedCall:
        made = []
        for number, turn in enumerate(turns, start=1):
            path = tmp_path / f"turn{number}.wav"
            silent = turn == "silence"
            write_wav(path, [sound(1000, 0 if silent else 3000)], sample_rate_hz=24_000)
            made.append(
                RecordedTurn(
                    number=number,
                    text=f"words {number}",
                    state="silence" if silent else "calm",
                    path=path,
                    telephony=None,
                    duration_ms=1000,
                    barge_in_ms=turn if isinstance(turn, int) else None,
                    breath_ms=None,
                )
            )
        return RecordedCall("00_test", "slt", tuple(made))

    return make


def lived(call: RecordedCall, agent: Agent, **options: object) -> tuple[CallerReport, Line]:
    """The call with that agent, in virtual time."""

    async def main() -> tuple[CallerReport, Line]:
        line = Line(virtual_time.call_clock())
        serving = asyncio.create_task(agent(line))  # type: ignore[arg-type]
        report = await Caller(call, line, **options).run()  # type: ignore[arg-type]
        await serving
        return report, line

    return virtual_time.run(main())


async def polite(line: Line) -> None:
    """Greets, and answers every turn with two seconds of sound, 300 ms after its end."""
    await reply(line, 1500)
    while not line.closed:
        await caller_stops(line)
        if not line.closed:
            await reply(line, 2000)


def test_every_turn_is_said_after_the_agent_has_finished_and_is_measured(recorded, tmp_path) -> None:
    told: list[str] = []
    wav = tmp_path / "heard.wav"
    report, line = lived(recorded("calm", "calm"), polite, progress=told.append, hears=wav)
    assert (report.greeted, report.gave_up, report.cut_off) == (True, None, False)
    first, second = report.turns
    assert (first.start_ms, first.end_ms) == (pytest.approx(2400, abs=1), pytest.approx(3400, abs=1))
    assert second.start_ms == pytest.approx(first.end_ms + 300 + 2000 + 900, abs=25)
    assert [turn.heard_latency_ms for turn in report.turns] == pytest.approx([300, 300], abs=21)
    assert [turn.agent_ms for turn in report.turns] == pytest.approx([2000, 2000], abs=1)
    assert told == ["hears the greeting", "turn 1: words 1", "turn 2: words 2", "hangs up"]
    assert line.closed
    assert report.duration_ms == pytest.approx(second.end_ms + 3200, abs=25)
    caller_and_agent = read_audio(wav, sample_rate_hz=24_000)
    assert len(caller_and_agent) == len(line.recording()[0])


def test_an_interruption_begins_when_the_recording_says(recorded) -> None:
    async def cuttable(line: Line) -> None:
        await reply(line, 500)
        await caller_stops(line)
        await reply(line, 10_000)
        async for frame in line.input:
            if np.any(np.frombuffer(frame.data, np.int16)):
                line.output.clear_buffer()
                break
        await caller_stops(line)
        await reply(line, 1000)

    report, _ = lived(recorded("calm", 1500), cuttable)
    first, second = report.turns
    assert second.barged_in
    assert first.heard_latency_ms is not None
    assert second.start_ms == pytest.approx(first.end_ms + first.heard_latency_ms + 1500, abs=2)
    assert first.agent_ms == pytest.approx(1500, abs=2)
    assert second.heard_latency_ms == pytest.approx(300, abs=21)


def test_an_interruption_of_a_reply_that_is_already_over_is_said_without_waiting_on(recorded) -> None:
    report, _ = lived(recorded("calm", 5000), polite)
    first, second = report.turns
    assert not second.barged_in
    assert second.start_ms == pytest.approx(first.end_ms + 300 + 2000 + 900, abs=25)


def test_a_caller_who_is_not_greeted_speaks_after_a_while(recorded) -> None:
    async def shy(line: Line) -> None:
        await caller_stops(line)
        await reply(line, 500)

    report, _ = lived(recorded("calm"), shy)
    assert not report.greeted
    assert report.turns[0].start_ms == pytest.approx(6000, abs=1)
    assert report.gave_up is None


def test_an_agent_that_never_answers_makes_the_caller_give_up(recorded) -> None:
    async def dead(line: Line) -> None:
        await reply(line, 500)

    report, line = lived(recorded("calm", "calm"), dead)
    assert report.gave_up == 1
    assert [turn.heard_latency_ms for turn in report.turns] == [None]
    assert line.closed


def test_silence_is_not_waited_on_for_an_answer(recorded) -> None:
    report, _ = lived(recorded("calm", "silence", "calm"), polite)
    assert report.gave_up is None
    assert report.turns[1].heard_latency_ms is None
    assert report.turns[2].start_ms == pytest.approx(report.turns[1].end_ms + 1500, abs=2)


def test_an_agent_that_hangs_up_ends_the_call(recorded) -> None:
    async def rude(line: Line) -> None:
        await reply(line, 500)
        await caller_stops(line)
        line.hang_up()

    report, _ = lived(recorded("calm", "calm"), rude)
    assert report.cut_off
    assert len(report.turns) == 1


def test_a_caller_who_is_cut_off_in_mid_sentence_has_said_that_much(recorded) -> None:
    async def abrupt(line: Line) -> None:
        await reply(line, 500)
        await asyncio.sleep(1.8)
        line.hang_up()

    report, _ = lived(recorded("calm"), abrupt)
    assert report.cut_off
    (turn,) = report.turns
    assert turn.end_ms - turn.start_ms == pytest.approx(400, abs=2)


def moved(line: Line) -> TurnMoved:
    return TurnMoved(call_id="c", at_ms=line.clock.now_ms(), turn=1, from_engine="fast", to_engine="standard")


def answered(line: Line) -> TurnAnswered:
    return TurnAnswered(call_id="c", at_ms=line.clock.now_ms(), turn=1, engine="e", heard_ms=1, waits={})


def said(line: Line, text: str, *, interrupted: bool = False) -> AgentSaid:
    at_ms = line.clock.now_ms()
    return AgentSaid(
        call_id="c",
        at_ms=at_ms,
        turn=1,
        engine="e",
        generation=1,
        start_ms=at_ms,
        end_ms=at_ms,
        text=text,
        interrupted=interrupted,
    )


def test_a_caller_who_understands_waits_for_an_answer_whatever_else_is_heard(recorded) -> None:
    understanding = Understanding()

    async def troubled(line: Line) -> None:
        await reply(line, 500)
        await caller_stops(line)
        await reply(line, 700)
        understanding.take(said(line, "One moment, please."))
        await asyncio.sleep(4)
        await reply(line, 1000)
        understanding.take(answered(line))
        understanding.take(said(line, "Until five."))
        await caller_stops(line)
        await reply(line, 2000)

    report, _ = lived(recorded("calm", "calm"), troubled, understanding=understanding)
    first, second = report.turns
    assert second.start_ms - first.end_ms > 5000
    assert report.gave_up == 2


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_caller_who_understands_waits_for_the_rest_of_an_answer_that_breaks_off(recorded, goes_on) -> None:
    understanding = Understanding()

    async def stalling(line: Line) -> None:
        await reply(line, 500)
        await caller_stops(line)
        understanding.take(answered(line))
        await reply(line, 100)
        await asyncio.sleep(4)
        understanding.take(said(line, "On", interrupted=True))
        if goes_on:
            await reply(line, 1000)
            understanding.take(said(line, "Sorry, let me start again. On Saturday until five."))

    report, _ = lived(recorded("calm"), stalling, understanding=understanding)
    assert report.gave_up == (None if goes_on else 1)
    assert (report.duration_ms > 20_000) is not goes_on


@pytest.mark.parametrize("breaks_off", [True, False])
def test_nobody_who_understands_cuts_in_on_an_answer_that_breaks_off(recorded, breaks_off) -> None:
    understanding = Understanding()

    async def failing(line: Line) -> None:
        await reply(line, 500)
        await caller_stops(line)
        understanding.take(answered(line))
        if breaks_off:
            await reply(line, 20)
            understanding.take(moved(line))
        await reply(line, 4000)
        await asyncio.sleep(4.1)
        understanding.take(answered(line))
        understanding.take(said(line, "Sorry, let me start again. On Saturday until five."))
        await caller_stops(line)
        understanding.take(answered(line))
        await reply(line, 1000)
        understanding.take(said(line, "You are welcome."))

    report, _ = lived(recorded("calm", 1500), failing, understanding=understanding)
    first, second = report.turns
    assert second.barged_in is not breaks_off
    assert (second.start_ms - first.end_ms > 4000) is breaks_off
    assert report.gave_up is None


def test_a_caller_whose_patience_ends_in_an_answer_hears_it_out(recorded) -> None:
    understanding = Understanding()

    async def slow(line: Line) -> None:
        await reply(line, 500)
        await caller_stops(line)
        understanding.take(answered(line))
        await reply(line, 100)
        await asyncio.sleep(18)
        await reply(line, 6000)
        await asyncio.sleep(6.1)
        understanding.take(said(line, "Sorry, let me start again. On Saturday until five."))

    report, _ = lived(recorded("calm"), slow, understanding=understanding)
    assert report.gave_up is None
    assert report.duration_ms > 25_000


def test_a_caller_who_understands_notices_that_the_agent_hangs_up(recorded) -> None:
    async def rude(line: Line) -> None:
        await reply(line, 500)
        await caller_stops(line)
        line.hang_up()

    report, _ = lived(recorded("calm", "calm"), rude, understanding=Understanding())
    assert report.cut_off
    assert report.gave_up is None
