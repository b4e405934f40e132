"""Recordings of whole calls: a caller who says a card number, a plain one, and one who is not asked.

All three call at once, in one run for all tests of this module. What was really on the line is compared with what the
encrypted file gives back; and the lab's recogniser says what is left of the card number.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from compliance.events import AgentSaid, CallEnded, CallerSaid, ConsentChanged, PartFailed, RecordingKept
from compliance.ledger import Ledger
from compliance.recording import PURPOSE, Recordings, peaks, read_recording
from compliance.tap import RATE_HZ
from compliance.voiced import Samples
from lab.callers import recorded_call
from lab.hearing import Hearing
from lab.hearing.heard import Word
from service.audio import read_audio, resample
from service.cli import app
from service.exchange import Exchange
from service.promises import promises
from service.settings import Settings
from tests.patience import HANGS_S, without_limits
from tests.whole_call import WholeCall, exchange, recorded_caller, without_settings

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

PER_MS = RATE_HZ / 1000
DIGITS = frozenset(
    ["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "double"]
)
NUMBERED = {2: "card", 3: "phone"}
"""The turns of recorded call 03 that hold a number, and what it is."""
AROUND_MS = 100.0
"""Of the 200 ms around a word: the two hearings of it may time it differently."""
MISPLACED_MS = 60.0
"""Audio is dated by when it arrives, on the line and in the recording."""
LATE_MS = 1000.0
"""By which a machine that stalls dates what it hears too late."""
MOSTLY = 0.5
"""Of what is heard on a machine that stalls now and then, that which is heard while it does not."""
HEARING_HZ = 16_000


@dataclass(frozen=True)
class Kept:
    """A call that is over, and what its recording gives back: shape (2, n)."""

    call: WholeCall
    audio: Samples

    def line(self, channel: int) -> Samples:
        """What was really on the line."""
        return (self.call.caller, self.call.agent)[channel]


@dataclass(frozen=True)
class Numbered:
    """A turn with a number, from ``from_ms`` on: what the recogniser hears on the line, and in what was kept."""

    from_ms: float
    said: tuple[Word, ...]
    left: tuple[Word, ...]


@dataclass(frozen=True)
class Run:
    folder: Path
    card: Kept
    plain: Kept
    unasked: WholeCall
    numbers: dict[int, Numbered]
    """By the turn in which they were said."""


def part(samples: Samples, start_ms: float, end_ms: float) -> Samples:
    return samples[..., round(start_ms * PER_MS) : round(end_ms * PER_MS)]


def level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) if samples.size else 0.0


def kept(ready: Exchange, call: WholeCall) -> Kept:
    path = Recordings(ready.settings.recordings_folder()).path(call.call_id)
    key = ready.ledger.derived_key(call.call_id, PURPOSE)
    return Kept(call, np.ascontiguousarray(np.concatenate(list(read_recording(path, key)), axis=1)))


@asynccontextmanager
async def ears() -> AsyncIterator[Hearing]:
    hearing = Hearing(processes=1)
    await hearing.start()
    try:
        yield hearing
    finally:
        await hearing.aclose()


async def understood(hearing: Hearing, samples: Samples) -> tuple[Word, ...]:
    """What the lab's recogniser hears; times in seconds from the first sample."""
    listener = hearing.listen(sample_rate_hz=HEARING_HZ)
    listener.push(resample(samples, from_hz=RATE_HZ, to_hz=HEARING_HZ).tobytes())
    listener.finalize()
    found: list[Word] = []
    async with asyncio.timeout(HANGS_S):
        async for item in listener:
            found += item.words if item.kind == "final" else ()
            if item.finalized:
                break
    await listener.aclose()
    return tuple(found)


