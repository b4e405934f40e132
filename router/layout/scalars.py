"""How a single value is written: plain where that is safe, else in quotes, or folded over lines when it is long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from router.layout.source import TEXT, Scalar

WIDTH = 110
"""Columns that a line may have, where it can be broken."""


def on_one_line(scalar: Scalar, *, in_flow: bool = False, single: bool = False) -> str:
    """The value on one line. ``single``: in single quotes, if it needs quotes; conditions hold double ones."""
    if scalar.tag != TEXT:
        if scalar.tag.endswith(":bool"):
            return scalar.written.lower()
        return scalar.written or ("null" if in_flow else "")
    return _text(scalar.value, in_flow=in_flow, single=single)


def block(scalar: Scalar, room: int, *, fits: bool, is_condition: bool) -> tuple[str, list[str]] | None:
    """The value as a block scalar: its indicator and lines; ``None`` if it is to stand on one line.

    Where its author broke it, it stays broken. One that does not fit on its line is broken into lines of at most
    ``room`` characters, where that is possible.
    """
    if scalar.tag != TEXT:
        return None
    text = scalar.value.removesuffix("\n")
    chomping = "" if scalar.value.endswith("\n") else "-"
    if "\n" in text:
        return (f"|{chomping}", text.split("\n")) if _is_literal(text) else None
    if not _is_foldable(text):
        return None
    lines = _authors_lines(scalar, text)
    if len(lines) < 2:
        if fits and chomping:
            return None
        lines = list(_broken(text, room, is_condition))
    return f">{chomping}", lines


def _is_literal(text: str) -> bool:
    lines = text.split("\n")
    return (
        bool(lines[0].strip())
        and not lines[0].startswith(" ")
        and bool(lines[-1])
        and all(line.isprintable() and not line.endswith(" ") for line in lines)
    )


def _is_foldable(text: str) -> bool:
    """Whether line breaks may take the place of its spaces."""
    return bool(text) and text.isprintable() and "" not in text.split(" ")


def _authors_lines(scalar: Scalar, text: str) -> list[str]:
    """The lines on which the value stands in the file; none where escapes make that hard to say."""
    written = scalar.written
    match written[:1]:
        case ">" | "|":
            written = written.partition("\n")[2]
        case "'":
            written = written[1:-1].replace("''", "'")
        case '"':
            written = written[1:-1]
    lines = [line.strip() for line in written.split("\n") if line.strip()]
    return lines if " ".join(lines) == text else []


_OPERATORS = re.compile(r" (?=(?:\|\||&&) )")


def _broken(text: str, room: int, is_condition: bool) -> Iterator[str]:
    """Lines of at most ``room`` characters, where possible; conditions break before ``||`` and ``&&``."""
    line = ""
    for piece in _OPERATORS.split(text) if is_condition else text.split(" "):
        if line and len(line) + 1 + len(piece) > room:
            yield line
            line = piece
        else:
            line = f"{line} {piece}" if line else piece
    yield line


@lru_cache(maxsize=4096)
def _text(text: str, *, in_flow: bool, single: bool) -> str:
    if _is_plain(text, in_flow):
        return text
    if text.isprintable() and (single or '"' in text or "\\" in text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escaped(letter) for letter in text) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    if letter == "\n":
        return "\\n"
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_plain(text: str, in_flow: bool) -> bool:
    """Whether it can stand without quotes, as text by YAML 1.2 and by 1.1, which many tools still read."""
    if not text.isprintable() or text != text.strip():
        return False
    return all(
        _reads_back(f"[{text}, x]" if in_flow else f"k: {text}", text, version)
        for version in ((1, 1), (1, 2))
    )


def _reads_back(document: str, text: str, version: tuple[int, int]) -> bool:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = version
    try:
        node: Node = yaml.compose(document)
    except YAMLError:
        return False
    value = node.value[0]
    if isinstance(node, MappingNode):
        value = value[1]
    return (
        isinstance(value, ScalarNode) and str(value.tag) == TEXT and not value.style and value.value == text
    )
