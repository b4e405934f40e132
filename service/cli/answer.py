"""``patchbay call``: a recording of the user's own, played to the line as one caller."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rich.console import Console
from rich.live import Live

from compliance.tap import RATE_HZ
from service.audio import read_audio
from service.call import Call
from service.cli.finished import finish, show
from service.cli.rig import rig
from service.exchange import Exchange
from service.line import Line
from service.live import LiveCalls
from service.ports import LinePort
from service.settings import Settings

QUIET_MS = 1500.0
"""The call is over when the agent has been quiet this long after the recording."""
LONGEST_REPLY_S = 45.0
GREETING_S = 15.0


async def answer_recording(settings: Settings, recording: Path, *, out: Path, as_json: bool) -> int:
    """Answer the recording; returns the exit status.

    Raises:
        service.audio.AudioFileError: it cannot be read, or holds no sound.
    """
    samples = read_audio(recording, sample_rate_hz=RATE_HZ)
    live = LiveCalls((recording.name,))
    async with rig(settings, out) as ready:
        exchange = await asyncio.to_thread(Exchange.load, ready)
        try:
            line = Line()
            call = Call(
                exchange,
                port=LinePort(line),
                clock=line.clock,
                source=f"file:{recording.name}",
                watch=live.take,
            )
            with Live(live, console=Console(stderr=True), transient=True, refresh_per_second=8):
                async with call:
                    async with asyncio.timeout(GREETING_S):
                        await line.agent_started(0.0)
                        await line.agent_finished()
                    said = await line.say(samples)
                    try:
                        async with asyncio.timeout(LONGEST_REPLY_S):
                            await line.agent_started(said.end_ms)
                            await line.agent_finished(QUIET_MS)
                    except TimeoutError:
                        pass  # the promises check says what is missing
            done = finish(exchange.ledger, call.call_id, line)
        finally:
            exchange.close()
    return show([done], title=f"Patchbay: {recording.name}", out=out, as_json=as_json)
