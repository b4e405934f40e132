"""Whole calls, as a caller lives them and as the ledger keeps them: nothing of the service is replaced.

The lab and the shop stand in for the vendors; policy, classifiers, redactor and ledger are the shipped ones.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from compliance.events import AgentSaid, CallerSaid, Event, TurnEnded
from compliance.tap import RATE_HZ
from compliance.voiced import Samples
from lab.caller import Caller, CallerReport, CallerTurn, Manners
from lab.callers import HERE as RECORDINGS
from lab.callers import RecordedCall, load_pcm
from lab.delays import Delays
from lab.process import LabProcess
from lab.server import LabSettings
from lab.shop import ShopProcess
from service.call import Call
from service.exchange import Exchange
from service.line import Line
from service.ports import LinePort
from service.promises import NO_TIME_MS
from service.settings import Settings
from tests.patience import patient_engines, patient_policy
from tests.together import understood

KEYS = ("OPENAI_API_KEY", "DEEPGRAM_API_KEY", "ELEVEN_API_KEY", "GOOGLE_API_KEY")
SAME_END_MS = 4000.0
"""The voice detector, on a busy machine, and the recording never disagree by more about when a turn ended."""
PRIVATE = "<private>"
LONGEST_S = 400.0
"""Of a call; only a hang takes so long."""
PATIENT = Manners(greeting_ms=60_000, reply_ms=60_000)
"""Of a caller who only gives up on a line that hangs."""

E = TypeVar("E")


def without_settings(patch: pytest.MonkeyPatch) -> None:
    """Take away what the environment of whoever runs the tests would change."""
    for name in KEYS:
        patch.delenv(name, raising=False)
    for name in Settings.model_fields:
        patch.delenv(f"PATCHBAY_{name.upper()}", raising=False)


@asynccontextmanager
async def exchange(folder: Path, **settings: Any) -> AsyncIterator[Exchange]:
    """An exchange on a lab without delays, with a shop; its ledger is ``folder/ledger.sqlite``."""
    async with exchange_and_lab(folder, folder / "shop.sqlite", **settings) as (ready, _):
        yield ready


@asynccontextmanager
async def exchange_and_lab(
    folder: Path, shop_file: Path, **settings: Any
) -> AsyncIterator[tuple[Exchange, LabProcess]]:
    """The same, and the lab that it runs on; the shop's own database is ``shop_file``."""
    async with (
        LabProcess(LabSettings(delays=Delays.none())) as lab,
        ShopProcess(shop_file) as shop,
    ):
        engines, policy = folder / "patient.yaml", folder / "patient_policy.yaml"
        engines.write_text(patient_engines(), encoding="utf-8")
        policy.write_text(patient_policy(), encoding="utf-8")
        chosen = {
            "ledger": str(folder / "ledger.sqlite"),
            "catalogue": engines,
            "policy": policy,
            "mcp": shop.url,
            "stand_ins": lab.stand_ins,
            "consent_voice_ai": True,
            "redaction_closing_s": 60.0,
            **settings,
        }
        ready = Exchange.load(Settings(**chosen))
        try:
            yield ready, lab
        finally:
            ready.close()


@dataclass(frozen=True)
class WholeCall:
    """A call that is over: its record as the ledger gave it back, and both sides of its line."""

    call_id: str
    events: tuple[Event, ...]
    caller: Samples
    agent: Samples
    report: CallerReport | None = None

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def words(self) -> list[str]:
        """What the caller said by the record, in order; neighbouring labels count as one :data:`PRIVATE`."""
        segments = sorted(self.of(CallerSaid), key=lambda segment: segment.start_ms)
        return words(" ".join(segment.text for segment in segments))

    @property
    def turns(self) -> list[TurnEnded]:
        """The turns on record; words that came late are a turn of no time, which is on no recording."""
        return [turn for turn in self.of(TurnEnded) if turn.end_ms - turn.start_ms > NO_TIME_MS]

    def heard(self, *texts: str) -> bool:
        """Whether the caller was heard to say these turns, word by word."""
        return len(self.of(TurnEnded)) == len(texts) and self.words == words(" ".join(texts))

    def replies(self, turn: int) -> list[AgentSaid]:
        return [reply for reply in self.of(AgentSaid) if reply.turn == turn]

    def as_lived(self, number: int) -> CallerTurn:
        """Turn ``number`` of the recorded call as the caller lived it."""
        assert self.report is not None
        return next(turn for turn in self.report.turns if turn.number == number)

    def recorded(self, number: int) -> int:
        """The turn on record that ended where turn ``number`` of the recorded call did."""
        end_ms = self.as_lived(number).end_ms
        found = min(self.of(TurnEnded), key=lambda turn: abs(turn.end_ms - end_ms))
        assert abs(found.end_ms - end_ms) <= SAME_END_MS
        return found.turn

    def about(self, kind: type[E], number: int) -> list[E]:
        """The events of one kind about turn ``number`` of the recorded call."""
        turn = self.recorded(number)
        return [event for event in self.of(kind) if getattr(event, "turn", None) == turn]


