"""The redaction policy: what stands in the record for each kind of personal data, as operators write it.

``policies/redaction.yaml`` ships; a deployment names its own with ``PATCHBAY_REDACTION``. A policy chooses among what
:mod:`compliance.redaction.traits` allows: it can keep a card's last four digits, and never its security code.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import regex  # type: ignore[import-untyped] # it has no stubs

from compliance.redaction.luhn import passes_luhn
from compliance.redaction.placeholders import Placeholders
from compliance.redaction.placeholders import read as read_placeholders
from compliance.redaction.traits import NAMED, OURS, STOCK, Action, traits_of
from policies import Document, Node, shipped

LANGUAGES = ("en", *sorted({stock.language for stock in STOCK.values()} - {"en"}))
MODELS = ("ours", "spacy", "gliner", "transformers")
FAILOVERS = ("withhold", "ours")
_KEYS = ("redaction", "languages", "ner", "failover", "entities", "deny", "allow", "placeholders")
_ENTITY_NAME = re.compile(r"[A-Z][A-Z_]{1,39}(?<!_)")
_LEAST_KNOWN = 3

Ner = Literal["ours"] | Mapping[str, str]
"""``ours``, or one of :data:`MODELS` with its name or path."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done with one entity."""

    action: Action = Action.MASK
    reveal: bool = False
    """Whether a privacy officer may ask to see the value again."""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Deny:
    """Words or a pattern that are always masked as ``entity``."""

    entity: str
    words: tuple[str, ...] = ()
    pattern: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class RedactionPolicy:
    """A policy that was read and checked. Plain data: it can be sent to another process."""

    name: str
    version: int
    entities: Mapping[str, Rule]
    languages: tuple[str, ...] = ("en",)
    ner: Ner = "ours"
    failover: str = "withhold"
    """When a model of one's own fails: ``withhold`` the text, or find names by ``ours``."""
    deny: tuple[Deny, ...] = ()
    allow: tuple[str, ...] = ()
    """What is never masked, such as the line's own number; a card's number is masked all the same."""
    placeholders: Placeholders = field(default_factory=Placeholders.none)
    """Which models see placeholders in the place of what is masked."""
    file: str = field(default="", compare=False)

    @classmethod
    def load(cls, path: Path) -> RedactionPolicy:
        """Read a policy.

        Raises:
            policies.DocumentError: listing every problem as ``file:line:column: message``.
        """
        return _read(Document.load(path))

    @classmethod
    def parse(cls, text: str, *, file: str = "<redaction>") -> RedactionPolicy:
        """Read a policy from text; ``file`` names it in errors."""
        return _read(Document.parse(text, file=file))

    @classmethod
    @cache
    def default(cls) -> RedactionPolicy:
        """The policy that ships."""
        return cls.load(shipped("redaction.yaml"))

    def rule(self, entity: str) -> Rule:
        """What is done with ``entity``; what a policy does not name is masked."""
        return self.entities.get(entity) or Rule()

    def may_reveal(self, entity: str) -> bool:
        """Whether a value of ``entity`` may be shown again to somebody who is entitled to it."""
        return self.rule(entity).reveal and traits_of(entity).may_be_revealed

    def looks_for(self, entity: str) -> bool:
        """Whether ``entity`` is masked at all: ours always, others when they are listed."""
        return entity in OURS or entity in self.entities

    @property
    def digest(self) -> str:
        """SHA-256 of what the policy says, in hex; comments, order and the file's name do not count."""
        said = {
            "redaction": [self.name, self.version],
            "languages": sorted(self.languages),
            "ner": self.ner if isinstance(self.ner, str) else dict(self.ner),
            "failover": self.failover,
            "entities": {name: [rule.action, rule.reveal] for name, rule in self.entities.items()},
            "deny": sorted([d.entity, sorted(d.words), d.pattern] for d in self.deny),
            "allow": sorted(self.allow),
        }
        if self.placeholders != Placeholders.none():
            hidden = self.placeholders
            said["placeholders"] = [
                None if hidden.engines is None else sorted(hidden.engines),
                None if hidden.entities is None else sorted(hidden.entities),
                hidden.when_lost,
            ]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _read(document: Document) -> RedactionPolicy:
    root = document.root
    root.only(_KEYS)
    name, version = _head(root.require("redaction"))
    languages = _languages(root.get("languages"))
    ner = _ner(root.get("ner"))
    deny = tuple(_denied(root.get("deny")))
    entities = dict(_entities(root.require("entities"), languages, {d.entity for d in deny}))
    allow = tuple(_allowed(root.get("allow")))
    failover = _failover(root.get("failover"), ner)
    placeholders = read_placeholders(
        root.get("placeholders"),
        file=document.file,
        entities=(*OURS, *entities),
        kept=[name for name, rule in entities.items() if rule.action is Action.KEEP],
    )
    document.finish()
    return RedactionPolicy(
        name, version, entities, languages, ner, failover, deny, allow, placeholders, document.file
    )


def _head(node: Node | None) -> tuple[str, int]:
    if node is None:
        return "", 0
    node.only(("name", "version"))
    name, version = node.require("name"), node.require("version")
    text = None if name is None else name.text()
    number = None if version is None else version.integer(least=1)
    return text or "", number or 0


