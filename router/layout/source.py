"""A YAML document as it is laid out: what it says, and to what each comment in it belongs.

ruamel.yaml's round trip hangs a comment on the token before it, so a comment above a key would stay behind when the
key moves. Here, over ruamel's tokens and events, a comment belongs to what it stands above or beside.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.tokens import BlockEntryToken, DirectiveToken, ScalarToken, TagToken, Token

from policies.document import DocumentError, Problem

BLANK = ""
"""Stands for a blank line among comments."""
TEXT = "tag:yaml.org,2002:str"


@dataclass(slots=True, eq=False)
class Scalar:
    """A value without parts."""

    value: str
    written: str
    """As it stands in the file, without its anchor."""
    tag: str
    """What it is by YAML 1.2: see :data:`TEXT`."""
    anchor: str | None = None


@dataclass(slots=True, eq=False)
class Alias:
    """A value that stands elsewhere, under an anchor."""

    anchor: str


@dataclass(slots=True, eq=False)
class Branch:
    """A mapping or a list."""

    is_list: bool
    is_flow: bool
    """Written in ``{}`` or ``[]``."""
    begins: int
    ends: int = 0
    indent: int = 0
    """The column of its entries."""
    entries: list[Entry] = field(default_factory=list)
    below: list[str] = field(default_factory=list)
    """Comments after the last entry, and blank lines."""
    anchor: str | None = None


Value = Scalar | Alias | Branch


@dataclass(slots=True, eq=False)
class Entry:
    """A key with its value, or an element of a list, with its comments."""

    key: Scalar | None
    value: Value
    begins: int
    column: int
    owner: Entry | None
    """The entry whose value it is in; ``None`` at the top."""
    within: Branch
    above: list[str] = field(default_factory=list)
    """Comments on lines of their own, and blank lines, before it."""
    beside: list[str] = field(default_factory=list)
    """Comments at the end of its line."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment, with the offset and the column at which it begins."""

    text: str
    begins: int
    column: int
    alone: bool
    """On a line of its own."""
    after_blank: bool


@dataclass(slots=True)
class Source:
    """A document."""

    root: Branch
    head: list[str]
    """The comments before anything else, and blank lines."""
    anchors: dict[str, Scalar | Branch]
    """Values by the name of their anchor."""
    comments: list[str]
    """All comments, in order."""


def read(text: str, *, file: str) -> Source:
    """The document in ``text``, which must be YAML whose top is a mapping.

    Raises:
        policies.DocumentError: it holds something that has no canonical layout: a tag, a directive, a key that is
            not a scalar, a value that holds itself.
    """
    tokens = list(_yaml().scan(text))
    _refuse(tokens, text, file)
    tree = _Tree(
        text, file, [token.start_mark.index for token in tokens if isinstance(token, BlockEntryToken)]
    )
    root = tree.root()
    found = list(_comments(text, tokens))
    source = Source(root, [], tree.anchors, [comment.text for comment in found])
    entries = sorted(
        tree.entries, key=lambda entry: entry.begins
    )  # stable: an element before its own first key
    for comment in found:
        _attach(comment, entries, root)
    for entry in entries:
        if _first_on_line(text, entry.begins) and _after_blank(text, entry.begins):
            entry.above.append(BLANK)
    _part_head(source)
    return source


def comments(text: str) -> list[str]:
    """The comments of a YAML text, in order."""
    return [comment.text for comment in _comments(text, list(_yaml().scan(text)))]


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)


# -- finding comments ---------------------------------------------------------------------------------------
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*", re.MULTILINE)


def _comments(text: str, tokens: list[Token]) -> Iterator[Comment]:
    """What stands between the tokens, or in the header of a block scalar, and is no white space."""
    at = 0
    for token in tokens:
        begins, ends = token.start_mark.index, token.end_mark.index
        yield from _between(text, at, begins)
        at = ends
        if isinstance(token, ScalarToken) and token.style in ("|", ">"):
            yield from _between(text, begins + 1, text.find("\n", begins, ends))
    yield from _between(text, at, len(text))


def _between(text: str, begin: int, end: int) -> Iterator[Comment]:
    for found in _COMMENT.finditer(text, begin, end):
        begins = found.start()
        alone = _first_on_line(text, begins)
        after_blank = alone and _after_blank(text, begins)
        yield Comment(found[0].rstrip(), begins, _column(text, begins), alone, after_blank)


def _column(text: str, at: int) -> int:
    return at - (text.rfind("\n", 0, at) + 1)


def _first_on_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip()


def _after_blank(text: str, at: int) -> bool:
    """Whether the line before that of ``at`` is blank."""
    ends = text.rfind("\n", 0, at)
    return ends >= 0 and not text[text.rfind("\n", 0, ends) + 1 : ends].strip()


