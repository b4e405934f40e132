"""``python -m lab.bench [BENCH] [ARGUMENTS]``: all of the benches named below, or one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from lab.bench import calls, decide, emotion, faults, handoff, ledger, redaction, simulate, tap, verify

BENCHES: Mapping[str, Callable[[Sequence[str]], int]] = {
    "calls": calls.main,
    "decide": decide.main,
    "emotion": emotion.main,
    "faults": faults.main,
    "handoff": handoff.main,
    "ledger": ledger.main,
    "redaction": redaction.main,
    "simulate": simulate.main,
    "tap": tap.main,
    "verify": verify.main,
}


def main(arguments: list[str]) -> int:
    """Run the benches named, or all; returns the worst exit status."""
    if arguments and arguments[0] not in BENCHES:
        print(f"there is no bench '{arguments[0]}'; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    if arguments:
        return BENCHES[arguments[0]](arguments[1:])
    return max(run([]) for run in BENCHES.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
