"""Simulation on all cores: policies over made-up calls, block by block. Imports little: each process does it anew."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import ModuleType

from router import Policy
from router.whatif.assumptions import Assumptions
from router.whatif.drawing import BLOCK, blocks
from router.whatif.mix import Mix
from router.whatif.simulate import Simulated, simulate_block

Lots = tuple[Simulated, ...]
"""What each policy did with the same calls."""

_WORTH_A_POOL = 16 * BLOCK
"""Calls from which starting processes takes less time than it saves."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be simulated."""

    policies: Sequence[Policy]
    mix: Mix
    assumptions: Assumptions
    calls: int
    seed: int = 0
    tenant: str = ""


def simulated(
    wanted: Wanted,
    *,
    watch: Callable[[Sequence[Callable[[], Lots]]], Iterable[Callable[[], Lots]]] = iter,
    processes: int | None = None,
) -> Lots:
    """What each policy did. The number of processes changes nothing but the time it takes.

    Args:
        wanted: what is to be simulated.
        watch: gives back what it is given, one by one: for a bar.
        processes: by default as many as there are cores, and none for few calls.

    Raises:
        policies.DocumentError: a policy may choose an engine of which nothing is assumed.
    """
    for policy in wanted.policies:
        wanted.assumptions.require(policy.engines)
    sizes = blocks(wanted.calls)
    if processes is None:
        processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        processes = 1 if wanted.calls < _WORTH_A_POOL else processes
    if processes == 1:
        here = [partial(_block, wanted, number, size) for number, size in enumerate(sizes)]
        return _joined([job() for job in watch(here)])
    documents = (
        [(policy.content.source, policy.content.file) for policy in wanted.policies],
        (wanted.mix.source, wanted.mix.file),
        (wanted.assumptions.source, wanted.assumptions.file),
    )
    # Spawned, not forked: a bar is drawn by a thread, and a process with threads must not be forked.
    with ProcessPoolExecutor(
        min(processes, len(sizes)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_prepare,
        initargs=(*documents, wanted.calls, wanted.seed, wanted.tenant),
    ) as pool:
        with _no_main_module():
            there = [pool.submit(_work, number, size).result for number, size in enumerate(sizes)]
        try:
            return _joined([result() for result in watch(there)])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Hides the main module from processes that are spawned meanwhile.

    They would import it anew: the whole command line, which takes each of them seconds, and of which they need
    nothing (``multiprocessing.spawn.get_preparation_data``).
    """
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _joined(lots: Sequence[Lots]) -> Lots:
    return tuple(Simulated.joined(parts) for parts in zip(*lots, strict=True))


def _block(wanted: Wanted, number: int, size: int) -> Lots:
    return simulate_block(
        wanted.policies,
        wanted.mix,
        wanted.assumptions,
        number,
        size=size,
        seed=wanted.seed,
        tenant=wanted.tenant,
    )


_wanted: Wanted | None = None
"""Of this process, where it is one of the pool."""


def _prepare(
    policies: Sequence[tuple[str, str]],
    mix: tuple[str, str],
    assumptions: tuple[str, str],
    calls: int,
    seed: int,
    tenant: str,
) -> None:
    global _wanted
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    _wanted = Wanted(
        [Policy.parse(text, file=file) for text, file in policies],
        Mix.parse(mix[0], file=mix[1]),
        Assumptions.parse(assumptions[0], file=assumptions[1]),
        calls,
        seed,
        tenant,
    )


def _work(number: int, size: int) -> Lots:
    assert _wanted is not None  # noqa: S101 — the pool's initialiser ran
    return _block(_wanted, number, size)
