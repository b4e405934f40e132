"""Finds calls by what was said, redacted, and by what happened in them. Pure; the ledger is read by who asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from compliance.events import (
    AgentSaid,
    CallStarted,
    Decided,
    Event,
    HumanSaid,
    ProviderFailed,
    ToolCalled,
)
from service.history import moment
from service.redacted import pieces, texts


@dataclass(frozen=True, slots=True)
class Query:
    """What a call has to have; empty conditions are none, and all others must hold in the same call."""

    words: str = ""
    """Said by either side, or passed through a tool, in this order; case does not count."""
    engine: str = ""
    """An engine that a turn was decided for, or that answered."""
    rule: str = ""
    """A guard or rule that decided a turn."""
    entity: str = ""
    """A kind of personal data that was masked, such as ``CREDIT_CARD``."""
    tool: str = ""
    """A tool that was called."""
    failed: str = ""
    """A provider that failed."""
    since: datetime | None = None
    """The call began then or later."""
    until: datetime | None = None
    """The call began earlier."""

    @property
    def facts(self) -> dict[str, str]:
        """What else than words and times it has to have, by name."""
        values = {name: getattr(self, name) for name in ("engine", "rule", "entity", "tool", "failed")}
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True, slots=True)
class Hit:
    """A call that has it all."""

    call_id: str
    began: str
    """When, as the record has it; empty when its start is not on record."""
    events: tuple[Event, ...]
    """The events by which the conditions hold, in their order; none when only times were asked for."""


def hit(call_id: str, events: Sequence[Event], query: Query) -> Hit | None:
    """The call, if it has all that is asked for."""
    started = next((event for event in events if isinstance(event, CallStarted)), None)
    if not _began_within(started, query):
        return None
    places: set[int] = set()
    for condition in _conditions(query):
        holding = {place for place, event in enumerate(events) if condition(event)}
        if not holding:
            return None
        places |= holding
    return Hit(call_id, started.started_at if started else "", tuple(events[at] for at in sorted(places)))


def shown(event: Event) -> str:
    """An event in a line: the redacted words where it has some, else what it says."""
    match event:
        case ToolCalled():
            return f"{event.name} {'failed' if event.failed else 'was called'}"
        case ProviderFailed():
            return f"{event.provider} failed ({event.error}): {event.action}"
        case Decided():
            return f"{event.engine} by {event.rule}: {event.reason}"
        case _:
            return " ".join(" ".join(texts(event)).split()) or event.kind


def _began_within(started: CallStarted | None, query: Query) -> bool:
    if query.since is None and query.until is None:
        return True
    try:
        began = moment(started.started_at) if started else None
    except ValueError:
        began = None
    if began is None:
        return False
    return (query.since is None or began >= query.since) and (query.until is None or began < query.until)


def _conditions(query: Query) -> Iterator[Callable[[Event], bool]]:
    if words := _plain(query.words):
        yield lambda event: any(words in _plain(text) for text in texts(event))
    if engine := query.engine:
        yield lambda event: isinstance(event, Decided | AgentSaid | HumanSaid) and event.engine == engine
    if rule := query.rule:
        yield lambda event: isinstance(event, Decided) and event.rule == rule
    if entity := query.entity:
        yield lambda event: any(piece.entity == entity for text in texts(event) for piece in pieces(text))
    if tool := query.tool:
        yield lambda event: isinstance(event, ToolCalled) and event.name == tool
    if failed := query.failed:
        yield lambda event: isinstance(event, ProviderFailed) and event.provider == failed


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