def _refuse(tokens: list[Token], text: str, file: str) -> None:
    problems = [
        Problem(
            token.start_mark.line + 1, token.start_mark.column + 1, f"a {what} has no place in a policy: {do}"
        )
        for token in tokens
        for kind, what, do in (
            (TagToken, "tag", "write the value without it"),
            (DirectiveToken, "directive", "take it out"),
        )
        if isinstance(token, kind)
    ]
    for letter in re.finditer("[\x85\u2028\u2029]", text):
        line, column = text.count("\n", 0, letter.start()) + 1, _column(text, letter.start()) + 1
        problems.append(
            Problem(line, column, f"holds the line separator U+{ord(letter[0]):04X}: take it out")
        )
    if problems:
        raise DocumentError(file, problems)


# -- building the tree --------------------------------------------------------------------------------------
class _Tree:
    """Branches and entries from ruamel's events; ``entries`` lists all of them."""

    def __init__(self, text: str, file: str, dashes: list[int]) -> None:
        self.entries: list[Entry] = []
        self.anchors: dict[str, Scalar | Branch] = {}
        self._text = text
        self._file = file
        self._dashes = dashes
        self._resolver = _yaml().resolver
        self._events: Iterator[Event] = _yaml().parse(text)

    def root(self) -> Branch:
        for event in self._events:
            if isinstance(event, MappingStartEvent):
                return self._branch(event, None, -1)
        raise DocumentError(self._file, [Problem(1, 1, "must be a mapping of keys to values")])

    def _value(self, event: Event, owner: Entry) -> Value:
        value: Scalar | Branch
        match event:
            case AliasEvent() if event.anchor in self.anchors:
                return Alias(event.anchor)
            case ScalarEvent():
                value = self._scalar(event)
            case CollectionStartEvent():
                value = self._branch(event, owner, owner.column)
            case _:
                raise self._problem(event, "a value that holds itself has no place in a policy")
        if event.anchor:
            self.anchors[event.anchor] = value
        return value

    def _scalar(self, event: ScalarEvent) -> Scalar:
        written = self._text[event.start_mark.index : event.end_mark.index]
        if event.anchor:
            written = written.removeprefix(f"&{event.anchor}").lstrip()
        tag = TEXT if event.style else str(self._resolver.resolve(ScalarNode, event.value, event.implicit))
        return Scalar(event.value, written, tag, event.anchor)

    def _branch(self, start: CollectionStartEvent, owner: Entry | None, parent_column: int) -> Branch:
        is_list = isinstance(start, SequenceStartEvent)
        branch = Branch(is_list, bool(start.flow_style), start.start_mark.index, anchor=start.anchor)
        while isinstance(event := next(self._events), NodeEvent):
            key, begins = None, event.start_mark.index
            if is_list and not branch.is_flow:
                begins = self._dashes[bisect_left(self._dashes, begins) - 1]
            elif not is_list:
                if not isinstance(event, ScalarEvent) or event.anchor:
                    raise self._problem(event, "a key must be written out, as text or a number")
                key = self._scalar(event)
                event = next(self._events)
            entry = Entry(key, Alias(""), begins, _column(self._text, begins), owner, branch)
            self.entries.append(entry)
            branch.entries.append(entry)
            entry.value = self._value(event, entry)
        branch.ends = event.end_mark.index
        # A list may stand at the column of its own key; its entries lie deeper all the same.
        branch.indent = max(min((entry.column for entry in branch.entries), default=0), parent_column + 1)
        return branch

    def _problem(self, event: Event, message: str) -> DocumentError:
        mark = event.start_mark
        return DocumentError(self._file, [Problem(mark.line + 1, mark.column + 1, message)])


# -- what a comment belongs to ------------------------------------------------------------------------------
def _attach(comment: Comment, entries: list[Entry], root: Branch) -> None:
    after = bisect_left(entries, comment.begins, key=lambda entry: entry.begins)
    before = entries[after - 1] if after else None
    following = entries[after] if after < len(entries) else None
    if not comment.alone and before is not None:
        _beside(comment, before).beside.append(comment.text)
        return
    lines = [BLANK, comment.text] if comment.after_blank else [comment.text]
    if following is not None and following.owner is before:
        following.above += lines
        return
    while before is not None:
        branch = before.within
        if following is not None and following.within is branch:
            following.above += lines
            return
        if (
            branch.begins <= comment.begins < branch.ends
            if branch.is_flow
            else branch.indent <= comment.column
        ):
            branch.below += lines
            return
        before = before.owner
    root.below += lines


def _beside(comment: Comment, before: Entry) -> Entry:
    """The entry on whose line a comment stands: not one in braces that are closed before it."""
    while before.owner and before.within.is_flow and before.within.ends <= comment.begins:
        before = before.owner
    return before


def _part_head(source: Source) -> None:
    """Comments before the first section are of the document, except the last paragraph if it touches the section."""
    if not source.root.entries:
        return
    first = source.root.entries[0]
    lines = first.above
    cut = len(lines)
    if lines and lines[-1] != BLANK:
        paragraph = next((at for at in range(cut, 0, -1) if lines[at - 1] == BLANK), 0)
        if any(lines[:paragraph]):
            cut = paragraph
    source.head, first.above = lines[:cut], lines[cut:]
