"""What a call's signals are made of: facts, what has added up, and the parts that are asked in every turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from classifiers.caller_state import CallerStateModel
from classifiers.emotion import EmotionReading
from classifiers.tool_need import ToolNeedModel
from compliance.events import Speaker
from router import Signals


class Voice(Protocol):
    """Reads the caller's voice in the running turn."""

    def reading(self) -> EmotionReading: ...
    def forget(self) -> None:
        """It may not be judged from now on; what was learnt from it is forgotten."""


class Answers(Protocol):
    """What a decision model makes of the policy's questions about the running turn."""

    def ask(self, turn: int, transcript: Sequence[tuple[Speaker, str]]) -> None: ...
    def values(self) -> Mapping[str, float]: ...
    def turn_ended(self) -> None: ...


class Consents(Protocol):
    """What the caller consents to, as far as it is known."""

    def heard(self, text: str, turn: int, *, ended: bool) -> None:
        """The caller said this in a turn (from 1), or has said so far."""

    def signals(self) -> Mapping[str, bool]: ...


class _NoConsents:
    def heard(self, text: str, turn: int, *, ended: bool) -> None: ...
    def signals(self) -> Mapping[str, bool]:
        return {}


NO_CONSENTS = _NoConsents()
"""Where nothing is known of consents, which counts as having none."""


class _NoAnswers:
    def ask(self, turn: int, transcript: Sequence[tuple[Speaker, str]]) -> None: ...
    def values(self) -> Mapping[str, float]:
        return {}

    def turn_ended(self) -> None: ...


NO_ANSWERS = _NoAnswers()
"""Where nothing is asked."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known of a call when it is answered."""

    language: str = "en"
    transport: str = "in_process"
    codec_hz: int = 24_000
    queue: str = "support"
    region: str = "other"
    budget_usd: float = 1.0


@dataclass(frozen=True, slots=True)
class Classifiers:
    """The models that a call's turns are judged by; its line's calls share them."""

    tool_need: ToolNeedModel
    caller_state: CallerStateModel


@dataclass(slots=True)
class Tally:
    """What has added up over a call."""

    turns: int = 0
    cost_usd: float = 0.0
    tool_failures: int = 0
    last_agent_text: str = ""
    last_turn_end_ms: float = 0.0
    heard_ms: dict[str, list[float]] = field(default_factory=dict)
    person_available: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one turn.

    Attributes:
        signals: that a policy may ask about.
        evidence: says in words what ``emotion.*`` rests on.
        manner: how the caller's voice sounds; empty where it was not judged, or says nothing that makes a difference.
    """

    signals: Signals
    evidence: tuple[str, ...]
    manner: str = ""
