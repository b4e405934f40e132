"""How likely chance was to send a turn to an engine with tools, by what the policy leaves to chance.

Experiments and rollouts by the call's id are lotteries: which arm a call draws depends on a hash of its id and on
nothing that is said in it. So a call is replayed as if it had drawn each of the other lots too, and the chance of the
lots under which an engine with tools answers the turn is the turn's **propensity** (Rosenbaum and Rubin 1983): one over
it is how many turns like this one a labelled turn stands for (Horvitz and Thompson 1952).

Replaying takes the signals as they were, also those that another engine might have changed: what the callers of one arm
say in a later turn is taken to be what those of another would have said there.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, count, islice, product

from router import Policy
from router.gates import BY_CALL, share
from router.whatif.calls import PastCall, walk

MOST_LOTS = 256
"""Beyond it lots are drawn rather than listed: ten lotteries of two sides each make a thousand."""
_MOST_TRIED = 100_000


@dataclass(frozen=True, slots=True)
class Lot:
    """One way in which chance may sort a call: a call id that is sorted so, and how likely that is."""

    call_id: str
    chance: float


def lots(policy: Policy) -> tuple[Lot, ...]:
    """All the ways in which a call may be sorted under ``policy``; their chances sum to 1. One, if nothing is chance.

    Lots of less than about one in ten thousand may be missing.
    """
    cuts = _cuts(policy)
    names, salt = tuple(cuts), policy.content.salt
    sides = [tuple(_widths(cuts[name])) for name in names]
    if math.prod(map(len, sides)) > MOST_LOTS:
        return tuple(Lot(f"lot-{number}", 1 / MOST_LOTS) for number in range(MOST_LOTS))
    wanted = {
        lot: chance
        for lot in product(*(range(len(widths)) for widths in sides))
        if (chance := math.prod(widths[at] for widths, at in zip(sides, lot, strict=True))) > 0
    }
    found: dict[tuple[int, ...], str] = {}
    for number in islice(count(), _MOST_TRIED):
        if len(found) == len(wanted):
            break
        call_id = f"lot-{number}"
        drawn = tuple(bisect_right(cuts[name], share(salt, name, call_id)) for name in names)
        found.setdefault(drawn, call_id)
    total = sum(wanted[lot] for lot in found)
    return tuple(Lot(call_id, wanted[lot] / total) for lot, call_id in found.items())


def _cuts(policy: Policy) -> dict[str, list[float]]:
    """By the name that is hashed: where, between 0 and 1, what a call gets changes."""
    found: dict[str, set[float]] = {}
    for rule in policy.content.rules:
        if rule.rollout is not None and rule.rollout.by == BY_CALL:
            found.setdefault(rule.id, set()).add(rule.rollout.percent / 100)
    for experiment in policy.content.experiments:
        if experiment.by == BY_CALL:
            weights = [arm.weight for arm in experiment.arms]
            ends = [end / sum(weights) for end in accumulate(weights)]
            found.setdefault(experiment.id, set()).update(ends[:-1])
    return {name: sorted(cut for cut in cuts if 0 < cut < 1) for name, cuts in found.items()}


def _widths(cuts: list[float]) -> Iterator[float]:
    for low, high in zip([0.0, *cuts], [*cuts, 1.0], strict=True):
        yield high - low


class Propensities:
    """Finds propensities under one policy, as it is for one tenant.

    Args:
        policy: that routed the calls, for their tenant.
        able: the engines that have tools.
    """

    def __init__(self, policy: Policy, able: Collection[str]) -> None:
        self._policy = policy
        self._able = frozenset(able)
        self._lots = lots(policy)

    def of(self, call: PastCall) -> dict[int, float]:
        """The propensity of each routed turn of ``call``, by its number, 0 to 1.

        A turn is left out from which on replaying does not give what was logged: nothing is known of its chances.
        """
        call = replace(call, tenant="")  # the policy is the tenant's already
        as_logged = []
        for turn, decision in walk(self._policy, call):
            if decision.engine != turn.engine:
                break
            as_logged.append(decision)
        if len(self._lots) == 1:
            return {decision.turn: float(decision.engine in self._able) for decision in as_logged}
        chances = [0.0] * len(as_logged)
        for lot in self._lots:
            replayed = walk(self._policy, replace(call, call_id=lot.call_id))
            for at, (_, decision) in enumerate(islice(replayed, len(as_logged))):
                if decision.engine in self._able:
                    chances[at] += lot.chance
        # The turn did happen under one of the lots: sums that miss 0 or 1 by rounding are 0 or 1.
        return {
            decision.turn: round(min(1.0, chance), 9)
            for decision, chance in zip(as_logged, chances, strict=True)
        }
