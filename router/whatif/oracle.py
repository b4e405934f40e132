"""The best that could be done by who knows the labels: an upper bound on what routing is worth.

Both oracles keep the guards. They see what each turn really needs, which no policy does.
"""

from __future__ import annotations

import numpy as np

from router.whatif.score import WARM, Flags, Floats, Ints, Scorer


def greedy(scorer: Scorer, denied: Flags) -> Ints:
    """The best engine for each turn as it comes, the switch to it counted, without a thought for the next."""
    gain, switch = _gains(scorer, denied)
    routes = np.zeros(len(gain), np.intp)
    for turn in range(len(gain)):
        worth = gain[turn].copy()
        if not scorer.first[turn]:
            others = np.arange(len(worth)) != routes[turn - 1]
            worth[others] += switch[turn, others]
        routes[turn] = worth.argmax()
    return routes


def optimal(scorer: Scorer, denied: Flags) -> Ints:
    """The best engines for each call as a whole, all switches counted (Viterbi 1967)."""
    gain, switch = _gains(scorer, denied)
    turns, engines = gain.shape
    came_from = np.zeros((turns, engines), np.intp)
    best = np.zeros((turns, engines))
    stay = np.eye(engines, dtype=np.bool_)
    for turn in range(turns):
        if scorer.first[turn]:
            best[turn] = gain[turn]
            continue
        ways = best[turn - 1][:, None] + np.where(stay, 0.0, switch[turn][None, :])
        came_from[turn] = ways.argmax(axis=0)
        best[turn] = gain[turn] + ways.max(axis=0)
    routes = np.zeros(turns, np.intp)
    for turn in range(turns - 1, -1, -1):
        is_last = turn == turns - 1 or scorer.first[turn + 1]
        routes[turn] = best[turn].argmax() if is_last else came_from[turn + 1, routes[turn + 1]]
    return routes


def _gains(scorer: Scorer, denied: Flags) -> tuple[Floats, Floats]:
    """Turns x engines: the worth of each answer, beyond reach where denied, and what switching to it adds."""
    return np.where(denied, -np.inf, scorer.worth), scorer.switch_worth[WARM]
