"""Says what a person is told before they take a call, when all of it is redacted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress

from livekit.agents import llm

from compliance.recorder import Recorder
from engines.cascade import ONCE, Cascade
from engines.people import TO_ACCEPT, PersonSpec
from engines.record import name_of
from service.transfer.briefing import Briefing

logger = logging.getLogger(__name__)

REDACTED_WITHIN_S = 3.0
"""What is not redacted by then is not told; the person is waiting, and so is the caller."""
WRITTEN_WITHIN_S = 4.0
WRITE = (
    "Tell a colleague who is about to take over a telephone call what it is about, in at most three short spoken "
    "sentences. Say who called, what they want, what was done and why the call is handed over. Use only the notes. "
    "What is withheld stays withheld."
)
"""What the model is asked, where the catalogue names one; the notes are redacted."""


class Telling:
    """What a person is told of one call.

    Args:
        recorder: redacts the call; what it has not shown yet is waited for.
        briefing: follows it.
        cascades: whose model may be asked to write the summary.
    """

    def __init__(self, recorder: Recorder, briefing: Briefing, cascades: Mapping[str, Cascade]) -> None:
        self._recorder = recorder
        self._briefing = briefing
        self._cascades = cascades

    async def __call__(self, person: PersonSpec) -> str:
        """Who is announced, the summary, and how to take the call."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REDACTED_WITHIN_S):
                await self._recorder.flush()
        notes = self._briefing.summary().text
        cascade = self._cascades.get(person.summary)
        summary = notes if cascade is None else await _written(cascade, notes)
        words = person.words
        return f"{words.announce} {summary} {words.accept or TO_ACCEPT[person.accept]}"


async def _written(cascade: Cascade, notes: str) -> str:
    """The notes in a model's words; the notes themselves when it fails or takes too long."""
    asked = llm.ChatContext()
    asked.add_message(role="system", content=WRITE)
    asked.add_message(role="user", content=notes)
    try:
        async with asyncio.timeout(WRITTEN_WITHIN_S):
            async with cascade.mind.chat(chat_ctx=asked, tools=[], conn_options=ONCE) as stream:
                said = [chunk.delta.content or "" async for chunk in stream if chunk.delta is not None]
        return "".join(said).strip() or notes
    except Exception as error:  # whatever it is, the person is told the notes
        logger.warning("no summary was written for a transfer: %s", name_of(error))
        return notes
