"""What callers must be told and asked, by whose law applies: the document ``policies/disclosures.yaml``.

A jurisdiction is named ``us-ca``: what it does not say itself is as in ``us``, and what that does not say as in
``other``. Nothing here is legal advice: each rule names its source and whether counsel has confirmed it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from compliance.errors import ComplianceError
from compliance.events import Disclosure, Topic
from policies import Document, Node

TOPICS: tuple[Topic, ...] = get_args(Topic)
DISCLOSURES: tuple[Disclosure, ...] = get_args(Disclosure)
"""What is disclosed, in the order in which it is said."""
ROOT = "other"
"""The jurisdiction that all others fall back to; it must say something about everything."""


class UnknownJurisdictionError(ComplianceError):
    """No rules are known by that name."""


class Basis(StrEnum):
    """When a consent counts as given; an objection ends it whatever the basis."""

    SETTING = "setting"
    """From the start, where the line's settings say that it has it from elsewhere."""
    NOTICE = "notice"
    """When the notice was heard to its end."""
    STAYING = "staying"
    """When the caller has heard the notice to its end and goes on without objecting."""
    STATED = "stated"
    """When the caller says so."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Words to be said, in one language."""

    name: str
    language: str
    say: str
    again: str
    """The words when they have to be repeated."""

    @staticmethod
    def version(words: str) -> str:
        """What identifies ``words`` on record: the first 12 hexadecimal digits of their SHA-256."""
        return hashlib.sha256(words.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one law wants of one kind of disclosure."""

    what: Disclosure
    basis: Basis
    """When consent is given; of ``ai``, which nobody is asked about, :attr:`Basis.SETTING`."""
    say: str | None
    """The name of the wording of the notice or question."""
    stopped: str | None
    """The name of the wording that tells the caller that an objection is honoured."""
    source: str
    confirmed: bool
    """Whether counsel has confirmed it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one jurisdiction, one for every kind of disclosure."""

    jurisdiction: str
    of: Mapping[Disclosure, Rule]
    wordings: Mapping[str, Mapping[str, Wording]]
    language: str
    """Of wordings that there are not in the line's own."""

    def wording(self, name: str, language: str) -> Wording:
        """The wording called ``name`` in the language of a BCP 47 tag, or in the document's own."""
        known = self.wordings[name]
        return known.get(language) or known.get(language.partition("-")[0]) or known[self.language]


@dataclass(frozen=True, slots=True)
class Disclosures:
    """The whole document."""

    file: str
    language: str
    wordings: Mapping[str, Mapping[str, Wording]]
    rules: Mapping[str, Mapping[Disclosure, Rule]]
    """What each jurisdiction says itself."""

    @classmethod
    def load(cls, path: Path) -> Disclosures:
        """Read the document.

        Raises:
            policies.DocumentError: listing every problem as ``file:line:column: message``.
        """
        return _read(Document.load(path))

    @classmethod
    def parse(cls, text: str, *, file: str = "<disclosures>") -> Disclosures:
        """Read the document from text; ``file`` names it in errors."""
        return _read(Document.parse(text, file=file))

    def of(self, jurisdiction: str) -> Rules:
        """The rules of a jurisdiction, with what it has from those above it.

        Raises:
            UnknownJurisdictionError: neither it nor its region is in the document.
        """
        region, _, place = jurisdiction.partition("-")
        if jurisdiction not in self.rules and (place or region == ROOT):
            raise UnknownJurisdictionError(
                f"{self.file} has no rules for '{jurisdiction}': add them under `rules`, or name one of "
                + ", ".join(sorted(self.rules))
            )
        merged = dict(self.rules[ROOT])
        for name in dict.fromkeys((region, jurisdiction)):
            merged |= self.rules.get(name, {})
        return Rules(jurisdiction, MappingProxyType(merged), self.wordings, self.language)


# -- reading --------------------------------------------------------------------------------------------------
def _read(document: Document) -> Disclosures:
    root = document.root
    root.only(("version", "language", "wordings", "rules"))
    if (version := root.require("version")) is not None and version.value != 1:
        version.problem(f"this Patchbay reads disclosures version 1, not {version.value!r}")
    language_node = root.require("language")
    language = (language_node.text() if language_node is not None else None) or "en"
    wordings: dict[str, Mapping[str, Wording]] = {}
    if (listing := root.require("wordings")) is not None:
        for name, node in listing.items():
            wordings[name] = _wordings(name, node, language)
    rules: dict[str, Mapping[Disclosure, Rule]] = {}
    if (listing := root.require("rules")) is not None:
        for name, node in listing.items():
            rules[name] = _rules(node, wordings)
        if (everywhere := listing.require(ROOT)) is not None:
            for what in DISCLOSURES:
                everywhere.require(what)
            if (ai := everywhere.get("ai")) is not None:
                ai.require("say")
    document.finish()
    return Disclosures(document.file, language, MappingProxyType(wordings), MappingProxyType(rules))


def _wordings(name: str, node: Node, language: str) -> Mapping[str, Wording]:
    node.require(language)  # every other language falls back to it
    found = {}
    for tag, words in node.items():
        words.only(("say", "again"))
        say_node, again_node = words.require("say"), words.get("again")
        say = _words(say_node)
        again = say if again_node is None else _words(again_node)
        if say and again:
            found[tag] = Wording(name, tag, say, again)
    return MappingProxyType(found)


def _words(node: Node | None) -> str | None:
    if node is None:
        return None
    words = node.text()
    if words is not None and not words.strip():
        node.problem("must not be empty: it is said to callers")
    return None if words is None else " ".join(words.split())


def _rules(node: Node, wordings: Mapping[str, object]) -> Mapping[Disclosure, Rule]:
    node.only(DISCLOSURES)
    found: dict[Disclosure, Rule] = {}
    for what in DISCLOSURES:
        if (entry := node.get(what)) is not None and (rule := _rule(what, entry, wordings)) is not None:
            found[what] = rule
    return MappingProxyType(found)


def _rule(what: Disclosure, node: Node, wordings: Mapping[str, object]) -> Rule | None:
    if what == "ai":
        node.only(("say", "source", "counsel"))
        basis: Basis | None = Basis.SETTING
        node.require("say")
    else:
        node.only(("consent", "say", "stopped", "source", "counsel"))
        consent = node.require("consent")
        name = None if consent is None else consent.one_of([one.value for one in Basis], what="consent")
        basis = None if name is None else Basis(name)
        if basis not in (None, Basis.SETTING):
            node.require("say")  # what is not said cannot be agreed to
    said = {}
    for key in ("say", "stopped"):
        entry = node.get(key)
        said[key] = None if entry is None else entry.one_of(wordings, what="wording")
    source_node, counsel_node = node.require("source"), node.require("counsel")
    source = None if source_node is None else source_node.text()
    counsel = (
        None
        if counsel_node is None
        else counsel_node.one_of(("confirm", "confirmed"), what="state of counsel")
    )
    if basis is None or source is None or counsel is None:
        return None
    return Rule(what, basis, said["say"], said["stopped"], source, counsel == "confirmed")
