"""The redactor of one call: it remembers what was asked, what was half said, and what was already given away."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compliance.events import AgentSaid, Event, Redactable, Speaker, redactable
from compliance.redaction.engine import RedactionEngine
from compliance.redaction.entities import Entity
from compliance.redaction.expected import Answer, Expectations
from compliance.redaction.kept import amounts_and_dates
from compliance.redaction.memory import Memory
from compliance.redaction.pieces import Found, Heard, Kind
from compliance.redaction.spoken import hear
from compliance.redaction.structured import StructuredRedactor

REDACTION_FAILED = "[REDACTION_FAILED]"
"""Stands for a text that could not be redacted; the text itself is not kept anywhere."""

_REMEMBERED = 0.45  # any other label says more
_ORDER_VALUE = re.compile(r"[A-Za-z]{0,4}[-# ]?(\d+)")


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text with personal data replaced by labels, and which entities it had, in order."""

    text: str
    entities: tuple[str, ...] = ()
    failed: bool = False


class Redactor:
    """Redacts what is said in one call, in the order it is said. Thread-safe; never raises; fails closed.

    ``engine`` finds what needs no context; by default the process's shared one, built on first use.
    """

    def __init__(self, engine: RedactionEngine | None = None) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._expected = Expectations()
        self._memory = Memory()
        self.last_failure: str | None = None
        """The class of the last error that made a redaction fail; never its text, which may quote the caller."""
        self.failures = 0

    def redact_spoken(self, text: str, *, speaker: Speaker) -> Redacted:
        """Redacts the next utterance of ``speaker``."""
        return self._guarded(self._caller if speaker == "caller" else self._agent, text)

    def redact_data(self, value: Any) -> Any:
        """Redacts a JSON value and keeps its structure; the whole value fails closed."""
        with self._lock:
            try:
                return StructuredRedactor(self._data_text, self._learn_field).masked(value)
            except Exception as error:
                self._failed(error)
                return REDACTION_FAILED

    def redact_event(self, event: Event) -> Event:
        """``event`` with every field that :func:`compliance.events.redactable` marks redacted."""
        masked: dict[str, Any] = {}
        for name, mark in redactable(event).items():
            value = getattr(event, name)
            if mark is Redactable.DATA:
                masked[name] = self.redact_data(value)
            else:
                speaker: Speaker = "agent" if isinstance(event, AgentSaid) else "caller"
                masked[name] = self.redact_spoken(value, speaker=speaker).text
        return event.model_copy(update=masked) if masked else event

    def forget(self) -> None:
        """Drops every remembered value; call it when the call is over."""
        with self._lock:
            self._memory.forget()
            self._expected = Expectations()

    def _guarded(self, redact: Callable[[Heard], Redacted], text: str) -> Redacted:
        with self._lock:
            try:
                return redact(hear(_storable(text)))
            except Exception as error:
                self._failed(error)
                return Redacted(REDACTION_FAILED, failed=True)

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self.last_failure = type(error).__name__

    def _caller(self, heard: Heard) -> Redacted:
        amounts = amounts_and_dates(heard)
        return self._masked(heard, amounts, self._expected.caller_said(heard, amounts))

    def _agent(self, heard: Heard) -> Redacted:
        amounts = amounts_and_dates(heard)
        redacted = self._masked(heard, amounts, Expectations.announced_by_agent(heard, amounts))
        self._expected.agent_said(heard)
        return redacted

    def _data_text(self, text: str) -> str:
        heard = hear(_storable(text))
        return self._masked(heard, amounts_and_dates(heard), Answer()).text

    def _masked(self, heard: Heard, amounts: list[tuple[int, int]], answer: Answer) -> Redacted:
        memory = self._memory
        for digits in answer.masked_digits:
            memory.learn_number(digits)
        for digits in answer.kept_digits:
            memory.keep_number(digits)
        numbers = heard.of_kind(Kind.NUMBER)
        kept = [*amounts, *answer.kept, *((p.start, p.end) for p in numbers if p.digits in memory.kept)]
        engine = self._engine or RedactionEngine.shared()
        found = [f for f in (*engine.find(heard.original), *answer.masked) if not f.within(kept)]
        for one in found:
            self._learn(heard, one)
        found += [
            Found(Entity.NUMBER, a, b, _REMEMBERED)
            for a, b in memory.numbers_in(heard)
            if (a, b) not in amounts
        ]
        found += [Found(Entity.PERSON, a, b, _REMEMBERED) for a, b in memory.words_in(heard)]
        if not found:
            return Redacted(heard.original)
        return Redacted(*engine.replace(heard.original, found))

    def _learn(self, heard: Heard, found: Found) -> None:
        for piece in heard.pieces:
            if piece.start < found.end and found.start < piece.end:
                if piece.kind is Kind.NUMBER:
                    self._memory.learn_number(piece.digits)
                elif piece.kind in (Kind.LETTERS, Kind.EMAIL):
                    self._memory.learn_words(piece.written.partition("@")[0])
                elif piece.kind is Kind.WORD and found.entity == Entity.PERSON:
                    self._memory.learn_words(heard.original[piece.start : piece.end])

    def _learn_field(self, entity: Entity, value: str) -> None:
        digits = "".join(c for c in value if c.isdecimal())
        if entity is Entity.ORDER:
            if _ORDER_VALUE.fullmatch(value.strip()):
                self._memory.keep_number(digits)
        elif entity in (Entity.PERSON, Entity.EMAIL):
            self._memory.learn_words(value.partition("@")[0])
        elif entity is not Entity.ADDRESS:
            self._memory.learn_number(digits)


def _storable(text: str) -> str:
    """``text`` without lone surrogates, which no UTF-8 record can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
