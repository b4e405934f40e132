"""YAML documents that know where everything stands, and one error that lists all that is wrong.

Every file an operator edits is read here, so that each complaint has the form an editor can jump to:
``file:line:column: message``. A :class:`Document` collects problems while its reader walks the nodes;
:meth:`Document.finish` raises them all at once.
"""

from __future__ import annotations

import difflib
import math
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError

HERE = Path(__file__).parent
_MOST_VALUES = 100_000
LARGEST = 2**53
"""The largest number that a document may hold: what a double, and so JSON, holds exactly."""


def shipped(name: str) -> Path:
    """The path of a document that ships with Patchbay, such as ``default.yaml``."""
    return HERE / name


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One thing wrong in a document. Line and column count from 1."""

    line: int
    column: int
    message: str

    def at(self, file: str) -> str:
        """``file:line:column: message``, one line and printable whatever the document held."""
        text = f"{file}:{self.line}:{self.column}: {self.message}"
        return "".join(
            letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
        )


class DocumentError(ValueError):
    """A document cannot be used. ``problems`` lists every reason, in the order of the file."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(p.at(file) for p in self.problems))


@dataclass(slots=True)
class Document:
    """A parsed YAML file and the problems found in it so far."""

    file: str
    root: Node
    source: str = field(default="", repr=False)
    problems: list[Problem] = field(default_factory=list)
    lines: list[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.lines = _LINE_END.split(self.source)

    @classmethod
    def load(cls, path: Path) -> Document:
        """Read a YAML mapping.

        Raises:
            DocumentError: the file is missing, unreadable, not YAML, or not a mapping.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            readable = error.object[: error.start].decode("utf-8", "replace")
            raise DocumentError(str(path), [_after(readable, "cannot be read: is not UTF-8 text")]) from error
        except (OSError, ValueError) as error:  # ValueError: of a path that no file can have
            reason = error.strerror if isinstance(error, OSError) else "no file can have such a name"
            raise DocumentError(str(path), [Problem(1, 1, f"cannot be read: {reason}")]) from error
        return cls.parse(text, file=str(path))

    @classmethod
    def parse(cls, text: str, *, file: str = "<text>") -> Document:
        """Parse YAML text; ``file`` names it in errors. Raises :class:`DocumentError`."""
        try:
            yaml = YAML()
            yaml.Constructor = _Constructor
            yaml.preserve_quotes = True
            with warnings.catch_warnings():
                warnings.simplefilter("error", ReusedAnchorWarning)  # the second anchor would silently win
                data = yaml.load(text)
        except Exception as error:  # for `!!int x` ruamel lets through whatever int() raises
            raise DocumentError(file, [_unreadable(error, text)]) from error
        if not isinstance(data, CommentedMap):
            raise DocumentError(file, [Problem(1, 1, "must be a mapping of keys to values")])
        if _is_too_large(data):
            message = f"holds more than {_MOST_VALUES:,} values once its aliases are followed"
            raise DocumentError(file, [Problem(1, 1, message)])
        document = cls(file, Node(data, 1, 1, None), text)  # type: ignore[arg-type]
        document.root.document = document
        return document

    def finish(self) -> None:
        """Raise :class:`DocumentError` if anything was found wrong."""
        if self.problems:
            raise DocumentError(self.file, self.problems)


@dataclass(slots=True)
class Node:
    """A value in a document, with the line and column (from 1) at which its text begins.

    Accessors report a problem and return ``None`` (or an empty collection) rather than raise, so a reader
    finds every error in one pass.
    """

    value: Any
    line: int
    column: int
    document: Document = field(repr=False)

    def problem(self, message: str, *, offset: int | None = None) -> None:
        """Report a problem here, or at the character ``offset`` (from 0) of this node's text."""
        line, column = (self.line, self.column) if offset is None else self.locate(offset)
        self.document.problems.append(Problem(line, column, message))

    def locate(self, offset: int) -> tuple[int, int]:
        """The line and column in the file of character ``offset`` of this text.

        The text is aligned with its source, so quotes, escapes, folded lines and block scalars count.
        """
        return _locate(self.document.lines, self.line, self.column, str(self.value), offset)

    # -- mappings -------------------------------------------------------------------------------------
    def items(self) -> Iterator[tuple[str, Node]]:
        """The entries of a mapping; reports a problem when this is not one."""
        if not isinstance(self.value, CommentedMap):
            self.problem(f"must be a mapping, is {_kind(self.value)}")
            return
        for key in self._keys():
            yield key, self._child(key)

    def get(self, key: str) -> Node | None:
        if isinstance(self.value, CommentedMap) and key in self.value:
            return self._child(key)
        return None

    def key(self, key: Any) -> Node:
        """The key of an entry that exists, as a node of its own: for problems about a name."""
        line, column = self._place(key, of_key=True)
        return Node(key, line, column, self.document)

    def require(self, key: str) -> Node | None:
        """The entry ``key``, or a problem saying that it is missing."""
        if not isinstance(self.value, CommentedMap):
            self.problem(f"must be a mapping, is {_kind(self.value)}")
            return None
        node = self.get(key)
        if node is None:
            self.problem(f"`{key}` is missing")
        return node

    def only(self, allowed: Iterable[str]) -> None:
        """Report every key that is not among ``allowed``, with the nearest allowed one; and what is no mapping."""
        names = list(allowed)
        if not isinstance(self.value, CommentedMap):
            self.problem(f"must be a mapping, is {_kind(self.value)}")
            return
        for key in self._keys():
            if key not in names:
                self.key(key).problem(f"unknown key '{key}'{did_you_mean(key, names)}")

    def _keys(self) -> Iterator[str]:
        """The keys that are text; others are reported, since 1 and '1' would name one thing twice."""
        for key in self.value:
            if isinstance(key, str):
                yield str(key)
            else:
                self.key(key).problem(f"a key must be text, is {_kind(key)}: put it in quotes")

    def _child(self, key: Any) -> Node:
        value = self.value[key]
        # An empty value has no text of its own; an editor should jump to its key.
        line, column = self._place(key, of_key=value is None)
        return Node(value, line, column, self.document)

    def _place(self, key: Any, *, of_key: bool) -> tuple[int, int]:
        """Where an entry stands; one merged in with ``<<`` has no place, so its mapping's is given."""
        marks = self.value.lc
        try:
            if isinstance(self.value, CommentedSeq):
                line, column = marks.item(key)
            else:
                line, column = marks.key(key) if of_key else marks.value(key)
        except (KeyError, TypeError, AttributeError):
            return self.line, self.column
        return line + 1, column + 1

    # -- sequences ------------------------------------------------------------------------------------
    def elements(self) -> Iterator[Node]:
        """The elements of a sequence; reports a problem when this is not one."""
        if not isinstance(self.value, CommentedSeq):
            self.problem(f"must be a list, is {_kind(self.value)}")
            return
        for index, value in enumerate(self.value):
            line, column = self._place(index, of_key=False)
            yield Node(value, line, column, self.document)

    # -- scalars --------------------------------------------------------------------------------------
    def text(self) -> str | None:
        if not isinstance(self.value, str):
            self.problem(f"must be text, is {_kind(self.value)}")
            return None
        if not self.value.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in self.value):
            self.problem("holds half of a surrogate pair, which is not text")
            return None
        return str(self.value)

    def boolean(self) -> bool | None:
        if isinstance(self.value, bool):
            return self.value
        self.problem(f"must be true or false, is {_kind(self.value)}")
        return None

    def integer(self, *, least: int | None = None, most: int | None = None) -> int | None:
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            self.problem(f"must be a whole number, is {_kind(self.value)}")
            return None
        if not self._within(self.value, least, most):
            return None
        if abs(self.value) > LARGEST:
            self.problem("is too large a number")
            return None
        return int(self.value)

    def number(self, *, least: float | None = None, most: float | None = None) -> float | None:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.problem(f"must be a number, is {_kind(self.value)}")
            return None
        if not self._within(self.value, least, most):
            return None
        try:
            number = float(self.value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.problem("must be a finite number")
            return None
        return number

    def one_of(self, choices: Iterable[str], *, what: str) -> str | None:
        """A text that is one of ``choices``; ``what`` names the kind of thing, such as ``engine``."""
        names = list(choices)
        text = self.text()
        if text is not None and text not in names:
            self.problem(f"unknown {what} '{text}'{did_you_mean(text, names)}")
            return None
        return text

    def _within(self, value: float, least: float | None, most: float | None) -> bool:
        if (least is not None and value < least) or (most is not None and value > most):
            if least is None or most is None:
                bounds = f"at least {least:g}" if most is None else f"at most {most:g}"
            else:
                bounds = f"from {least:g} to {most:g}"
            # Python refuses to print an integer of thousands of digits.
            self.problem(f"must be {bounds}" + (f", is {value}" if abs(value) < 1e18 else ""))
            return False
        return True


class _Constructor(RoundTripConstructor):
    """Reads a Boolean with an anchor as a Boolean; ruamel's own makes it an integer that knows the anchor."""


_Constructor.add_constructor("tag:yaml.org,2002:bool", SafeConstructor.construct_yaml_bool)


def _is_too_large(data: Any) -> bool:
    """Whether aliases of aliases make a short text too large to walk through."""
    seen, left = 0, [data]
    while left and seen + len(left) <= _MOST_VALUES:
        value = left.pop()
        seen += 1
        if isinstance(value, dict):
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
    return bool(left)


def _after(text: str, message: str) -> Problem:
    """A problem with the character that follows ``text``."""
    lines = _LINE_END.split(text)
    return Problem(len(lines), len(lines[-1]) + 1, message)


def _unreadable(error: Exception, text: str) -> Problem:
    """What kept ``text`` from being read, at the place that ruamel gives, if it gives one."""
    match error:
        case MarkedYAMLError():
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            return Problem(line, column, error.problem or "is not YAML")
        case YAMLError():
            before = text[: getattr(error, "position", 0)]  # of a character that YAML does not allow
            return _after(before, "is not YAML: " + str(error).split("\n")[0])
        case RecursionError():
            return Problem(1, 1, "is nested too deeply to read")
        case _:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            return Problem(1, 1, f"holds a value that cannot be read: {reason}")


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """``, did you mean 'turn.count'?`` for the nearest name, or nothing."""
    near = difflib.get_close_matches(word, list(names), n=1)
    return f", did you mean '{near[0]}'?" if near else ""


_LINE_END = re.compile("\r\n|[\n\r]")  # as YAML 1.2, section 5.4, ruamel and editors count lines
_ESCAPE_DIGITS = {"x": 2, "u": 4, "U": 8}


def _locate(lines: list[str], line: int, column: int, text: str, offset: int) -> tuple[int, int]:
    """Walk the source from where a scalar begins until ``offset`` characters of ``text`` have been met.

    White space is skipped on both sides: folding changes it, and no token worth pointing at begins with it.
    """
    if line > len(lines):
        return line, column
    row, at = line - 1, column - 1
    head = re.match(r"(?:[&!]\S*\s+)*", lines[row][at:])
    at += head.end() if head else 0
    style = lines[row][at : at + 1]
    if style in ("|", ">"):
        row, at = row + 1, 0
    elif style in ("'", '"'):
        at += 1

    def settle() -> None:
        """Move on to the next visible character, over line ends and a line's escaped end."""
        nonlocal row, at
        while row < len(lines) - 1 and not lines[row][at:].strip(" \t\r" + ("\\" if style == '"' else "")):
            row, at = row + 1, 0
        while at < len(lines[row]) and lines[row][at] in " \t\r":
            at += 1

    if row == len(lines):
        return line, column
    for letter in text[:offset]:
        settle()
        if letter.isspace():
            if style == '"' and lines[row][at : at + 2] in ("\\n", "\\t", "\\r", "\\ "):
                at += 2
        elif style == '"' and lines[row][at : at + 1] == "\\":
            at += 2 + _ESCAPE_DIGITS.get(lines[row][at + 1 : at + 2], 0)
        else:
            at += 2 if style == "'" and letter == "'" else 1
    if offset < len(text):
        settle()
    return row + 1, at + 1


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, CommentedMap):
        return "a mapping"
    if isinstance(value, CommentedSeq):
        return "a list"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str | int | float):
        return (
            "text" if isinstance(value, str) else "a whole number" if isinstance(value, int) else "a number"
        )
    return f"a {type(value).__name__}"
