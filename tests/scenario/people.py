"""People for tests of transfers: a room with somebody in it, and a catalogue and a policy that name them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from policies import shipped
from service.line import Line
from tests.patience import patient_engines, patient_policy
from tests.scenario.livekit_server import LiveKitServer
from tests.scenario.room_line import joined

HUMAN = """
  human:
    kind: human
    transfer: {ways}
    to: {to}
    wait_ms: {wait_ms}
"""
PATIENCE_S = 900.0
"""How long somebody waits for a call."""
_GUARD = """  - id: asked-for-a-person
    when: call.asked_human
    force: standard
"""


def catalogue(
    folder: Path, *, ways: str = "[warm]", to: str = "[room:desk-anna]", wait_ms: int = 120_000
) -> Path:
    """The shipped catalogue and an engine `human`."""
    path = folder / "engines.yaml"
    path.write_text(patient_engines() + HUMAN.format(ways=ways, to=to, wait_ms=wait_ms))
    return path


def policy(folder: Path) -> Path:
    """The shipped policy, by which a caller who asks for a person gets one."""
    path, text = folder / "policy.yaml", patient_policy()
    text = text.replace("last_resort: standard", "  human: {fallback: [standard]}\n\nlast_resort: standard")
    assert _GUARD in text
    to_people = _GUARD.replace("call.asked_human", "call.asked_human && human.available")
    path.write_text(text.replace(_GUARD, to_people.replace("standard", "human")))
    return path


def redaction(folder: Path) -> Path:
    """The shipped redaction policy, by which telephone numbers may be revealed."""
    path, text = folder / "redaction.yaml", shipped("redaction.yaml").read_text()
    assert "PHONE_NUMBER:   {action: mask}" in text
    path.write_text(
        text.replace("PHONE_NUMBER:   {action: mask}", "PHONE_NUMBER:   {action: mask, reveal: true}")
    )
    return path


def prices(folder: Path, *, usd_a_minute: float) -> Path:
    """The shipped price book, and what a minute of a person costs."""
    path, text = folder / "prices.yaml", shipped("prices.yaml").read_text()
    line = "  openai/tts-1: {characters: 15}\n"
    path.write_text(text.replace(line, f"{line}  human/*: {{call_minutes: {usd_a_minute}}}\n", 1))
    return path


@asynccontextmanager
async def waiting(
    server: LiveKitServer, room: str, identity: str, does: Callable[[Line], Coroutine[Any, Any, None]]
) -> AsyncIterator[Line]:
    """Somebody who waits in a room until a call is brought to them, and then does something and leaves."""
    line = Line()

    async def work() -> None:
        async with joined(line, server, room, identity=identity, within_s=PATIENCE_S):
            await does(line)

    task = asyncio.create_task(work(), name=identity)
    try:
        yield line
    finally:
        task.cancel()
        [ended] = await asyncio.gather(task, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended
