"""A mix of calls: who calls, what they need, how well that is heard, and what the line is like. Read, not drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType

from policies.document import Document, Node
from router.signals import CATALOGUE, healthy, spec_of
from router.whatif.figures import Figures, Stated
from router.whatif.voice import Voice

_MOST_TURNS = 200
_LONGEST_MS = 60_000.0
_MOST_WORDS = 2000.0
_LARGEST = 1e6
_YEARS = range(2000, 2200)  # what the signal time.unix_s holds


@dataclass(frozen=True, slots=True)
class Chain:
    """Something that is so or not from turn to turn; all three are chances."""

    first: float = 0.0
    """In the first turn."""
    begins: float = 0.0
    """In a turn after one without it."""
    stays: float = 0.0
    """In a turn after one with it."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A log-normal quantity."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Caller:
    """A kind of caller."""

    name: str
    share: float
    """Relative to the other kinds."""
    least_turns: int
    mean_turns: float
    most_turns: int
    words: Spread
    """Of a turn."""
    needs_tools: Chain
    upset: Chain
    asks_for_person: float
    """Chances by turn, from here on."""
    repeats: float
    corrections: float
    silent: float
    """Nothing is said where a turn was expected."""


@dataclass(frozen=True, slots=True)
class ToolNeed:
    """The tool-need classifier: two normal distributions of one spread, calibrated for ``base_rate``."""

    auroc: float
    base_rate: float


@dataclass(frozen=True, slots=True)
class Provider:
    """How well an engine fares."""

    engine: str
    p95_ms: float
    down: float
    """Chance that it goes down in a call."""
    down_turns: float
    """For how many turns it then is, on average."""
    slow: float
    """Chance that it is slow throughout a call."""
    slow_ms: float
    """Its 95th percentile then."""


@dataclass(frozen=True, slots=True)
class Line:
    """What calls have in common. Shares are relative to one another."""

    queues: Mapping[str, float]
    regions: Mapping[str, float]
    transports: Mapping[str, float]
    consent_voice_ai: float
    consent_emotion: float
    consent_recording: float
    turn_usd: Spread
    """What an earlier turn has cost: for the cost so far, whatever answers."""
    budget_usd: Mapping[float, float]
    tool_failures: float
    """Chance that a turn with tools sees one fail."""
    digits: float
    """Chance that a turn which needs tools is a number read out."""
    since: date
    days: int
    utc_offset_h: int
    hours: tuple[float, ...]
    """Share of each hour of the day."""


@dataclass(frozen=True, slots=True)
class Mix:
    """All that :func:`router.whatif.drawing.draw` needs."""

    callers: tuple[Caller, ...]
    tool_need: ToolNeed
    voice: Voice
    providers: tuple[Provider, ...]
    line: Line
    stated: tuple[Stated, ...]
    """Where the figures come from, or why they are a guess."""
    file: str
    source: str = field(repr=False)
    """The document as it was read."""

    @classmethod
    def load(cls, path: Path) -> Mix:
        """Read a mix. Raises :class:`policies.DocumentError` listing every problem with its place."""
        return _read(Document.load(path))

    @classmethod
    def parse(cls, text: str, *, file: str = "<text>") -> Mix:
        """The same from text; ``file`` names it in errors."""
        return _read(Document.parse(text, file=file))


def _read(document: Document) -> Mix:
    root, reader = document.root, _Reader()
    root.only(("version", "callers", "tool_need", "emotion", "providers", "line"))
    callers = reader.callers(root)
    tool_need = reader.block(root, "tool_need", {"auroc": 0.5, "base_rate": 0.001}, most=_NEARLY)
    emotion = reader.voice(root)
    providers = reader.providers(root)
    line = reader.line(root)
    document.finish()
    assert line is not None  # noqa: S101 — nothing was wrong
    return Mix(
        callers,
        ToolNeed(**tool_need),
        emotion,
        providers,
        line,
        tuple(reader.stated),
        document.file,
        document.source,
    )


_NEARLY = 0.9999  # a perfect classifier would be infinitely sure
_CALLER = ("turns", "words", "needs_tools", "upset")
_CHANCES = ("asks_for_person", "repeats", "corrections", "silent")
_PROVIDER = {"p95_ms": 1.0, "down": 0.0, "down_turns": 1.0, "slow": 0.0, "slow_ms": 1.0}
_LINE_CHANCES = ("consent_voice_ai", "consent_emotion", "consent_recording", "tool_failures", "digits")
_LINE_SHARES = ("queues", "regions", "transports", "budget_usd")
_LINE = (*_LINE_CHANCES, *_LINE_SHARES, "turn_usd", "since", "days", "utc_offset_h", "hours")