async def everybody(folder: Path) -> Run:
    # A region where the notice is enough, for none of the recorded callers answers a question about recording.
    async with exchange(folder, consent_recording=True, region="uk") as ready:
        silent = replace(ready, settings=ready.settings.model_copy(update={"consent_recording": False}))
        card, plain, unasked = await asyncio.gather(
            recorded_caller(ready, recorded_call("03")),
            recorded_caller(ready, recorded_call("02")),
            recorded_caller(silent, recorded_call("01")),
        )
        with_card, plainly = kept(ready, card), kept(ready, plain)
    numbers = {}
    async with ears() as hearing:
        for number in NUMBERED:
            turn = card.as_lived(number)
            where = turn.start_ms - 500, turn.end_ms + 500
            numbers[number] = Numbered(
                where[0],
                await understood(hearing, part(with_card.line(0), *where)),
                await understood(hearing, part(with_card.audio[0], *where)),
            )
    return Run(folder, with_card, plainly, unasked, numbers)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch)
        without_limits(patch)
        return asyncio.run(everybody(tmp_path_factory.mktemp("recordings")))


def on_record(call: WholeCall) -> RecordingKept:
    [event] = call.of(RecordingKept)
    return event


def agreed_ms(call: WholeCall) -> float:
    [consent] = [event for event in call.of(ConsentChanged) if event.what == "recording"]
    assert consent.given
    return consent.at_ms


def same(one: Samples, other: Samples) -> bool:
    """Whether two stretches sound the same, a few milliseconds apart at most."""
    size = min(len(one), len(other))
    a, b = one[:size].astype(np.float64), other[:size].astype(np.float64)
    spectrum = np.fft.rfft(a, 2 * size) * np.conj(np.fft.rfft(b, 2 * size))
    closeness = np.fft.irfft(spectrum) / max(1e-9, float(np.linalg.norm(a) * np.linalg.norm(b)))
    best = int(np.argmax(closeness))
    shift = best if best < size else best - 2 * size
    return bool(closeness[best] > 0.95 and abs(shift) <= MISPLACED_MS * PER_MS)


# -- the card number ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERED)
def test_of_a_number_nothing_is_left_to_hear(run: Run, number: int) -> None:
    said, left = (
        [word.text for word in words] for words in (run.numbers[number].said, run.numbers[number].left)
    )
    assert sum(word in DIGITS for word in said) >= 10
    assert not DIGITS & set(left)
    assert left[:3] == ["my", NUMBERED[number], "number"]


@pytest.mark.parametrize("number", NUMBERED)
def test_every_digit_is_silent_on_both_channels_to_the_last_bit(run: Run, number: int) -> None:
    from_ms = run.numbers[number].from_ms
    digits = [
        (from_ms + 1000 * word.start_s, from_ms + 1000 * word.end_s)
        for word in run.numbers[number].said
        if word.text in DIGITS
    ]
    for start_ms, end_ms in digits:
        assert level(part(run.card.line(0), start_ms, end_ms)) > 100
    assert any(
        not any(
            part(run.card.audio, start_ms - AROUND_MS + late_ms, end_ms + AROUND_MS + late_ms).any()
            for start_ms, end_ms in digits
        )
        for late_ms in np.arange(-LATE_MS, LATE_MS, MISPLACED_MS)
    )


def test_what_was_said_before_the_number_is_still_there(run: Run) -> None:
    start_ms = run.card.call.as_lived(2).start_ms
    was = level(part(run.card.line(0), start_ms, start_ms + 700))
    assert was > 300
    assert any(
        level(part(run.card.audio[0], at_ms, at_ms + 700)) == pytest.approx(was, rel=0.1)
        for at_ms in np.arange(start_ms - LATE_MS, start_ms + LATE_MS, MISPLACED_MS)
    )


# -- all else ----------------------------------------------------------------------------------------------


def test_a_turn_without_anything_personal_sounds_as_it_did_on_the_line(run: Run) -> None:
    alike = [
        same(part(run.plain.line(0), *where), part(run.plain.audio[0], *where))
        for where in (
            (segment.start_ms, segment.end_ms)
            for segment in run.plain.call.of(CallerSaid)
            if "<" not in segment.text
        )
    ]
    assert alike
    assert sum(alike) >= MOSTLY * len(alike)


