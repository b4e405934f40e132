"""Between a call's conversation and the models that may not see its values.

The conversation keeps the caller's words as they were said, and what a veiled engine wrote (replies, tool arguments)
or was given (tool results) with placeholders in it. Whoever is shown the conversation gets a copy: a veiled engine one
without values, any other one without placeholders. Values are put back where they are needed and nowhere else: in the
hands of a tool, in the ear of the caller, and in what goes to the redactor of the record.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from livekit.agents import llm

from compliance.events import Speaker
from compliance.intake import WITHHELD
from compliance.redaction.placeholders import Placeholders
from compliance.redaction.spans import Span
from engines.vault.finding import Finder, VeilLostError
from engines.vault.refill import Refill
from engines.vault.vault import Vault

LIMIT_S = 0.25
"""Words whose values are not found within this long are withheld from the model; finding them takes some 2 ms."""
SEGMENTS = 256
"""So many of the caller's utterances are known by what was found in them as they were said."""
EXPLAINED = (
    "Texts such as [CARD_1] or [NAME_2] stand for values that the caller gave. Write one exactly as it is wherever the "
    "value belongs: tools are given the value, and the caller hears it. [CARD_1:last4] stands for its last four "
    "characters. A number that was said in parts has several: write them one after the other. Never make one up, and "
    f"never ask for a value again because you see a placeholder. {WITHHELD} stands for words that you may not see."
)
"""What a veiled model is told, once there is a placeholder."""

Lines = Sequence[tuple[Speaker, str]]
"""Who said what."""


@dataclass(slots=True)
class _Segment:
    text: str
    found: asyncio.Future[tuple[Span, ...]]

    @property
    def failed(self) -> bool:
        return self.found.done() and (self.found.cancelled() or self.found.exception() is not None)