async def recorded_caller(exchange: Exchange, recorded: RecordedCall) -> WholeCall:
    """One of the ten callers, from answer to hang-up; again when a sentence of theirs was taken for two."""
    spoken = [turn for turn in recorded.turns if turn.text]
    most = len(spoken) + sum(turn.breath_ms is not None for turn in spoken)

    async def speak(line: Line, _: Call) -> CallerReport:
        return await Caller(recorded, line, manners=PATIENT).run()

    return await understood(
        lambda: answered(exchange, speak, source=f"lab:{recorded.name}"),
        lambda call: len(call.turns) <= most,
    )


async def answered(
    exchange: Exchange,
    speak: Callable[[Line, Call], Awaitable[CallerReport | None]],
    *,
    source: str = "lab:test",
    watch: Callable[[Line, Event], None] = lambda line, event: None,
) -> WholeCall:
    """Answer a caller who does what ``speak`` does, and read the call back from the ledger.

    Args:
        watch: told of every event and whose line it is about.
    """
    line = Line()
    call = Call(
        exchange,
        port=LinePort(line),
        clock=line.clock,
        source=source,
        watch=lambda event: watch(line, event),
    )
    async with asyncio.timeout(LONGEST_S), call:
        report = await speak(line, call)
        line.hang_up()
    return WholeCall(call.call_id, exchange.ledger.events(call.call_id), *line.recording(), report)


async def greeted(line: Line) -> None:
    """Hear the greeting to its end."""
    await line.agent_started(0.0)
    await line.agent_finished()


async def asks(line: Line, name: str, *, quiet_ms: float = 900) -> float:
    """Say a recorded turn and hear the reply to its end; returns when its first sound was heard."""
    said = await line.say(recording(name))
    at_ms = await line.agent_started(said.end_ms)
    await line.agent_finished(quiet_ms)
    return at_ms


async def hears(line: Line, sound_ms: float, *, since_ms: float = 0.0) -> None:
    """Hear so much of what the agent says: a place in its words, however long a busy machine pauses between them."""
    since, sound = (round(ms * RATE_HZ / 1000) for ms in (since_ms, sound_ms))
    while np.count_nonzero(line.recording()[1][since:]) < sound:  # noqa: ASYNC110 -- sound has no event
        await asyncio.sleep(0.02)


async def until(what: Callable[[], bool]) -> None:
    """Wait until something has come about that nobody is told of."""
    async with asyncio.timeout(LONGEST_S):
        while not what():  # noqa: ASYNC110 -- there is no event to wait for
            await asyncio.sleep(0.02)


def recording(name: str) -> Samples:
    """A recorded turn, 24 kHz."""
    return load_pcm(RECORDINGS / f"{name}.flac", sample_rate_hz=RATE_HZ)


def silence(ms: int) -> Samples:
    return np.zeros(RATE_HZ * ms // 1000, np.int16)


def words(text: str) -> list[str]:
    found: list[str] = []
    for word in re.findall(r"<\w+>|[\w']+", text):
        one = PRIVATE if word.startswith("<") else word.lower()
        if one != PRIVATE or found[-1:] != [PRIVATE]:
            found.append(one)
    return found


def word_errors(said: list[str], heard: list[str]) -> int:
    """The least number of words to replace, leave out or put in that makes one of the other."""
    row = np.arange(len(heard) + 1)
    for number, word in enumerate(said, start=1):
        before, row = row, np.empty_like(row)
        row[0] = number
        for column, other in enumerate(heard, start=1):
            row[column] = min(before[column - 1] + (word != other), before[column] + 1, row[column - 1] + 1)
    return int(row[-1])