def test_replies_are_where_the_caller_heard_them_and_as_loud(run: Run) -> None:
    plain = [
        reply
        for reply in run.plain.call.of(AgentSaid)
        if reply.start_ms > agreed_ms(run.plain.call) and "<" not in reply.text and not reply.interrupted
    ]
    assert len(plain) >= 4
    alike = []
    for reply in plain:
        where = reply.start_ms, reply.end_ms
        was, now = part(run.plain.line(1), *where), part(run.plain.audio[1], *where)
        alike.append(same(was, now) and level(now) == pytest.approx(level(was), rel=0.05))
    assert sum(alike) >= MOSTLY * len(alike)


def test_nothing_is_kept_of_what_came_before_the_consent(run: Run) -> None:
    for one in (run.card, run.plain):
        consented_ms = agreed_ms(one.call)
        assert level(part(one.line(1), 0, consented_ms)) > 100
        assert not part(one.audio, 0, consented_ms).any()


def test_a_recording_is_as_long_as_its_call(run: Run) -> None:
    for one in (run.card, run.plain):
        event = on_record(one.call)
        [ended] = one.call.of(CallEnded)
        assert event.duration_ms == pytest.approx(ended.at_ms, abs=3 * LATE_MS)
        assert one.audio.shape == (2, round(event.duration_ms * PER_MS))
        assert event.complete


def test_the_record_says_how_much_was_silenced(run: Run) -> None:
    assert on_record(run.card.call).muted_ms > 8000
    assert on_record(run.plain.call).muted_ms < 1000
    for one in (run.card, run.plain):
        assert on_record(one.call).suspended_ms == 0


def test_calls_that_are_recorded_go_as_well_as_others(run: Run) -> None:
    for call in (run.card.call, run.plain.call, run.unasked):
        assert call.of(PartFailed) == []
        assert promises(call.events) == ()


def test_a_line_that_does_not_record_keeps_no_audio(run: Run) -> None:
    assert run.unasked.of(RecordingKept) == []
    kept = {path.name for path in (run.folder / "recordings").iterdir()}
    assert kept >= {on_record(one.call).file for one in (run.card, run.plain)}
    assert not [name for name in kept if run.unasked.call_id in name]


def test_no_byte_on_disk_is_the_audio_of_the_call(run: Run) -> None:
    said = part(run.plain.line(0), *_first_words(run.plain.call)).astype("<i2").tobytes()
    assert len(said) > 20_000
    for path in run.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"fLaC" not in data
            assert not any(said[at : at + 64] in data for at in range(0, 20_000, 2000))


def _first_words(call: WholeCall) -> tuple[float, float]:
    segment = call.of(CallerSaid)[0]
    return segment.start_ms, segment.end_ms


# -- listening ---------------------------------------------------------------------------------------------


@pytest.fixture
def settings(run: Run, monkeypatch: pytest.MonkeyPatch) -> Settings:
    without_settings(monkeypatch)
    monkeypatch.setenv("PATCHBAY_LEDGER", str(run.folder / "ledger.sqlite"))
    return Settings()


def test_an_officer_gets_a_copy_to_listen_to_and_that_is_on_record(
    run: Run, settings: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "call.wav"
    done = CliRunner().invoke(
        app, ["audit", "recording", run.plain.call.call_id, "--out", str(out), "--json"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["problem"] == ""
    mixed = run.plain.audio.astype(np.float32).mean(axis=0)
    assert np.allclose(read_audio(out, sample_rate_hz=RATE_HZ), mixed, atol=2)
    ledger = Ledger.open(settings.ledger)
    try:
        kinds = [event.kind for event in ledger.oversight()]
    finally:
        ledger.close()
    assert kinds[-2:] == ["accessed", "exported"]


def test_peaks_are_drawn_from_what_was_kept(run: Run, settings: Settings) -> None:
    done = CliRunner().invoke(app, ["audit", "recording", run.card.call.call_id, "--peaks"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == peaks([run.card.audio])


def test_a_recording_that_was_changed_is_named(run: Run, settings: Settings, tmp_path: Path) -> None:
    path = run.folder / "recordings" / on_record(run.plain.call).file
    data = path.read_bytes()
    path.write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
    try:
        done = CliRunner().invoke(app, ["audit", "recording", run.plain.call.call_id])
    finally:
        path.write_bytes(data)
    assert done.exit_code == 1
    assert "is not the file that was recorded" in " ".join(done.output.split())
