"""The state of one caller over the turns of one call. Pure and synchronous, some microseconds a turn."""

from __future__ import annotations

import math
from dataclasses import dataclass

from classifiers.caller_state.evidence import evidence
from classifiers.caller_state.memory import Memory
from classifiers.caller_state.model import CallerStateModel, probability
from classifiers.caller_state.turn import VOICE, WORDS, Turn, WordCues
from classifiers.emotion.stream import EmotionReading, Label


@dataclass(frozen=True, slots=True)
class StateReading:
    """How a caller is, as far as voice and words tell.

    Attributes:
        label: "unknown" when neither voice nor words say anything, or what they say is not clear.
        upset: the probability that the caller is upset, 0 to 1; how often callers are when nothing is known.
        confidence: the probability that calm or upset, whichever is likelier, is right; 0 when nothing says anything.
        evidence: what moved the score, strongest first, in words: counts, never what the caller said.
    """

    label: Label
    upset: float
    confidence: float
    evidence: tuple[str, ...]


class CallerState:
    """Adds up voice and words over a call. A voice that may not be judged is a reading without windows."""

    def __init__(self, model: CallerStateModel) -> None:
        self._model = model
        self._memory = Memory(model.start, model.start, model.start)

    def preview(self, voice: EmotionReading, cues: WordCues) -> StateReading:
        """The state if the turn ended here; nothing is remembered of it."""
        return self._read(voice, cues)[0]

    def turn_ended(self, voice: EmotionReading, cues: WordCues) -> StateReading:
        """The state at the end of a turn, which later turns will remember."""
        reading, self._memory = self._read(voice, cues)
        return reading

    def forget_voice(self) -> None:
        """The caller's voice may not be judged any more: all that was learnt from it is gone."""
        self._memory = self._memory.without_voice()

    def _read(self, voice: EmotionReading, cues: WordCues) -> tuple[StateReading, Memory]:
        model, memory = self._model, self._memory
        turn = Turn.of(voice, cues, neutral_log_odds=model.neutral_log_odds)
        moved = {term: model.weights[term] * value for term, value in turn.terms.items()}
        from_words = math.fsum(moved[term] for term in WORDS)
        log_odds = memory.all + from_words + math.fsum(moved[term] for term in VOICE)
        upset = probability(log_odds)
        told = evidence(moved, memory, turn, model.material)
        confidence = max(upset, 1 - upset) if told else 0.0
        label: Label = "upset" if upset >= model.upset_at else "calm"
        reading = StateReading(
            label if confidence >= model.confident_at else "unknown", upset, confidence, told
        )
        return reading, memory.after(
            turn,
            nothing=model.next_turn(memory.nothing),
            words=model.next_turn(memory.words + from_words),
            both=model.next_turn(log_odds),
        )
