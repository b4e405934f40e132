"""The process beside the calls, for real: it starts once, comes back when it dies or hangs, and is never left over."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from classifiers import ClassifierError, EmotionModel
from classifiers.emotion import SHIPPED
from service.aside import (
    Aside,
    AsideGoneError,
    AsideProcess,
    Emotion,
    Redaction,
    RedactorNotStartedError,
    process,
)
from service.aside.serve import BEAT_S
from tests.patience import HANGS_S
from tests.unit.service.aside.beside import Told

pytestmark = pytest.mark.unit

LIMIT_S = HANGS_S
ROOT = Path(__file__).parents[4]
SILENCE = bytes(9600)
OWNER = """
import sys, time
from pathlib import Path
from service.aside import AsideProcess, Emotion, process
process.READY_S = 120.0
started = AsideProcess.start(Emotion(Path(sys.argv[1])))
started.wait_until_ready()
print(started.pid, started.address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model where nobody else has it: a process of it is no other module's, nor started by one."""
    return shutil.copytree(SHIPPED, tmp_path_factory.mktemp("own") / "model")


@pytest.fixture(scope="module")
def beside(model: Path) -> Iterator[AsideProcess]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "a-key")
        patch.setenv("LIVEKIT_API_SECRET", "a-secret")
        with closing(AsideProcess.start(Emotion(model))) as started:
            started.wait_until_ready()
            yield started


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not what():  # noqa: ASYNC110 -- nobody is told of what becomes of another process
            await asyncio.sleep(0.01)


