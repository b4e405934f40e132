"""People on a call: who holds the line while one is fetched, and how the call comes back to a machine.

To the desk a person is an engine that a policy, a tool or a failure can choose. What brings them to the caller is the
service's (:class:`Fetching`); the engines only fall silent, and take no turn until they are given the call back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from livekit.agents import StopResponse, function_tool, llm

from engines.cascade import CascadeAgent
from engines.people import PersonSpec
from engines.voiced import VoicedAgent

if TYPE_CHECKING:
    from engines.desk import Desk

Cause = Literal["policy", "tool", "failure"]
"""Who wanted a person: a rule of the policy, an engine by its tool, or the failure of every engine that was left."""
TOOL = "transfer_to_human"
LEFT = "The caller has been with a human colleague since, who has left. You do not know what they said."
NOBODY = "No human colleague could be reached for the caller."
"""What the engines are told when they get a call back, from a person or without one having come."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A person is wanted on the line."""

    person: PersonSpec
    cause: Cause
    reason: str
    """As the engine that wanted it gave it, unredacted; empty where the policy's decision has it."""
    turn: int


class Fetching(Protocol):
    """Brings people to the caller."""

    def fetch(self, asked: Asked) -> None:
        """Somebody is wanted from now on; the line is held meanwhile."""

    def available(self, engine: str) -> bool:
        """Whether it is worth a caller's time to have the person of that name fetched now, as far as is known."""


class People:
    """The people of one call. Somebody else sets who brings them: until then there is nobody to be had.

    Args:
        specs: who the catalogue has, by engine name.

    Attributes:
        fetching: brings them to the line.
        listener: told what the caller says while no machine has the call, for who asks them something.
    """

    _desk: Desk

    def __init__(self, specs: Mapping[str, PersonSpec]) -> None:
        self._specs = dict(specs)
        self._soon: asyncio.Handle | None = None
        self.fetching: Fetching | None = None
        self.listener: Callable[[str], None] = lambda text: None

    def __contains__(self, engine: str) -> bool:
        return engine in self._specs

    @property
    def coming(self) -> bool:
        """Whether a person is being fetched, or is about to be: no machine has more to say."""
        return self._soon is not None or self._desk.engine in self

    def attach(self, desk: Desk) -> None:
        """The desk that hands calls over."""
        self._desk = desk

    @property
    def tools(self) -> tuple[llm.Tool, ...]:
        """What engines with tools are offered: nothing where there is nobody."""
        return (function_tool(self._transfer_to_human, name=TOOL),) if self._specs else ()

    def fetch(self, engine: str, cause: Cause, reason: str = "") -> None:
        """Hold the line as ``engine`` and have a person of that name fetched for the turn in hand."""
        asked = Asked(self._specs[engine], cause, reason, self._desk.turn)
        self._desk.take_over(engine, HoldingAgent(self._desk, self, asked))

    def last_way_out(self, denied: Collection[str], failed: Collection[str]) -> str | None:
        """Have the first person fetched who is not denied; returns who, or ``None`` when there is nobody to be had."""
        if self._desk.engine in self:
            return self._desk.engine  # somebody is being fetched already
        person = self._reachable({*denied, *failed})
        if person is not None:
            self._fetch_soon(person, "failure")  # who notices the failure is in the middle of a reply
        return person

    def give_back(self, words: str, told: str) -> None:
        """The call is a machine's again, which says ``words`` and goes on from what it is ``told``.

        Where the guards leave none by now, another person is fetched, or the caller is told that nobody can help.
        """
        self.listener = lambda text: None
        desk = self._desk
        desk.resume()
        machine = desk.recovery.next_machine()
        other = None if machine else self._reachable({*desk.route.denied, desk.engine})
        if other is not None:
            self.fetch(other, "failure")
            return
        said = words if machine else f"{words} {desk.wording.cannot_help}"
        desk.take_over(machine or desk.first_cascade.name, ReturningAgent(desk, said, told))

    def _fetch_soon(self, engine: str, cause: Cause, reason: str = "") -> None:
        def fetch() -> None:
            self._soon = None
            self.fetch(engine, cause, reason)

        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(fetch)

    async def _transfer_to_human(self, reason: str) -> str:
        """Pass the caller on to a human colleague: when they ask for one, or when you cannot help them.

        Args:
            reason: why, in a few words, without names or numbers.
        """
        person = self._reachable(self._desk.denied)
        if person is None:
            return "No colleague is free just now. Say so, and help as well as you can."
        self._fetch_soon(person, "tool", reason)
        raise StopResponse

    def _reachable(self, barred: Collection[str]) -> str | None:
        fetching = self.fetching
        if fetching is None:
            return None
        return next((name for name in self._specs if name not in barred and fetching.available(name)), None)


class HoldingAgent(VoicedAgent):
    """Has the call while a person is fetched and while they talk: says that somebody is fetched, and takes no turn.

    It has no model, so nothing the caller says to the person goes to one.
    """

    def __init__(self, desk: Desk, people: People, asked: Asked) -> None:
        super().__init__(
            desk,
            instructions="",
            chat_ctx=desk.history(),
            tools=[],
            stt=desk.recogniser,
            llm=None,
            tts=desk.first_cascade.voice,
            turn_handling={"turn_detection": "vad"},
        )
        self._people = people
        self._asked = asked

    async def on_enter(self) -> None:
        self._desk.entered()
        self.session.say(self._asked.person.words.fetching)
        if self._people.fetching is not None:
            self._people.fetching.fetch(self._asked)

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        self._people.listener(new_message.text_content or "")
        raise StopResponse


class ReturningAgent(CascadeAgent):
    """Takes a call back from who had it for good, with a word to the caller; the next turn is routed again."""

    def __init__(self, desk: Desk, words: str, told: str = "") -> None:
        history = desk.history()
        if told:
            history.add_message(role="system", content=told)
        super().__init__(desk, chat_ctx=history)
        self._words = words

    async def on_enter(self) -> None:
        await super().on_enter()
        self.session.say(self._words)
