"""Labelled turns, and what a model sees in them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from classifiers.tool_need.features import NOTHING, Before, Earlier, Key, blocks, said
from classifiers.tool_need.tools import ToolSet

Feature = tuple[str, Key]
"""A block and a key in it."""


@dataclass(frozen=True, slots=True)
class LabelledTurn:
    """A turn of a call and what became of it.

    Attributes:
        user: what the caller said.
        agent: what the agent had said last; empty at the start of a call.
        turn: of the caller in the call, from 1; 0 when unknown.
        needs_tool: whether the agent called a tool to answer.
        weight: how many turns it stands for: one over the chance that it was recorded; 0 leaves it out.
        group: the call; turns of a call are never on both sides of a split.
        tools: those active at the turn, if known.
        earlier: what is remembered of the call before: ``Earlier().then(first turn).having_called(tools)``, and so on.
    """

    user: str
    agent: str
    turn: int
    needs_tool: bool
    weight: float = 1.0
    group: str = ""
    tools: ToolSet | None = None
    earlier: Earlier = NOTHING


def seen(turn: LabelledTurn) -> list[Feature]:
    """The features that the model sums up for a turn."""
    before = Before.of(turn.agent, turn.turn, turn.earlier)
    read = said(turn.user)
    once = dict.fromkeys(read)
    found = chain(
        before.blocks(),
        (("word", "", once),),
        blocks(read, once, before, turn.tools, "?" in turn.user),
    )
    return [
        (block, (crossed, str(key)) if crossed else key) for block, crossed, keys in found for key in keys
    ]
