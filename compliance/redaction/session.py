"""The redactor of one call: it remembers what was asked, what was half said, and what was already given away."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any, Literal

from compliance.events import (
    AgentSaid,
    EngineHeard,
    Event,
    HumanSaid,
    Redactable,
    Speaker,
    ToolCalled,
    redactable,
)
from compliance.redaction.denied import Allowed
from compliance.redaction.engine import RedactionEngine
from compliance.redaction.entities import Entity
from compliance.redaction.expected import Answer, Expectations
from compliance.redaction.figures import is_back_channel
from compliance.redaction.heard_again import found_again
from compliance.redaction.kept import amounts_and_dates, recent_dates
from compliance.redaction.masks import Masks, is_mask, without_masks
from compliance.redaction.memory import Memory
from compliance.redaction.pieces import Found, Heard, Kind
from compliance.redaction.plain import plain
from compliance.redaction.policy import RedactionPolicy
from compliance.redaction.redacted import Redacted, joined, parts_of
from compliance.redaction.spans import Span, resolved
from compliance.redaction.spoken import hear
from compliance.redaction.structured import StructuredRedactor, named_by
from compliance.redaction.traits import OURS, Action

REDACTION_FAILED = "[REDACTION_FAILED]"
"""Stands for a text that could not be redacted; the text itself is not kept anywhere."""

_ORDER_VALUE = re.compile(r"[A-Za-z]{0,4}[-# ]?(\d+)")
_WORDY = frozenset({Entity.PERSON, Entity.ADDRESS})
_LONGEST_RUN = 240
"""Characters of what a person said since the caller spoke: enough for any question, and little to read again."""

Voice = Speaker | Literal["person"]
"""Who says something: a person is one who has taken the call over."""


class Redactor:
    """Redacts what is said in one call, in the order it is said. Thread-safe; never raises; fails closed.

    Args:
        engine: finds what needs no knowledge of the call; by default the process's shared one for ``policy``, built on
            first use.
        policy: what stands in the place of what was found; by default the engine's, or the one that ships.
        key: of the call or its tenant, for masks by ``hash``: see :class:`compliance.redaction.masks.Masks`.
    """

    def __init__(
        self,
        engine: RedactionEngine | None = None,
        *,
        policy: RedactionPolicy | None = None,
        key: bytes | None = None,
    ) -> None:
        self._engine = engine
        self._policy = policy or getattr(engine, "policy", None) or RedactionPolicy.default()
        self._lock = threading.Lock()
        self._expected = Expectations(keeps_orders=self._policy.rule(Entity.ORDER).action is Action.KEEP)
        self._memory = Memory()
        self._allowed = Allowed(self._policy)
        self._masks = Masks(self._policy) if key is None else Masks(self._policy, key)
        keeps = self._expected.keeps_orders
        self._structured = StructuredRedactor(self._data_text, self._learn_field, self._masks.mask, keeps)
        self._asked = ""
        self._said_by_person = Expectations(keeps_orders=self._expected.keeps_orders)
        """What a person who has the call is about to say, because they announced it or have half said it."""
        self._run = ""
        """What they have said since the caller spoke."""
        self.last_failure: str | None = None
        """The class of the last error that made a redaction fail; never its text, which may quote the caller."""
        self.failures = 0

    @property
    def suspends_recording(self) -> bool:
        """Whether a card's security code or a PIN may be said next: no audio of it may be kept, even muted later."""
        return self._expected.secret

    @property
    def expected(self) -> tuple[str, ...]:
        """What may be said next, because it was asked for, announced or is half said."""
        return tuple(dict.fromkeys(str(e.spec.entity) for e in self._expected.open))

    def redact_spoken(self, text: str, *, speaker: Voice) -> Redacted:
        """Redacts the next utterance of ``speaker``."""
        by = {"caller": self._caller, "agent": self._agent, "person": self._person}
        return self._guarded(by[speaker], text)

    def redact_data(self, value: Any) -> Any:
        """Redacts a JSON value and keeps its structure; the whole value fails closed."""
        with self._lock:
            try:
                return self._structured.masked(value)
            except Exception as error:
                self._failed(error)
                return REDACTION_FAILED

    def redact_event(self, event: Event) -> Event:
        """``event`` with every field that :func:`compliance.events.redactable` marks redacted."""
        return self.redact(event)[0]

    def redact(self, event: Event) -> tuple[Event, dict[str, tuple[Span, ...]]]:
        """``event`` redacted, and by the name of each spoken field what of the original was replaced."""
        if isinstance(event, EngineHeard):
            return self._heard_again(event)
        masked: dict[str, Any] = {}
        spans: dict[str, tuple[Span, ...]] = {}
        for name, mark in redactable(event).items():
            value = getattr(event, name)
            if mark is Redactable.DATA:
                masked[name] = self.redact_data(value)
            else:
                redacted = self.redact_spoken(value, speaker=_voice(event))
                masked[name], spans[name] = redacted.text, redacted.spans
        if isinstance(event, ToolCalled) and event.failed:
            for entity in named_by(event.arguments):
                self.expect(entity)  # the caller will be asked for it again, in whatever words
        return (event.model_copy(update=masked) if masked else event), spans

    def _heard_again(self, event: EngineHeard) -> tuple[Event, dict[str, tuple[Span, ...]]]:
        """Two hearings of what the caller said before: nothing is expected, begun or closed by them."""
        with self._lock:
            try:
                first, second = hear(_storable(event.record)), hear(_storable(event.engine_text))
                ours = self._told(first, first.original)
                again = found_again(first, ours.spans, second)
                theirs = self._masked(second, second.original, [], Answer(masked=again), asked=self._asked)
            except Exception as error:
                self._failed(error)
                ours = theirs = Redacted(REDACTION_FAILED, failed=True)
        masked = {"record": ours.text, "engine_text": theirs.text}
        return event.model_copy(update=masked), {"record": ours.spans, "engine_text": theirs.spans}

    def know(self, entity: str, value: str) -> None:
        """``value``, of a customer's record or a tool, is ``entity``: from now on it is masked in any spoken form."""
        with self._lock:
            try:
                self._learn_field(entity, value)
            except Exception as error:
                self._failed(error)

    def expect(self, entity: str) -> None:
        """The caller is about to say ``entity``, whatever the agent's question was: a tool needs it."""
        with self._lock:
            self._expected.expect(entity)

    def forget(self) -> None:
        """Drops every remembered value; call it when the call is over."""
        with self._lock:
            self._memory.forget()
            self._masks.forget()
            self._expected.forget()
            self._said_by_person.forget()
            self._asked = self._run = ""

    def _guarded(self, redact: Callable[[Heard, str], Redacted], text: str) -> Redacted:
        with self._lock:
            try:
                return self._in_parts(redact, text)
            except Exception as error:
                self._failed(error)
                return Redacted(REDACTION_FAILED, failed=True)

    def _in_parts(self, redact: Callable[[Heard, str], Redacted], text: str) -> Redacted:
        """A long text is read as several breaths, so that what it costs grows with its length and no faster."""
        parts = list(parts_of(_storable(text)))
        return joined(parts, [redact(hear(plain(without_masks(part))), part) for part in parts])

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self.last_failure = type(error).__name__

    def _caller(self, heard: Heard, said: str) -> Redacted:
        amounts = amounts_and_dates(heard)
        answer = self._expected.caller_said(heard, amounts)
        if not is_back_channel(heard):
            self._run = ""
        return self._masked(heard, said, amounts, answer, asked=self._asked)

    def _agent(self, heard: Heard, said: str) -> Redacted:
        amounts = amounts_and_dates(heard)
        redacted = self._masked(heard, said, amounts, self._expected.announced_by_agent(heard, amounts))
        self._expected.agent_said(heard)
        self._asked, self._run = heard.original, ""
        return redacted

    def _person(self, heard: Heard, said: str) -> Redacted:
        """A person asks as an agent does, and says values as a caller does: in breaths, and often without their names.

        An agent's reply comes whole, and theirs in segments: what they said since the caller spoke is one question.
        """
        amounts = amounts_and_dates(heard)
        redacted = self._masked(heard, said, amounts, self._said_by_person.caller_said(heard, amounts))
        self._run = f"{self._run} {heard.original}"[-_LONGEST_RUN:]
        self._expected.agent_said(hear(self._run))
        self._asked = self._run
        return redacted

    def _data_text(self, text: str) -> str:
        return self._in_parts(self._told, text).text

    def _told(self, heard: Heard, said: str) -> Redacted:
        return self._masked(heard, said, amounts_and_dates(heard), Answer())

    def _masked(
        self, heard: Heard, said: str, amounts: list[tuple[int, int]], answer: Answer, *, asked: str = ""
    ) -> Redacted:
        engine = self._engine or RedactionEngine.shared(self._policy)
        memory = self._memory
        for entity, digits in answer.masked_digits:
            memory.learn_number(digits, entity)
        for digits in answer.kept_digits:
            memory.keep_number(digits)
        numbers = heard.of_kind(Kind.NUMBER)
        kept = [*amounts, *answer.kept, *((p.start, p.end) for p in numbers if p.digits in memory.kept)]
        not_born = kept + recent_dates(heard.original)
        found = [f for f in engine.find(heard, asked) if not f.within(not_born)]
        found += [f for f in answer.masked if not f.within(kept)]
        for one in self._allowed.without(heard, found):
            self._learn(heard, one)
        found += [f for f in memory.found_in(heard) if not f.within(amounts)]
        found = self._allowed.without(heard, found)
        if not found:
            return Redacted(said)
        return self._replaced(heard, said, resolved(said, found))

    def _replaced(self, heard: Heard, said: str, spans: tuple[Span, ...]) -> Redacted:
        kept: list[str] = []
        at = 0
        for span in spans:
            kept += (
                said[at : span.start],
                self._masks.mask(span.entity, heard.written_at(span.start, span.end)),
            )
            at = span.end
        return Redacted("".join([*kept, said[at:]]), tuple(span.entity for span in spans), False, spans)

    def _learn(self, heard: Heard, found: Found) -> None:
        for piece in heard.pieces:
            if piece.start < found.end and found.start < piece.end:
                if piece.kind is Kind.NUMBER:
                    self._memory.learn_number(piece.digits, found.entity)
                elif piece.kind in (Kind.LETTERS, Kind.EMAIL):
                    self._memory.learn_words(piece.written.partition("@")[0], found.entity)
                elif piece.kind is Kind.WORD and found.entity in _WORDY:
                    self._memory.learn_words(heard.original[piece.start : piece.end], found.entity)

    def _learn_field(self, entity: str, value: str) -> None:
        if is_mask(value):
            return
        if entity != Entity.ORDER:
            self._memory.learn_value(entity if entity in OURS else Entity.NUMBER, value)
        elif _ORDER_VALUE.fullmatch(value.strip()) and self._expected.keeps_orders:
            self._memory.keep_number("".join(c for c in value if c.isdecimal()))


def _voice(event: Event) -> Voice:
    """Whose words an event holds; what nobody said is read as strictly as what a caller says."""
    return "agent" if isinstance(event, AgentSaid) else "person" if isinstance(event, HumanSaid) else "caller"


def _storable(text: str) -> str:
    """``text`` without lone surrogates, which no UTF-8 record can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
