"""How long what is kept, as operators write it, and what of a ledger is due. Pure; :mod:`compliance.erasure` does it.

``policies/retention.yaml`` ships; a deployment names its own with ``PATCHBAY_RETENTION``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from compliance.erasure import Due
from compliance.events import CallEnded, CallStarted, ConsentChanged, Event, Topic
from compliance.standing import CALL, SEALED
from policies import Document, Node

RECORDING = "recording"
THINGS = (CALL, RECORDING, SEALED)
"""What rules may keep: all of a call, its recording alone, or its sealed values alone."""
CONSENTS: tuple[str, ...] = get_args(Topic)
"""What a rule may ask whether the caller consented to."""
FACTS = ("call_started", "consent_changed", "call_ended")
"""The kinds of events that :func:`call_facts` reads."""
_KEYS = ("retention", "rules")
_RULE_KEYS = ("id", "keep", "days", "tenant", "consent", "because")
_MOST_DAYS = 36_500
_FOREVER = "forever"
_ABANDONED = timedelta(days=1)
"""After this a call without an end is one whose process died, and not one that is still on."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What rules ask of a call."""

    call_id: str
    tenant: str
    ended_at: datetime
    ended: bool
    """Whether its end is on record; if not, ``ended_at`` is the last that is known of it."""
    consents: Mapping[str, bool]
    """The last word on each consent that was given or taken back in the call."""

    def is_over(self, now: datetime) -> bool:
        """Whether nothing more is to be expected of the call: it ended, or its process must have died."""
        return self.ended or now >= self.ended_at + _ABANDONED


@dataclass(frozen=True, slots=True)
class Rule:
    """Keeps one thing of the calls that it fits for a time."""

    id: str
    keep: str
    days: int | None
    """``None`` is for ever."""
    tenant: str = ""
    consent: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))
    because: str = ""

    def fits(self, call: CallFacts) -> bool:
        """Whether it decides about the call."""
        return (not self.tenant or self.tenant == call.tenant) and all(
            call.consents.get(what) is given for what, given in self.consent.items()
        )


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """A policy that was read and checked."""

    name: str
    version: int
    rules: tuple[Rule, ...]
    file: str = field(default="", compare=False)

    @classmethod
    def load(cls, path: Path) -> RetentionPolicy:
        """Read a policy.

        Raises:
            policies.DocumentError: listing every problem as ``file:line:column: message``.
        """
        return _read(Document.load(path))

    @classmethod
    def parse(cls, text: str, *, file: str = "<retention>") -> RetentionPolicy:
        """Read a policy from text; ``file`` names it in errors."""
        return _read(Document.parse(text, file=file))

    @property
    def cited(self) -> str:
        """The policy as the record cites it: name, version and SHA-256 of what it says."""
        said = [[r.id, r.keep, r.days, r.tenant, dict(r.consent)] for r in self.rules]
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        return f"{self.name} {self.version} sha256:{digest}"

    def rule_for(self, call: CallFacts, thing: str) -> Rule | None:
        """The rule that decides how long ``thing`` of the call is kept."""
        return next((rule for rule in self.rules if rule.keep == thing and rule.fits(call)), None)

    def due(self, call: CallFacts, things: Collection[str], now: datetime) -> tuple[Due, ...]:
        """What of the call is to be destroyed by now: all of it, or some of the ``things`` that are kept beside it."""
        if not call.is_over(now):
            return ()
        found = []
        for thing in (CALL, *things):
            rule = self.rule_for(call, thing)
            if rule is None or rule.days is None or now < call.ended_at + timedelta(days=rule.days):
                continue
            found.append(Due(call.call_id, thing, rule=rule.id, policy=self.cited))
            if thing == CALL:
                break
        return tuple(found)


def call_facts(events: Sequence[Event]) -> CallFacts | None:
    """What rules ask of a call, from its events of :data:`FACTS`; ``None`` when its start is not on record."""
    started = next((event for event in events if isinstance(event, CallStarted)), None)
    if started is None:
        return None
    try:
        began = datetime.fromisoformat(started.started_at)
    except ValueError:
        return None
    began = began if began.tzinfo else began.replace(tzinfo=UTC)
    consents: dict[str, bool] = {}
    for event in events:
        if isinstance(event, ConsentChanged):
            consents[event.what] = event.given
    return CallFacts(
        started.call_id,
        started.tenant,
        began + timedelta(milliseconds=max(event.at_ms for event in events)),
        any(isinstance(event, CallEnded) for event in events),
        MappingProxyType(consents),
    )


def _read(document: Document) -> RetentionPolicy:
    root = document.root
    root.only(_KEYS)
    name, version = _head(root.require("retention"))
    rules = tuple(_rules(root.require("rules")))
    document.finish()
    return RetentionPolicy(name, version, rules, document.file)


def _head(node: Node | None) -> tuple[str, int]:
    if node is None:
        return "", 0
    node.only(("name", "version"))
    name, version = node.require("name"), node.require("version")
    text = None if name is None else name.text()
    number = None if version is None else version.integer(least=1)
    return text or "", number or 0


def _rules(node: Node | None) -> Iterator[Rule]:
    seen: set[str] = set()
    settled: dict[str, str] = {}
    for one in () if node is None else node.elements():
        one.only(_RULE_KEYS)
        named, keep_node, because = one.require("id"), one.require("keep"), one.require("because")
        name = None if named is None else named.text()
        keep = None if keep_node is None else keep_node.one_of(THINGS, what="thing to keep")
        why = None if because is None else because.text()
        days = _days(one.require("days"))
        tenant_node = one.get("tenant")
        tenant = "" if tenant_node is None else tenant_node.text()
        consent = dict(_consents(one.get("consent")))
        if named is not None and name in seen:
            named.problem(f"there is another rule '{name}' above")
        if name is None or keep is None or why is None or tenant is None:
            continue
        seen.add(name)
        if keep in settled:
            one.problem(f"is never reached: rule '{settled[keep]}' above keeps every {keep}")
        elif not tenant and one.get("consent") is None:
            settled[keep] = name
        yield Rule(name, keep, days, tenant, MappingProxyType(consent), why)


def _days(node: Node | None) -> int | None:
    if node is None or node.value == _FOREVER:
        return None
    if isinstance(node.value, str):
        node.problem(f"must be a number of days, or `{_FOREVER}`")
        return None
    return node.integer(least=0, most=_MOST_DAYS)


def _consents(node: Node | None) -> Iterator[tuple[str, bool]]:
    if node is None:
        return
    for name, value in node.items():
        if name not in CONSENTS:
            node.key(name).one_of(CONSENTS, what="consent")
        elif (given := value.boolean()) is not None:
            yield name, given
