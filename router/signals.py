"""The signal catalogue: every fact that a policy may ask about, declared once.

From one declaration come the CEL types, the check of values at run time, the lint of literals and the
table in ``docs/reference/signals.md``. No signal holds the caller's words: decisions are logged with all
their signals, and the log is not where words belong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any

from policies.document import did_you_mean
from router.errors import SignalError

Scalar = bool | int | float | str

ENGINES = ("fast", "tool", "standard", "realtime")
"""The engines that ship; a policy may name others, and their signals then exist too."""

_TEXT_LIMIT = 64


class Kind(StrEnum):
    """The type of a signal, as CEL names it; ``enum`` and ``text`` are strings there."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    ENUM = "enum"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Spec:
    """The declaration of one signal."""

    name: str
    kind: Kind
    meaning: str
    source: str
    unknown: Scalar
    """The value that stands for "not known"; chosen so that guards close rather than open."""
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    noise: float = 0.0
    """How far two readings of an unchanged call may lie apart; what a flap lint moves the signal by."""

    def check(self, value: object) -> Scalar:
        """``value`` as this signal holds it. Raises :class:`ValueError` saying what is wrong with it."""
        match self.kind:
            case Kind.BOOL:
                if not isinstance(value, bool):
                    raise ValueError(f"must be true or false, is {value!r}")
                return value
            case Kind.ENUM:
                if not isinstance(value, str) or value not in self.choices:
                    near = did_you_mean(value, self.choices) if isinstance(value, str) else ""
                    raise ValueError(f"must be one of {', '.join(self.choices)}, is {value!r}{near}")
                return str(value)
            case Kind.TEXT:
                if not isinstance(value, str) or len(value) > _TEXT_LIMIT:
                    raise ValueError(f"must be text of at most {_TEXT_LIMIT} characters, is {value!r}")
                return value
            case Kind.INT:
                if isinstance(value, bool) or not isinstance(value, Integral):
                    raise ValueError(f"must be a whole number, is {value!r}")
                whole = int(value)
                self._within(whole)
                return whole
            case Kind.DOUBLE:
                if isinstance(value, bool) or not isinstance(value, Real):
                    raise ValueError(f"must be a number, is {value!r}")
                number = float(value)
                self._within(number)
                return number

    def _within(self, value: float) -> None:
        if not self.low <= value <= self.high:  # also refuses NaN
            raise ValueError(
                f"must be from {self.low:g} to {self.high:g}{self.unit and ' ' + self.unit}, is {value}"
            )

    @property
    def domain(self) -> str:
        """The values it may take, for people."""
        match self.kind:
            case Kind.BOOL:
                return "true, false"
            case Kind.ENUM:
                return ", ".join(self.choices)
            case Kind.TEXT:
                return f"up to {_TEXT_LIMIT} characters"
            case Kind.INT | Kind.DOUBLE:
                return f"{self.low:,.10g} to {self.high:,.10g}"


def _flag(name: str, meaning: str, source: str, *, unknown: bool = False) -> Spec:
    return Spec(name, Kind.BOOL, meaning, source, unknown)


def _count(name: str, most: int, meaning: str, source: str, *, least: int = 0, unit: str = "") -> Spec:
    return Spec(name, Kind.INT, meaning, source, least, unit, least, most)


def _share(name: str, noise: float, meaning: str, source: str) -> Spec:
    return Spec(name, Kind.DOUBLE, meaning, source, 0.0, "", 0.0, 1.0, noise=noise)


def _dollars(name: str, unknown: float, meaning: str, source: str) -> Spec:
    return Spec(name, Kind.DOUBLE, meaning, source, unknown, "USD", 0.0, 10_000.0)


def _choice(name: str, choices: tuple[str, ...], unknown: str, meaning: str, source: str) -> Spec:
    return Spec(name, Kind.ENUM, meaning, source, unknown, choices=choices)


