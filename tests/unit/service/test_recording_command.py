"""``patchbay audit recording``, as it is typed: what is shown, what is copied, and what is found to be wrong."""

from __future__ import annotations

import json
import stat
import wave
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from compliance.events import RecordingDestroyed, RecordingKept
from compliance.ledger import Ledger
from compliance.recording import PURPOSE, Recordings
from compliance.recording.kept import KeptRecording
from compliance.voiced import Samples
from service.cli import app
from tests.unit.compliance.overseen import record_call

pytestmark = pytest.mark.unit

SAMPLES: Samples = np.random.default_rng(0).integers(-(2**15), 2**15, (2, 30_000), np.int16)
CALL = "kept"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with a call that was recorded, and others."""
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.open(path)
    for name in (CALL, "never", "killed", "revoked"):
        record_call(ledger, name, age=timedelta(days=2))
    file = recorded(ledger, tmp_path, CALL)
    file.finish()
    ledger.append(on_record(file, CALL))
    recorded(ledger, tmp_path, "killed").close()
    ledger.append(RecordingDestroyed(call_id="revoked", at_ms=1, reason="the consent was taken back"))
    ledger.close()
    monkeypatch.setenv("PATCHBAY_LEDGER", str(path))
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.delenv("PATCHBAY_AUDIT_TOKEN", raising=False)
    monkeypatch.delenv("PATCHBAY_RECORDINGS", raising=False)
    return tmp_path


def recorded(ledger: Ledger, folder: Path, call_id: str) -> KeptRecording:
    path = Recordings(folder / "recordings").path(call_id)
    file = KeptRecording(path, ledger.derived_key(call_id, PURPOSE))
    file.write(SAMPLES)
    return file


def on_record(file: KeptRecording, call_id: str) -> RecordingKept:
    return RecordingKept(
        call_id=call_id,
        at_ms=1,
        file=file.name,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        duration_ms=1250,
        muted_ms=65_000,
        suspended_ms=0,
        withheld_ms=0,
        complete=True,
    )


def listen(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["audit", "recording", *map(str, arguments)])


def read(path: Path) -> Samples:
    with wave.open(str(path), "rb") as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (2, 2, 24_000)
        return np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2).T


def test_what_was_kept_is_shown_and_compared_with_the_file(place: Path) -> None:
    shown = listen(CALL)
    assert shown.exit_code == 0
    assert "The file is the one on record." in shown.output
    assert "1:05" in shown.output
    assert json.loads(listen(CALL, "--json").stdout)["kept"]["sha256"] in shown.output


def test_a_copy_is_what_was_kept_and_only_its_owner_may_read_it(place: Path) -> None:
    out = place / "copy.wav"
    assert listen(CALL, "--out", out).exit_code == 0
    assert np.array_equal(read(out), SAMPLES)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_a_recording_of_a_killed_process_is_copied_as_far_as_it_goes(place: Path) -> None:
    out = place / "copy.wav"
    done = listen("killed", "--out", out, "--json")
    assert done.exit_code == 1
    assert "its end is not on record" in json.loads(done.stdout)["problem"]
    samples = read(out)
    assert 20_000 < samples.shape[1] <= 30_000
    assert np.array_equal(samples, SAMPLES[:, : samples.shape[1]])


def test_a_recording_that_was_changed_is_not_copied(place: Path) -> None:
    path = Recordings(place / "recordings").path(CALL)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    assert listen(CALL).exit_code == 1
    out = place / "copy.wav"
    done = listen(CALL, "--out", out)
    assert done.exit_code != 0
    assert "was changed in chunk 0" in done.output
    assert not out.exists()
    assert list(place.glob(".copy.wav*")) == []


def test_a_recording_that_is_missing_is_told(place: Path) -> None:
    Recordings(place / "recordings").shred(CALL)
    done = listen(CALL)
    assert done.exit_code == 1
    assert "cannot be read" in done.output


def test_why_there_is_no_recording_is_told(place: Path) -> None:
    for call, why in (
        ("never", "there is no recording of call never"),
        ("revoked", "the consent was taken back"),
        ("nobody", "holds no call nobody"),
    ):
        done = listen(call)
        assert done.exit_code != 0
        assert why in done.output


def test_after_it_was_erased_a_recording_is_gone_from_disk_and_from_the_command(place: Path) -> None:
    erased = CliRunner().invoke(
        app, ["audit", "erase", CALL, "--what", "recording", "--reason", "asked for", "--yes"]
    )
    assert erased.exit_code == 0, erased.output
    assert not Recordings(place / "recordings").keeps(CALL)
    done = listen(CALL)
    assert done.exit_code != 0
    assert "was erased" in done.output


def test_a_copy_that_cannot_be_written_says_so(place: Path) -> None:
    done = listen(CALL, "--out", place / "nowhere" / "copy.wav")
    assert done.exit_code != 0
    assert "cannot be written" in done.output


def test_a_copy_and_peaks_do_not_go_together(place: Path) -> None:
    done = listen(CALL, "--out", place / "copy.wav", "--peaks")
    assert done.exit_code != 0
    assert "do not go together" in done.output
