"""Where the parts of a policy stand in its file: to the character, inside conditions too."""

from __future__ import annotations

from collections.abc import Iterator

from policies.document import Document, Node
from router.conditions import Condition
from router.content import Content


class Places:
    """Finds the line and column (from 1) of what a :class:`Content` was read from."""

    def __init__(self, content: Content) -> None:
        self._root = Document.parse(content.source, file=content.file).root if content.source else None
        self._texts = {node.locate(0): node for node in _texts(self._root)} if self._root else {}

    def inside(self, condition: Condition, offset: int) -> tuple[int, int]:
        """The place of character ``offset`` of a condition's text."""
        begins = (condition.line, condition.column)
        node = self._texts.get(begins)
        return node.locate(offset) if node else begins

    def key(self, section: str, name: str) -> tuple[int, int]:
        """The place of ``name`` in a section that is a mapping, such as ``engines``."""
        node = self._root.get(section) if self._root else None
        if node is None or node.get(name) is None:
            return (1, 1)
        key = node.key(name)
        return (key.line, key.column)


def _texts(node: Node) -> Iterator[Node]:
    """Every text in a document."""
    if isinstance(node.value, str):
        yield node
    elif isinstance(node.value, dict):
        for _, inner in node.items():  # noqa: PERF102 — a node, not a dict
            yield from _texts(inner)
    elif isinstance(node.value, list):
        for inner in node.elements():
            yield from _texts(inner)
