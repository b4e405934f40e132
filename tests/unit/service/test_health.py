"""What calls find out about providers, and tell each other: in one process, and among several."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engines.catalogue import Catalogue
from engines.circuits import Happened, State
from policies import shipped
from service.happenings import EPOCH_S, VARIABLE, HappeningsLog
from service.health import CallHealth, SharedCircuits, providers

pytestmark = pytest.mark.unit

NAMES = {"fast": "llm openai small", "standard": "llm openai big"}


class Machine:
    """Calls on one machine with a clock of its own; each is in a process of its own if ``folder`` is given."""

    def __init__(self, folder: Path | None = None) -> None:
        self.now_s = 1000.0
        self._folder = folder
        self._one = self._circuits()

    def _circuits(self) -> SharedCircuits:
        log = None if self._folder is None else HappeningsLog(self._folder)
        return SharedCircuits(log, now_s=lambda: self.now_s)

    def call(self, call_id: str) -> CallHealth:
        shared = self._one if self._folder is None else self._circuits()
        return CallHealth(shared, NAMES, call_id)

    def fail(self, times: int) -> None:
        for number in range(times):
            self.call(f"unlucky {number}").failed("fast")
        self.now_s += 1


@pytest.fixture(params=["one process", "several"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    return Machine(tmp_path if request.param == "several" else None)


def test_what_is_asked_is_one_model_of_a_provider_in_one_role() -> None:
    names = providers(Catalogue.load(shipped("engines.yaml")))
    assert names["fast"] == "llm openai gpt-4.1-nano"
    assert names["realtime"] == "realtime openai gpt-realtime"
    assert names["voice house"] == "tts elevenlabs eleven_flash_v2_5"
    assert names["transcriber deepgram/nova-3"] == "stt deepgram nova-3"


def test_a_call_does_not_ask_again_who_failed_it(machine: Machine) -> None:
    call = machine.call("a")
    call.failed("fast")
    machine.now_s += 1
    assert not call.may_ask("fast")
    assert call.may_ask("standard")
    assert machine.call("b").may_ask("fast")  # one failure is no outage
    machine.now_s += 37  # 30 s, give or take a fifth
    assert call.may_ask("fast")


def test_failures_of_some_calls_keep_the_next_from_asking(machine: Machine) -> None:
    early = machine.call("early")
    machine.fail(3)
    assert not early.may_ask("fast")
    assert not machine.call("late").may_ask("fast")
    assert machine.call("late").may_ask("standard")


def test_one_call_tries_a_provider_for_all(machine: Machine) -> None:
    machine.fail(3)
    machine.now_s += 19
    first, second = machine.call("a"), machine.call("b")
    assert first.may_ask("fast")
    assert second.may_ask("fast")
    first.asked("fast")
    second.asked("fast")
    assert first.may_ask("fast")
    assert not second.may_ask("fast")
    first.worked("fast")
    machine.now_s += 1
    assert second.may_ask("fast")


def test_who_has_no_provider_is_always_well(machine: Machine) -> None:
    call = machine.call("a")
    call.failed("person")
    call.asked("person")
    assert call.may_ask("person")


def test_asking_a_provider_that_is_well_is_not_told(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.call("a").asked("fast")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("together", [True, False])
def test_whoever_watches_is_told_of_a_circuit_that_opens_and_closes(tmp_path: Path, together: bool) -> None:
    """In the process that finds it out, and in one that only hears of it."""
    now_s = 1000.0
    told: list[tuple[str, State]] = []

    def tell(name: str, state: State) -> None:
        told.append((name, state))

    log = HappeningsLog(tmp_path)
    watched = SharedCircuits(log, watch=tell, now_s=lambda: now_s)
    telling = watched if together else SharedCircuits(HappeningsLog(tmp_path), now_s=lambda: now_s)
    for number in range(3):
        CallHealth(telling, NAMES, str(number)).failed("fast")
    now_s += 1
    assert watched.of("llm openai small").state(now_s) is State.OPEN
    assert told[-1] == ("llm openai small", State.OPEN)
    now_s += 19
    trying = CallHealth(telling, NAMES, "one")
    trying.asked("fast")
    trying.worked("fast")
    now_s += 1
    watched.of("llm openai small")
    assert told[-1] == ("llm openai small", State.CLOSED)
    assert {name for name, _ in told} == {"llm openai small"}


def test_a_call_goes_on_with_what_it_knows_when_the_log_is_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = HappeningsLog(tmp_path / "log")
    log.folder.mkdir()
    shared = SharedCircuits(log, now_s=lambda: 1000.0)
    call = CallHealth(shared, NAMES, "a")
    call.failed("standard")
    log.close()
    for number in range(3):
        CallHealth(shared, NAMES, str(number)).failed("fast")
    assert not call.may_ask("standard")
    assert not call.may_ask("fast")
    assert [record.levelname for record in caplog.records] == ["ERROR"]  # said once


def test_a_process_that_starts_later_knows_what_happened_before(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.fail(3)
    code = (
        "import sys, json; from pathlib import Path\n"
        "from engines.circuits import Circuits\n"
        "from service.happenings import HappeningsLog\n"
        "circuits = Circuits()\n"
        "circuits.take(HappeningsLog(Path(sys.argv[1])).news(1000.0))\n"
        "print(json.dumps([circuits.of(name).state(1000.0) for name in sys.argv[2:]]))\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path), *NAMES.values()]
    done = subprocess.run(arguments, capture_output=True, check=True, timeout=300)  # noqa: S603 -- our own code
    assert json.loads(done.stdout) == ["open", "closed"]


def test_a_log_keeps_the_order_in_which_things_were_told(tmp_path: Path) -> None:
    one, other, reader = (HappeningsLog(tmp_path) for _ in range(3))
    told = [Happened(10.0 + number, f"x{number}", "failed", "me") for number in range(40)]
    for number, happened in enumerate(told):
        (one, other)[number % 2].append(happened)
        if number == 20:
            assert list(reader.news(60.0)) == told[:21]
    assert list(reader.news(60.0)) == told[21:]
    assert list(one.news(60.0)) == told
    assert list(reader.news(60.0)) == []


def test_a_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    log = HappeningsLog(tmp_path)
    for epoch in range(10):
        at_s = epoch * EPOCH_S + 1
        log.append(Happened(at_s, "x", "worked", "me"))
        assert [one.at_s for one in log.news(at_s)] == [at_s]
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_no_line_of_the_log_is_passed_over(tmp_path: Path) -> None:
    log = HappeningsLog(tmp_path)
    (tmp_path / "0").write_text('{"half\n[1, 2]\n[1.0, "x", "exploded", "me"]\nnull\n[1.0, "x", "wor')
    assert list(log.news(1.0)) == []
    with (tmp_path / "0").open("a") as file:
        file.write('ked", "me"]\n')
    assert list(log.news(1.0)) == [Happened(1.0, "x", "worked", "me")]


def test_a_log_is_handed_down_by_the_environment(tmp_path: Path) -> None:
    found = HappeningsLog.handed_down({VARIABLE: str(tmp_path)})
    assert found is not None
    assert found.folder == tmp_path
    assert HappeningsLog.handed_down({}) is None


def test_a_log_that_is_made_can_be_entered_by_nobody_else_and_is_removed() -> None:
    log = HappeningsLog.make()
    assert log.folder.stat().st_mode & 0o077 == 0
    log.append(Happened(time.monotonic(), "x", "worked", "me"))
    log.close()
    assert not log.folder.exists()
