"""Labelled turns out of the record of a call: what was said, and whether the agent then used a tool.

The label is what an engine did, not what was right: an agent that guesses where it should look up teaches guessing.

A turn is labelled only if an engine **with tools** answered it, alone and to the end. A turn answered by an engine
without tools is censored, not negative: that engine could not have called one. Turns that the caller cut, or that
moved because a provider failed, are left out whatever happened in them: of those, a call is certain where one was made
and not where none was made *yet*, so keeping the certain ones would keep more of one label than of the other.

A tool that failed, or that the caller interrupted, was needed all the same. Replies begun before the turn was over
count for nothing: tools run only once a reply is let go, and then they are on record under the turn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from classifiers.tool_need import Earlier
from compliance.events import AgentSaid, Decided, Event, PartFailed, ProviderFailed, ToolCalled, TurnMoved
from service.history import routed
from service.learning.masks import as_heard
from service.segments import by_turn

KINDS = (
    "call_started",
    "caller_said",
    "turn_ended",
    "decided",
    "turn_moved",
    "tool_called",
    "agent_said",
    "provider_failed",
    "part_failed",
)
"""The kinds of event that labelling and replaying read."""


class Unlabelled(StrEnum):
    """Why a turn has no label."""

    CENSORED = "answered by an engine without tools"
    CUT = "the caller cut the reply"
    UNANSWERED = "no reply is on record"
    MOVED = "a provider failed in it"
    NO_TOOLS = "the tools were away"
    NOT_ROUTED = "routing had failed"
    NO_WORDS = "its words are not on record"


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """One caller turn of a call."""

    number: int
    """From 1."""
    user: str
    """What the caller said, with masks as they sound: see :mod:`service.learning.masks`."""
    agent: str
    """The last that the agent had said when the turn was routed; empty if nothing yet."""
    earlier: Earlier
    """What the model remembers of the caller's turns before."""
    engine: str
    """The engine that was decided."""
    rule: str
    """The guard or rule that chose it."""
    shadow: Mapping[str, str]
    """Shadow rules, and the engine that each would have chosen."""
    tools: tuple[str, ...]
    """Names of the tools that were called, in order."""
    unlabelled: Unlabelled | None
    """Why it teaches nothing, or ``None``."""

    @property
    def needs_tool(self) -> bool:
        """The label; means nothing where there is none."""
        return bool(self.tools)


def recorded_turns(events: Sequence[Event], able: Collection[str]) -> tuple[RecordedTurn, ...]:
    """The routed turns of one call in order, labelled where they can be.

    Args:
        events: of one call, as recorded; they may stop in the middle.
        able: the engines that have tools.
    """
    decided: dict[int, Decided] = {}
    agent: dict[int, str] = {}
    tools: defaultdict[int, list[str]] = defaultdict(list)
    said: defaultdict[int, list[AgentSaid]] = defaultdict(list)
    moved = set[int]()
    last, without_tools = "", False
    for event in events:
        match event:
            case Decided() if event.turn not in decided:
                decided[event.turn], agent[event.turn] = event, last
            case AgentSaid():
                said[event.turn].append(event)
                last = event.text
            case ToolCalled():
                tools[event.turn].append(event.name)
            case TurnMoved() | ProviderFailed():
                moved.add(event.turn)
            case PartFailed(part="tools"):
                without_tools = True
            case _:
                pass
    words = {turn: " ".join(one.text for one in spoken) for turn, spoken in by_turn(events).items()}

    def reason(number: int, event: Decided, user: str | None, before: str | None) -> Unlabelled | None:
        replies = said[number]
        if not routed(event):
            return Unlabelled.NOT_ROUTED
        if not user or before is None:
            return Unlabelled.NO_WORDS
        if number in moved or any(reply.engine != event.engine for reply in replies):
            return Unlabelled.MOVED
        if event.engine not in able:
            return Unlabelled.CENSORED
        if without_tools:
            return Unlabelled.NO_TOOLS
        if not replies:
            return Unlabelled.UNANSWERED
        return Unlabelled.CUT if any(reply.interrupted for reply in replies) else None

    found, earlier = [], Earlier()
    for number, event in sorted(decided.items()):
        call = event.call_id
        user = as_heard(words.get(number, ""), f"{call} {number}")
        before = as_heard(agent[number], f"{call} {number} agent")
        why = reason(number, event, user, before)
        found.append(
            RecordedTurn(
                number,
                user or "",
                before or "",
                earlier,
                event.engine,
                event.rule,
                event.shadow,
                tuple(tools[number]),
                why,
            )
        )
        earlier = earlier.then(user or "").having_called(*tools[number])
    return tuple(found)
