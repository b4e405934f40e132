"""The calls of the bench of faulty providers: lanes of calls, each on a lab of its own, so that faults can begin at
any moment of a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from compliance.events import Event, TurnAnswered
from engines.catalogue import Catalogue
from engines.plugins import Endpoint, Endpoints
from lab.bench.calls import FIXED
from lab.bench.fault_rows import SLOWER, SPARE_FIRST, Plan, Row, catalogue, plan, policy_text
from lab.bench.fault_takeovers import TimeOuts
from lab.bench.fault_verdicts import Case, Verdict, judged, not_made
from lab.caller import Caller, Manners, Understanding
from lab.faults import AT_CONNECT, IN_STREAM, Fault, Provider
from lab.journal import Entry
from lab.process import LabProcess
from lab.server import LabSettings
from lab.shop import ShopProcess
from router import Policy
from service.call import Call
from service.exchange import Exchange
from service.health import SharedCircuits
from service.line import Line
from service.patience import within
from service.ports import LinePort
from service.settings import Settings
from service.settled import settle

LONGEST_S = 240.0
"""Of a call: none takes so long."""
SOCKETS: dict[Provider, str] = {"openai.realtime": "/v1/realtime", "deepgram": "/deepgram/"}
"""What stays connected for a whole call, by where it is connected to."""


class _Journalled(Protocol):
    """A lab, as far as its journal goes."""

    async def journal(self, *, after: int = 0) -> list[Entry]: ...


class Notes:
    """What a lab has noted, read on from call to call: to read all of it each time would disturb the other calls.

    Args:
        lab: whose journal it is.
    """

    def __init__(self, lab: _Journalled) -> None:
        self._lab = lab
        self._read = 0

    async def struck(self) -> bool:
        """Whether a simulator has noted since it was last asked that its fault struck; not all of them do."""
        entries = await self._lab.journal(after=self._read)
        self._read += len(entries)
        return any(entry.name == "lab.fault" for entry in entries)


@dataclass(frozen=True, slots=True)
class Lane:
    """Where one call after another is made: a lab, and exchanges that use it."""

    lab: LabProcess
    notes: Notes
    shipped: Exchange
    spare_first: Exchange
    """With each engine's voices swapped."""


@asynccontextmanager
async def lanes(count: int, folder: Path) -> AsyncIterator[list[Lane]]:
    """So many lanes. They share a log, a shop, and the provider that never fails."""
    async with AsyncExitStack() as running:
        elsewhere = await running.enter_async_context(LabProcess(_settings()))
        shop = await running.enter_async_context(ShopProcess(folder / "shop.sqlite"))
        swapped = catalogue(folder / "engines-spare-first.yaml", elsewhere.openai_url, spare_first=True)
        settings = Settings().model_copy(
            update={
                "catalogue": catalogue(folder / "engines.yaml", elsewhere.openai_url),
                "stand_ins": elsewhere.stand_ins,
                "mcp": shop.url,
                "ledger": str(folder / "ledger.sqlite"),
                "consent_voice_ai": True,
                "consent_emotion": False,
            }
        )
        exchange = await asyncio.to_thread(Exchange.load, settings, lab_only=True)
        running.callback(exchange.close)
        settle()  # as a worker does
        labs = await asyncio.gather(
            *(running.enter_async_context(LabProcess(_settings())) for _ in range(count))
        )
        spare_first = replace(exchange, catalogue=Catalogue.load(swapped))
        yield [Lane(lab, Notes(lab), _on(lab, exchange), _on(lab, spare_first)) for lab in labs]


def _settings() -> LabSettings:
    return LabSettings(delays=FIXED, ears=1)


def _on(lab: LabProcess, exchange: Exchange) -> Exchange:
    stand_ins = {name: Endpoint("lab", url, simulated=True) for name, url in lab.stand_ins.items()}
    return replace(exchange, endpoints=Endpoints({}, stand_ins))


