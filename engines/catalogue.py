"""The engine catalogue: which plugin, model, voice and server each engine uses, as operators write it.

Adding a provider that speaks OpenAI's protocol (Groq, Cerebras, a server of one's own) is an edit of
``policies/engines.yaml``: a ``preset``, or a ``base_url`` and whose key it takes, no code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast

from engines.component import Component, Role
from engines.entries import only_named_hosts, read_component
from engines.people import PersonSpec, read_person
from engines.plugins import APPEND_ONLY, SPEAKS_ONLY, TEXT_ONLY, is_full_duplex
from policies import Document, Node
from policies.document import did_you_mean

Kind = Literal["cascade", "realtime", "half_cascade", "duplex"]
MANNERS = ("upset",)
"""How a caller's voice may sound so that it makes a difference; else it is calm, or it is not known."""
PERSON = "human"
KINDS: tuple[str, ...] = ("cascade", "realtime", "half_cascade", "duplex", PERSON)


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """An engine as the catalogue describes it."""

    name: str
    kind: Kind
    mind: Component
    """The language model of a cascade; of a realtime engine or a half-cascade, the model that hears the caller."""
    voices: tuple[str, ...]
    """Names of voices, in order of preference; empty for a realtime engine, which speaks by itself."""
    tools: bool
    first_reply_s: float
    """How long the mind may stay silent before the turn goes to another engine."""
    audio_aware: bool = False
    """Whether a cascade's model is told how the caller sounds."""
    voices_when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of a cascade's voices for callers who sound otherwise than calm, by how they sound."""
    hedge_s: float | None = None
    """How long a cascade may be silent before another is asked too; ``None``: no other is."""
    hedge_with: str | None = None
    """That other cascade; ``None``: the one that would take over if this one failed."""
    previews: bool = False
    """Whether a warm engine that hears is asked for its reply when the caller falls silent, before the turn is over."""