_EMOTIONS = ("calm", "upset", "frustrated", "unknown")
_HEARD = "caller state: voice and words"
_CALL = (
    _count(
        "turn.count", 10_000, "the caller's turns so far, this one included; 1 is the first", "call", least=1
    ),
    _count(
        "turn.chars",
        1_000_000,
        "characters the recogniser heard in this turn",
        "transcript",
        unit="characters",
    ),
    _count("turn.words", 100_000, "words the recogniser heard in this turn", "transcript", unit="words"),
    _count("turn.digits", 10_000, "digits spoken in this turn, as figures or as words", "transcript"),
    _flag("turn.ends_in_digits", "the turn, as far as it was heard, ends in a digit", "transcript"),
    _share("turn.tool_p", 0.05, "probability that the reply needs a tool", "tool-need classifier"),
    _flag(
        "turn.needs_tools", "the classifier's own verdict at its default threshold", "tool-need classifier"
    ),
    _flag("turn.complains", "the caller complains in this turn", "words"),
    _flag("turn.asks_if_machine", "the caller asks in this turn whether this is a machine", "words"),
    _share(
        "turn.reading_out",
        0.1,
        "probability that the caller is in the middle of reading out digits or letters",
        "words",
    ),
    _share(
        "turn.topic_change", 0.1, "probability that this turn opens another topic than those before", "words"
    ),
    _choice(
        "emotion.label",
        _EMOTIONS,
        "unknown",
        "how the caller seems, from the voice in this turn and the words so far; who is frustrated is `upset`: "
        "nothing that judges calls says `frustrated`",
        _HEARD,
    ),
    _share("emotion.confidence", 0.1, "probability of `emotion.label`", _HEARD),
    _share("emotion.upset", 0.15, "probability that the caller is upset", _HEARD),
    _share(
        "emotion.voice",
        0.15,
        "probability that the voice alone sounds upset, over this turn",
        "emotion classifier",
    ),
    Spec("call.language", Kind.TEXT, "BCP 47 tag of the language spoken, such as `en`", "recogniser", "und"),
    Spec(
        "call.spoken_language",
        Kind.TEXT,
        "BCP 47 tag of the language that the caller's words so far are in; `und` while they are too few to tell",
        "words",
        "und",
    ),
    _choice(
        "call.transport", ("in_process", "webrtc", "sip"), "in_process", "how the caller is connected", "call"
    ),
    Spec(
        "call.codec_hz", Kind.INT, "sampling rate of the caller's audio", "call", 16_000, "Hz", 8_000, 48_000
    ),
    Spec("call.queue", Kind.TEXT, "the queue that the call came in on", "configuration", ""),
    _flag("call.asked_human", "the caller has asked for a person", "transcript"),
    _flag("human.available", "a person can be fetched now, as far as is known", "presence"),
    _flag(
        "call.ai_disclosed",
        "the caller has heard, to its end, that they speak with a machine",
        "disclosures as played",
    ),
    _count("call.tool_failures", 10_000, "tool calls that have failed", "engine"),
    _count("call.repeats", 10_000, "turns in which the caller had to repeat themselves", "transcript"),
    _count("call.corrections", 10_000, "turns in which the caller corrected the agent", "transcript"),
    _count("call.duration_ms", 86_400_000, "time since the call was answered", "call", unit="ms"),
    _count("call.silence_ms", 86_400_000, "silence of the caller before this turn", "VAD", unit="ms"),
    _flag(
        "caller.consent_voice_ai", "the caller's voice may go to a speech-to-speech vendor", "consent record"
    ),
    _flag("caller.consent_emotion", "the caller's voice may be judged for emotion", "consent record"),
    _flag(
        "caller.consent_recording", "the call may be recorded beyond its redacted record", "consent record"
    ),
    _choice(
        "caller.region", ("eu", "ch", "us", "uk", "other"), "other", "whose law applies", "configuration"
    ),
    _dollars("cost.usd", 0.0, "what the call has cost so far", "price list"),
    _dollars("cost.budget_usd", 1.0, "what the call may cost", "configuration"),
    Spec(
        "time.hour",
        Kind.INT,
        "hour of the day where the line is operated",
        "clock at the edge",
        12,
        "h",
        0,
        23,
    ),
    Spec(
        "time.weekday",
        Kind.INT,
        "day of the week where the line is operated; 1 is Monday, 7 Sunday",
        "clock at the edge",
        1,
        "",
        1,
        7,
    ),
    _count("time.unix_s", 2**33, "seconds since 1970 in UTC; 0: not known", "clock at the edge", unit="s"),
)


def _of_engine(engine: str) -> tuple[Spec, ...]:
    healthy = "may be asked to answer: its circuit is closed, or half open and this call's to try"
    slow = "95th percentile of time to first audio"
    return (
        _flag(f"provider.{engine}_healthy", f"`{engine}` {healthy}", "engine health", unknown=True),
        _count(
            f"provider.{engine}_p95_ms", 600_000, f"{slow} of `{engine}` lately", "engine health", unit="ms"
        ),
    )