async def run(
    wanted: Sequence[tuple[Row, Sequence[int]]],
    folder: Path,
    *,
    at_once: int,
    commit: str,
    keep: Callable[[Verdict], None],
    turns: int = 2,
    manners: Manners | None = None,
) -> None:
    """Make the calls.

    Args:
        wanted: rows with the numbers of their calls.
        folder: of the log.
        at_once: calls at the same time.
        commit: goes into the verdicts.
        keep: told each verdict as it comes.
        turns: what a caller says, of two.
        manners: of the callers.
    """
    jobs = iter([(row, number) for row, numbers in wanted for number in numbers])

    async def work(lane: Lane) -> None:
        for row, number in jobs:
            keep(await _called(lane, row, number, commit=commit, turns=turns, manners=manners or Manners()))

    async with lanes(at_once, folder) as ready, asyncio.TaskGroup() as working:
        for lane in ready:
            working.create_task(work(lane), name="bench lane")


async def _called(lane: Lane, row: Row, number: int, *, commit: str, turns: int, manners: Manners) -> Verdict:
    """One call, and what is to be said of it, whatever becomes of it."""
    planned = plan(row, number, turns=turns)
    case = Case(commit, row.provider, row.fault or "", number, planned.in_mid_call)
    try:
        async with asyncio.timeout(LONGEST_S):
            return await _made(lane, row, planned, case, manners)
    except TimeoutError:
        return not_made(case, f"it was not over after {LONGEST_S:.0f} s.")
    except Exception as error:  # the other calls are made all the same
        return not_made(case, f"{type(error).__name__}.")
    finally:
        await lane.lab.clear_faults()


async def _made(lane: Lane, row: Row, planned: Plan, case: Case, manners: Manners) -> Verdict:
    on = lane.spare_first if row.provider in SPARE_FIRST else lane.shipped
    policy = Policy.parse(policy_text(planned.route), engines=on.catalogue.names)
    # Nobody has met the fault before: every call finds it out for itself.
    exchange = replace(on, policy=policy, circuits=SharedCircuits())
    line, understanding = Line(), Understanding()
    begun = asyncio.Event()

    def watch(event: Event) -> None:
        understanding.take(event)
        if isinstance(event, TurnAnswered):
            begun.set()

    call = Call(
        exchange,
        port=LinePort(line),
        clock=line.clock,
        source=f"bench:{row.name}",
        watch=watch,
    )
    if not planned.in_mid_call:
        await _fail(lane.lab, row, planned.after)
    fault = _fail_after(begun, lane.lab, row, planned.after) if planned.in_mid_call else asyncio.sleep(0)
    failing = asyncio.create_task(fault, name="bench fault")
    try:
        async with call:
            caller = Caller(planned.caller, line, manners=manners, understanding=understanding)
            report = await caller.run()
    finally:
        failing.cancel()
        await asyncio.gather(failing, return_exceptions=True)
    kept_to = within(exchange.catalogue, policy.answer_within_ms)
    return judged(
        case,
        events=exchange.ledger.events(call.call_id),
        agent=line.recording()[1],
        report=report,
        time_outs=TimeOuts.of(kept_to, begun=row.fault in IN_STREAM and planned.after > 0),
        noted=await lane.notes.struck(),
    )


async def _fail_after(begun: asyncio.Event, lab: LabProcess, row: Row, after: int) -> None:
    """The fault is there once the first answer has begun. A provider that takes no connection has none left, either."""
    await begun.wait()
    await _fail(lab, row, after)
    if row.fault in AT_CONNECT:
        for path in (SOCKETS[endpoint] for endpoint in row.endpoints if endpoint in SOCKETS):
            await lab.cut(path)


async def _fail(lab: LabProcess, row: Row, after: int) -> None:
    if row.fault is not None:
        for endpoint in row.endpoints:
            await lab.set_fault(endpoint, Fault(row.fault, factor=SLOWER, after=after))
