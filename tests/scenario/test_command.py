"""`patchbay demo` and `patchbay call` as a user runs them: as processes, to their end."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from compliance.tap import RATE_HZ
from lab.callers import HERE as RECORDINGS
from service.audio import read_audio
from tests.together import make_all
from tests.whole_call import KEYS, without_settings

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

ROOT = Path(__file__).parents[2]
LIMIT_S = 900
AT_ONCE = 2
"""Commands; each starts a lab, a shop and two processes beside its call."""
RECORDING = RECORDINGS / "02_order_status_t05_8k_mulaw.wav"
COMMANDS = {
    "demo": ("demo", "--calls", "01", "--json"),
    "call": ("call", str(RECORDING), "--json"),
    "tables": ("call", str(RECORDINGS / "01_quick_question_t03.flac")),
}


@dataclass(frozen=True)
class Ran:
    """A command that has ended: what it printed, and the folder it wrote to."""

    status: int | None
    stdout: str
    stderr: str
    out: Path

    @property
    def call(self) -> Any:
        [call] = json.loads(self.stdout)["calls"]
        return call


async def run_command(name: str, folder: Path) -> Ran:
    # The demo stays on the lab with every key set; the others have no key.
    keys = dict.fromkeys(KEYS, "sk-not-a-real-key") if name == "demo" else {}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from service.cli import app; app()"),
        *(*COMMANDS[name], "--out", str(folder / "out")),
        cwd=folder,
        env={**os.environ, **keys, "PYTHONPATH": str(ROOT), "COLUMNS": "160"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            stdout, stderr = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return Ran(process.returncode, stdout.decode(), stderr.decode(), folder / "out")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    async def all_of_them() -> dict[str, Ran]:
        return await make_all(
            COMMANDS, lambda name: run_command(name, tmp_path_factory.mktemp(name)), at_once=AT_ONCE
        )

    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch)
        return asyncio.run(all_of_them())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_kept_every_promise_ends_with_0(ran: dict[str, Ran], name: str) -> None:
    assert ran[name].status == 0, ran[name].stdout + ran[name].stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_but_progress_is_on_standard_error(ran: dict[str, Ran], name: str) -> None:
    assert ran[name].stderr == ""  # and progress is for people at a terminal only


@pytest.mark.parametrize("name", ["demo", "call"])
def test_what_is_printed_as_json_is_json(ran: dict[str, Ran], name: str) -> None:
    call = ran[name].call
    assert call["broken"] == []
    assert call["ledger"]["ok"]


def test_the_demo_runs_on_the_lab_even_where_keys_are_set(ran: dict[str, Ran]) -> None:
    assert ran["demo"].call["call"]["simulated"] == ["deepgram", "elevenlabs", "openai"]
    assert len(ran["demo"].call["turns"]) >= 3


def test_a_recording_of_ones_own_is_answered(ran: dict[str, Ran]) -> None:
    turns = ran["call"].call["turns"]
    assert turns[0]["caller_text"]  # what the lab makes of the words before the goodbye may look like a name
    assert "Goodbye" in turns[-1]["agent_text"]


@pytest.mark.parametrize(("name", "wav"), [("demo", "01_quick_question"), ("call", RECORDING.stem)])
def test_a_report_and_the_sound_of_the_call_are_left(ran: dict[str, Ran], name: str, wav: str) -> None:
    assert (ran[name].out / "report.html").stat().st_size > 0
    assert len(read_audio(ran[name].out / f"{wav}.wav", sample_rate_hz=RATE_HZ)) > RATE_HZ


def test_tables_say_what_was_decided_what_it_cost_and_what_is_simulated(ran: dict[str, Ran]) -> None:
    printed = ran["tables"].stdout
    for part in ("goodbye", "opening", "$0.0", "Simulated", "✓ ledger", "report.html"):
        assert part in printed