_A_QUESTION = re.compile(r"question\.[a-z][a-z0-9_]*")


def question(name: str, *, unknown: float = 0.0, noise: float = 0.1) -> Spec:
    """The signal that holds the answer to a policy's question called ``name``."""
    meaning = "probability that the answer to the policy's question is yes"
    return Spec(
        f"question.{name}", Kind.DOUBLE, meaning, "decision model", unknown, "", 0.0, 1.0, noise=noise
    )


_OF_AN_ENGINE = re.compile(r"provider\.([a-z][a-z0-9_]*)_(?:healthy|p95_ms)")


def catalogue(engines: Collection[str] = ENGINES) -> Mapping[str, Spec]:
    """Every signal, by name, when the engines are ``engines``."""
    named = sorted(
        set(engines), key=lambda name: (ENGINES.index(name) if name in ENGINES else len(ENGINES), name)
    )
    specs = [*_CALL, *(spec for engine in named for spec in _of_engine(engine))]
    return MappingProxyType({spec.name: spec for spec in specs})


def healthy(engine: str) -> str:
    """The name of the signal that says whether ``engine`` may be asked to answer."""
    return f"provider.{engine}_healthy"


CATALOGUE = catalogue()
_UNKNOWN = {spec.name: spec.unknown for spec in CATALOGUE.values()}
_TYPES: Mapping[Kind, type] = {Kind.BOOL: bool, Kind.INT: int, Kind.DOUBLE: float}
# A decision checks some forty values; nearly all hold as they are, and need no `Spec.check`.
_NUMBERS: Mapping[str, tuple[type, Any, Any]] = {
    spec.name: (_TYPES[spec.kind], spec.low, spec.high) for spec in CATALOGUE.values() if spec.kind in _TYPES
}
_CHOICES = {spec.name: frozenset(spec.choices) for spec in CATALOGUE.values() if spec.kind is Kind.ENUM}


@lru_cache(maxsize=1024)
def spec_of(name: str) -> Spec | None:
    """The declaration of a signal, also of an engine or a question that does not ship; ``None`` for what is none."""
    found = CATALOGUE.get(name)
    if found is None and (of := _OF_AN_ENGINE.fullmatch(name)):
        return catalogue([of[1]]).get(name)
    if found is None and _A_QUESTION.fullmatch(name):
        return question(name.removeprefix("question."))
    return found


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known when a turn ends: every signal of the catalogue, those not given at ``unknown``.

    Raises:
        SignalError: names that no signal has, values of the wrong type or out of range; all of them.
    """

    values: Mapping[str, Scalar] = field(default_factory=dict)
    _checked: dict[str, Scalar] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        checked = _UNKNOWN.copy()
        problems = []
        for name, value in self.values.items():
            number = _NUMBERS.get(name)
            if number is not None and type(value) is number[0] and number[1] <= value <= number[2]:
                checked[name] = value
                continue
            if type(value) is str and value in _CHOICES.get(name, ()):
                checked[name] = value
                continue
            spec = spec_of(name) if isinstance(name, str) else None
            if spec is None:
                problems.append(f"{name}: no such signal{did_you_mean(str(name), CATALOGUE)}")
                continue
            try:
                checked[name] = spec.check(value)
            except ValueError as error:
                problems.append(f"{name}: {error}")
        if problems:
            raise SignalError(problems)
        object.__setattr__(self, "_checked", checked)
        object.__setattr__(self, "values", MappingProxyType(checked))

    def __getitem__(self, name: str) -> Scalar:
        return self.values[name]

    def as_dict(self) -> dict[str, Scalar]:
        """Every signal by name: JSON values, enough to decide again under another policy."""
        return self._checked.copy()


def markdown_table() -> str:
    """The catalogue as the Markdown table that stands in ``docs/reference/signals.md``."""
    rows = [
        "| signal | type | values | unit | unknown | noise | source | meaning |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for spec in CATALOGUE.values():
        unknown = str(spec.unknown).lower() if spec.kind is Kind.BOOL else f"{spec.unknown}" or "empty"
        noise = f"±{spec.noise:g}" if spec.noise else ""
        cells = (
            f"`{spec.name}`",
            spec.kind,
            spec.domain,
            spec.unit,
            unknown,
            noise,
            spec.source,
            spec.meaning,
        )
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"
