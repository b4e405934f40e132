"""Whether the record can be reproduced: each call replayed under the archived policy that routed it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from compliance.errors import LedgerError
from router.whatif.calls import PastCall
from router.whatif.replay import Mismatch, mismatches
from service.history import Archive, NotArchivedError


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What replaying calls under their own policies gave."""

    calls: int
    turns: int
    """Turns that were replayed."""
    mismatches: tuple[Mismatch, ...]
    not_archived: Mapping[str, int]
    """Calls that cannot be checked because their policy was never archived, by what is said of it."""
    unusable: Mapping[str, int]
    """Calls whose record or archived policy is not what it should be, by what is wrong with it."""

    @property
    def ok(self) -> bool:
        return not self.mismatches and not self.unusable


def reproduce(
    archive: Archive, calls: Iterable[PastCall], *, unreadable: Mapping[str, int] = MappingProxyType({})
) -> Reproduction:
    """Replay ``calls``. A decision is reproduced when the same rule sends the turn to the same engine.

    ``unreadable`` are calls that could not even be read, by what is wrong with them; they are counted in.
    """
    number, turns = sum(unreadable.values()), 0
    found: list[Mismatch] = []
    not_archived, unusable = Counter[str](), Counter(unreadable)
    for call in calls:
        number += 1
        try:
            policy = archive.policy(call.policy_hash)
        except NotArchivedError as error:
            not_archived[str(error)] += 1
            continue
        except LedgerError as error:
            unusable[str(error)] += 1
            continue
        turns += sum(turn.routed for turn in call.turns)
        found += mismatches(policy, call)
    return Reproduction(number, turns, tuple(found), not_archived, unusable)
