"""The phrases of the cues: files in ``phrases``, a phrase to a line, over :func:`~classifiers.words.plain.plain` text.

A phrase is a regular expression made of whole words; ``{role}`` stands for that slot of ``slots.txt``. No phrase
repeats anything without a bound but a single word, so that a search costs at most a constant for each word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "phrases"

_SLOT = re.compile(r"\{([a-z_]+)\}")


@cache
def phrases(name: str) -> re.Pattern[str]:
    """One pattern that finds any phrase of ``name.txt`` as whole words."""
    return re.compile(rf"\b(?:{'|'.join(_filled(line, _slots()) for line in _lines(name))})")


def _filled(line: str, slots: Mapping[str, str]) -> str:
    """``line`` with its slots filled in, ending where a word ends unless it says where it ends."""
    return _SLOT.sub(lambda found: slots[found[1]], line) + ("" if line.endswith("$") else r"\b")


@cache
def _slots() -> Mapping[str, str]:
    alternatives: dict[str, list[str]] = {}
    name = ""
    for line in _lines("slots"):
        if line.startswith("[") and line.endswith("]"):
            name = line[1:-1]
            alternatives[name] = []
        else:
            alternatives[name].append(line)
    slots: dict[str, str] = {}
    for name, lines in alternatives.items():
        slots[name] = _SLOT.sub(lambda found: slots[found[1]], f"(?:{'|'.join(lines)})")
    return slots


def _lines(name: str) -> Iterator[str]:
    for line in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line
