"""What Patchbay adds to a call: ``python -m lab.bench calls``.

Two calls run at the same time on one lab, with the same plugins, options and delays: a bare LiveKit
``AgentSession`` and Patchbay. The same recorded caller says the same thing on both, turn after turn, and the
wait is measured on the audio of each line. Figures are differences turn by turn, so that what the machine does
meanwhile strikes both. Delays are fixed at the published medians: the jitter left is ours and the machine's.

Everything here is *simulated*: the language model is scripted and the delays are the lab's.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import aiohttp
from livekit.agents import Agent, AgentSession, inference
from livekit.agents.voice.transcription import TranscriptSynchronizer

from compliance.events import Decided, TurnAnswered
from engines.catalogue import Catalogue
from engines.plugins import Endpoint, Endpoints
from lab.bench.limits import Row, report
from lab.callers import load_pcm, recorded_call
from lab.delays import Delay, Delays
from lab.process import LabProcess
from lab.rehearsal import planned_policy
from lab.server import LabSettings
from router import Policy
from service.call import Call
from service.cast import cast
from service.exchange import Exchange
from service.heard import Span, heard_latencies
from service.heard_text import HeardText
from service.line import Line
from service.ports import LinePort
from service.settings import Settings

FIXED = Delays(
    stt=Delay(100, 100),
    llm_ttft=Delay(150, 150),
    tts_ttfb=Delay(100, 100),
    realtime=Delay(250, 250),
    network=Delay(10, 10),
)
"""The published medians, without their spread."""
REALTIME_FLOOR_MS = 250.0 + 20.0 + 20.0
"""A realtime engine's first byte, its network both ways, and one round trip for the commit."""
QUIET_MS = 700.0


async def converse(line: Line, turns: int) -> list[float | None]:
    """Say the same sentence ``turns`` times, each after the reply; returns the wait heard for each, in ms."""
    samples = load_pcm(recorded_call("01").turns[0].path, sample_rate_hz=24_000)
    await line.agent_started(0.0)
    await line.agent_finished(QUIET_MS)
    said: list[Span] = []
    for _ in range(turns):
        span = await line.say(samples)
        said.append(Span(span.start_ms, span.end_ms))
        async with asyncio.timeout(20):
            await line.agent_started(span.end_ms)
            await line.agent_finished(QUIET_MS)
    caller, agent = line.recording()
    return [heard.heard_latency_ms for heard in heard_latencies(caller, agent, turns=said)]


async def bare(catalogue: Catalogue, endpoints: Endpoints, engine: str, turns: int) -> list[float | None]:
    """The waits on a plain AgentSession with the parts of ``engine``."""
    line = Line()
    async with aiohttp.ClientSession() as http:
        parts = cast(catalogue, endpoints, http, lambda *_: None)
        cascade = parts.cascades[engine]
        session: AgentSession[None] = AgentSession(
            stt=parts.transcriber,
            llm=cascade.mind,
            tts=cascade.voice.preferred,
            vad=inference.VAD(),
            turn_handling={
                "turn_detection": "vad",
                "endpointing": {"min_delay": catalogue.endpointing_s},
                "interruption": {"mode": "vad", "resume_false_interruption": False},
            },
            user_away_timeout=None,
            aec_warmup_duration=None,
        )
        heard = TranscriptSynchronizer(next_in_chain_audio=line.output, next_in_chain_text=HeardText())
        session.input.audio = line.input
        session.output.audio = heard.audio_output
        session.output.transcription = heard.text_output
        await session.start(Agent(instructions=catalogue.instructions))
        session.say(f"{catalogue.greeting} {catalogue.offer}")
        try:
            return await converse(line, turns)
        finally:
            line.hang_up()
            await session.aclose()
            await heard.aclose()
            await parts.aclose()
            for model in parts.realtime.values():
                await model.aclose()


async def patchbay(exchange: Exchange, route: Sequence[str]) -> tuple[list[float | None], list[float | None]]:
    """The waits on a Patchbay call with a planned route: heard on the line, and from decision to first sound."""
    line = Line()
    planned = replace(exchange, policy=Policy.parse(planned_policy(route), engines=exchange.catalogue.names))
    call = Call(planned, port=LinePort(line), clock=line.clock, source="bench:patchbay")
    async with call:
        heard = await converse(line, len(route))
        line.hang_up()
    events = exchange.ledger.events(call.call_id)
    after: dict[int, float] = {}
    for event in events:
        if isinstance(event, TurnAnswered):
            before = ("transcription", "endpointing", "decision")
            after[event.turn] = sum(ms for stage, ms in event.waits.items() if stage not in before)
    decided = [event.turn for event in events if isinstance(event, Decided)]
    return heard, [after.get(turn) for turn in decided]


async def measure(turns: int) -> list[Row]:
    """Run all comparisons."""
    with tempfile.TemporaryDirectory() as folder:
        async with LabProcess(LabSettings(delays=FIXED)) as lab:
            urls = lab.stand_ins
            settings = Settings().model_copy(
                update={
                    "stand_ins": urls,
                    "ledger": str(Path(folder) / "ledger.sqlite"),
                    "consent_voice_ai": True,
                }
            )
            exchange = await asyncio.to_thread(Exchange.load, settings)
            endpoints = Endpoints({}, {name: Endpoint("lab", url, True) for name, url in urls.items()})
            try:
                return await _rows(exchange, endpoints, turns)
            finally:
                exchange.close()


async def _rows(exchange: Exchange, endpoints: Endpoints, turns: int) -> list[Row]:
    catalogue = exchange.catalogue
    there_and_back = [("fast", "standard")[turn % 2] for turn in range(turns)]
    to_realtime = [("standard", "realtime")[turn % 2] for turn in range(turns)]
    steady, plain_a = await asyncio.gather(
        patchbay(exchange, ["fast"] * turns), bare(catalogue, endpoints, "fast", turns)
    )
    switching, plain_b = await asyncio.gather(
        patchbay(exchange, there_and_back), bare(catalogue, endpoints, "fast", turns)
    )
    _, decided = await patchbay(exchange, to_realtime)
    arrivals = [wait for turn, wait in enumerate(decided) if turn % 2 == 1 and wait is not None]
    return [
        Row("turn without hand-off, against a bare AgentSession", _less(steady[0], plain_a), 5, 15),
        Row(
            "cascade ↔ cascade hand-off, against a bare AgentSession",
            _less(switching[0], plain_b)[1:],
            10,
            25,
        ),
        Row(
            "cascade → warm realtime, against its first byte and a round trip",
            tuple(wait - REALTIME_FLOOR_MS for wait in arrivals),
            15,
            30,
        ),
    ]


def _less(ours: Sequence[float | None], theirs: Sequence[float | None]) -> tuple[float, ...]:
    pairs = zip(ours, theirs, strict=True)
    return tuple(mine - other for mine, other in pairs if mine is not None and other is not None)


def main(arguments: Sequence[str] = ()) -> int:
    """Print the table; returns 1 when a limit is passed."""
    turns = int(arguments[0]) if arguments else 12
    return report("extra wait heard by the caller, ms (simulated)", asyncio.run(measure(turns)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
