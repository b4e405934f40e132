"""A policy's text with other values for its params, and nothing else changed: not a comment, not a space."""

from __future__ import annotations

import re
from collections.abc import Mapping

from policies.document import Document, DocumentError, Node, Problem
from router.content import Content
from router.layout import laid_out
from router.signals import Scalar

_LINE_END = re.compile("(\r\n|[\n\r\x85\u2028\u2029])")
_SCALAR = re.compile(r"[^\s,}\]#]+")


def rewritten(content: Content, values: Mapping[str, Scalar]) -> str:
    """The document that ``content`` was read from with ``values`` for params, and its version one up.

    A file in canonical layout stays in it: columns may move.

    Raises:
        policies.DocumentError: a value has no place of its own in the text, such as one that is an alias.
    """
    root = Document.parse(content.source, file=content.file).root
    lines = _LINE_END.split(content.source)
    places = [(_node(root, _path(name)), written(value)) for name, value in values.items()]
    places.append((_node(root, ("policy", "version")), str(content.version + 1)))
    for node, text in sorted(places, key=lambda place: (place[0].line, place[0].column), reverse=True):
        line, column = node.locate(0)
        before = lines[2 * (line - 1)]
        token = _SCALAR.match(before, column - 1)
        end = token.end() if token else column - 1
        lines[2 * (line - 1)] = before[: column - 1] + text + before[end:]
    _check("".join(lines), content, values)
    text = "".join(lines)
    return laid_out(text, file=content.file) if _is_laid_out(content) else text


def _check(text: str, content: Content, values: Mapping[str, Scalar]) -> None:
    """Every param has the value that is meant: an alias stands where its anchor does, so both would have changed."""
    root = Document.parse(text, file=content.file).root
    for name, param in content.params.items():
        node = _node(root, _path(name))
        if node.value != values.get(name, param.value):
            why = f"`{name.removeprefix('p.')}` shares its value with another: write it out, so that it can be tuned"
            raise DocumentError(content.file, [Problem(param.line, param.column, why)])


def _is_laid_out(content: Content) -> bool:
    try:
        return laid_out(content.source, file=content.file) == content.source
    except DocumentError:
        return False  # it holds what has no canonical layout


def written(value: Scalar) -> str:
    """A number as policies write it: with two decimals, or more where it has more."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.2f}" if round(value, 2) == value else repr(value)


def _path(name: str) -> tuple[str, ...]:
    return "params", name.removeprefix("p."), "value"


def _node(root: Node, path: tuple[str, ...]) -> Node:
    node = root
    for key in path:
        node = node.require(key) or node  # it is there: the policy was read from this text
    return node
