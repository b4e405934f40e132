"""Writes a document in its canonical layout: sections and keys in order, two columns a level, tables aligned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import dropwhile, groupby, pairwise

from router.keys import CONDITION, READING, Keys, Shape, element_of, keys_of, member_of
from router.layout.scalars import WIDTH, block, on_one_line
from router.layout.source import BLANK, Alias, Branch, Entry, Scalar, Source, Value

_STEP = 2


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text with the comment at its end."""

    text: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    """An entry as it is written: the comments and blank lines above it, and its lines."""

    above: list[str]
    lines: list[_Line]
    cells: tuple[str, ...] = ()
    """Of a mapping in braces: its key, then each entry. Neighbours are aligned as a table."""


def write(source: Source, shape: Shape) -> str:
    """The document; ``shape`` says which keys it may have, in the order in which they are written."""
    lines = list(_remarks(_stripped(source.head), 0))
    head = len(lines)
    for row in _Writer(source).rows(source.root, 0, shape):
        above = list(_remarks(_stripped(row.above), 0))
        if lines and lines[-1].text and (above or len(lines) > head):
            lines.append(_Line(""))
        lines += [*above, *row.lines]
    lines += _remarks(source.root.below, 0)
    return "".join(f"{line}\n" for line in _with_comments(lines))


class _Writer:
    def __init__(self, source: Source) -> None:
        self._anchors = source.anchors
        self._standing: set[str] = set()
        """Anchors whose value is written: from there on, an alias will do."""

    def rows(self, branch: Branch, indent: int, shape: Shape) -> Iterator[_Row]:
        """The entries of a branch, its keys in order."""
        for entry in _ordered(branch, keys_of(shape)):
            inner = element_of(shape) if entry.key is None else member_of(shape, entry.key.value)
            yield self._row(entry, indent, inner)

    def _row(self, entry: Entry, indent: int, shape: Shape) -> _Row:
        anchor, value = self._resolved(entry.value)
        head = " " * indent + ("-" if entry.key is None else on_one_line(entry.key) + ":") + anchor
        # One comment can stand at the end of a line; braces over several lines may have brought more.
        above, comment = entry.above + entry.beside[1:], "".join(entry.beside[:1])
        match value:
            case Alias():
                return _Row(above, [_Line(head, comment)])
            case Scalar():
                return _Row(above, _scalar(value, head, indent, comment, shape))
        if _is_inline(value):
            standing = set(self._standing)
            text, cells = self._flow(value, shape)
            if len(f"{head} {text}") <= WIDTH or not value.entries:
                table = (head, *cells) if cells and not value.is_list and entry.key is not None else ()
                return _Row(above, [_Line(f"{head} {text}", comment)], table)
            self._standing = standing
        inner = self._block(value, indent + _STEP, shape)
        if entry.key is not None or anchor:
            return _Row(above, [_Line(head, comment), *_flat(inner, indent + _STEP)])
        # The first line stands beside the dash, so what is above it goes above the dash.
        above = above + [text for text in (comment, *inner[0].above) if text]
        first, *rest = inner[0].lines
        lines = [
            replace(first, text=f"{head} {first.text.lstrip()}"),
            *rest,
            *_flat(inner[1:], indent + _STEP),
        ]
        return _Row(above, lines)

    def _block(self, branch: Branch, indent: int, shape: Shape) -> list[_Row]:
        """The rows of a branch written over lines. Blank lines stay between things, not between the keys of one."""
        rows = list(self.rows(branch, indent, shape))
        below = branch.below
        if keys_of(shape) is not None:
            rows = [replace(row, above=[text for text in row.above if text]) for row in rows]
            below = [text for text in below if text]
        else:
            rows[0] = replace(rows[0], above=_stripped(rows[0].above))
            rows = list(_tabulated(rows))
        return [*rows, _Row(below, [])] if below else rows

    def _flow(self, branch: Branch, shape: Shape) -> tuple[str, tuple[str, ...]]:
        """The branch in braces, and its entries one by one."""
        cells = []
        for entry in _ordered(branch, keys_of(shape)):
            anchor, value = self._resolved(entry.value)
            inner = element_of(shape) if entry.key is None else member_of(shape, entry.key.value)
            match value:
                case Alias():
                    text = ""
                case Scalar():
                    text = on_one_line(value, in_flow=True, single=inner in (CONDITION, READING))
                case Branch():
                    text, _ = self._flow(value, inner)
            key = "" if entry.key is None else on_one_line(entry.key, in_flow=True) + ":"
            cells.append(" ".join(part for part in (key + anchor, text) if part).strip())
        opening, closing = "[]" if branch.is_list else "{}"
        return opening + ", ".join(cells) + closing, tuple(cells)

    def _resolved(self, value: Value) -> tuple[str, Value]:
        """The anchor or alias to write, with a space before it, and the value if it is to be written here.

        Keys may change places, so the value of an anchor is written where the anchor is met first.
        """
        name = value.anchor
        if name is None:
            return "", value
        if name in self._standing:
            return f" *{name}", Alias(name)
        self._standing.add(name)
        return f" &{name}", self._anchors[name]