def ended(pid: int) -> bool:
    """A zombie has ended; when its parent is dead as well, reaping it is up to the machine."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def pid_of(beside: AsideProcess) -> int:
    """The process that runs; never 0, which would be a signal for the whole run of the suite."""
    assert beside.pid
    return beside.pid


async def judge(address: Path) -> Told:
    """Have a piece of silence judged; returns when it is, whoever has to come back for it."""
    told = Told()
    line = told.attach(address, "emotion")
    async with asyncio.timeout(LIMIT_S):
        while not told.answered:
            dropped = len(told.dropped)
            line.send({"turn": 0, "rate_hz": 24_000, "speaking": True, "ended": True}, SILENCE, "silence")
            await told.until(lambda before=dropped: bool(told.answered) or len(told.dropped) > before)  # type: ignore[misc]
    await line.aclose()
    return told


async def test_it_judges_in_a_process_of_its_own_that_gives_way_to_calls(beside: AsideProcess) -> None:
    told = await judge(beside.address)
    assert told.answered[0][1]["reading"]["label"] == "unknown"
    assert told.failures == []
    assert beside.pid is not None
    assert beside.pid != os.getpid()
    assert psutil.Process(beside.pid).nice() == min(psutil.Process().nice() + Emotion.niceness, 19)


def test_only_this_user_can_reach_it(beside: AsideProcess) -> None:
    assert beside.address.parent.stat().st_mode & 0o777 == 0o700


def test_it_is_given_no_key(beside: AsideProcess) -> None:
    given = psutil.Process(beside.pid).environ()
    assert "HF_HUB_OFFLINE" in given
    assert not {"OPENAI_API_KEY", "LIVEKIT_API_SECRET"} & set(given)


def test_a_process_has_one_for_all_who_need_the_same_model(beside: AsideProcess, model: Path) -> None:
    again = AsideProcess.start(Emotion(model))
    assert again is beside
    again.close()
    assert beside.pid is not None


def test_the_last_who_lets_go_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    copy = shutil.copytree(SHIPPED, tmp_path / "model")
    started, again = AsideProcess.start(Emotion(copy)), AsideProcess.start(Emotion(copy))
    started.wait_until_ready()
    pid, folder = pid_of(started), started.address.parent
    started.close()
    assert psutil.pid_exists(pid)
    again.close()
    assert not psutil.pid_exists(pid)
    assert not folder.exists()


def test_closing_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    before = psutil.Process().children()
    started = AsideProcess.start(Emotion(tmp_path))
    started.close()
    assert not started.address.parent.exists()
    assert set(psutil.Process().children()) <= set(before)


def test_a_model_that_cannot_be_used_is_told_as_if_it_were_loaded_here(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError) as here:
        EmotionModel.load(tmp_path)
    with closing(AsideProcess.start(Emotion(tmp_path))) as started, pytest.raises(ClassifierError) as there:
        started.wait_until_ready()
    assert str(there.value) == str(here.value)


def test_a_redaction_policy_that_cannot_be_used_is_told_with_where_it_is(tmp_path: Path) -> None:
    policy = tmp_path / "redaction.yaml"
    policy.write_text("redaction: {name: broken, version: 1}\nentities: {CVV: {action: keep}}\n")
    with (
        closing(AsideProcess.start(Redaction(policy))) as started,
        pytest.raises(
            RedactorNotStartedError, match=r"redaction\.yaml:2:\d+: `keep` is not possible for CVV"
        ),
    ):
        started.wait_until_ready()


def test_a_process_that_cannot_be_started_is_an_error_of_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with (
        closing(AsideProcess.start(Emotion(tmp_path))) as started,
        pytest.raises(ClassifierError, match="cannot be started") as error,
    ):
        started.wait_until_ready()
    assert error.value.folder == tmp_path


def test_without_room_for_its_socket_the_error_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(ClassifierError, match="set TMPDIR"):
        AsideProcess.start(Emotion(tmp_path))
    assert list(deep.iterdir()) == []


async def test_when_it_is_killed_its_calls_are_told_once_and_served_by_the_next(beside: AsideProcess) -> None:
    first, told = pid_of(beside), Told()
    line = told.attach(beside.address, "emotion")
    header = {"turn": 0, "rate_hz": 24_000, "speaking": True, "ended": True}
    line.send(header, SILENCE, "before")
    await told.until(lambda: len(told.answered) == 1)
    os.kill(first, signal.SIGKILL)
    await told.until(lambda: bool(told.failures))
    line.send(header, SILENCE, "after")
    await until(lambda: len(told.answered) == 2)
    assert [type(error) for error in told.failures] == [AsideGoneError]
    assert (line.lost, beside.restarts) == (1, 1)
    assert beside.pid not in (None, first)
    await line.aclose()


async def test_when_it_hangs_it_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "HUNG_S", 3 * BEAT_S)
    with closing(AsideProcess.start(Emotion(shutil.copytree(SHIPPED, tmp_path / "model")))) as started:
        started.wait_until_ready()
        first = pid_of(started)
        os.kill(first, signal.SIGSTOP)
        await until(lambda: ended(first))
        monkeypatch.setattr(process, "HUNG_S", LIMIT_S)  # the next one is well, however slow the machine
        await judge(started.address)
        assert started.restarts >= 1


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
async def test_it_outlives_what_asks_a_whole_service_to_stop(
    beside: AsideProcess, asked: signal.Signals
) -> None:
    before = pid_of(beside)
    os.kill(before, asked)
    told = await judge(beside.address)
    assert (told.failures, beside.pid) == ([], before)


@pytest.mark.parametrize("killed", [True, False], ids=["is killed", "leaves without closing it"])
async def test_it_ends_with_its_owner(killed: bool) -> None:
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OWNER, str(SHIPPED)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    pid, address = (await owner.stdout.readline()).decode().split()
    assert not ended(int(pid))
    if killed:
        owner.kill()
    owner.stdin.close()
    assert await owner.wait() == (-signal.SIGKILL if killed else 0)
    await until(lambda: ended(int(pid)) and not Path(address).parent.exists())


async def test_a_job_process_reaches_the_one_of_its_worker(beside: AsideProcess) -> None:
    environment = {"PATCHBAY_ASIDE_EMOTION": str(beside.address)}
    assert Aside.handed_down(Redaction, environment) is None
    found = Aside.handed_down(Emotion, environment)
    assert found is not None
    found.close()
    assert (await judge(found.address)).failures == []
