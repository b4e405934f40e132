"""What the caller heard of a reply whose voice broke off."""

from __future__ import annotations

from dataclasses import dataclass, field

CHARACTERS_PER_S = 14.0
"""Of English read aloud, at 150 words a minute; by it is told how much was heard of what broke off."""


@dataclass(frozen=True, slots=True)
class _Break:
    until: int
    instead: str
    on_from: int | None


@dataclass(slots=True)
class Heard:
    """Of one reply; places in it are characters of its text."""

    _breaks: list[_Break] = field(default_factory=list)

    def broke_off(self, begin: int, end: int, heard_s: float, instead: str, *, again: bool) -> None:
        """A voice broke off.

        Args:
            begin: where it had begun.
            end: how far it had been given the text.
            heard_s: how much was heard of that, in seconds.
            instead: what is heard next.
            again: whether all from ``begin`` on is heard after that; else nothing is.
        """
        until = min(end, begin + int(max(0.0, heard_s) * CHARACTERS_PER_S))
        self._breaks.append(_Break(until, instead, begin if again else None))

    def of(self, text: str, *, interrupted: bool) -> str:
        """What was heard of ``text``; where the caller cut in, ``text`` is what had been said by then at the most."""
        if not self._breaks:
            return text
        if interrupted:
            last = next((each.until for each in self._breaks if each.on_from is None), len(text))
            return _words(text, 0, last)
        told, since = [], 0
        for each in self._breaks:
            told += [_words(text, since, each.until), each.instead]
            if each.on_from is None:
                break
            since = each.on_from
        else:
            told.append(text[since:])
        return " ".join(part for each in told if (part := each.strip()))


def _words(text: str, begin: int, end: int) -> str:
    """The whole words between two places."""
    part = text[begin:end]
    in_a_word = end < len(text) and not text[end].isspace()
    return part[: part.rfind(" ") + 1] if in_a_word else part