class _Reader(Figures):
    """Reads the sections of a mix."""

    def callers(self, root: Node) -> tuple[Caller, ...]:
        node = root.require("callers")
        if node is None:
            return ()
        found = [self._caller(name, entry) for name, entry in _named(node)]
        self.origin(node, "callers")
        if not sum(caller.share for caller in found):
            node.problem("needs at least one kind of caller with a share above 0")
        return tuple(found)

    def _caller(self, name: str, node: Node) -> Caller:
        node.only(("share", *_CALLER, *_CHANCES))
        turns = node.require("turns")
        least, mean, most = 1, 1.0, 1
        if turns:
            turns.only(("least", "mean", "most"))
            least = _integer(turns, "least", 1, _MOST_TURNS)
            most = _integer(turns, "most", least, _MOST_TURNS)
            mean = _number(turns, "mean", least, most)
        chances = {key: _number(node, key, 0.0, 1.0, default=0.0) for key in _CHANCES}
        return Caller(
            name=name,
            share=_number(node, "share", 0.0, _LARGEST),
            least_turns=least,
            mean_turns=mean,
            most_turns=most,
            words=_spread(node, "words", 1.0, _MOST_WORDS),
            needs_tools=_chain(node, "needs_tools"),
            upset=_chain(node, "upset"),
            **chances,
        )

    def voice(self, root: Node) -> Voice:
        node = root.get("emotion")
        most = {"per_caller": 1.0, "log_odds": 20.0, "confident_at": 1.0}
        figures = self.block(
            root,
            "emotion",
            {"auroc": 0.5, "recall": 0.001, "per_caller": 0.0, "log_odds": 0.01, "confident_at": 0.5},
            most=20.0,
        )
        for key, value in figures.items():
            entry = node.get(key) if node else None
            if entry and value > most.get(key, _NEARLY):
                entry.problem(f"must be at most {most.get(key, _NEARLY):g}, is {value:g}")
        return Voice(**figures)

    def providers(self, root: Node) -> tuple[Provider, ...]:
        node = root.require("providers")
        if node is None:
            return ()
        found = []
        for name, entry in _named(node):
            entry.only(_PROVIDER)
            if spec_of(healthy(name)) is None:
                node.key(name).problem(f"'{name}' cannot be an engine: use lower-case letters, digits and _")
            most = {"down": 1.0, "slow": 1.0, "down_turns": float(_MOST_TURNS)}
            figures = {
                key: _number(entry, key, least, most.get(key, _LONGEST_MS))
                for key, least in _PROVIDER.items()
            }
            found.append(Provider(name, **figures))
        self.origin(node, "providers")
        return tuple(found)

    def line(self, root: Node) -> Line | None:
        node = root.require("line")
        if node is None:
            return None
        node.only((*_LINE, "source", "assumed"))
        chances = {key: _number(node, key, 0.0, 1.0) for key in _LINE_CHANCES}
        budgets = {_usd(node, name): share for name, share in _shares(node, "budget_usd").items()}
        self.origin(node, "line")
        return Line(
            queues=_shares(node, "queues", "call.queue"),
            regions=_shares(node, "regions", "caller.region"),
            transports=_shares(node, "transports", "call.transport"),
            budget_usd=MappingProxyType(budgets),
            turn_usd=_spread(node, "turn_usd", 1e-6, 100.0),
            since=_day(node, "since"),
            days=_integer(node, "days", 1, 366),
            utc_offset_h=_integer(node, "utc_offset_h", -12, 14),
            hours=_hours(node),
            **chances,
        )


def _named(node: Node) -> Iterable[tuple[str, Node]]:
    return [(name, entry) for name, entry in node.items() if name not in ("source", "assumed")]


def _number(node: Node, key: str, least: float, most: float, *, default: float | None = None) -> float:
    entry = node.get(key) if default is not None else node.require(key)
    number = entry.number(least=least, most=most) if entry else default
    return least if number is None else number


def _integer(node: Node, key: str, least: int, most: int) -> int:
    entry = node.require(key)
    number = entry.integer(least=least, most=most) if entry else None
    return least if number is None else number


def _spread(node: Node, key: str, least: float, most: float) -> Spread:
    entry = node.require(key)
    if entry is None:
        return Spread(least, least)
    entry.only(("p50", "p99"))
    p50 = _number(entry, "p50", least, most)
    return Spread(p50, _number(entry, "p99", p50, most))


def _chain(node: Node, key: str) -> Chain:
    entry = node.get(key)
    if entry is None:
        return Chain()
    entry.only(("first", "begins", "stays"))
    return Chain(*(_number(entry, part, 0.0, 1.0) for part in ("first", "begins", "stays")))


def _shares(node: Node, key: str, signal: str = "") -> Mapping[str, float]:
    """Shares by name, each a value of ``signal`` if one is named."""
    entry = node.require(key)
    if entry is None:
        return {}
    found = {}
    for name, share in entry.items():
        found[name] = share.number(least=0.0, most=_LARGEST) or 0.0
        if signal:
            try:
                CATALOGUE[signal].check(name)
            except ValueError as error:
                entry.key(name).problem(f"{signal} {error}")
    if not sum(found.values()):
        entry.problem("needs at least one share above 0")
    return MappingProxyType(found)


def _usd(node: Node, name: str) -> float:
    try:
        return float(CATALOGUE["cost.budget_usd"].check(float(name)))
    except ValueError:
        entry = node.require("budget_usd")
        if entry:
            entry.key(name).problem(f"'{name}' is not an amount from 0 to 10,000 US dollars")
        return 0.0


def _day(node: Node, key: str) -> date:
    entry = node.require(key)
    day = entry.value if entry else None
    if type(day) is date and day.year in _YEARS:
        return day
    if entry:
        entry.problem(f"must be a day from {_YEARS[0]} to {_YEARS[-1]}, such as 2026-10-05")
    return date(_YEARS[0], 1, 1)


def _hours(node: Node) -> tuple[float, ...]:
    entry = node.require("hours")
    if entry is None:
        return ()
    found = tuple(each.number(least=0.0, most=_LARGEST) or 0.0 for each in entry.elements())
    if len(found) != 24 or not sum(found):
        entry.problem("needs 24 shares, one for each hour from midnight, not all of them 0")
    return found