class Veil:
    """What the models of one call see. For one event loop.

    Args:
        wanted: which engines see placeholders, and of what.
        finder: finds values.
        lost: told of every text that was withheld, with the reason.
        limit_s: how long a model waits for what is found.
    """

    def __init__(
        self,
        wanted: Placeholders,
        finder: Finder | None,
        *,
        lost: Callable[[BaseException], None] = lambda error: None,
        limit_s: float = LIMIT_S,
    ) -> None:
        self.vault = Vault()
        self._wanted = wanted
        self._finder = finder
        self._lost = lost
        self._limit_s = limit_s
        self._segments: list[_Segment] = []
        self._seen: dict[tuple[str, str], str] = {}
        """By item and its text: what a veiled model is shown of it."""
        self._told: dict[str, _Segment] = {}
        """By item: a reply that the finder was told of when it was over."""
        self._ours: set[str] = set()
        """Tool arguments and results that have placeholders in them already."""
        self._replies: dict[str, str] = {}
        """By what the caller heard: the reply as the conversation has it."""

    def covers(self, engine: str) -> bool:
        """Whether ``engine`` sees placeholders."""
        return self._finder is not None and self._wanted.covers(engine)

    def wipe(self) -> None:
        """The call is over: forget every value."""
        self.vault.wipe()
        for known in (self._segments, self._seen, self._told, self._ours, self._replies):
            known.clear()

    # -- what is said -----------------------------------------------------------------------------------------
    def caller_said(self, text: str) -> None:
        """The recogniser heard this; values are looked for at once, long before a model wants to see it."""
        if self._finder is not None and text.strip():
            self._segments.append(
                _Segment(text.strip(), self._finder.in_words(text.strip(), speaker="caller"))
            )
            del self._segments[:-SEGMENTS]

    def reply_heard(self, item: llm.ChatMessage, engine: str) -> llm.ChatMessage:
        """A reply is over: the same as the caller heard it, for the redactor of the record."""
        text = item.text_content or ""
        if self._finder is None or not text:
            return item
        # Told now and not when a model is shown it: what the caller answers next depends on what was asked.
        self._told[item.id] = _Segment(text, self._finder.in_words(text, speaker="agent"))
        if not self.covers(engine):
            return item
        heard = self.vault.aloud(text)
        self._replies[heard] = text
        return item if heard == text else item.model_copy(update={"content": [heard]})

    def aloud(self, engine: Callable[[], str], words: AsyncIterable[str]) -> AsyncIterable[str]:
        """A reply's words as the caller hears them; ``engine`` says whose they are, which may change on the way."""
        if self._finder is None:
            return words
        return Refill(lambda text: self.vault.aloud(text) if self.covers(engine()) else text).over(words)

    # -- what a model is shown --------------------------------------------------------------------------------
    async def seen_by(self, engine: str, chat_ctx: llm.ChatContext) -> llm.ChatContext:
        """The conversation as ``engine`` may see it; ``chat_ctx`` is not changed.

        Raises:
            VeilLostError: values cannot be found, and the policy does not let it go on without the words.
        """
        if not self.covers(engine):
            return self.shown(chat_ctx)
        until_s = self._until_s()
        items = [await self._hidden(item, until_s) for item in chat_ctx.items]
        if len(self.vault):
            after = next((at for at, item in enumerate(items) if not _is_system(item)), len(items))
            items.insert(after, llm.ChatMessage(role="system", content=[EXPLAINED]))
        return llm.ChatContext(items)

    def shown(self, chat_ctx: llm.ChatContext) -> llm.ChatContext:
        """The conversation with its values, for an engine that may see them."""
        return (
            llm.ChatContext([self._filled(item) for item in chat_ctx.items]) if len(self.vault) else chat_ctx
        )

    async def lines(self, reader: str, lines: Lines) -> Lines:
        """What was said, for a ``reader`` such as the decision model; a line that cannot be told is withheld."""
        if not self.covers(reader):
            return lines
        until_s = self._until_s()
        return [(speaker, await self._hidden_line(text, speaker, until_s)) for speaker, text in lines]

    # -- tools ------------------------------------------------------------------------------------------------
    def for_tool(self, engine: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments that a model wrote, with the values."""
        if not self.covers(engine):
            return arguments
        self._ours.add(_canonical(arguments))
        filled: dict[str, Any] = self.vault.fill_arguments(arguments)
        return filled

    async def from_tool(self, engine: str, result: str) -> str:
        """A tool's result as the model may see it."""
        if not self.covers(engine):
            return result
        try:
            masked = await self._told_data(result, self._until_s())
        except VeilLostError:
            masked = WITHHELD  # the tool was used: its caller is told that, whatever it brought
        self._ours.add(masked)
        return masked

    # -- hiding -----------------------------------------------------------------------------------------------
    async def _hidden(self, item: llm.ChatItem, until_s: float) -> llm.ChatItem:
        match item:
            case llm.ChatMessage(role="user" | "assistant", text_content=str(text)) if text:
                masked = await self._once(item, text, lambda: self._hidden_message(item, text, until_s))
                return item.model_copy(update={"content": [masked]})
            case llm.FunctionCall() if _canonical_text(item.arguments) not in self._ours:
                masked = await self._once(
                    item, item.arguments, lambda: self._told_data(item.arguments, until_s)
                )
                return item.model_copy(update={"arguments": masked if _is_object(masked) else "{}"})
            case llm.FunctionCallOutput() if item.output not in self._ours:
                masked = await self._once(item, item.output, lambda: self._told_data(item.output, until_s))
                return item.model_copy(update={"output": masked})
        return item

    async def _once(self, item: llm.ChatItem, text: str, hide: Callable[[], Awaitable[str]]) -> str:
        """What is shown of an item. The finder is told of its words a single time."""
        if (known := self._seen.get((item.id, text))) is None:
            known = await hide()
            if WITHHELD not in known:
                self._seen[item.id, text] = known
        return known

    async def _hidden_message(self, message: llm.ChatMessage, text: str, until_s: float) -> str:
        told = self._told.get(message.id)
        if message.role == "assistant" and told is not None and told.text == text:
            return await self._masked_words(told.found, text, until_s, ours=True)
        return await self._said(text, "caller" if message.role == "user" else "agent", until_s)

    async def _said(self, text: str, speaker: Speaker, until_s: float) -> str:
        if self._finder is None:
            raise VeilLostError
        if speaker == "caller" and (parts := self._parts(text)):
            for part in parts:
                if part.failed:  # whoever finds may be back
                    part.found = self._finder.in_words(part.text, speaker="caller")
            return " ".join([await self._masked_words(part.found, part.text, until_s) for part in parts])
        found = self._finder.in_words(text, speaker=speaker)
        return await self._masked_words(found, text, until_s, ours=speaker == "agent")

    async def _hidden_line(self, text: str, speaker: Speaker, until_s: float) -> str:
        try:
            return self._replies.get(text) or await self._said(text, speaker, until_s)
        except VeilLostError:
            return WITHHELD

    def _parts(self, text: str) -> Sequence[_Segment]:
        """The utterances that a turn consists of, the latest that do; nothing when it has other words as well."""
        for first in range(len(self._segments) - 1, -1, -1):
            rest = text.strip()
            for last in range(first, len(self._segments)):
                if not rest.startswith(self._segments[last].text):
                    break
                rest = rest[len(self._segments[last].text) :].lstrip()
                if not rest:
                    return self._segments[first : last + 1]
        return ()

    async def _masked_words(
        self, finding: asyncio.Future[tuple[Span, ...]], text: str, until_s: float, *, ours: bool = False
    ) -> str:
        spans = await self._found(finding, until_s)
        if spans is None:
            return WITHHELD
        return self.vault.masked(text, [one for one in spans if self._wanted.hides(one.entity)], ours=ours)

    async def _told_data(self, text: str, until_s: float) -> str:
        if self._finder is None:
            raise VeilLostError
        value = _json(text)
        redacted = await self._found(self._finder.in_data(value), until_s)
        if redacted is None:
            return WITHHELD
        masked = self.vault.masked_data(value, redacted, self._wanted.hides)
        return masked if isinstance(masked, str) else json.dumps(masked, ensure_ascii=False)

    async def _found(self, finding: asyncio.Future[Any], until_s: float) -> Any:
        """What was found; ``None`` for words that must be withheld."""
        try:
            async with asyncio.timeout_at(until_s):
                return await asyncio.shield(finding)
        except Exception as error:
            self._lost(error)
            if self._wanted.when_lost == "other_engine":
                raise VeilLostError from error
            return None

    def _until_s(self) -> float:
        return asyncio.get_running_loop().time() + self._limit_s

    # -- showing ----------------------------------------------------------------------------------------------
    def _filled(self, item: llm.ChatItem) -> llm.ChatItem:
        match item:
            case llm.ChatMessage(role="assistant", text_content=str(text)) if text:
                return item.model_copy(update={"content": [self.vault.fill(text)]})
            case llm.FunctionCall() if _canonical_text(item.arguments) in self._ours:
                return item.model_copy(update={"arguments": self.vault.fill_data(item.arguments)})
            case llm.FunctionCallOutput() if item.output in self._ours:
                return item.model_copy(update={"output": self.vault.fill_data(item.output)})
        return item


def _is_system(item: llm.ChatItem) -> bool:
    return isinstance(item, llm.ChatMessage) and item.role in ("system", "developer")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _is_object(text: str) -> bool:
    return isinstance(_json(text), dict)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _canonical_text(arguments: str) -> str:
    return _canonical(_json(arguments))


NO_VEIL = Veil(Placeholders.none(), None)
"""Where every model sees everything."""
