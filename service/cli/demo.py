"""``patchbay demo``: recorded callers on the lab, several at once, and what became of their calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from compliance.events import Event
from lab.caller import Caller, CallerReport, Understanding
from lab.callers import RecordedCall, recorded_calls
from service.call import Call
from service.cli.errors import CommandError
from service.cli.finished import Finished, finish, show
from service.cli.progress import following, starting
from service.cli.rig import rig
from service.exchange import Exchange
from service.line import Line
from service.live import LiveCalls
from service.ports import LinePort
from service.promises import Broken
from service.settings import Settings

SHOWN = ("01", "02", "03", "04", "06")
"""The five calls of the short demo: quick question, tools, card number, anger, barge-in."""


async def demonstrate(
    settings: Settings, *, out: Path, every: bool, only: str, at_once: int, telephone: bool, as_json: bool
) -> int:
    """Run the demo; returns the exit status: 1 when a promise was broken in it."""
    chosen = choose(recorded_calls(), every=every, only=only)
    # A ledger of its own per run: a demo must not mix with the record of real calls.
    own = settings.model_copy(
        update={
            "ledger": str(out / f"ledger-{int(time.time())}.sqlite"),
            "consent_voice_ai": True,  # the callers are recordings, and no vendor hears them
        }
    )
    async with AsyncExitStack() as running:
        with starting():
            ready = await running.enter_async_context(rig(own, out, lab_only=True))
            exchange = await asyncio.to_thread(Exchange.load, ready, lab_only=True)
        running.callback(exchange.close)
        live = LiveCalls(tuple(call.name for call in chosen))
        room = asyncio.Semaphore(at_once)

        async def one(recorded: RecordedCall) -> Finished:
            async with room:
                return await _answer(exchange, recorded, telephone, live.take)

        with following(live):
            finished = await asyncio.gather(*(one(recorded) for recorded in chosen))
    return show(finished, title="Patchbay demo", out=out, as_json=as_json)


def choose(recorded: tuple[RecordedCall, ...], *, every: bool, only: str) -> tuple[RecordedCall, ...]:
    """The calls to run. Raises :class:`CommandError` for a name that no call has."""
    if not only:
        return recorded if every else tuple(call for call in recorded if call.name[:2] in SHOWN)
    chosen = []
    for wanted in (part.strip() for part in only.split(",")):
        found = [
            call for call in recorded if wanted and (call.name.startswith(wanted) or wanted in call.name)
        ]
        if not found:
            names = ", ".join(call.name for call in recorded)
            raise CommandError(f"no recorded call is named '{wanted}'; there are {names}")
        chosen += [call for call in found if call not in chosen]
    return tuple(chosen)


async def _answer(
    exchange: Exchange, recorded: RecordedCall, telephone: bool, watch: Callable[[Event], None]
) -> Finished:
    line, understanding = Line(), Understanding()

    def told(event: Event) -> None:
        watch(event)
        understanding.take(event)

    call = Call(
        await exchange.for_call(),
        port=LinePort(line),
        clock=line.clock,
        source=f"lab:{recorded.name}",
        transport="sip" if telephone else "in_process",
        codec_hz=8_000 if telephone else 24_000,
        watch=told,
    )
    async with call:
        report = await Caller(recorded, line, telephone=telephone, understanding=understanding).run()
    return finish(exchange.ledger, call.call_id, line, at_the_ear(report), measured(report))


def measured(report: CallerReport) -> dict[str, object]:
    """What the caller experienced, for the JSON output."""
    return {
        "gave_up": report.gave_up,
        "turns": [
            {"turn": turn.number, "said_ms": [turn.start_ms, turn.end_ms], "heard_ms": turn.heard_latency_ms}
            for turn in report.turns
        ],
    }


def at_the_ear(report: CallerReport) -> tuple[Broken, ...]:
    """Promises that only the caller can check: that somebody greeted, and answered every time."""
    broken = []
    if not report.greeted:
        broken.append(Broken("The caller is greeted", None, "The caller heard no greeting."))
    if report.gave_up is not None:
        broken.append(
            Broken(
                "Nobody is met with silence",
                report.gave_up,
                f"The caller gave up waiting for an answer to what they said as number {report.gave_up}.",
            )
        )
    if report.cut_off:
        broken.append(
            Broken("The caller hangs up", None, "The line was closed before the caller was through.")
        )
    return tuple(broken)
