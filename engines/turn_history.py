"""What a conversation's history says of the turn in hand, and how the turn is kept in it once.

LiveKit orders a history by when its items were made, and each side may store a turn under an id of its own.
"""

from __future__ import annotations

from livekit.agents import llm

_BEFORE_S = 0.001
"""What lies between two messages."""


def last_asked(history: llm.ChatContext) -> llm.ChatMessage | None:
    """What the caller said last."""
    for item in reversed(history.items):
        if item.type == "message" and item.role == "user":
            return item
    return None


def unanswered(history: llm.ChatContext) -> llm.ChatMessage | None:
    """What the caller said last, unless something was said to them since."""
    said = [item for item in history.items if item.type == "message" and item.role in ("user", "assistant")]
    return said[-1] if said and said[-1].role == "user" else None


def without_notes(history: llm.ChatContext) -> llm.ChatContext:
    """A copy for another agent: the conversation, and nothing of who was in charge of it or how."""
    return history.copy(exclude_handoff=True, exclude_config_update=True, exclude_instructions=True)


def as_stored(message: llm.ChatMessage, history: llm.ChatContext) -> llm.ChatMessage:
    """The turn as the history holds it: a realtime engine stores it under its server's own id."""
    stored = last_asked(history)
    same = stored is not None and stored.text_content == message.text_content
    return stored if stored is not None and same else message


def insert_before(message: llm.ChatMessage, earlier: llm.ChatMessage, *histories: llm.ChatContext) -> None:
    """Have ``earlier`` stand before ``message`` in each of the histories."""
    earlier.created_at = min(earlier.created_at, message.created_at - _BEFORE_S)
    for history in histories:
        history.insert(earlier)


def drop_answers(message: llm.ChatMessage, history: llm.ChatContext) -> None:
    """Leave out what was said to the caller after ``message``."""
    history.items[:] = [
        item
        for item in history.items
        if item.type != "message" or item.role != "assistant" or item.created_at < message.created_at
    ]


def is_worked_on(message: llm.ChatMessage, history: llm.ChatContext) -> bool:
    """Whether ``message`` is in the history and something follows it."""
    at = history.index_by_id(message.id)
    return at is not None and at < len(history.items) - 1
