"""A checked CEL expression as a tree, read from the bytes that the CEL library serialises.

The format is ``cel.expr.CheckedExpr`` (cel-spec, ``proto/cel/expr/checked.proto`` and ``syntax.proto``) in
protobuf's wire encoding. Lint reads the tree; evaluation never does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

Wire = int | bytes


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal, and the offset in code points at which it is written."""

    value: bool | int | float | str | bytes | None
    offset: int


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, with its dots: ``turn.count``."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function; a method's receiver is its first argument."""

    function: str
    arguments: tuple[Tree, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A list literal."""

    elements: tuple[Tree, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """A comprehension, message or field selection: its parts are read, its meaning is not."""

    parts: tuple[Tree, ...]
    offset: int


Tree = Constant | Name | Call | Listing | Opaque


def read(serialised: bytes) -> Tree:
    """The tree in the bytes of ``cel.Expression.serialize()``."""
    checked = _one(serialised, 2)  # the value of a google.protobuf.Any
    places: dict[int, int] = {}
    for entry in _all(_one(checked, 5), 4):
        numbers = {tag: value for tag, value in _fields(entry) if isinstance(value, int)}
        places[numbers.get(1, 0)] = numbers.get(2, 0)
    return _tree(_one(checked, 4), places)


def walk(tree: Tree) -> Iterator[Tree]:
    """The tree and everything in it, outermost first."""
    yield tree
    match tree:
        case Call(arguments=inner) | Listing(elements=inner) | Opaque(parts=inner):
            for part in inner:
                yield from walk(part)
        case _:
            pass


class _Field(IntEnum):
    """Field numbers of ``cel.expr.Expr``."""

    ID = 2
    CONSTANT = 3
    IDENT = 4
    SELECT = 5
    CALL = 6
    LIST = 7
    STRUCT = 8
    COMPREHENSION = 9


def _tree(expr: bytes, places: dict[int, int]) -> Tree:
    offset, kind, body = 0, 0, b""
    for tag, value in _fields(expr):
        if isinstance(value, int):
            offset = places.get(value, 0) if tag == _Field.ID else offset
        else:
            kind, body = tag, value
    match kind:
        case _Field.CONSTANT:
            return Constant(_constant(body), offset)
        case _Field.IDENT:
            name = _one(body, 1).decode()
            return Name(name, offset - max(name.rfind("."), 0))  # CEL marks the last dot
        case _Field.CALL:
            receiver = _all(body, 1)
            arguments = tuple(_tree(part, places) for part in (*receiver, *_all(body, 3)))
            return Call(_one(body, 2).decode(), arguments, offset)
        case _Field.LIST:
            return Listing(tuple(_tree(part, places) for part in _all(body, 1)), offset)
        case _:
            return Opaque(tuple(_tree(part, places) for part in _parts(kind, body)), offset)


def _parts(kind: int, body: bytes) -> list[bytes]:
    """The expressions inside a select (operand), struct (entries' keys and values) or comprehension."""
    match kind:
        case _Field.SELECT:
            return _all(body, 1)
        case _Field.STRUCT:
            return [part for entry in _all(body, 2) for tag in (3, 4) for part in _all(entry, tag)]
        case _Field.COMPREHENSION:
            return [part for tag in (2, 4, 5, 6, 7) for part in _all(body, tag)]
        case _:
            return []


def _constant(body: bytes) -> bool | int | float | str | bytes | None:
    for tag, value in _fields(body):
        if isinstance(value, int):
            match tag:
                case 2:
                    return bool(value)
                case 3:
                    return value - (1 << 64) if value >> 63 else value
                case 4:
                    return value
        else:
            match tag:
                case 5:
                    return float(struct.unpack("<d", value)[0])
                case 6:
                    return value.decode()
                case 7:
                    return value
    return None


def _one(message: bytes, tag: int) -> bytes:
    return next(iter(_all(message, tag)), b"")


def _all(message: bytes, tag: int) -> list[bytes]:
    return [value for number, value in _fields(message) if number == tag and isinstance(value, bytes)]


def _fields(message: bytes) -> Iterator[tuple[int, Wire]]:
    """Tag and value of each field: protobuf's wire types 0 (varint), 1, 2 (length) and 5."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                number, at = _varint(message, at)
                yield key >> 3, number
                continue
            case 1:
                length = 8
            case 5:
                length = 4
            case _:
                length, at = _varint(message, at)
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
