"""What judges a call beside its words: how the caller sounds, and the policy's questions to a decision model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict

from livekit.agents import llm

from compliance.events import Event, Part, VoiceUnjudged
from compliance.tap import CallerTap
from router.content import Question
from service.decision_signals import DecisionSignals, Lines
from service.emotion_ear import ClosedEar, EmotionEar
from service.exchange import Exchange
from service.facts import NO_ANSWERS, Answers


class Judges:
    """Those of one call. Nothing waits for them: what they do not know in time is unknown.

    Args:
        exchange: what the line's calls share.
        opened: closes them when it is left.
        changed: told whenever they know something new.
        failed: told that a part failed, with what, and what is done about it.
        emit: takes events for the record.
        call_id: goes into every event.

    Attributes:
        voice: judges the caller's voice, once that may be.
    """

    def __init__(
        self,
        exchange: Exchange,
        opened: AsyncExitStack,
        *,
        changed: Callable[[], None],
        failed: Callable[[Part, BaseException, str], None],
        emit: Callable[[Event], None],
        call_id: str,
    ) -> None:
        self._exchange = exchange
        self._open = opened
        self._changed = changed
        self._failed = failed
        self._emit = emit
        self._call_id = call_id
        self._answers: DecisionSignals | None = None
        self.voice: EmotionEar | ClosedEar = ClosedEar()

    def listen(self, caller: CallerTap) -> EmotionEar:
        """Have the caller's voice judged from now on."""
        self.voice = ear = EmotionEar(
            self._exchange.aside, caller, heard=self._changed, failed=self._voice_failed
        )
        self._open.push_async_callback(ear.aclose)
        return ear

    def ask(
        self,
        questions: Mapping[str, Question],
        model: llm.DecisionModel | None,
        hide: Callable[[Lines], Awaitable[Lines]],
    ) -> Answers:
        """Have a policy's questions asked, if it has any and the catalogue says whom.

        Args:
            questions: by name.
            model: answers them; the catalogue's.
            hide: what it may see of what was said.
        """
        spec = self._exchange.catalogue.decisions
        if not questions:
            return NO_ANSWERS
        if spec is None or model is None:
            self._failed(
                "questions",
                LookupError(),
                "the engine catalogue names no `decisions` model, so the policy's questions stay unknown",
            )
            return NO_ANSWERS
        self._answers = DecisionSignals(
            model,
            {question.name: question.ask for question in questions.values()},
            timeout_s=spec.timeout_s,
            most_per_call=spec.most_per_call,
            settled=self._changed,
            hide=hide,
        )
        self._open.push_async_callback(self._answers.aclose)
        return self._answers

    def ended(self, at_ms: float) -> None:
        """The call is over: what was not judged is put on record."""
        missed = asdict(self.voice.counts)
        if any(missed.values()):
            self._emit(VoiceUnjudged(call_id=self._call_id, at_ms=at_ms, **missed))
        if self._answers is not None and (counts := self._answers.counts).failed:
            self._failed(
                "questions",
                LookupError(),
                f"{counts.failed} of {counts.asked} requests to the decision model brought no answer",
            )

    def _voice_failed(self, error: BaseException) -> None:
        self._failed("emotion", error, "the call is routed without it")
