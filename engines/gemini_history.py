"""The conversation as the caller heard it, kept on our side for a service that is append-only."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from livekit.agents import llm


class HeardHistory:
    """What was said and heard, and how far a connection that knows a part of it can go on from there.

    ``known`` is always what a connection knows: messages by id with their text, empty where the service heard them.
    """

    def __init__(self) -> None:
        self._items: list[llm.ChatItem] = []

    @property
    def context(self) -> llm.ChatContext:
        """A copy, as LiveKit reads it."""
        return llm.ChatContext([*self._items])

    @property
    def last_id(self) -> str | None:
        return self._items[-1].id if self._items else None

    # -- what happens ------------------------------------------------------------------------------------
    def replace(self, chat_ctx: llm.ChatContext) -> None:
        """The conversation is this one."""
        told = chat_ctx.copy(
            exclude_handoff=True,
            exclude_instructions=True,
            exclude_empty_message=True,
            exclude_config_update=True,
        )
        self._items = [*told.items]

    def said(self, message: llm.ChatMessage) -> None:
        """Something was said; of a reply that stands there already this is what was heard."""
        self.forget(message.id)
        self._items.append(message)

    def forget(self, item_id: str) -> None:
        """Nothing of it was heard."""
        self._items = [item for item in self._items if item.id != item_id]

    def worded(self, item_id: str, text: str) -> None:
        """A turn goes by these words."""
        for item in self._messages:
            if item.id == item_id:
                item.content = [text]

    def has(self, item_id: str) -> bool:
        return any(item.id == item_id for item in self._items)

    # -- what follows ------------------------------------------------------------------------------------
    def results(self, calls: Collection[str]) -> llm.ChatContext | None:
        """The results of these calls of tools, once all are there."""
        outputs: list[llm.ChatItem] = []
        there: set[str] = set()
        for item in self._items:
            if item.type == "function_call_output" and item.call_id in calls:
                outputs.append(item)
                there.add(item.call_id)
        return llm.ChatContext(outputs) if calls and there >= set(calls) else None

    def unanswered(self, known: Mapping[str, str]) -> list[llm.ChatMessage]:
        """What the caller said, in writing, since anybody answered."""
        asked: list[llm.ChatMessage] = []
        for item in reversed(self._messages):
            if item.role != "user" or item.id in known:
                break
            asked.insert(0, item)
        return asked

    def without(self, asked: Collection[llm.ChatMessage]) -> llm.ChatContext:
        """What came before the turn that is asked about."""
        names = {item.id for item in asked}
        return llm.ChatContext([item for item in self._items if item.id not in names])

    def goes_on_from(self, known: Mapping[str, str]) -> bool:
        """Whether it is what the service knows, and what comes after that is a turn of the caller's."""
        left = dict(known)
        beyond = False
        for item in self._messages:
            if item.id not in left:
                beyond = True
                if item.role != "user":
                    return False
                continue
            text = left.pop(item.id)
            if beyond or (text and text.split() != (item.text_content or "").split()):
                return False
        return not any(left.values())  # a turn that was heard may have no words

    @property
    def _messages(self) -> list[llm.ChatMessage]:
        return [item for item in self._items if item.type == "message"]
