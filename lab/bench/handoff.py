"""What a hand-off costs the caller: ``python -m lab.bench handoff [TURNS]``.

Beside each Patchbay call runs a bare LiveKit ``AgentSession`` with the same plugins, delays and caller, on a lab of its
own. Waits are measured on the audio of each line and compared turn by turn, so that what the machine does meanwhile
strikes both. No two turns say the same, so what the lab was asked about is compared with what the caller said, sample
by sample; audio that was sent and taken back counts as lost.

Everything is *simulated*: what is said is known to the lab's ears, its voices hum, delays are fixed at the published
medians. The jitter is ours and the machine's: run it on one that is idle.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import aiohttp
import numpy as np
from livekit.agents import Agent, AgentSession, inference
from livekit.agents.voice.transcription import TranscriptSynchronizer

from compliance.events import Decided, PreviewSettled
from compliance.tap import RATE_HZ
from compliance.voiced import Samples
from engines.plugins import Endpoint, Endpoints
from lab.addresses import Reachable
from lab.bench import known_lab
from lab.bench.calls import FIXED, REALTIME_FLOOR_MS
from lab.bench.limits import Row, report
from lab.faults import Fault, Provider
from lab.known_speech import KnownSpeech, Utterance
from lab.process import LabProcess
from lab.rehearsal import planned_policy
from lab.server import Lab, LabSettings
from router import Policy
from service.call import Call
from service.cast import cast
from service.exchange import Exchange
from service.heard import Span, heard_latencies
from service.heard_text import HeardText
from service.line import Line
from service.ports import LinePort
from service.settings import Settings
from service.settled import settle

FRAME_MS = 20.0
ROUND_TRIP_MS = 2 * FIXED.network.p50_ms
BREATH_MS = 700.0
_PATIENCE_S = 30.0
_AHEAD_S = 0.9
"""Silence that ends a turn where an engine is asked ahead: long enough that its reply is there by then."""


@dataclass(frozen=True, slots=True)
class Conversed:
    """The waits of a line's turns and when each reply was heard (``None``: not answered), and what was said."""

    waits_ms: tuple[float | None, ...]
    heard_at_ms: tuple[float | None, ...]
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Routed:
    """A call by a plan, in ms.

    Attributes:
        conversed: what was said and heard in it.
        after_decision_ms: from each decision to hand over to the realtime engine to the first sound.
        lost_at_tap_ms: caller audio that the tap did not have, in all.
        lost_at_engine_ms: caller audio that the realtime engine was not asked about, by turn.
    """

    conversed: Conversed
    after_decision_ms: tuple[float, ...]
    lost_at_tap_ms: float
    lost_at_engine_ms: tuple[float, ...]


async def converse(line: Line, turns: int, known: Sequence[Utterance]) -> Conversed:
    """Say something ``turns`` times, each after the reply."""
    await line.agent_started(0.0)
    await line.agent_finished(BREATH_MS)
    spans, said = [], []
    for turn in range(turns):
        one = known[turn % len(known)]
        span = await line.say(one.samples)
        spans.append(Span(span.start_ms, span.end_ms))
        said.append(one.text)
        async with asyncio.timeout(_PATIENCE_S):
            await line.agent_started(span.end_ms)
            await line.agent_finished(BREATH_MS)
    caller, agent = line.recording()
    heard = heard_latencies(caller, agent, turns=spans)
    return Conversed(
        tuple(one.heard_latency_ms for one in heard), tuple(one.reply_at_ms for one in heard), tuple(said)
    )


