"""``patchbay policy fmt``: policies and their tests in one layout, with every comment kept."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from policies import DocumentError, Problem
from router.layout import laid_out
from service.cli.app import errors
from service.cli.policy.shared import write_text


def fmt(files: Sequence[Path], *, check: bool, diff: bool) -> int:
    """Lay out each file in place; returns 2 when one cannot be used, though the others are laid out.

    Args:
        files: policies, and tests of policies.
        check: change nothing; returns 1 when a file would change.
        diff: the same, and print what would change.

    Raises:
        CommandError: a file cannot be written.
    """
    console, unusable, changed = Console(), 0, 0
    for file in files:
        try:
            before = _read(file)
            after = laid_out(before, file=str(file))
        except DocumentError as error:
            errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
            unusable += 1
            continue
        if before == after:
            continue
        changed += 1
        if diff:
            _print_diff(str(file), before, after)
        elif not check:
            write_text(file, after)
        if not diff:
            console.print(
                f"{file}: {'would be' if check else 'is'} laid out anew", markup=False, soft_wrap=True
            )
    if not changed and not unusable:
        console.print(f"{len(files)} laid out already" if len(files) > 1 else f"{files[0]}: laid out already")
    return 2 if unusable else 1 if changed and (check or diff) else 0


def fmt_stdin(*, check: bool, diff: bool) -> int:
    """Lay out what comes from standard input, to standard output: for editors.

    Raises:
        policies.DocumentError: it cannot be laid out.
    """
    name = "<stdin>"
    before = _decoded(sys.stdin.buffer.read(), name)
    after = laid_out(before, file=name)
    if diff:
        _print_diff(name, before, after)
    elif not check:
        sys.stdout.write(after)
    return 1 if before != after and (check or diff) else 0


def _read(file: Path) -> str:
    try:
        return _decoded(file.read_bytes(), str(file))
    except OSError as error:
        raise DocumentError(str(file), [Problem(1, 1, f"cannot be read: {error.strerror}")]) from error


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")  # as it is: line ends are laid out too
    except UnicodeDecodeError as error:
        raise DocumentError(name, [Problem(1, 1, "cannot be read: is not UTF-8 text")]) from error


def _print_diff(name: str, before: str, after: str) -> None:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"{name}", f"{name}, laid out"
    )
    sys.stdout.writelines(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
