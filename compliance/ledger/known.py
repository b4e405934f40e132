"""What a process knows of a log without reading it, because it was the last to write to it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from compliance.ledger.head import Entry, Head

_MOST_CALLS = 1024


@dataclass(frozen=True, slots=True)
class Known:
    """The log as this process left it. It holds for as long as the log has still the same head."""

    head: Head
    """With its checkpoint."""
    lengths: dict[str, int]
    """How many entries a call has, of some: none until this process wrote twice with nobody else in between."""

    @classmethod
    def left(
        cls, known: Known | None, before: Head, head: Head, added: Sequence[Entry], signed: str
    ) -> Known:
        """What is known once a commit made ``head``, with the checkpoint ``signed``, of ``before``.

        Args:
            known: what was known until then.
            before: the head that the commit found.
            head: the head that it left.
            added: the entries it added, at least one.
            signed: the checkpoint of ``head``.
        """
        lengths: dict[str, int] = {}
        if known is not None and known.head.note == before.note:
            lengths = known.lengths if len(known.lengths) < _MOST_CALLS else {}
            lengths.update((entry.call_id, entry.call_seq + 1) for entry in added)
        return cls(replace(head, note=signed), lengths)
