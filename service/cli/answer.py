"""``patchbay call``: a recording of the user's own, played to the line as one caller."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from compliance.tap import RATE_HZ
from service.audio import Samples, read_audio
from service.call import Call
from service.cli.finished import finish, show
from service.cli.progress import following, starting
from service.cli.rig import rig
from service.exchange import Exchange
from service.line import Line, LineClosedError
from service.live import LiveCalls
from service.ports import LinePort
from service.settings import Settings

QUIET_MS = 1500.0
"""The call is over when the agent has been quiet this long after the recording."""
LONGEST_REPLY_S = 45.0
GREETING_S = 15.0
"""The caller speaks when the greeting has lasted this long, or has not come."""


async def answer_recording(settings: Settings, recording: Path, *, out: Path, as_json: bool) -> int:
    """Answer the recording; returns the exit status.

    Raises:
        service.audio.AudioFileError: it cannot be read, or holds no sound.
    """
    samples = read_audio(recording, sample_rate_hz=RATE_HZ)
    live = LiveCalls((recording.name,))
    async with AsyncExitStack() as running:
        with starting():
            ready = await running.enter_async_context(rig(settings, out))
            exchange = await asyncio.to_thread(Exchange.load, ready)
        running.callback(exchange.close)
        line = Line()
        call = Call(
            await exchange.for_call(),
            port=LinePort(line),
            clock=line.clock,
            source=f"file:{recording.name}",
            watch=live.take,
        )
        with following(live):
            async with call:
                await _converse(line, samples)
                line.hang_up()
        done = finish(exchange.ledger, call.call_id, line)
    return show([done], title=f"Patchbay: {recording.name}", out=out, as_json=as_json)


async def _converse(line: Line, samples: Samples) -> None:
    """Hear the greeting, play the recording, hear the answer. What does not come, the promises' check will miss."""
    with suppress(LineClosedError):
        with suppress(TimeoutError):
            async with asyncio.timeout(GREETING_S):
                await line.agent_started(0.0)
                await line.agent_finished()
        said = await line.say(samples)
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_REPLY_S):
                await line.agent_started(said.end_ms)
                await line.agent_finished(QUIET_MS)
