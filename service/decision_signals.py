"""What a decision model makes of a policy's yes/no questions about the running turn: signals that come when they come.

Nothing here waits for the model. Each transcript of a turn is handed over, the newest is asked about as soon as the
answer before it is in, and what has arrived by the time of a decision counts. An answer about a turn that is over is
dropped and counted; a model that fails is left alone for a while; what a call may ask is limited.

What is handed over goes to the model's vendor as it is: hand over redacted text. What answers cost is told by the model
itself (its ``metrics_collected``), also of answers that came too late to be of use.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from livekit.agents import APIConnectOptions, llm

logger = logging.getLogger(__name__)

Speaker = Literal["caller", "agent"]

Lines = Sequence[tuple[Speaker, str]]
"""Who said what."""
LATEST_LINES = 20
"""So much of the conversation is asked about: a call may last hours, and every line costs."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""For so long a model that failed is left alone; twice as long after every further failure in a row."""


@dataclass(slots=True)
class Counts:
    """What became of the questions of a call. ``asked`` is the others' sum but for the request in flight and those
    that the end of the call broke off; ``over_budget`` was never asked."""

    asked: int = 0
    answered: int = 0
    late: int = 0
    failed: int = 0
    over_budget: int = 0


async def _as_it_is(lines: Lines) -> Lines:
    return lines


class DecisionSignals:
    """One call's questions. Use it from the event loop that made it.

    Args:
        model: answers; whoever made it closes it.
        questions: name to yes/no question, as in ``{"gives_up": "The caller is about to hang up."}``.
        timeout_s: how long an answer may take.
        most_per_call: requests in this call, whatever becomes of them.
        settled: told when :meth:`values` has changed because answers arrived.
        hide: what the model may see of what was said.

    Raises:
        ValueError: there are no questions, or the model answers none of this kind.
    """

    def __init__(
        self,
        model: llm.DecisionModel,
        questions: Mapping[str, str],
        *,
        timeout_s: float,
        most_per_call: int,
        settled: Callable[[], None],
        hide: Callable[[Lines], Awaitable[Lines]] = _as_it_is,
    ) -> None:
        if not questions:
            raise ValueError("there are no questions; ask at least one")
        if "probability" not in model.capabilities.decision_kinds:
            raise ValueError(f"{model.label} gives no probabilities; choose another decision model")
        self._model = model
        self._questions = {name: llm.Probability(prompt) for name, prompt in questions.items()}
        self._once = APIConnectOptions(max_retry=0, timeout=timeout_s)
        self._most = most_per_call
        self._settled = settled
        self._hide = hide
        self._counts = Counts()
        self._turn: int | None = None
        self._newest = ""
        self._waiting: tuple[int, Lines] | None = None
        self._values: Mapping[str, float] = MappingProxyType({})
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._keep_asking(), name="patchbay.questions")

    @property
    def counts(self) -> Counts:
        """How it went so far."""
        return replace(self._counts)

    def ask(self, turn: int, transcript: Sequence[tuple[Speaker, str]]) -> None:
        """Ask about the conversation as it stands: at every new transcript of the running turn, and at its end.

        Returns at once. A transcript that is still waiting when a newer one comes is never asked about.

        Args:
            turn: the number of the running turn; a new number ends the turn before.
            transcript: lines in their order, the running turn's last. They go to the model's vendor.
        """
        if turn != self._turn:
            self.turn_ended()
            self._turn = turn
        text = _written(transcript)
        if not text or text == self._newest or self._task.done():
            return
        self._newest = text
        if self._counts.asked >= self._most:
            self._counts.over_budget += 1
            return
        self._waiting = (turn, transcript[-LATEST_LINES:])
        self._wake.set()

    def values(self) -> Mapping[str, float]:
        """The probability of a yes by question, 0 to 1: what arrived for the running turn, from the newest answer."""
        return self._values

    def turn_ended(self) -> None:
        """The turn was decided: its answers are no longer of use."""
        self._turn = self._waiting = None
        self._newest = ""
        self._values = MappingProxyType({})

    async def aclose(self) -> None:
        """Break off what is being asked."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_asking(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._waiting is None:
                continue
            (turn, lines), self._waiting = self._waiting, None
            self._counts.asked += 1
            try:
                values = await self._answers(_written(await self._hide(lines)))
            except Exception as error:  # whatever a plugin raises; its message may hold the caller's words
                self._counts.failed += 1
                logger.warning(
                    "the decision model %s gives no answer: %s", self._model.label, type(error).__name__
                )
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            if turn != self._turn:
                self._counts.late += 1
                continue
            self._counts.answered += 1
            self._values = MappingProxyType(values)
            self._settled()

    async def _answers(self, text: str) -> dict[str, float]:
        """Raises :class:`_UnansweredError` for a response without a single answer; one without some is fine."""
        response = await self._model.evaluate(input=text, decisions=self._questions, conn_options=self._once)
        values = {
            name: float(result.value)
            for name, result in response.results.items()
            if isinstance(result, llm.ProbabilityResult)
        }
        if not values:
            raise _UnansweredError
        return values


class _UnansweredError(Exception):
    """Every question was declined or answered unintelligibly."""


def _written(transcript: Sequence[tuple[Speaker, str]]) -> str:
    """One line each, ``caller: …`` or ``agent: …``; a line break within would let words pose as a line."""
    lines = [(speaker, " ".join(text.split())) for speaker, text in transcript]
    return "\n".join(f"{speaker}: {text}" for speaker, text in lines[-LATEST_LINES:] if text)
