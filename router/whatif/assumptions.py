"""What is assumed of the engines and what answers are worth: the table behind simulation, tuning and the frontier.

Nothing here is measured by this program. Each block of figures in the document names its ``source`` or says
why it is ``assumed``, and whatever is printed from it says so too.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from statistics import NormalDist
from types import MappingProxyType

from policies.document import Document, DocumentError, Node, Problem
from router.whatif.figures import Figures, Stated

_Z95, _Z99 = NormalDist().inv_cdf(0.95), NormalDist().inv_cdf(0.99)


class Need(IntEnum):
    """What a turn really needs; the order of a row of the quality table."""

    PLAIN = 0
    NEEDS_TOOLS = 1
    UPSET = 2
    BOTH = 3

    @classmethod
    def of(cls, *, needs_tools: bool, upset: bool) -> Need:
        return cls(needs_tools + 2 * upset)


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a caller waits for the first audio: log-normal, given by its median and 99th percentile."""

    p50_ms: float
    p99_ms: float

    @property
    def mu(self) -> float:
        """Mean of the logarithm of the wait in ms."""
        return math.log(self.p50_ms)

    @property
    def sigma(self) -> float:
        return math.log(self.p99_ms / self.p50_ms) / _Z99

    @property
    def p95_ms(self) -> float:
        return math.exp(self.mu + _Z95 * self.sigma)


@dataclass(frozen=True, slots=True)
class Bill:
    """What an engine charges, in US dollars, all that the turn needs counted: recogniser, model and voice."""

    turn: float
    """For every turn: instructions and the words of the reply."""
    tools: float
    """More when the turn needs tools and the engine has some."""
    caller_minute: float
    agent_minute: float
    context_turn: float
    """For each earlier turn of the call, which is sent along again."""


@dataclass(frozen=True, slots=True)
class Switch:
    """What it takes to hand a call over to this engine, on top of what the turn takes anyway."""

    ms: float
    """Wait, where the engine is kept warm or needs no warming."""
    cold_ms: float
    usd: float
    usd_context_turn: float
    """For each earlier turn, which is read to the engine anew."""
    warm_usd: float
    """For each turn that it is kept warm while another answers."""


@dataclass(frozen=True, slots=True)
class EngineAssumptions:
    """One engine."""

    name: str
    wait: Wait
    wait_with_tools: Wait
    usd: Bill
    switch: Switch
    quality: tuple[float, float, float, float]
    """Probability that a turn is answered well, by :class:`Need`."""


@dataclass(frozen=True, slots=True)
class Value:
    """The weights of the utility, in turns answered well."""

    usd: float
    """One dollar."""
    late_s: float
    """One second of wait beyond ``late_over_ms``."""
    late_over_ms: float
    switch: float
    """One hand-off that the caller hears: another voice, another manner."""
    violation: float
    """One turn answered by an engine that a guard denies."""


@dataclass(frozen=True, slots=True)
class Down:
    """A turn given to an engine that is down: another answers it, once the first has been given up."""

    wait: Wait
    quality: float


@dataclass(frozen=True, slots=True)
class Assumptions:
    """The whole table."""

    engines: Mapping[str, EngineAssumptions]
    value: Value
    down: Down
    words_per_minute: float
    """How fast callers speak; what they say is known in words."""
    reply_s: float
    """How long a reply takes to speak, in seconds."""
    stated: tuple[Stated, ...]
    file: str
    source: str = field(repr=False)
    """The document as it was read."""

    @classmethod
    def load(cls, path: Path) -> Assumptions:
        """Read a table. Raises :class:`policies.DocumentError` listing every problem with its place."""
        return _read(Document.load(path))

    @classmethod
    def parse(cls, text: str, *, file: str = "<text>") -> Assumptions:
        """The same from text; ``file`` names it in errors."""
        return _read(Document.parse(text, file=file))

    def require(self, engines: Collection[str]) -> None:
        """Check that something is assumed of each of ``engines``. Raises :class:`policies.DocumentError`."""
        missing = [name for name in engines if name not in self.engines]
        if missing:
            text = (
                f"says nothing of {', '.join(missing)}, which the policy may choose: add it under `engines`"
            )
            raise DocumentError(self.file, [Problem(1, 1, text)])


# -- reading ------------------------------------------------------------------------------------------------
def _read(document: Document) -> Assumptions:
    reader, root = _Reader(), document.root
    root.only(("version", "speech", "value", "down", "engines"))
    speech = reader.block(root, "speech", {"words_per_minute": 1e-3, "reply_s": 0.0})
    value = reader.block(root, "value", dict.fromkeys(_VALUE, 0.0))
    down = reader.down(root)
    engines = {name: reader.engine(name, node) for name, node in _entries(root, "engines")}
    document.finish()
    return Assumptions(
        engines=MappingProxyType(engines),
        value=Value(**value),
        down=down,
        words_per_minute=speech["words_per_minute"],
        reply_s=speech["reply_s"],
        stated=tuple(reader.stated),
        file=document.file,
        source=document.source,
    )


_VALUE = ("usd", "late_s", "late_over_ms", "switch", "violation")
_BILL = ("turn", "tools", "caller_minute", "agent_minute", "context_turn")
_SWITCH = ("ms", "cold_ms", "usd", "usd_context_turn", "warm_usd")
_NO_WAIT = Wait(1.0, 1.0)
_LONGEST_MS = 600_000.0


def _entries(root: Node, key: str) -> list[tuple[str, Node]]:
    node = root.require(key)
    entries = list(node.items()) if node else []
    if node and not entries and node.value == {}:
        node.problem("at least one engine is needed")
    return entries


class _Reader(Figures):
    """Reads the blocks of an assumptions document."""

    def engine(self, name: str, node: Node) -> EngineAssumptions:
        node.only(("wait_ms", "wait_with_tools_ms", "usd", "switch", "quality"))
        at = f"engines.{name}."
        quality = self.block(node, "quality", {need.name.lower(): 0.0 for need in Need}, at, most=1.0)
        return EngineAssumptions(
            name=name,
            wait=self.wait(node, "wait_ms", at),
            wait_with_tools=self.wait(node, "wait_with_tools_ms", at),
            usd=Bill(**self.block(node, "usd", dict.fromkeys(_BILL, 0.0), at)),
            switch=Switch(**self.block(node, "switch", dict.fromkeys(_SWITCH, 0.0), at)),
            quality=(quality["plain"], quality["needs_tools"], quality["upset"], quality["both"]),
        )

    def down(self, root: Node) -> Down:
        node = root.require("down")
        if node is None:
            return Down(_NO_WAIT, 0.0)
        node.only(("wait_ms", "quality"))
        wait, quality = (
            self.wait(node, "wait_ms", "down."),
            self.block(node, "quality", {"any": 0.0}, "down.", most=1.0),
        )
        return Down(wait, quality["any"])

    def wait(self, parent: Node, key: str, at: str) -> Wait:
        before = len(parent.document.problems)
        figures = self.block(parent, key, {"p50": 1.0, "p99": 1.0}, at, most=_LONGEST_MS)
        if len(parent.document.problems) > before:
            return _NO_WAIT
        if figures["p99"] < figures["p50"]:
            node = parent.get(key)
            if node:
                node.problem(f"`p99` {figures['p99']:g} is below `p50` {figures['p50']:g}")
            return _NO_WAIT
        return Wait(figures["p50"], figures["p99"])
