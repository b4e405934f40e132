"""Model folders are written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from classifiers import ClassifierError


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A new folder beside ``out`` to write a model into; it becomes ``out`` when the block ends well.

    What was at ``out`` is kept as ``out.before``, to go back to. When the block fails, nothing has changed.

    Raises:
        ClassifierError: at ``out`` is something other than a model folder, or it cannot be written.
    """
    out = out.resolve()
    check_replaceable(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise _unwritable(out, error) from error
    try:
        yield new
        try:
            _put_in_place(new, out)
        except OSError as error:
            raise _unwritable(out, error) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)  # it is not there any more if all went well


def check_replaceable(out: Path) -> None:
    """Raises :class:`classifiers.ClassifierError` unless ``out`` is missing, empty or holds a model."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = None
    if not isinstance(config, dict) or "model_type" not in config:
        raise ClassifierError(
            out, "is no model folder, so it is not written over", "choose another place with --out"
        )


def _put_in_place(new: Path, out: Path) -> None:
    os.chmod(new, 0o755)  # noqa: S103 # a worker may run as somebody else, and a model is no secret
    for file in new.rglob("*"):
        if file.is_file():
            with file.open("rb") as written:
                os.fsync(written.fileno())
    if out.exists():
        before = out.with_name(f"{out.name}.before")
        if before.exists():
            check_replaceable(before)
            shutil.rmtree(before)
        out.rename(before)
        try:
            new.rename(out)
        except OSError:
            before.rename(out)
            raise
    else:
        new.rename(out)


def _unwritable(out: Path, error: OSError) -> ClassifierError:
    return ClassifierError(out, f"cannot be written ({error.strerror})", "choose another place with --out")
