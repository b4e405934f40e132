"""What pages tell operators to write into the documents that ship, and these documents with it, as a reader would.

A snippet says in its first line where it goes::

    # in policies/engines.yaml, below engines:
    # in policies/engines.yaml, below engines, instead of fast:
    # in policies/engines.yaml, instead of transcriber:

It is written in as text, further to the right where it stands below something: what a reader would get wrong by that,
such as a name that is there already, is wrong here too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from policies import shipped

HOW_TO = Path(__file__).parents[1] / "docs" / "how-to"
_FENCE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_WHERE = re.compile(
    r"# in policies/([\w.]+)\.yaml(?:, below (\w+))?(?:, instead of ([\w-]+))?:\n(.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Snippet:
    """Something to write into a document."""

    document: str
    section: str | None
    """What it goes below; ``None``: it is a section itself."""
    instead: str | None
    """The entry that it replaces."""
    text: str

    @property
    def label(self) -> str:
        words = (self.document, self.section, self.instead, self.text.split(":")[0].strip("- \n"))
        return " ".join(word for word in words if word)


def text_of(page: str) -> str:
    """A how-to by its name, such as ``operate.md``."""
    return (HOW_TO / page).read_text(encoding="utf-8")


def snippets(text: str) -> list[Snippet]:
    """Those of a page, or a part of one, in order."""
    found = (_WHERE.match(code) for code in _FENCE.findall(text))
    return [Snippet(one[1], one[2], one[3], one[4]) for one in found if one]


def with_written_in(document: str, added: list[Snippet]) -> str:
    """A shipped document with all that is meant for it, one after the other.

    Raises:
        ValueError: the document has nothing by the name of what is to be replaced.
    """
    text = shipped(f"{document}.yaml").read_text(encoding="utf-8").rstrip() + "\n"
    for snippet in added:
        if snippet.document == document:
            text = _written_in(text, snippet)
    return text


def _written_in(text: str, snippet: Snippet) -> str:
    if snippet.section is None:
        return _replaced(text, rf"^{snippet.instead}:.*\n(?:[ #].*\n|\n)*", snippet.text)
    piece = "".join(f"  {line}" if line.strip() else line for line in snippet.text.splitlines(keepends=True))
    if snippet.instead is not None:
        entry = rf"^  (?:- (?:\{{)?id: {snippet.instead}\b|{snippet.instead}:).*\n(?:    .*\n)*"
        return _replaced(text, entry, piece)
    there = re.search(rf"^{snippet.section}:\n", text, re.MULTILINE)
    if there is None:  # a section that the document could have, and has not
        return f"{text}\n{snippet.section}:\n{piece}"
    return text[: there.end()] + piece + text[there.end() :]


def _replaced(text: str, pattern: str, by: str) -> str:
    done, times = re.subn(pattern, lambda _: by, text, count=1, flags=re.MULTILINE)
    if not times:
        raise ValueError(f"there is nothing like {pattern}")
    return done
