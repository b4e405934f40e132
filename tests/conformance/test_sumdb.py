"""Go's checksum-database packages, which nobody of ours wrote, verify our checkpoints and proofs."""

import base64
import json
import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from compliance.events import SpeechHeard
from compliance.ledger import Ledger
from compliance.ledger.checkpoint import Checkpoint

pytestmark = pytest.mark.conformance

SOURCE = Path(__file__).parent / "sumdb"
GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
OLD, NEW = 13, 300


@pytest.fixture(scope="module")
def sumdb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built from the sources beside this test; ``go.sum`` pins the module it uses."""
    if GO is None:
        if os.environ.get("CI"):
            pytest.fail("CI has no Go: install it, so that checkpoints are verified by tools of others")
        pytest.skip("Go is not installed")
    program = tmp_path_factory.mktemp("sumdb") / "sumdb"
    built = subprocess.run(  # noqa: S603 # our own sources
        [GO, "build", "-mod=readonly", "-o", program, "."],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return program


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def question(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A ledger at two sizes: both checkpoints, that one is the beginning of the other, and that entries are in it."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    with closing(Ledger.open(path)) as ledger:

        def add(count: int) -> str:
            ledger.append_many(
                [
                    SpeechHeard(call_id=f"call {n % 7}", at_ms=n, speaker="caller", start_ms=n, end_ms=n)
                    for n in range(count)
                ]
            )
            return ledger.checkpoint()

        old, new = add(OLD), add(NEW - OLD)
        assert [Checkpoint.read(one).size for one in (old, new)] == [OLD, NEW]
        return {
            "key": ledger.vkey,
            "old": old,
            "new": new,
            "consistency": [encoded(digest) for digest in ledger.consistency_proof(OLD, NEW)],
            "entries": [
                {
                    "seq": entry.seq,
                    "leaf": encoded(entry.leaf),
                    "proof": [encoded(digest) for digest in ledger.inclusion_proof(entry.seq, NEW)],
                }
                for entry in ledger.entries()
            ],
        }


def asked(program: Path, question: dict[str, Any]) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603 # built above
        [program], input=json.dumps(question), capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.strip()


def test_go_verifies_checkpoints_consistency_and_inclusion(sumdb: Path, question: dict[str, Any]) -> None:
    assert asked(sumdb, question) == (0, "ok")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"new": ("300", "301")}, "new checkpoint"),
        ({"old": ("time_ms 1", "time_ms 2")}, "old checkpoint"),
        ({"key": ("patchbay.local", "patchbay.other")}, "checkpoint"),
    ],
)
def test_go_refuses_a_checkpoint_that_was_changed(
    sumdb: Path, question: dict[str, Any], change: dict[str, tuple[str, str]], told: str
) -> None:
    changed = {**question, **{name: question[name].replace(*two, 1) for name, two in change.items()}}
    assert changed != question

    status, said = asked(sumdb, changed)
    assert status == 1
    assert told in said


def test_go_refuses_proofs_of_something_else(sumdb: Path, question: dict[str, Any]) -> None:
    moved = [{**one, "seq": one["seq"] ^ 1} for one in question["entries"]]
    other = [{**one, "leaf": encoded(b"another leaf")} for one in question["entries"]]
    for changed, told in (
        ({**question, "entries": moved}, "entry 1"),
        ({**question, "entries": other}, "entry 0"),
        ({**question, "consistency": question["consistency"][::-1]}, "consistency"),
    ):
        status, said = asked(sumdb, changed)
        assert status == 1
        assert told in said
