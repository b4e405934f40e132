"""The engine catalogue: which plugin, model, voice and server each engine uses, as operators write it.

Adding a provider that speaks OpenAI's protocol (Groq, Cerebras, a server of one's own) is an edit of
``policies/engines.yaml``: a ``base_url`` and an ``api_key_env``, no code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast

from engines.component import Component, Option, Role
from engines.plugins import PLUGINS, TEXT_ONLY
from policies import Document, Node
from policies.document import did_you_mean

Kind = Literal["cascade", "realtime", "half_cascade"]
MANNERS = ("upset",)
"""How a caller may sound so that it makes a difference; `emotion.label` is one of these, or calm, or unknown."""
KINDS: tuple[Kind, ...] = ("cascade", "realtime", "half_cascade")


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

    def components(self) -> tuple[Component, ...]:
        """Every component of the catalogue, each once."""
        minds = [engine.mind for engine in self.engines.values()]
        judges = [self.decisions.model] if self.decisions else []
        parts = [self.transcriber, *self.voices.values(), *minds, *judges]
        return tuple({id(part): part for part in parts}.values())


_KEYS = (
    "version",
    "instructions",
    "greeting",
    "offer",
    "endpointing_ms",
    "transcriber",
    "voices",
    "engines",
    "decisions",
)


def _read(document: Document) -> Catalogue:
    root = document.root
    root.only(_KEYS)
    if (version := root.require("version")) is not None and version.value != 1:
        version.problem(f"this Patchbay reads catalogue version 1, not {version.value!r}")
    voices: dict[str, Component] = {}
    if (listing := root.require("voices")) is not None:
        for name, node in listing.items():
            if (component := _component(node, "tts")) is not None:
                voices[name] = component
    engines: dict[str, EngineSpec] = {}
    if (listing := root.require("engines")) is not None:
        for name, node in listing.items():
            if (engine := _engine(name, node, voices)) is not None:
                engines[name] = engine
        if not engines:
            listing.problem("at least one engine is needed")
        elif not any(engine.kind == "cascade" for engine in engines.values()):
            listing.problem(
                "at least one cascade engine is needed: it speaks the greeting and is the last resort"
            )
    transcriber = _component(root.require("transcriber"), "stt")
    instructions = _text(root, "instructions")
    greeting = _text(root, "greeting")
    offer = _text(root, "offer") if root.get("offer") is not None else ""
    silence = root.get("endpointing_ms")
    endpointing_ms = 300.0 if silence is None else silence.number(least=100, most=3000)
    decisions = None if (judge := root.get("decisions")) is None else _decisions(judge)
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
    )


def _engine(name: str, node: Node, voices: Mapping[str, Component]) -> EngineSpec | None:
    kind_node = node.require("kind")
    kind = None if kind_node is None else kind_node.one_of(KINDS, what="kind of engine")
    if kind is None:
        return None
    hears, voiced = kind != "cascade", kind != "realtime"
    node.only(
        (
            *("kind", "model", "tools", "first_reply_ms"),
            *(("voices",) if voiced else ()),
            *(() if hears else ("audio_aware", "voices_when")),
        )
    )
    mind = _component(node.require("model"), "realtime" if hears else "llm")
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
    if mind is None or tools is None or limit_ms is None or aware is None:
        return None
    if hears and voiced:
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
    model = _component(node.require("model"), "decisions")
    limit_node, most_node = node.get("timeout_ms"), node.get("most_per_call")
    limit_ms = 800.0 if limit_node is None else limit_node.number(least=50, most=10_000)
    most = 60 if most_node is None else most_node.integer(least=1, most=10_000)
    if model is None or limit_ms is None or most is None:
        return None
    return DecisionSpec(model, limit_ms / 1000, most)


def _component(node: Node | None, role: Role) -> Component | None:
    if node is None:
        return None
    node.only(("plugin", "model", "base_url", "api_key_env", "options"))
    plugin_node, model_node = node.require("plugin"), node.require("model")
    plugin = None if plugin_node is None else plugin_node.one_of(PLUGINS[role], what=f"{role} plugin")
    model = None if model_node is None else model_node.text()
    options: dict[str, Option] = {}
    if (listing := node.get("options")) is not None:
        for key, value in listing.items():
            if isinstance(value.value, str | int | float | bool):
                options[key] = value.value
            else:
                value.problem("an option is text, a number, true or false")
    base_url_node, key_node = node.get("base_url"), node.get("api_key_env")
    base_url = None if base_url_node is None else base_url_node.text()
    if base_url_node is not None and base_url is not None and "://" not in base_url:
        base_url_node.problem("must be a URL such as https://example.com/v1")
    api_key_env = None if key_node is None else key_node.text()
    if plugin is None or model is None:
        return None
    return Component(plugin, model, MappingProxyType(options), base_url, api_key_env)


def _text(root: Node, key: str) -> str:
    node = root.require(key)
    return (node.text() or "").strip() if node is not None else ""
