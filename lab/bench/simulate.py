"""How many turns a second `patchbay policy simulate` draws, decides, checks and scores.

``python -m lab.bench.simulate [CALLS]`` simulates the default policy on that many made-up calls (20,000) in one
process and in as many as there are cores, the time it takes to start them included. What one turn costs is given in
processor time too, which says more than the clock on a machine that has other things to do.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from policies import shipped
from router import Policy
from router.whatif.assumptions import Assumptions
from router.whatif.mix import Mix
from service.simulating import Wanted, simulated

LIMIT_TURNS_S = 20_000.0


def main(arguments: Sequence[str] = ()) -> int:
    """Print turns a second, and their ratio to the limit; returns 1 when all cores together stay below it.

    Args:
        arguments: how many calls (20,000).
    """
    calls = int(arguments[0]) if arguments else 20_000
    wanted = Wanted(
        [Policy.load(shipped("default.yaml"))],
        Mix.load(shipped("mix.yaml")),
        Assumptions.load(shipped("assumptions.yaml")),
        calls,
    )
    simulated(Wanted(wanted.policies, wanted.mix, wanted.assumptions, 250), processes=1)  # warm
    busy, begun = time.process_time(), time.perf_counter()
    (alone,) = simulated(wanted, processes=1)
    alone_s, busy_s = time.perf_counter() - begun, time.process_time() - busy
    begun = time.perf_counter()
    simulated(wanted)
    together_s = time.perf_counter() - begun
    turns = int(alone.outcomes.turns.sum())
    best = turns / min(alone_s, together_s)
    print(f"{calls:,} calls, {turns:,} turns; {1e6 * busy_s / turns:.1f} µs of processor time a turn")
    print(
        f"one process   {turns / alone_s:10,.0f} turns/s   {turns / alone_s / LIMIT_TURNS_S:5.2f} of the limit"
    )
    print(
        f"all cores     {turns / together_s:10,.0f} turns/s   {turns / together_s / LIMIT_TURNS_S:5.2f} of the limit"
    )
    print(f"{'within' if best >= LIMIT_TURNS_S else 'BELOW'} the limit of {LIMIT_TURNS_S:,.0f} turns/s")
    return 0 if best >= LIMIT_TURNS_S else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
