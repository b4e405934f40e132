"""Parts of the service that fail in the middle of a call, and callers who are gone: the call and its record survive.

One short call per failure, each with a ledger of its own.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from compliance.errors import LedgerError
from compliance.events import (
    AgentSaid,
    CallEnded,
    CallerSaid,
    CallStarted,
    Decided,
    Event,
    PartFailed,
    ToolCalled,
    TurnAnswered,
    TurnEnded,
)
from compliance.ledger import Ledger, Receipt
from compliance.redaction import REDACTION_FAILED
from compliance.spool import Spool
from lab.rehearsal import planned_policy
from router import Policy
from service.aside import Aside
from service.call import Call
from service.exchange import Exchange
from service.line import Line, LineClosedError
from service.promises import promises
from tests.patience import without_limits
from tests.together import make_all
from tests.whole_call import WholeCall, answered, asks, exchange, greeted, hears, recording, without_settings

pytestmark = [pytest.mark.adversarial, pytest.mark.alone]

HOURS, ORDER, BYE = "01_quick_question_t01", "02_order_status_t01", "01_quick_question_t03"
SECRET = "what the caller said"
GOODBYE = "Thank you for calling. Goodbye."
OPEN = "On saturday we are open from nine in the morning until five in the afternoon."
"""The reply to :data:`HOURS`."""
HEARD_MS = 1000.0
"""Of that reply, before the caller is gone: some words."""
NO_ANSWER = {"AsideUnreachableError", "AsideHungError"}
"""What is found out of a process that does not listen: that, or that the time to answer is over before it was asked."""


class PartBrokenError(Exception):
    """What broken parts raise; its text quotes the caller, as an error of a library may."""

    def __init__(self) -> None:
        super().__init__(SECRET)


class Wrapped:
    """A part that is as it was, but for what a subclass changes."""

    def __init__(self, part: Any) -> None:
        self.part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self.part, name)


class BrokenPolicy(Wrapped):
    def for_tenant(self, tenant: str) -> Any:
        return self

    def decide(self, *_: object) -> Any:
        raise PartBrokenError


class BrokenToolNeed(Wrapped):
    def judge(self, *_: object) -> Any:
        raise PartBrokenError


class BrokenLedger(Wrapped):
    """Refuses the first ``times`` appends, or all of them."""

    def __init__(self, part: Any, *, times: float = float("inf")) -> None:
        super().__init__(part)
        self.left = times

    def append_many(self, events: Sequence[Event]) -> tuple[Receipt, ...]:
        if self.left > 0:
            self.left -= 1
            raise LedgerError("the disk is full. Make room.")
        kept: tuple[Receipt, ...] = self.part.append_many(events)
        return kept


def broken(ready: Exchange, **parts: Any) -> Exchange:
    return replace(ready, **parts)


def with_broken_tool_need(ready: Exchange) -> Exchange:
    judges = ready.classifiers
    need: Any = BrokenToolNeed(judges.tool_need)
    return replace(ready, classifiers=replace(judges, tool_need=need))


def without_a_tool_server(ready: Exchange) -> Exchange:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/mcp"
    return replace(ready, settings=ready.settings.model_copy(update={"mcp": url}))


def to_realtime_in_the_second_turn(ready: Exchange) -> Exchange:
    return replace(ready, policy=Policy.parse(planned_policy(["fast", "realtime"], warm=False)))


def without_a_redactor(ready: Exchange) -> Exchange:
    settings = ready.settings.model_copy(update={"redaction_closing_s": 1.0})
    return replace(ready, settings=settings, redaction=Aside(Path("nowhere")))


def demanding_a_record(ready: Exchange) -> Exchange:
    settings = ready.settings.model_copy(update={"fail_open_audio": False, "record_grace_s": 3.0})
    return replace(ready, settings=settings, ledger=BrokenLedger(ready.ledger))


async def says_goodbye(line: Line) -> None:
    await greeted(line)
    await asks(line, BYE)


async def asks_for_hours(line: Line) -> None:
    await greeted(line)
    await asks(line, HOURS)


async def asks_for_an_order(line: Line) -> None:
    await greeted(line)
    await asks(line, ORDER)


async def is_gone(line: Line) -> None:
    line.hang_up()


async def is_gone_in_the_reply(line: Line) -> None:
    await greeted(line)
    said = await line.say(recording(HOURS))
    await hears(line, HEARD_MS, since_ms=said.end_ms)
    line.hang_up()


async def is_gone_in_mid_sentence(line: Line) -> None:
    await greeted(line)
    samples = recording(HOURS)
    await line.say(samples[: len(samples) * 3 // 5])
    line.hang_up()


async def says_goodbye_twice(line: Line) -> None:
    await says_goodbye(line)
    try:
        await line.say(recording(BYE))
        await line.hung_up()
    except LineClosedError:
        pass


def hang_up_when_called(line: Line, event: Event) -> None:
    if isinstance(event, CallStarted):
        line.hang_up()


def hang_up_when_realtime_is_decided(line: Line, event: Event) -> None:
    if isinstance(event, Decided) and event.engine == "realtime":
        line.hang_up()


@dataclass(frozen=True)
class Case:
    """What is broken, and what the caller does."""

    breaks: Callable[[Exchange], Exchange] = lambda ready: ready
    speak: Callable[[Line], Awaitable[None]] = says_goodbye
    watch: Callable[[Line, Event], None] = lambda line, event: None
    until_ended: bool = False


CASES = {
    "router": Case(lambda ready: broken(ready, policy=BrokenPolicy(ready.policy))),
    "emotion": Case(lambda ready: broken(ready, aside=Aside(Path("nowhere"))), asks_for_hours),
    "tool need": Case(with_broken_tool_need),
    "redactor": Case(without_a_redactor),
    "ledger for a while": Case(lambda ready: broken(ready, ledger=BrokenLedger(ready.ledger, times=6))),
    "ledger for good": Case(lambda ready: broken(ready, ledger=BrokenLedger(ready.ledger))),
    "ledger for good where a record is demanded": Case(demanding_a_record, greeted, until_ended=True),
    "tools": Case(without_a_tool_server, asks_for_an_order),
    "gone at once": Case(speak=is_gone),
    "gone before the greeting": Case(speak=is_gone, watch=hang_up_when_called),
    "gone in the reply": Case(speak=is_gone_in_the_reply),
    "gone in mid-sentence": Case(speak=is_gone_in_mid_sentence),
    "gone in the hand-off": Case(
        to_realtime_in_the_second_turn, says_goodbye_twice, watch=hang_up_when_realtime_is_decided
    ),
}


@dataclass(frozen=True)
class Survived:
    """A call that is over: its record, what was shown of it live, and what is on disk."""

    call: WholeCall
    live: list[Event]
    verified: bool
    spooled: tuple[Event, ...]
    bytes_on_disk: bytes

    @property
    def failures(self) -> list[tuple[str, str]]:
        return [(event.part, event.error) for event in self.call.of(PartFailed)]

    @property
    def spoken(self) -> list[tuple[str, str]]:
        return [(reply.engine, reply.text) for reply in self.call.of(AgentSaid) if reply.turn > 0]


async def survive(name: str, ready: Exchange, folder: Path) -> Survived:
    case, live = CASES[name], list[Event]()
    folder /= name.replace(" ", "_")
    ledger = Ledger.open(folder / "ledger.sqlite")
    try:
        parts = case.breaks(replace(ready, ledger=ledger))

        def watch(line: Line, event: Event) -> None:
            live.append(event)
            case.watch(line, event)

        async def speak(line: Line, call: Call) -> None:
            if not case.until_ended:
                await case.speak(line)
                return
            with suppress(LineClosedError):  # where a record is demanded, the service hangs up
                await case.speak(line)
            await call.ended()

        call = await answered(parts, speak, watch=watch)
        verified = ledger.verify().ok
        spooled = Spool.beside(ledger.path, call.call_id, ledger.spool_keys).read()
    finally:
        ledger.close()
    kept = b"".join(file.read_bytes() for file in sorted(folder.iterdir()))
    return Survived(call, live, verified, spooled, kept)


@pytest.fixture(scope="module")
def survived(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Survived]:
    async def all_of_them(folder: Path) -> dict[str, Survived]:
        async with exchange(folder) as ready:
            return await make_all(CASES, lambda name: survive(name, ready, folder))

    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch)
        without_limits(patch)
        return asyncio.run(all_of_them(tmp_path_factory.mktemp("survived")))


# -- every call ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_the_record_has_a_beginning_and_an_end(survived: dict[str, Survived], name: str) -> None:
    events = survived[name].call.events or survived[name].spooled
    assert isinstance(events[0], CallStarted)
    assert sum(isinstance(event, CallEnded) for event in events) == 1


@pytest.mark.parametrize("name", CASES)
def test_every_promise_is_kept_all_the_same(survived: dict[str, Survived], name: str) -> None:
    assert promises(survived[name].call.events or survived[name].spooled) == ()


@pytest.mark.parametrize("name", CASES)
def test_the_ledger_verifies(survived: dict[str, Survived], name: str) -> None:
    assert survived[name].verified


@pytest.mark.parametrize("name", CASES)
def test_no_text_of_an_error_is_stored(survived: dict[str, Survived], name: str) -> None:
    assert SECRET.encode() not in survived[name].bytes_on_disk


# -- routing and classifying -----------------------------------------------------------------------------------


def test_the_default_engine_answers_when_routing_fails(survived: dict[str, Survived]) -> None:
    assert survived["router"].spoken == [("standard", GOODBYE)]
    [decided] = survived["router"].call.of(Decided)
    assert (decided.engine, decided.rule) == ("standard", "default-engine")


def test_the_record_says_that_routing_failed(survived: dict[str, Survived]) -> None:
    assert survived["router"].failures == [("router", "PartBrokenError")]
    [failure] = survived["router"].call.of(PartFailed)
    assert failure.action == "turn 1 goes to the default engine, standard"


def test_a_turn_is_routed_without_tool_need_when_that_fails(survived: dict[str, Survived]) -> None:
    done = survived["tool need"]
    assert done.failures == [("tool_need", "PartBrokenError")]
    [decided] = done.call.of(Decided)
    assert (decided.engine, decided.rule) == ("fast", "opening")


def test_a_turn_is_routed_without_emotion_when_that_fails(survived: dict[str, Survived]) -> None:
    done = survived["emotion"]
    assert done.failures == [("emotion", "AsideGoneError")]
    decided = done.call.of(Decided)[0]
    assert decided.signals["emotion.voice"] == 0.0
    assert not any("voice" in each for each in decided.evidence)
    assert (decided.engine, decided.rule) == ("fast", "opening")


# -- redacting and recording -----------------------------------------------------------------------------------


def test_what_cannot_be_redacted_is_not_stored(survived: dict[str, Survived]) -> None:
    done = survived["redactor"]
    texts = [event.text for event in done.call.events if isinstance(event, CallerSaid | AgentSaid)]
    assert len(texts) >= 3  # the greeting, the caller, the reply
    assert set(texts) == {REDACTION_FAILED}
    assert b"goodbye" not in done.bytes_on_disk.lower()


def test_nobody_is_shown_what_cannot_be_redacted(survived: dict[str, Survived]) -> None:
    for event in survived["redactor"].live:
        assert "goodbye" not in event.model_dump_json().lower()


def test_the_record_says_that_redacting_failed_and_the_call_is_answered(
    survived: dict[str, Survived],
) -> None:
    done = survived["redactor"]
    assert {part for part, _ in done.failures} == {"redactor"}
    assert {error for _, error in done.failures} <= NO_ANSWER
    assert [answer.engine for answer in done.call.of(TurnAnswered)] == ["fast"]


def test_a_ledger_that_recovers_has_every_event_in_order(survived: dict[str, Survived]) -> None:
    done = survived["ledger for a while"]
    assert done.call.events == tuple(done.live)
    assert done.spooled == ()
    assert done.spoken == [("fast", GOODBYE)]


def test_the_ledger_tells_that_it_was_away(survived: dict[str, Survived]) -> None:
    [failure] = survived["ledger for a while"].call.of(PartFailed)
    assert (failure.part, failure.error) == ("ledger", "LedgerError")
    assert failure.action.endswith(".spool until the ledger takes them")


def test_a_call_without_a_ledger_is_answered_and_kept_in_a_file(survived: dict[str, Survived]) -> None:
    done = survived["ledger for good"]
    assert done.call.events == ()
    assert done.spooled == tuple(done.live)
    kept = [event.text for event in done.spooled if isinstance(event, AgentSaid)]
    assert GOODBYE in kept


def test_where_a_record_is_demanded_a_call_without_a_ledger_is_told_so_and_ended(
    survived: dict[str, Survived],
) -> None:
    done = survived["ledger for good where a record is demanded"]
    said = [event.text for event in done.spooled if isinstance(event, AgentSaid)]
    assert "this call has to be recorded" in said[-1]
    [ended] = [event for event in done.spooled if isinstance(event, CallEnded)]
    assert ended.reason == "the record could not be kept"


# -- tools -----------------------------------------------------------------------------------------------------


def test_a_call_goes_on_without_tools_when_their_server_is_dead(survived: dict[str, Survived]) -> None:
    done = survived["tools"]
    assert done.failures == [("tools", "ToolsUnavailableError")]
    engine, text = done.spoken[-1]
    assert engine == "tool"
    assert "order number" in text
    assert done.call.of(ToolCalled) == []


# -- callers who are gone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gone at once", "gone before the greeting"])
def test_a_caller_who_hangs_up_at_once_leaves_a_short_record(
    survived: dict[str, Survived], name: str
) -> None:
    call = survived[name].call
    assert call.of(TurnEnded) == []
    [ended] = call.of(CallEnded)
    assert (ended.reason, ended.turns) == ("the caller hung up", 0)


def test_of_a_reply_that_was_hung_up_on_the_record_has_what_was_heard(survived: dict[str, Survived]) -> None:
    call = survived["gone in the reply"].call
    assert call.of(TurnAnswered)
    reply = call.of(AgentSaid)[-1]
    assert reply.interrupted
    assert 0 < len(reply.text) < len(OPEN)


def test_what_was_said_before_the_hang_up_is_on_record(survived: dict[str, Survived]) -> None:
    assert survived["gone in mid-sentence"].call.words[:3] == ["hi", "what", "are"]


def test_hanging_up_in_a_hand_off_loses_no_turn(survived: dict[str, Survived]) -> None:
    call = survived["gone in the hand-off"].call
    assert [event.engine for event in call.of(Decided)] == ["fast", "realtime"]
    assert call.of(CallEnded)[0].turns == 2
    assert call.words == ["goodbye", "goodbye"]
    assert call.of(PartFailed) == []