def _languages(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ("en",)
    named = [each.one_of(LANGUAGES, what="language") for each in node.elements()]
    languages = tuple(dict.fromkeys(name for name in named if name is not None))
    if None not in named and "en" not in languages:
        node.problem("must hold `en`: the spoken forms of numbers and letters are those of English")
    return languages


def _ner(node: Node | None) -> Ner:
    if node is None or node.value == "ours":
        return "ours"
    if isinstance(node.value, str):
        node.problem(f"unknown model '{node.value}': `ours`, or a mapping such as {{spacy: en_core_web_lg}}")
        return "ours"
    node.only(MODELS)
    named = {key: text for key, value in node.items() if (text := value.text())}
    if len(list(node.items())) != 1:
        node.problem(f"must name one model, by one of {', '.join(f'`{kind}`' for kind in MODELS)}")
    return named


def _failover(node: Node | None, ner: Ner) -> str:
    if node is None:
        return "withhold"
    choice = node.one_of(FAILOVERS, what="fail-over")
    if choice == "ours" and ner == "ours":
        node.problem("`ours` is the model that would have failed: name another one in `ner`, or `withhold`")
    return choice or "withhold"


def _entities(node: Node | None, languages: tuple[str, ...], made_up: set[str]) -> Iterator[tuple[str, Rule]]:
    if node is None:
        return
    known = (*OURS, *STOCK, *NAMED, *made_up)
    for name, value in node.items():
        if name not in known:
            node.key(name).one_of(known, what="entity")
            continue
        stock = STOCK.get(name)
        if stock is not None and stock.language not in languages:
            node.key(name).problem(f"is written in `{stock.language}`, which is not among `languages`")
        if (rule := _rule(name, value)) is not None:
            yield name, rule


def _rule(entity: str, node: Node) -> Rule | None:
    node.only(("action", "reveal", "because"))
    traits = traits_of(entity)
    action_node, reveal_node, because_node = node.require("action"), node.get("reveal"), node.get("because")
    named = None if action_node is None else action_node.one_of(list(Action), what="action")
    if action_node is not None and named is not None and named not in traits.actions:
        allowed = ", ".join(f"`{action}`" for action in Action if action in traits.actions)
        action_node.problem(f"`{named}` is not possible for {entity}, {traits.meaning}; possible: {allowed}")
    reveal = False if reveal_node is None else reveal_node.boolean()
    if reveal_node is not None and reveal and not traits.may_be_revealed:
        reveal_node.problem(f"{entity}, {traits.meaning}, is never revealed to anybody")
    because = "" if because_node is None else because_node.text()
    if named is None or reveal is None or because is None:
        return None
    return Rule(Action(named), reveal, because)


def _denied(node: Node | None) -> Iterator[Deny]:
    if node is None:
        return
    for each in node.elements():
        each.only(("entity", "words", "pattern", "because"))
        entity = _entity_name(each.require("entity"))
        words_node, pattern_node, because_node = (each.get(k) for k in ("words", "pattern", "because"))
        if (words_node is None) == (pattern_node is None):
            each.problem("needs either `words` or `pattern`")
        words = () if words_node is None else tuple(_texts(words_node, least=2))
        pattern = "" if pattern_node is None else _pattern(pattern_node)
        because = "" if because_node is None else because_node.text() or ""
        if entity:
            yield Deny(entity, words, pattern, because)


def _entity_name(node: Node | None) -> str:
    text = None if node is None else node.text()
    if node is not None and text is not None and not _ENTITY_NAME.fullmatch(text):
        node.problem("must be a name in capitals such as PERSON or LOYALTY_NUMBER")
        return ""
    if node is not None and text == "ORDER_NUMBER":
        node.problem("ORDER_NUMBER is what may be kept: name another entity")
        return ""
    return text or ""


def _pattern(node: Node) -> str:
    text = node.text()
    if text is None:
        return ""
    try:
        compiled = regex.compile(text, regex.IGNORECASE)
    except regex.error as error:
        node.problem(f"is no regular expression: {error.msg}", offset=error.pos)
        return ""
    if compiled.search("") is not None:
        node.problem("matches the empty text, so it would match everywhere")
        return ""
    return text


def _allowed(node: Node | None) -> Iterator[str]:
    for each in () if node is None else node.elements():
        text = each.text()
        if text is None:
            continue
        digits = "".join(c for c in text if c.isdecimal())
        if 12 <= len(digits) <= 19 and passes_luhn(digits):
            each.problem("is the number of a card, which is always masked")
        elif len(text.strip()) < _LEAST_KNOWN:
            each.problem(f"must have at least {_LEAST_KNOWN} characters")
        else:
            yield text


def _texts(node: Node, *, least: int) -> Iterator[str]:
    found: Any = list(node.elements())
    if not found and isinstance(node.value, list):
        node.problem("must hold at least one word")
    for each in found:
        if (text := each.text()) is None:
            continue
        if len(text.strip()) < least:
            each.problem(f"must have at least {least} characters")
        else:
            yield text
