"""Figures in a document, each block with where it comes from: a source, or the reason for a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policies.document import Node

_LARGEST = 1e6  # so that no product of figures is infinite


@dataclass(frozen=True, slots=True)
class Stated:
    """Where a block of figures comes from."""

    block: str
    """Its path in the document: ``engines.fast.quality``."""
    source: str
    assumed: bool
    """``source`` is the reason for a guess, not a place to look it up."""


class Figures:
    """Reads blocks of figures, and keeps what each block says of its origin."""

    def __init__(self) -> None:
        self.stated: list[Stated] = []

    def block(
        self, parent: Node, key: str, least: Mapping[str, float], at: str = "", *, most: float = _LARGEST
    ) -> dict[str, float]:
        """The numbers of a block, each at least what ``least`` says, which also stands in for one that is wrong."""
        block = parent.require(key)
        if block is None:
            return dict(least)
        block.only((*least, "source", "assumed"))
        found = {}
        for name, low in least.items():
            node = block.require(name)
            number = node.number(least=low, most=most) if node else None
            found[name] = low if number is None else number
            if node is None and not isinstance(block.value, dict):
                return dict(least)  # not a mapping: said once
        self.origin(block, at + key)
        return found

    def origin(self, block: Node, path: str) -> None:
        """Note where the figures of ``block`` come from; a block that does not say so is reported."""
        source, assumed = block.get("source"), block.get("assumed")
        given = source or assumed
        if given is None or (source and assumed):
            block.problem(
                "needs either `source`, where its figures come from, or `assumed`, why they are a guess"
            )
            return
        text = given.text()
        if text is not None and not text.strip():
            given.problem("is empty: say where the figures come from")
        elif text is not None:
            self.stated.append(Stated(path, " ".join(text.split()), assumed=source is None))