class Bench:
    """Two labs, for the calls and for those they are compared with. Use :func:`opened`."""

    def __init__(
        self, lab: Lab, others: Lab, ears: KnownSpeech, exchange: Exchange, known: Sequence[Utterance]
    ) -> None:
        self.lab = lab
        self.others = others
        self.ears = ears
        self.exchange = exchange
        self.known = known

    async def bare(self, engine: str, turns: int) -> Conversed:
        """A plain session with the realtime model of ``engine``, which the framework itself keeps open."""
        line, catalogue = Line(), self.exchange.catalogue
        async with aiohttp.ClientSession() as http:
            parts = cast(catalogue, _endpoints(self.others), http, lambda *_: None)
            session: AgentSession[None] = AgentSession(
                stt=parts.transcriber,
                llm=parts.realtime[engine]._inner,
                tts=next(iter(parts.cascades.values())).voice.preferred,
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
                return await converse(line, turns, self.known)
            finally:
                line.hang_up()
                await session.aclose()
                await heard.aclose()
                await parts.aclose()
                for model in parts.realtime.values():
                    await model.aclose()

    async def patchbay(self, route: Sequence[str]) -> Routed:
        """A call by a plan."""
        line, tapped = Line(), list[Samples]()
        policy = Policy.parse(planned_policy(route), engines=self.exchange.catalogue.names)
        call = Call(
            replace(self.exchange, policy=policy),
            port=LinePort(line),
            clock=line.clock,
            source="bench:handoff",
        )
        async with call:
            call.tap.sinks.append(lambda _, frame: tapped.append(np.frombuffer(frame.data, np.int16)))
            conversed = await converse(line, len(route), self.known)
            line.hang_up()
        caller, _ = line.recording()
        # The recogniser hears another rate.
        sent = [turn for ear in self.ears.listeners if ear.rate_hz == RATE_HZ for turn in ear.turns]
        at_engine = tuple(
            lost_ms(said, sent, self.known)
            for said, engine in zip(conversed.said, route, strict=True)
            if engine == "realtime"
        )
        decided = [event for event in self.exchange.ledger.events(call.call_id) if isinstance(event, Decided)]
        heard_ms = [one for one in conversed.heard_at_ms if one is not None]
        after = tuple(
            min(one for one in heard_ms if one >= event.at_ms) - event.at_ms
            for before, event in pairwise(decided)
            if before.engine != event.engine == "realtime"
        )
        return Routed(conversed, after, lost_at_tap_ms(caller, tapped), at_engine)

    async def ahead(self, route: Sequence[str]) -> tuple[tuple[float, ...], int]:
        """From the decision for a realtime engine that was asked ahead to its first sound, ms; and vain requests.

        The vendors are in a process of their own: theirs is no work of ours, and this little is told apart.
        """
        async with LabProcess(LabSettings(delays=FIXED), program=known_lab.__name__) as lab:
            return await self._ahead(route, _endpoints(lab))

    async def _ahead(self, route: Sequence[str], endpoints: Endpoints) -> tuple[tuple[float, ...], int]:
        catalogue = self.exchange.catalogue
        previewing = replace(
            catalogue,
            endpointing_s=_AHEAD_S,
            engines={
                name: replace(engine, previews=engine.kind == "realtime")
                for name, engine in catalogue.engines.items()
            },
        )
        line = Line()
        policy = Policy.parse(planned_policy(route), engines=catalogue.names)
        call = Call(
            replace(self.exchange, policy=policy, catalogue=previewing, endpoints=endpoints),
            port=LinePort(line),
            clock=line.clock,
            source="bench:ahead",
        )
        async with call:
            conversed = await converse(line, len(route), self.known)
            line.hang_up()
        events = self.exchange.ledger.events(call.call_id)
        decided_ms = {event.turn: event.at_ms for event in events if isinstance(event, Decided)}
        settled = [
            event for event in events if isinstance(event, PreviewSettled) and event.engine == "realtime"
        ]
        heard_ms = [one for one in conversed.heard_at_ms if one is not None]
        waits = [
            min(one for one in heard_ms if one >= decided_ms[event.turn]) - decided_ms[event.turn]
            for event in settled
            if event.used
        ]
        return tuple(waits), sum(not event.used for event in settled)

    async def failing(self, provider: Provider, engine: str) -> float:
        """From the request that hangs to the first sound of who takes over, in ms."""
        line = Line()
        policy = Policy.parse(planned_policy([engine]), engines=self.exchange.catalogue.names)
        call = Call(
            replace(self.exchange, policy=policy),
            port=LinePort(line),
            clock=line.clock,
            source="bench:failing",
        )
        name = "chat.completions" if provider == "openai.chat" else "response.create"
        journal = self.lab.context.journal
        async with call:
            await line.agent_started(0.0)
            await line.agent_finished(BREATH_MS)
            count = journal.count(provider, name)
            self.lab.context.faults.set(provider, Fault("hang", times=1))
            said = await line.say(self.known[0].samples)
            await journal.until(provider, name, count=count + 1)
            asked_ms = line.clock.now_ms()
            async with asyncio.timeout(_PATIENCE_S):
                heard_ms = await line.agent_started(said.end_ms)
            line.hang_up()
        self.lab.context.faults.clear(provider)
        return heard_ms - asked_ms


def _endpoints(lab: Reachable) -> Endpoints:
    """Every provider is ``lab``."""
    return Endpoints({}, {name: Endpoint("lab", url, True) for name, url in lab.stand_ins.items()})


def lost_at_tap_ms(caller: Samples, tapped: Sequence[Samples]) -> float:
    """What the caller sent and the tap did not have, or had otherwise; the frame under way at the end is none."""
    had = np.concatenate([*tapped, np.zeros(0, np.int16)])
    # The tap's first frames came before anybody could listen to it.
    missed = max(0, len(caller) // (RATE_HZ // 50) * (RATE_HZ // 50) - len(had))
    whole = caller[missed : missed + len(had)]
    silent = not caller[:missed].any()
    differs = int(np.count_nonzero(whole != had[: len(whole)]))
    return 1000 * (differs + (0 if silent else missed)) / RATE_HZ


def lost_ms(text: str, turns: Sequence[Samples], known: Sequence[Utterance]) -> float:
    """How much of an utterance is in none of the turns that an engine was sent, to 20 ms."""
    [said] = [one.samples for one in known if one.text == text]
    size = int(RATE_HZ * FRAME_MS / 1000)
    pieces = [said[at : at + size].tobytes() for at in range(0, len(said) - size + 1, size)]
    heard = [turn.tobytes() for turn in turns]
    if any(said.tobytes() in turn for turn in heard):
        return 0.0
    return min(
        (FRAME_MS * sum(piece not in turn for piece in pieces) for turn in heard),
        default=FRAME_MS * len(pieces),
    )


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Bench]:
    """A bench in this process, its ledger in ``folder``."""
    known = known_lab.speech()
    ears = known_lab.ears(known)
    lab_of_ours = Lab(LabSettings(delays=FIXED), hearing=ears, voices=known_lab.voices())
    others = Lab(LabSettings(delays=FIXED), hearing=known_lab.ears(known), voices=known_lab.voices())
    async with lab_of_ours as lab, others:
        settings = Settings().model_copy(
            update={
                "stand_ins": lab.stand_ins,
                "ledger": str(folder / "ledger.sqlite"),
                "consent_voice_ai": True,
            }
        )
        exchange = await asyncio.to_thread(Exchange.load, settings)
        settle()  # as a worker does
        try:
            yield Bench(lab, others, ears, exchange, known)
        finally:
            exchange.close()


async def measure(turns: int) -> list[Row]:
    """All rows."""
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Path(folder)) as bench:
            route = [("standard", "realtime")[turn % 2] for turn in range(turns)]
            ours, theirs = await asyncio.gather(bench.patchbay(route), bench.bare("realtime", turns))
            extra = tuple(
                mine - other
                for mine, other, (left, right) in zip(
                    ours.conversed.waits_ms[1:], theirs.waits_ms[1:], pairwise(route), strict=True
                )
                if mine is not None and other is not None and left != right == "realtime"
            )
            ahead, wrong = await bench.ahead(route)
            catalogue = bench.exchange.catalogue
            failed = [
                await bench.failing("openai.chat", "fast") - 1000 * catalogue.engines["fast"].first_reply_s,
                await bench.failing("openai.realtime", "realtime")
                - 1000 * catalogue.engines["realtime"].first_reply_s,
            ]
    return [
        Row(
            "cascade → warm realtime, decision → sound, beyond the engine's first byte and one round trip",
            tuple(one - REALTIME_FLOOR_MS for one in ours.after_decision_ms),
            15,
            30,
        ),
        Row(
            "the same turns' waits against those of a bare realtime session, which hands nothing over",
            extra,
            ROUND_TRIP_MS + 15,
            ROUND_TRIP_MS + 30,
        ),
        Row(
            f"cascade → realtime asked ahead, decision → sound; vendors in their own process ({wrong} asked in vain)",
            ahead,
            15,
            15,
        ),
        Row(
            "a provider hangs → the next engine's voice, which says that it takes longer, after its time-out",
            tuple(failed),
            300,
            300,
        ),
        Row("caller audio lost at the tap", (ours.lost_at_tap_ms,), 0, 0),
        Row(
            "caller audio that the realtime engine was not asked about, by turn",
            ours.lost_at_engine_ms,
            20,
            20,
        ),
    ]


def main(arguments: Sequence[str] = ()) -> int:
    """Print the table; returns 1 when a limit is passed."""
    turns, most = int(arguments[0]) if arguments else 12, len(known_lab.speech())
    if not 2 <= turns <= most:
        print(f"between 2 and {most} turns, please: no two of them say the same", file=sys.stderr)
        return 2
    return report("hand-offs, ms (simulated)", asyncio.run(measure(turns)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