def _ordered(branch: Branch, keys: Keys | None) -> list[Entry]:
    """The entries in the order of the keys declared, what is merged in before and what is unknown behind them."""
    if branch.is_list or keys is None:
        return branch.entries
    order = {"<<": -1, **{key: number for number, key in enumerate(keys)}}
    return sorted(
        branch.entries, key=lambda entry: order.get(entry.key.value if entry.key else "", len(order))
    )


def _scalar(value: Scalar, head: str, indent: int, comment: str, shape: Shape) -> list[_Line]:
    is_condition = shape in (CONDITION, READING)
    line = f"{head} {on_one_line(value, single=is_condition)}".rstrip()
    room = WIDTH - indent - _STEP
    folded = block(value, room, fits=len(line) <= WIDTH, is_condition=is_condition)
    if folded is None:
        return [_Line(line, comment)]
    indicator, lines = folded
    pad = " " * (indent + _STEP)
    return [_Line(f"{head} {indicator}", comment), *(_Line((pad + text).rstrip()) for text in lines)]


def _is_inline(branch: Branch) -> bool:
    """Whether it may be written in braces: it was, or is empty, and no comment stands in it."""
    if not branch.entries:
        return True
    return (
        branch.is_flow
        and not any(branch.below)
        and all(
            not any(entry.above)
            and not entry.beside
            and (not isinstance(entry.value, Branch) or _is_inline(entry.value))
            for entry in branch.entries
        )
    )


# -- lines --------------------------------------------------------------------------------------------------
def _flat(rows: Iterable[_Row], indent: int) -> Iterator[_Line]:
    for row in rows:
        yield from _remarks(row.above, indent)
        yield from row.lines


def _remarks(texts: list[str], indent: int) -> Iterator[_Line]:
    """Comments on lines of their own; of several blank lines, one."""
    for before, text in pairwise([None, *texts]):
        if text != BLANK or before != BLANK:
            yield _Line(" " * indent + text if text else "")


def _stripped(texts: list[str]) -> list[str]:
    """Without the blank lines at the beginning."""
    return list(dropwhile(lambda text: text == BLANK, texts))


def _tabulated(rows: list[_Row]) -> Iterator[_Row]:
    """Mappings in braces, one below the other, with their keys and values in columns."""
    table: list[_Row] = []
    for row in rows:
        if table and (not row.cells or row.above):
            yield from _columns(table)
            table = []
        if row.cells:
            table.append(row)
        else:
            yield row
    yield from _columns(table)


def _columns(rows: list[_Row]) -> list[_Row]:
    """The rows aligned, up to the first column in which they have different keys; as they are if that is too wide."""
    heads = [row.cells[0] for row in rows]
    table = [[*(f"{cell}," for cell in row.cells[1:-1]), *row.cells[-1:]] for row in rows]
    for column in range(max(map(len, table), default=0)):
        having = [cells for cells in table if len(cells) > column]
        if len({cells[column].partition(":")[0] for cells in having}) > 1:
            break
        width = max(len(cells[column].removesuffix(",")) for cells in having) + 1
        for cells in having:
            if len(cells) > column + 1:
                cells[column] = cells[column].ljust(width)
    wide = max(map(len, heads), default=0)
    texts = [f"{head:<{wide}} {{{' '.join(cells)}}}" for head, cells in zip(heads, table, strict=True)]
    if any(len(text) > WIDTH for text in texts):
        return rows
    return [
        replace(row, lines=[replace(row.lines[0], text=text)]) for row, text in zip(rows, texts, strict=True)
    ]


def _with_comments(lines: list[_Line]) -> Iterator[str]:
    """The lines; comments at the ends of neighbouring lines begin in the same column."""
    for commented, run in groupby(lines, key=lambda line: bool(line.comment)):
        group = list(run)
        width = max(len(line.text) for line in group)
        for line in group:
            yield f"{line.text:<{width}}  {line.comment}" if commented else line.text
