"""Whole calls with a faulty provider: ``python -m lab.bench faults [--calls 200] [--at-once 2] [--json]``.

One provider at a time refuses, hangs, cuts its answers, stalls in them, sends malformed frames or answers ten times
slower, for as long as the calls of its row last; a recorded caller says three short things in each, to engines by a
plan. A row begins with circuits that know nothing. Every call is judged by :mod:`lab.bench.fault_verdicts`, and the log
of a row is verified.
*Failure → sound* is the time to whatever is heard first, mostly the word about the delay; *failure → answer* that to
the answer itself, of the engine that took over.

Verdicts are kept in ``--out`` as they come: run again, only what is missing is called. Everything is *simulated*: the
language model is scripted, and delays are fixed at the published medians. Waits are real time on this machine: run it
on one that is idle.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lab.bench.calls import FIXED
from lab.bench.fault_verdicts import Verdict, judged
from lab.caller import Caller
from lab.callers import RecordedCall, recorded_call
from lab.faults import Fault, Kind, Provider
from lab.process import LabProcess
from lab.rehearsal import planned_policy
from lab.server import LabSettings
from router import Policy
from service.call import Call
from service.exchange import Exchange
from service.health import SharedCircuits
from service.line import Line
from service.patience import within
from service.ports import LinePort
from service.settings import Settings

PROVIDERS: tuple[Provider, ...] = (
    "openai.chat",
    "openai.realtime",
    "elevenlabs",
    "openai.speech",
    "deepgram",
)
"""Those of the catalogue that ships."""
KINDS: tuple[Kind, ...] = ("refuse", "hang", "drop", "stall", "malformed", "slow")
SLOWER = 10.0
ANSWER_WITHIN_MS = 4000
ROUTES = (
    ("fast", "realtime", "standard"),
    ("realtime", "tool", "fast"),
    ("standard", "fast", "realtime"),
    ("tool", "realtime", "realtime"),
)
CALLER = "01"


@dataclass(frozen=True, slots=True)
class Row:
    """A provider and its fault; both empty for a row without any."""

    provider: Provider | None
    fault: Kind | None

    @property
    def name(self) -> str:
        return f"{self.provider} {self.fault}" if self.provider else "no fault"


ROWS = (Row(None, None), *(Row(provider, kind) for provider, kind in product(PROVIDERS, KINDS)))


def policy_text(route: Sequence[str]) -> str:
    """A planned policy with a latency budget, under which any engine may take over at the next turn."""
    text = planned_policy(route).replace("fallback: [fast]", "fallback: [fast, tool, realtime]")
    return f"answer_within_ms: {ANSWER_WITHIN_MS}\n{text}"


@asynccontextmanager
async def exchange_on(lab: LabProcess, folder: Path) -> AsyncIterator[Exchange]:
    """An exchange whose providers are the lab's; callers' voices are not judged, which is work of its own."""
    settings = Settings().model_copy(
        update={
            "stand_ins": lab.stand_ins,
            "ledger": str(folder / "ledger.sqlite"),
            "consent_voice_ai": True,
            "consent_emotion": False,
        }
    )
    exchange = await asyncio.to_thread(Exchange.load, settings, lab_only=True)
    try:
        yield exchange
    finally:
        exchange.close()


def brief(turns: int) -> RecordedCall:
    """The caller, who says no more than that."""
    caller = recorded_call(CALLER)
    return replace(caller, turns=caller.turns[:turns])


async def called(exchange: Exchange, row: Row, number: int, caller: RecordedCall) -> Verdict:
    """One call, and what is to be said of it."""
    policy = Policy.parse(policy_text(ROUTES[number % len(ROUTES)]), engines=exchange.catalogue.names)
    line = Line()
    call = Call(
        replace(exchange, policy=policy),
        port=LinePort(line),
        clock=line.clock,
        source=f"bench:{row.name}",
    )
    async with call:
        report = await Caller(caller, line).run()
    engines = within(exchange.catalogue, policy.answer_within_ms).engines
    return judged(
        row.provider or "",
        row.fault or "",
        number,
        events=exchange.ledger.events(call.call_id),
        agent=line.recording()[1],
        report=report,
        time_outs_ms={name: 1000 * engine.first_reply_s for name, engine in engines.items()},
    )


async def run(
    wanted: Sequence[tuple[Row, Sequence[int]]],
    folder: Path,
    *,
    at_once: int,
    keep: Callable[[Verdict], None],
    caller: RecordedCall,
) -> bool:
    """Make the calls, row by row; returns whether the log verifies.

    Args:
        wanted: rows with the numbers of their calls.
        folder: of the log.
        at_once: calls at the same time.
        keep: told each verdict as it comes.
        caller: who calls.
    """
    async with LabProcess(LabSettings(delays=FIXED)) as lab, exchange_on(lab, folder) as exchange:
        for row, numbers in wanted:
            fresh = replace(exchange, circuits=SharedCircuits())
            if row.provider is not None and row.fault is not None:
                await lab.set_fault(row.provider, Fault(row.fault, factor=SLOWER))
            room = asyncio.Semaphore(at_once)

            async def one(number: int, row: Row = row, fresh: Exchange = fresh) -> None:
                async with room:  # noqa: B023 -- all of a row's calls end before the next row
                    keep(await called(fresh, row, number, caller))

            await asyncio.gather(*(one(number) for number in numbers))
            await lab.clear_faults()
        return exchange.ledger.verify().ok


def kept_in(file: Path) -> list[Verdict]:
    """The verdicts of earlier runs."""
    if not file.exists():
        return []
    return [Verdict.of_json(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def missing(calls: int, kept: Sequence[Verdict]) -> list[tuple[Row, list[int]]]:
    """What is still to be called for so many calls with faults, the rows alike; the row without one has as many."""
    done = {(one.provider, one.fault, one.number) for one in kept}
    faulty, found = len(ROWS) - 1, []
    for place, row in enumerate(ROWS):
        share = calls // faulty + (place <= calls % faulty and place > 0)
        numbers = [one for one in range(share) if (row.provider or "", row.fault or "", one) not in done]
        if numbers:
            found.append((row, numbers))
    return found


def table(verdicts: Sequence[Verdict]) -> Table:
    """One line per provider and fault."""
    shown = Table(
        box=box.SIMPLE_HEAD,
        title="calls with a faulty provider (simulated)",
        title_justify="left",
        caption="sound: the word about the delay, or the answer; late is judged on it. answer: its own first sound",
        caption_justify="left",
    )
    for name in ("provider", "fault"):
        shown.add_column(name)
    for name in (
        "calls",
        "broken",
        "unanswered",
        "heard P50 / max ms",
        "failures",
        "taken over",
        "failure → sound P50 / max ms",
        "failure → answer P50 / max ms",
        "late",
        "cut, USD",
    ):
        shown.add_column(name, justify="right")
    for row in ROWS:
        mine = [one for one in verdicts if (one.provider, one.fault) == (row.provider or "", row.fault or "")]
        if not mine:
            continue
        overs = [over for one in mine for over in one.take_overs]
        gaps = [over.after_failure_ms for over in overs if over.after_failure_ms is not None]
        answers = [over.answer_after_ms for over in overs if over.answer_after_ms is not None]
        shown.add_row(
            row.provider or "none",
            row.fault or "",
            str(len(mine)),
            str(sum(bool(one.broken) for one in mine)),
            str(sum(one.unanswered for one in mine)),
            _spread([ms for one in mine for ms in one.heard_ms]),
            str(sum(one.failures for one in mine)),
            str(len(overs)),
            _spread(gaps),
            _spread(answers),
            str(sum(one.late for one in mine)),
            f"{sum(one.estimated_usd for one in mine):.4f}",
        )
    return shown


def _spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.0f} / {max(values):.0f}" if values else "–"


def main(arguments: Sequence[str] = ()) -> int:
    """Make the calls and print what became of them; returns 1 when a promise was broken or a log does not verify."""
    parser = argparse.ArgumentParser(prog="python -m lab.bench faults", description=__doc__)
    parser.add_argument("--calls", type=int, default=25, help="calls with a fault, in all")
    parser.add_argument("--at-once", type=int, default=2, help="calls at the same time")
    parser.add_argument("--turns", type=int, default=3, help="what a caller says, of three short turns")
    parser.add_argument("--only", default="", help="rows whose name holds this, such as 'openai.chat hang'")
    parser.add_argument("--out", type=Path, default=Path(".patchbay/faults"), help="where verdicts are kept")
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "verdicts.jsonl"
    kept = kept_in(file)
    wanted = [each for each in missing(options.calls, kept) if options.only in each[0].name]
    verified = True
    with Progress(console=Console(stderr=True)) as progress, file.open("a", encoding="utf-8") as written:
        task = progress.add_task("calls", total=sum(len(numbers) for _, numbers in wanted))

        def keep(verdict: Verdict) -> None:
            kept.append(verdict)
            written.write(json.dumps(verdict.as_json()) + "\n")
            written.flush()
            progress.update(task, advance=1, description=f"{verdict.provider} {verdict.fault}")

        if wanted:
            verified = asyncio.run(
                run(wanted, options.out, at_once=options.at_once, keep=keep, caller=brief(options.turns))
            )
    shown = [one for one in kept if options.only in f"{one.provider} {one.fault}"]
    if options.json:
        json.dump({"verified": verified, "calls": [one.as_json() for one in shown]}, sys.stdout, indent=2)
        print()
    else:
        console = Console(width=170)
        console.print(table(shown))
        for one in shown:
            for sentence in one.broken:
                console.print(f"{one.provider} {one.fault} #{one.number}: {sentence}", style="red")
        console.print("the log verifies" if verified else "THE LOG DOES NOT VERIFY")
    return 0 if verified and not any(one.broken or one.late for one in shown) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
