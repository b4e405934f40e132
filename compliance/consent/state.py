"""The consents of one call: what holds now, and what changes it. Pure: no clock, no I/O.

A consent is open until it is given or refused. The line's settings say what is wanted at all; the rule of the
jurisdiction says what has to happen before it is given; an objection ends it at once, whatever the rule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from compliance.consent.rules import TOPICS, Basis, Rules
from compliance.events import Disclosure, How, Topic


class Standing(StrEnum):
    """Where a consent stands."""

    OPEN = "open"
    GIVEN = "given"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a caller's words mean for the consents; whoever reads the words says so.

    ``agrees`` and ``refuses`` are a bare yes and no, which mean something only after a question.
    """

    objects: frozenset[Topic] = frozenset()
    allows: frozenset[Topic] = frozenset()
    agrees: bool = False
    refuses: bool = False
    silent: bool = False
    """Nothing was said at all: a cough, a door."""


@dataclass(frozen=True, slots=True)
class Change:
    """A consent is given or not from now on."""

    what: Topic
    given: bool
    how: How


@dataclass(frozen=True, slots=True)
class Consents:
    """What is consented to. Every method returns the consents after what happened, and the changes in order."""

    rules: Rules
    wanted: frozenset[Topic]
    """What the line does with callers who let it."""
    standing: Mapping[Topic, Standing]
    noticed: frozenset[Topic] = frozenset()
    """Whose notice or question was heard to its end."""
    asked: Topic | None = None
    """Whose question the caller's next turn answers."""

    @classmethod
    def start(cls, rules: Rules, wanted: Collection[Topic]) -> tuple[Consents, tuple[Change, ...]]:
        """The consents when a call is answered: given where the line has them from elsewhere, else open."""
        consents = cls(rules, frozenset(wanted), MappingProxyType(dict.fromkeys(TOPICS, Standing.OPEN)))
        return consents._settled(
            Change(topic, True, "setting") for topic in TOPICS if consents._awaits(topic, Basis.SETTING)
        )

    def given(self, topic: Topic) -> bool:
        """Whether it is given now."""
        return self.standing[topic] is Standing.GIVEN

    def disclosed(self, what: Disclosure) -> tuple[Consents, tuple[Change, ...]]:
        """The caller has heard the disclosure of ``what`` to its end."""
        if what == "ai":
            return self, ()
        heard = replace(self, noticed=self.noticed | {what})
        if heard._awaits(what, Basis.NOTICE):
            return heard._settled([Change(what, True, "notice")])
        return replace(heard, asked=what if heard._awaits(what, Basis.STATED) else heard.asked), ()

    def speaking(self, meaning: Meaning) -> tuple[Consents, tuple[Change, ...]]:
        """The caller is still speaking: an objection counts already, anything else not before the turn's end."""
        return self._settled(self._objections(meaning))

    def turn_ended(self, meaning: Meaning) -> tuple[Consents, tuple[Change, ...]]:
        """The caller has said this in a turn; it answers what was asked before it, if anything was."""
        changes = list(self._objections(meaning))
        touched = {change.what for change in changes} | meaning.objects
        changes += [
            Change(topic, True, "stated")
            for topic in TOPICS
            if topic in meaning.allows - touched and topic in self.wanted and not self.given(topic)
        ]
        touched |= meaning.allows
        asked = self.asked
        if asked is not None and asked not in touched and (meaning.agrees or meaning.refuses):
            if self.standing[asked] is Standing.OPEN:
                changes.append(Change(asked, meaning.agrees and not meaning.refuses, "stated"))
            touched |= {asked}
        if not meaning.silent:
            changes += [
                Change(topic, True, "by staying")
                for topic in TOPICS
                if topic in self.noticed - touched and self._awaits(topic, Basis.STAYING)
            ]
        still_asked = asked if meaning.silent and asked not in touched else None
        return replace(self, asked=still_asked)._settled(changes)

    def _objections(self, meaning: Meaning) -> list[Change]:
        return [
            Change(topic, False, "revoked" if self.given(topic) else "stated")
            for topic in TOPICS
            if topic in meaning.objects and self.standing[topic] is not Standing.REFUSED
        ]

    def _awaits(self, topic: Topic, basis: Basis) -> bool:
        """Whether ``topic`` is open, wanted, and given on this basis."""
        return (
            topic in self.wanted
            and self.standing[topic] is Standing.OPEN
            and self.rules.of[topic].basis is basis
        )

    def _settled(self, changes: Iterable[Change]) -> tuple[Consents, tuple[Change, ...]]:
        made = tuple(changes)
        after = {change.what: Standing.GIVEN if change.given else Standing.REFUSED for change in made}
        return replace(self, standing=MappingProxyType({**self.standing, **after})), made
