"""The process that redacts is killed, hangs or never comes back while calls go on: nothing raw is kept or shown."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from compliance.events import AgentSaid, CallerSaid, Event, PartFailed
from compliance.intake import WITHHELD, Intake
from compliance.ledger import Ledger
from compliance.ledger.keys import KEYS_VARIABLE, Keyring
from compliance.recorder import Recorder
from compliance.redaction import REDACTION_FAILED
from policies import shipped
from service import redaction_line
from service.aside import AsideProcess, Redaction, process
from service.aside.serve import BEAT_S
from service.redaction_line import RedactionLine
from tests.patience import HANGS_S

pytestmark = pytest.mark.adversarial

LIMIT_S = HANGS_S
CALLS = 4
PHONE = "five five five zero one four two seven seven eight"
QUESTION = "what is the number of your card please"
FIRST, SECOND = "four one one one one one one one", "one one one one one one one one"
RAW = ("five five five", "one one one")


def caller(call_id: str, text: str) -> CallerSaid:
    return CallerSaid(call_id=call_id, at_ms=1, start_ms=0, end_ms=1, text=text, confidence=0.9)


def agent(call_id: str, text: str) -> AgentSaid:
    return AgentSaid(
        call_id=call_id, at_ms=1, turn=1, engine="fast", generation=1, start_ms=0, end_ms=1, text=text,
        interrupted=False,
    )  # fmt: skip


def texts(events: list[Event] | tuple[Event, ...]) -> list[str]:
    return [event.text for event in events if isinstance(event, CallerSaid | AgentSaid)]


def said_raw(words: str) -> bool:
    return any(raw in words for raw in RAW)


def stored_in(folder: Path) -> str:
    return "".join(f.read_bytes().decode("utf-8", "replace") for f in folder.iterdir() if f.is_file())


@pytest.fixture(scope="module")
def redacting() -> Iterator[AsideProcess]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEYS_VARIABLE, Keyring.new().text)
        patch.setattr(process, "HUNG_S", 6 * BEAT_S)  # one test has it hang
        patch.setattr(process, "READY_S", HANGS_S)
        patch.setattr(redaction_line, "PATIENCE_S", HANGS_S)
        patch.setattr(process, "LONGEST_DELAY_S", process.FIRST_DELAY_S)
        with closing(AsideProcess.start(Redaction(shipped("redaction.yaml")))) as started:
            started.wait_until_ready()
            yield started


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "ledger.sqlite")) as opened:
        yield opened


class Talk:
    """A call that is recorded; ``shown`` is what a live view saw of it."""

    def __init__(self, ledger: Ledger, address: Path, call_id: str = "c", *, late_s: float = LIMIT_S) -> None:
        self.call_id = call_id
        self.shown: list[Event] = []
        self._news = asyncio.Event()
        line = RedactionLine(address, came_back=lambda *what: self.recorder.remark(*what))
        self.recorder = Recorder(ledger, line, call_id, late_s=late_s)
        self.recorder.subscribe(self._show)

    def caller(self, text: str) -> None:
        self.recorder.record(caller(self.call_id, text))

    def agent(self, text: str) -> None:
        self.recorder.record(agent(self.call_id, text))

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not what():
                self._news.clear()
                await self._news.wait()

    def _show(self, event: Event) -> None:
        self.shown.append(event)
        self._news.set()


async def kill(redacting: AsideProcess, how: signal.Signals = signal.SIGKILL) -> None:
    """Signal the process that runs, when one does: a signal to nobody would be one for the whole run of the suite."""
    async with asyncio.timeout(LIMIT_S):
        while not (pid := redacting.pid):  # noqa: ASYNC110 -- nobody is told of what becomes of another process
            await asyncio.sleep(0.01)
    os.kill(pid, how)


def test_it_is_given_no_key_and_leaves_no_core_file(redacting: AsideProcess) -> None:
    there = psutil.Process(redacting.pid)
    assert not [name for name in there.environ() if name.startswith("PATCHBAY_")]
    assert there.rlimit(psutil.RLIMIT_CORE) == (0, 0)


async def test_a_card_said_in_two_breaths_is_masked_when_the_process_is_killed_between_them(
    redacting: AsideProcess, ledger: Ledger
) -> None:
    talk = Talk(ledger, redacting.address)
    talk.agent(QUESTION)
    talk.caller(FIRST)
    await talk.recorder.flush()
    await kill(redacting)
    talk.caller(SECOND)
    talk.caller("thank you")
    await talk.recorder.aclose()

    kept = ledger.events("c")
    assert [(e.part, e.error) for e in kept if isinstance(e, PartFailed)] == [("redactor", "AsideGoneError")]
    assert texts(kept) == [QUESTION, "<CREDIT_CARD>", "<CREDIT_CARD>", "thank you"]
    assert not said_raw(str(talk.shown))


async def test_calls_that_go_on_while_it_is_killed_again_and_again_keep_nothing_raw(
    redacting: AsideProcess, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    talks = [Talk(ledger, redacting.address, f"call {number}") for number in range(CALLS)]
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            for talk in talks:
                for _ in range(5):
                    talk.caller(f"my number is {PHONE}")
            first = talks[0]
            before = len(first.shown)
            await first.until(lambda before=before, first=first: len(first.shown) > before)  # type: ignore[misc]
            await kill(redacting)
        for talk in talks:
            await talk.recorder.aclose()
    for talk in talks:
        kept = texts(ledger.events(talk.call_id))
        assert len(kept) == 15
        assert set(kept) <= {"my number is <PHONE_NUMBER>", REDACTION_FAILED}
        assert kept.count(REDACTION_FAILED) == sum(
            isinstance(event, PartFailed) and "withheld" in event.action
            for event in ledger.events(talk.call_id)
        )
        assert not said_raw(str(talk.shown))
    assert not said_raw(caplog.text)


async def test_while_it_hangs_the_live_view_says_withheld_and_the_record_has_the_text_when_it_is_back(
    redacting: AsideProcess, ledger: Ledger
) -> None:
    talk = Talk(ledger, redacting.address, late_s=0.05)
    await kill(redacting, signal.SIGSTOP)  # its owner sees that it is silent, kills it and starts another
    talk.caller(f"my number is {PHONE}")
    await talk.until(lambda: bool(talk.shown))
    assert texts(talk.shown) == [WITHHELD]
    assert ledger.events("c") == ()
    await talk.recorder.aclose()

    assert texts(ledger.events("c")) == ["my number is <PHONE_NUMBER>"]
    assert texts(talk.shown) == [WITHHELD]


async def test_where_it_never_comes_back_every_text_is_withheld_and_memory_is_bounded(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded, now_s = threading.Event(), [0.0]

    def pause(seconds: float) -> None:
        recorded.wait(LIMIT_S)  # time passes when all has been said
        now_s[0] += seconds

    monkeypatch.setattr(redaction_line, "IMPATIENT_S", 0.0)
    line = RedactionLine(tmp_path / "nobody", clock=lambda: now_s[0], pause=pause)
    recorder = Recorder(ledger, line, "c", intake=Intake(most_texts=20))
    for _ in range(200):
        recorder.record(caller("c", PHONE))
    recorded.set()
    await recorder.aclose()

    kept = ledger.events("c")
    assert set(texts(kept)) == {REDACTION_FAILED, WITHHELD}
    assert len(texts(kept)) == 200
    assert texts(kept).count(WITHHELD) == 180
    counted = [e.action for e in kept if isinstance(e, PartFailed) and e.error == "RedactionBacklogError"]
    assert sum(int(action.split()[3]) for action in counted) == texts(kept).count(WITHHELD)


async def test_a_call_that_ends_while_the_process_hangs_is_closed_soon_and_keeps_nothing_raw(
    ledger: Ledger, tmp_path: Path
) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        deaf.listen(1)  # connections are made, and nobody ever reads them
        line = RedactionLine(tmp_path / "deaf", closing_s=0.2)
        recorder = Recorder(ledger, line, "c")
        for _ in range(50):
            recorder.record(caller("c", PHONE))
        line.closing()
        async with asyncio.timeout(
            redaction_line.PATIENCE_S
        ):  # one text alone may take so long while a call is on
            await recorder.aclose()

    assert texts(ledger.events("c")) == [REDACTION_FAILED] * 50
    assert not said_raw(stored_in(tmp_path))


async def test_a_long_text_of_one_call_does_not_keep_another_waiting(
    redacting: AsideProcess, ledger: Ledger
) -> None:
    long, quick = Talk(ledger, redacting.address, "long"), Talk(ledger, redacting.address, "quick")
    quick.caller("hello")
    await quick.recorder.flush()
    long.caller("i would like to say something. " * 1500)
    for _ in range(5):
        quick.caller(f"my number is {PHONE}")
    await quick.recorder.aclose()
    assert texts(ledger.events("quick")) == ["hello", *["my number is <PHONE_NUMBER>"] * 5]
    await long.recorder.aclose()
    [kept] = texts(ledger.events("long"))
    assert kept.startswith("i would like") or kept == REDACTION_FAILED