@dataclass(frozen=True, slots=True)
class DecisionSpec:
    """The decision model that answers a policy's questions about every turn."""

    model: Component
    timeout_s: float
    """How long an answer may take; one that comes later than the turn's end is of no use in any case."""
    most_per_call: int
    """Requests in one call: what the questions may cost."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All engines of a line, and what they share."""

    file: str
    instructions: str
    greeting: str
    """What every call begins with: who is speaking. What must be disclosed is said after it."""
    offer: str
    """What the greeting ends with, where it does not end with a question that must be asked; may be empty."""
    transcriber: Component
    voices: Mapping[str, Component]
    engines: Mapping[str, EngineSpec]
    endpointing_s: float
    """Silence after which a turn counts as over."""
    decisions: DecisionSpec | None = None
    """Who answers a policy's questions; without it they stay unknown."""
    hosts: tuple[str, ...] = ()
    """The only hosts that its parts may reach, if it names any; one that would reach another does not load."""
    people: Mapping[str, PersonSpec] = field(default_factory=dict)
    """Who can be fetched to the line, by engine name."""
    spare_transcriber: Component | None = None
    """Hears the caller when the transcriber fails."""
    patience: float = 1.0
    """The share of their usual time that voices and recognisers are given: less where a policy leaves them less."""

    @property
    def transcribers(self) -> tuple[Component, ...]:
        """Who hears the whole call, in order of preference."""
        return (self.transcriber, *([self.spare_transcriber] if self.spare_transcriber else ()))

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that a policy can route to: engines, then people."""
        return (*self.engines, *self.people)

    @classmethod
    def load(cls, path: Path) -> Catalogue:
        """Read a catalogue.

        Raises:
            policies.DocumentError: listing every problem as ``file:line:column: message``.
        """
        return _read(Document.load(path))

    @classmethod
    def parse(cls, text: str, *, file: str = "<catalogue>") -> Catalogue:
        """Read a catalogue from text; ``file`` names it in errors."""
        return _read(Document.parse(text, file=file))

    @property
    def places(self) -> Mapping[str, tuple[Role, Component]]:
        """Every component of the catalogue and what it is, by where it is written."""
        places: dict[str, tuple[Role, Component]] = {"transcriber": ("stt", self.transcriber)}
        if self.spare_transcriber:
            places["spare_transcriber"] = "stt", self.spare_transcriber
        for name, voice in self.voices.items():
            places[f"voices.{name}"] = "tts", voice
        for name, engine in self.engines.items():
            places[f"engines.{name}.model"] = "llm" if engine.kind == "cascade" else "realtime", engine.mind
        if self.decisions:
            places["decisions.model"] = "decisions", self.decisions.model
        return places

    def parts(self) -> tuple[tuple[Role, Component], ...]:
        """Every component of the catalogue, and what it is."""
        return tuple(self.places.values())

    def components(self) -> tuple[Component, ...]:
        """Every component of the catalogue, each once."""
        return tuple({id(part): part for _, part in self.parts()}.values())


_KEYS = (
    "version",
    "instructions",
    "greeting",
    "offer",
    "endpointing_ms",
    "transcriber",
    "spare_transcriber",
    "voices",
    "engines",
    "decisions",
    "hosts",
)


def _read(document: Document) -> Catalogue:
    root = document.root
    root.only(_KEYS)
    if (version := root.require("version")) is not None and version.value != 1:
        version.problem(f"this Patchbay reads catalogue version 1, not {version.value!r}")
    voices: dict[str, Component] = {}
    if (listing := root.require("voices")) is not None:
        for name, node in listing.items():
            if (component := read_component(node, "tts")) is not None:
                voices[name] = component
    engines: dict[str, EngineSpec] = {}
    people: dict[str, PersonSpec] = {}
    if (listing := root.require("engines")) is not None:
        for name, node in listing.items():
            if (kind := node.get("kind")) is not None and kind.value == PERSON:
                if (person := read_person(name, node)) is not None:
                    people[name] = person
            elif (engine := _engine(name, node, voices)) is not None:
                engines[name] = engine
        if not engines:
            listing.problem("at least one engine is needed")
        elif not any(engine.kind == "cascade" for engine in engines.values()):
            listing.problem(
                "at least one cascade engine is needed: it speaks the greeting and is the last resort"
            )
        writers = [name for name, engine in engines.items() if engine.kind == "cascade"]
        for name in people:
            if (entry := listing.get(name)) is not None and (summary := entry.get("summary")) is not None:
                summary.one_of(writers, what="cascade engine")
        for name in writers:
            if (entry := listing.get(name)) is not None and (besides := entry.get("hedge_with")) is not None:
                besides.one_of([other for other in writers if other != name], what="other cascade engine")
    transcriber = read_component(root.require("transcriber"), "stt")
    spare = read_component(root.get("spare_transcriber"), "stt")
    instructions = _text(root, "instructions")
    greeting = _text(root, "greeting")
    offer = _text(root, "offer") if root.get("offer") is not None else ""
    silence = root.get("endpointing_ms")
    endpointing_ms = 300.0 if silence is None else silence.number(least=100, most=3000)
    decisions = None if (judge := root.get("decisions")) is None else _decisions(judge)
    parts: dict[tuple[str, ...], Component] = {("voices", name): voice for name, voice in voices.items()}
    parts |= {("engines", name, "model"): engine.mind for name, engine in engines.items()}
    if transcriber is not None:
        parts["transcriber",] = transcriber
    if spare is not None:
        parts["spare_transcriber",] = spare
    if decisions is not None:
        parts["decisions", "model"] = decisions.model
    hosts = only_named_hosts(root, parts)
    document.finish()
    if transcriber is None or endpointing_ms is None:
        raise AssertionError("a missing part is a problem, and finish() raises problems")
    return Catalogue(
        document.file,
        instructions,
        greeting,
        offer,
        transcriber,
        MappingProxyType(voices),
        MappingProxyType(engines),
        endpointing_ms / 1000,
        decisions,
        hosts,
        MappingProxyType(people),
        spare,
    )


def _engine(name: str, node: Node, voices: Mapping[str, Component]) -> EngineSpec | None:
    kind_node = node.require("kind")
    kind = None if kind_node is None else kind_node.one_of(KINDS, what="kind of engine")
    if kind_node is None or kind is None:
        return None
    hears, voiced = kind != "cascade", kind in ("cascade", "half_cascade")
    kept_warm = hears and kind != "duplex"
    node.only(
        (
            *("kind", "model", "tools", "first_reply_ms"),
            *(("voices",) if voiced else ()),
            *(() if hears else ("audio_aware", "voices_when", "hedge_ms", "hedge_with")),
            *(("previews",) if kept_warm else ()),
        )
    )
    mind = read_component(node.require("model"), "realtime" if hears else "llm")
    chosen: tuple[str, ...] = ()
    if voiced and (listing := node.require("voices")) is not None:
        chosen = _voices(listing, voices, f"a {kind.replace('_', '-')} needs at least one voice")
    when = {} if (styles := node.get("voices_when")) is None else dict(styles.items())
    for manner, style in when.items():
        if manner not in MANNERS:
            style.problem(f"nobody is heard to sound '{manner}'{did_you_mean(manner, MANNERS)}")
    other = {
        manner: _voices(style, voices, f"who sounds {manner} needs a voice too")
        for manner, style in when.items()
    }
    aware_node = node.get("audio_aware")
    aware = False if aware_node is None else aware_node.boolean()
    tools_node = node.get("tools")
    tools = False if tools_node is None else tools_node.boolean()
    limit_node = node.get("first_reply_ms")
    limit_ms = 4000.0 if limit_node is None else limit_node.number(least=200, most=30_000)
    hedge_node, besides = node.get("hedge_ms"), node.get("hedge_with")
    hedge_ms = None if hedge_node is None else hedge_node.number(least=50, most=10_000)
    if hedge_node is None and besides is not None:
        besides.problem("nobody is asked besides without `hedge_ms`, which says when")
    if hedge_node is not None and hedge_ms is not None and limit_ms is not None and hedge_ms >= limit_ms:
        hedge_node.problem(f"must be less than `first_reply_ms`, which is {limit_ms:g}")
    previews_node = node.get("previews")
    previews = False if previews_node is None else previews_node.boolean()
    if mind is None or tools is None or limit_ms is None or aware is None or previews is None:
        return None
    if previews_node is not None and previews and mind.plugin in APPEND_ONLY:
        previews_node.problem(
            f"what models of {mind.plugin} were asked cannot be taken back: they preview nothing"
        )
    if hears and is_full_duplex(mind) != (kind == "duplex"):
        kind_node.problem(
            "the model takes turns by itself: the kind of such an engine is duplex"
            if kind != "duplex"
            else f"{mind.model} does not hear and speak at the same time, as a duplex engine does"
        )
    if hears and voiced:
        if mind.plugin in SPEAKS_ONLY:
            kind_node.problem(
                f"models of {mind.plugin} answer in speech only: the kind of this engine is realtime"
            )
        mind = replace(mind, options=MappingProxyType({**mind.options, TEXT_ONLY: True}))
    return EngineSpec(
        name,
        cast(Kind, kind),
        mind,
        chosen,
        tools,
        limit_ms / 1000,
        aware,
        MappingProxyType(other),
        None if hedge_ms is None else hedge_ms / 1000,
        None if besides is None else besides.text(),
        previews,
    )


def _voices(listing: Node, voices: Mapping[str, Component], none: str) -> tuple[str, ...]:
    """Names of voices; ``none`` is what is wrong when there are none."""
    elements = list(listing.elements())
    if not elements:
        listing.problem(none)
    named = (voice.one_of(voices, what="voice") for voice in elements)
    return tuple(name for name in named if name is not None)


def _decisions(node: Node) -> DecisionSpec | None:
    node.only(("model", "timeout_ms", "most_per_call"))
    model = read_component(node.require("model"), "decisions")
    limit_node, most_node = node.get("timeout_ms"), node.get("most_per_call")
    limit_ms = 800.0 if limit_node is None else limit_node.number(least=50, most=10_000)
    most = 60 if most_node is None else most_node.integer(least=1, most=10_000)
    if model is None or limit_ms is None or most is None:
        return None
    return DecisionSpec(model, limit_ms / 1000, most)


def _text(root: Node, key: str) -> str:
    node = root.require(key)
    return (node.text() or "").strip() if node is not None else ""
