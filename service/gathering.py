"""Gathers what is known when a turn ends: the signals that a policy may ask about, and what they rest on.

What is heard (the voice), what is meant (the words) and what has added up over the call come together here. Any part
that fails is left out of the turn; none of them holds up a reply.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from classifiers.caller_state import CallerState, StateReading, WordCues
from classifiers.emotion import EmotionReading
from classifiers.tool_need import ToolSet
from compliance.clock import CallClock
from compliance.events import Part, Speaker
from engines.catalogue import MANNERS
from router import Policy, Signals
from service.decision_signals import LATEST_LINES
from service.facts import Answers, CallFacts, Classifiers, Consents, Known, Tally, Voice
from service.percentiles import nearest_rank
from service.said import SPOKEN_LANGUAGE, Said

LATELY = 3
"""Replies that an engine's 95th percentile needs: one slow start says little."""
UNHEARD = EmotionReading("unknown", 0.0, 0.0, 0)
_UNSEEN = StateReading("unknown", 0.0, 0.0, ())


class Gatherer:
    """One call's signals, turn by turn.

    Args:
        policy: names the engines whose health counts, and says when the voice may be judged.
        classifiers: judge the words and the state.
        tools: those that the call's engines have.
        voice: reads the caller's voice.
        answers: to the policy's questions.
        facts: of the call.
        clock: the call's clock.
        now: the time of day at the line, with its zone.
        consents: are told what the caller says, and say what the caller agrees to.
        failed: told of a part that failed, once a turn.
        may_ask: whether an engine's provider may be asked; by default all are well.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        classifiers: Classifiers,
        tools: ToolSet | None,
        voice: Voice,
        answers: Answers,
        facts: CallFacts,
        clock: CallClock,
        now: Callable[[], datetime],
        consents: Consents,
        failed: Callable[[Part, Exception], None],
        may_ask: Callable[[str], bool] = lambda engine: True,
    ) -> None:
        self.tally = Tally()
        self._policy = policy
        self._said = Said(classifiers.tool_need, tools, language=SPOKEN_LANGUAGE in policy.content.reads)
        self._state = CallerState(classifiers.caller_state)
        self._lines: deque[tuple[Speaker, str]] = deque(maxlen=LATEST_LINES)
        """What was said in the turns before, for the decision model."""
        self._voice = voice
        self._answers = answers
        self._facts = facts
        self._clock = clock
        self._now = now
        self._failed = failed
        self._may_ask = may_ask
        self._consents = consents

    # -- the running turn ---------------------------------------------------------------------------------
    def preview(self, text: str) -> Known:
        """What would be known if the turn ended now with these words; nothing is remembered of it."""
        if text:
            lines: tuple[tuple[Speaker, str], ...] = (
                ("agent", self.tally.last_agent_text),
                ("caller", text),
            )
            self._answers.ask(self.tally.turns + 1, [*self._lines, *lines])
        return self._gather(text, silence_ms=self.silence_ms, ended=False)

    def turn_ended(self, text: str, *, start_ms: float, end_ms: float) -> Known:
        """What is known of a turn that is over, which the call remembers."""
        silence_ms, self.tally.last_turn_end_ms = start_ms - self.tally.last_turn_end_ms, end_ms
        self.tally.turns += 1
        try:
            return self._gather(text, silence_ms=silence_ms, ended=True)
        finally:
            self._lines += (("agent", self.tally.last_agent_text), ("caller", text))
            self._answers.turn_ended()

    def tool_called(self, name: str, *, failed: bool) -> None:
        """An engine used a tool to answer the turn that ended last."""
        self.tally.tool_failures += failed
        self._said.tool_called(name)

    def person_came(self) -> None:
        """The caller was with a person: their wish for one is fulfilled."""
        self._said.person_came()

    @property
    def silence_ms(self) -> float:
        return self._clock.now_ms() - self.tally.last_turn_end_ms

    def listen_with(self, voice: Voice) -> None:
        """Read the caller's voice with ``voice`` from now on."""
        self._voice = voice

    def may_judge_voice(self) -> bool:
        """Whether the caller's voice may be judged, as far as is known before a word was said."""
        return self._policy.judges_voice(Signals({**self._circumstances(), **self._health()}))

    # -- gathering ----------------------------------------------------------------------------------------
    def _gather(self, text: str, *, silence_ms: float, ended: bool) -> Known:
        turn = self.tally.turns + (not ended)
        self._consents.heard(text, turn, ended=ended)
        tell = self._said.turn_ended if ended else self._said.preview
        told = tell(text, self.tally.last_agent_text, turn)
        if ended:  # once a turn, not at every preview of it
            for part, error in told.failures:
                self._failed(part, error)
        values = {
            **told.signals,
            **self._circumstances(),
            **self._health(),
            "call.silence_ms": max(0, int(silence_ms)),
            "turn.count": turn,
        }
        values |= {f"question.{name}": value for name, value in self._answers.values().items()}
        voice = self._heard(Signals(values), report=ended)
        state = self._judged(told.cues, voice, ended=ended)
        values |= {
            "emotion.label": state.label,
            "emotion.confidence": state.confidence,
            "emotion.upset": state.upset if state.confidence else 0.0,
            "emotion.voice": voice.upset if voice.windows else 0.0,
        }
        # Of the voice alone: a model can read the words by itself.
        manner = voice.label if voice.label in MANNERS else ""
        return Known(Signals(values), state.evidence, manner)

    def _close_ear(self) -> None:
        self._voice.forget()
        self._state.forget_voice()

    def _circumstances(self) -> dict[str, Any]:
        facts, tally, now = self._facts, self.tally, self._now()
        return {
            "call.language": facts.language,
            "call.transport": facts.transport,
            "call.codec_hz": facts.codec_hz,
            "call.queue": facts.queue,
            "call.tool_failures": tally.tool_failures,
            "call.duration_ms": int(self._clock.now_ms()),
            "human.available": tally.person_available,
            **self._consents.signals(),
            "caller.region": facts.region,
            "cost.usd": tally.cost_usd,
            "cost.budget_usd": facts.budget_usd,
            "time.hour": now.hour,
            "time.weekday": now.isoweekday(),
            "time.unix_s": int(now.timestamp()),
        }

    def _health(self) -> dict[str, Any]:
        tally, values = self.tally, dict[str, Any]()
        for engine in self._policy.engines:
            values[f"provider.{engine}_healthy"] = self._may_ask(engine)
            heard = tally.heard_ms.get(engine, ())
            if len(heard) >= LATELY:
                values[f"provider.{engine}_p95_ms"] = int(nearest_rank(sorted(heard), 0.95))
        return values

    # -- classifiers --------------------------------------------------------------------------------------
    def _heard(self, signals: Signals, *, report: bool) -> EmotionReading:
        """The voice, if it may be judged; once it may not, it is not judged again in this call."""
        try:
            if self._policy.judges_voice(signals):
                return self._voice.reading()
            self._close_ear()
        except Exception as error:
            if report:
                self._failed("emotion", error)
        return UNHEARD

    def _judged(self, cues: WordCues, voice: EmotionReading, *, ended: bool) -> StateReading:
        try:
            return self._state.turn_ended(voice, cues) if ended else self._state.preview(voice, cues)
        except Exception as error:
            if ended:
                self._failed("emotion", error)
            return _UNSEEN
