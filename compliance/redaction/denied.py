"""What a policy always masks, and what it never masks."""

from __future__ import annotations

from collections.abc import Iterator

import regex  # type: ignore[import-untyped] # it has no stubs; `re` has no time limit

from compliance.redaction.entities import Entity
from compliance.redaction.masks import canonical
from compliance.redaction.memory import Memory
from compliance.redaction.pieces import Found, Heard
from compliance.redaction.policy import RedactionPolicy

_NEVER = frozenset({Entity.CREDIT_CARD, Entity.CVV, Entity.PIN})
_SURE = 1.0
_TIMEOUT_S = 0.05
"""A pattern that takes longer on one utterance is withheld with it: some take for ever."""


class Denied:
    """The ``deny`` list of a policy: words in any spoken form, patterns as written and as heard."""

    def __init__(self, policy: RedactionPolicy) -> None:
        self._words = Memory()
        for deny in policy.deny:
            for word in deny.words:
                self._words.phrases[canonical(word)] = deny.entity
        self._patterns = [
            (regex.compile(deny.pattern, regex.IGNORECASE), deny.entity)
            for deny in policy.deny
            if deny.pattern
        ]

    def find(self, heard: Heard) -> Iterator[Found]:
        """Every denied word and pattern.

        Raises:
            TimeoutError: a pattern takes too long on this text.
        """
        for found in self._words.found_in(heard):
            yield Found(found.entity, found.start, found.end, _SURE)
        for pattern, entity in self._patterns:
            for match in pattern.finditer(heard.original, timeout=_TIMEOUT_S):
                yield Found(entity, match.start(), match.end(), _SURE)
            for match in pattern.finditer(heard.text, timeout=_TIMEOUT_S):
                if match.end() > match.start():
                    yield Found(entity, *heard.said_at(match.start(), match.end()), _SURE)


class Allowed:
    """The ``allow`` list of a policy, in any spoken form."""

    def __init__(self, policy: RedactionPolicy) -> None:
        self._phrases = Memory()
        for each in policy.allow:
            self._phrases.phrases[canonical(each)] = Entity.ORDER

    def without(self, heard: Heard, found: list[Found]) -> list[Found]:
        """``found`` without what is allowed; what opens an account is never allowed."""
        spans = [(f.start, f.end) for f in self._phrases.found_in(heard)]
        return [f for f in found if f.entity in _NEVER or not f.within(spans)] if spans else found
