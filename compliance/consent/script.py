"""What must still be said to the caller of one call, in which words, and what was never heard. No clock, no I/O.

Everything owed is said with the greeting. What the caller cut short is said once more, shortly, after the next reply
that they hear out; what was cut again is not tried a third time, and is told at the call's end.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from compliance.consent.rules import DISCLOSURES, Basis, Rules, Wording
from compliance.events import Disclosure, Topic

TRIES = 2
"""A disclosure that was cut this often is not said again unasked."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Words to be said at once; ``what`` is ``None`` for words that disclose nothing, such as the greeting's own."""

    words: str
    what: Disclosure | None = None
    wording: Wording | None = None


@dataclass(slots=True)
class _Owed:
    wording: Wording
    asks: bool
    tries: int = 0
    heard: bool = False
    """Whether it was ever heard to its end."""
    due: bool = True


class Script:
    """What is owed to one caller.

    Args:
        rules: of the caller's jurisdiction.
        wanted: what the line does with callers who let it; about the rest nothing needs saying.
        language: BCP 47 tag of the line's language.
    """

    def __init__(self, rules: Rules, wanted: Collection[Topic], language: str) -> None:
        self._rules = rules
        self._language = language
        self._owed: dict[Disclosure, _Owed] = {}
        for what in DISCLOSURES:
            rule = rules.of[what]
            if rule.say is not None and (what == "ai" or what in wanted):
                self._owed[what] = _Owed(rules.wording(rule.say, language), asks=rule.basis is Basis.STATED)
        self._stopped: list[Topic] = []

    @property
    def missed(self) -> tuple[Disclosure, ...]:
        """What has never been heard to its end."""
        return tuple(what for what, owed in self._owed.items() if not owed.heard)

    def greeting(self, greeting: str, offer: str) -> tuple[Passage, ...]:
        """The greeting's passages: who it is, what must be said, and the offer of help or else one question."""
        owed = self._due()
        asks = any(self._asks(passage) for passage in owed)
        last = () if asks or not offer else (Passage(offer),)
        return (Passage(greeting), *owed, *last) if greeting else (*owed, *last)

    def after_reply(self) -> tuple[Passage, ...]:
        """What is to be said after a reply: what an objection has ended, then what was cut short before."""
        names = [name for topic in self._stopped if (name := self._rules.of[topic].stopped) is not None]
        self._stopped.clear()
        return (*(Passage(self._rules.wording(name, self._language).say) for name in names), *self._due())

    def said(self, passage: Passage, *, complete: bool) -> None:
        """Some of ``passage`` was heard, or all of it."""
        if passage.what is None or (owed := self._owed.get(passage.what)) is None:
            return
        owed.tries += 1
        owed.heard |= complete
        owed.due = not complete and owed.tries < TRIES

    def asked_if_machine(self) -> None:
        """The caller asks what they are talking to: it is said again, even if it was heard before."""
        self._owed["ai"].due = True

    def objected(self, topic: Topic, *, was_given: bool) -> None:
        """The caller does not want it: its notice has no more purpose; that it has ended is worth telling."""
        self._owed.pop(topic, None)
        if was_given and topic not in self._stopped:
            self._stopped.append(topic)

    def answered(self, topic: Topic) -> None:
        """The caller has consented: there is nothing left to ask."""
        if self._rules.of[topic].basis is Basis.STATED:
            self._owed.pop(topic, None)

    def _due(self) -> tuple[Passage, ...]:
        """Notices in their order, then at most one question, which the caller answers next."""
        due = [(what, owed) for what, owed in self._owed.items() if owed.due]
        questions = [one for one in due if one[1].asks]
        return tuple(
            Passage(owed.wording.again if owed.tries else owed.wording.say, what, owed.wording)
            for what, owed in (*(one for one in due if not one[1].asks), *questions[:1])
        )

    def _asks(self, passage: Passage) -> bool:
        return passage.what is not None and self._owed[passage.what].asks
