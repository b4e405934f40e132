"""Recording a call: what ends up on disk and on record, with real files, real encryption and the real thread."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from livekit import rtc

from compliance.clock import CallClock
from compliance.events import AgentSaid, CallerSaid, Event, PartFailed, RecordingDestroyed, RecordingKept
from compliance.heard import Segment, Word
from compliance.recorder import Recorder
from compliance.recording import (
    Recording,
    RecordingChangedError,
    RecordingError,
    Recordings,
    RecordingTornError,
    check_recording,
    read_recording,
)
from compliance.redaction import Redactor
from compliance.redaction.spans import Span
from compliance.tap import Playout, Stamped
from compliance.voiced import Samples

pytestmark = pytest.mark.unit

KEY = bytes(range(32))
PER_MS = 24
FRAME_MS = 20
PATIENCE_S = 60.0
E = TypeVar("E", bound=Event)


def tone(ms: int, rate_hz: int = 24_000) -> Samples:
    """Loud, and zero nowhere that matters."""
    return (8000 * np.sin(2 * np.pi * 440 * np.arange(ms * rate_hz // 1000) / rate_hz) + 1).astype(np.int16)


def frame(samples: Samples, rate_hz: int = 24_000, channels: int = 1) -> rtc.AudioFrame:
    data = np.repeat(samples, channels)
    return rtc.AudioFrame(data.tobytes(), rate_hz, channels, len(samples))


@dataclass
class Call:
    """A call that is recorded, on a clock that stands still."""

    path: Path
    key: Callable[[], bytes] = lambda: KEY
    destroy_when_revoked: bool = True
    events: list[Event] = field(default_factory=list)
    now_ms: float = 0.0
    record: Callable[[Event], None] | None = None
    """Redacts what is said and tells the recording; without one it is told what each test says."""

    def __post_init__(self) -> None:
        self.recording = Recording(
            "c",
            self.path,
            lambda: self.key(),
            clock=CallClock(monotonic=lambda: 0.0, wall=lambda: 0.0),
            emit=self.events.append,
            destroy_when_revoked=self.destroy_when_revoked,
        )

    def caller(self, samples: Samples) -> None:
        for start in range(0, len(samples), FRAME_MS * PER_MS):
            piece = samples[start : start + FRAME_MS * PER_MS]
            self.recording.caller_heard(self.now_ms, frame(piece))
            self.now_ms += len(piece) / PER_MS

    def quiet(self, ms: int) -> None:
        self.caller(np.ones(ms * PER_MS, np.int16))

    def says(self, text: str, *spans: Span, suspended: bool = False) -> tuple[float, float]:
        start_ms, each_ms = self.now_ms, 250
        words = tuple(
            Word(word, start_ms + number * each_ms, start_ms + (number + 1) * each_ms)
            for number, word in enumerate(text.split())
        )
        self.caller(tone(each_ms * len(words)))
        self.recording.said(Segment(start_ms, self.now_ms, text, 0.9, words))
        event = CallerSaid(
            call_id="c",
            at_ms=self.now_ms,
            start_ms=start_ms,
            end_ms=self.now_ms,
            text="<MASKED>" if spans else text,
            confidence=0.9,
        )
        self._tell(event, spans, suspended)
        return start_ms, self.now_ms

    def answers(
        self, *frames: rtc.AudioFrame, text: str = "certainly", suspended: bool = False
    ) -> tuple[float, float]:
        """The agent's frames are heard one after the other, from now on."""
        start_ms = self.now_ms
        self.recording.agent_begins(start_ms)
        heard, at_ms = [], start_ms
        for one in frames:
            heard.append(Stamped(at_ms, one))
            at_ms += one.duration * 1000
        self.quiet(round(at_ms - start_ms))
        self.recording.agent_heard(
            Playout(
                start_ms=start_ms,
                end_ms=at_ms,
                first_sound_ms=start_ms,
                captured_ms=at_ms - start_ms,
                heard_ms=at_ms - start_ms,
                interrupted=False,
                transcript=None,
                heard=tuple(heard),
            )
        )
        event = AgentSaid(
            call_id="c",
            at_ms=at_ms,
            turn=1,
            engine="fast",
            generation=1,
            start_ms=start_ms,
            end_ms=at_ms,
            text=text,
            interrupted=False,
        )
        self._tell(event, (), suspended)
        return start_ms, at_ms

    def _tell(self, event: Event, spans: Sequence[Span], suspended: bool) -> None:
        if self.record is None:
            self.recording.redacted(event, spans, suspended=suspended)
        else:
            self.record(event)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def kept(self) -> RecordingKept:
        [kept] = self.of(RecordingKept)
        return kept

    def read(self) -> Samples:
        return np.concatenate(list(read_recording(self.path, KEY)), axis=1)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No disk counts as hung because the machine is busy."""
    monkeypatch.setattr("compliance.recording.recording._CLOSE_S", PATIENCE_S)


@pytest.fixture
async def call(tmp_path: Path) -> AsyncIterator[Call]:
    one = Call(Recordings(tmp_path / "recordings").path("c"))
    yield one
    await one.recording.aclose()


def part(samples: Samples, channel: int, start_ms: float, end_ms: float) -> Samples:
    return samples[channel, round(start_ms * PER_MS) : round(end_ms * PER_MS)]


async def test_a_call_is_kept_in_two_channels_on_its_clock(call: Call) -> None:
    call.recording.consent(0.0, given=True)
    call.quiet(1000)
    said = call.says("where is my order")
    call.quiet(1000)
    answered = call.answers(*[frame(tone(100)[: 100 * PER_MS])] * 15)
    call.quiet(1000)
    await call.recording.aclose()
    kept = call.read()
    assert kept.shape == (2, round(call.now_ms * PER_MS))
    assert np.array_equal(part(kept, 0, *said), tone(1000))
    assert np.array_equal(part(kept, 1, *answered), np.tile(tone(100), 15))
    assert not part(kept, 1, 0, answered[0]).any()


async def test_the_record_has_the_hash_and_length_of_the_encrypted_file(call: Call) -> None:
    call.recording.consent(0.0, given=True)
    call.says("my card is four one one one", Span(11, 27, "CREDIT_CARD"))
    call.quiet(1000)
    await call.recording.aclose()
    data = call.path.read_bytes()
    kept = call.kept
    assert (kept.file, kept.sha256, kept.size_bytes) == (
        call.path.name,
        hashlib.sha256(data).hexdigest(),
        len(data),
    )
    assert (kept.duration_ms, kept.complete, kept.suspended_ms, kept.withheld_ms) == (call.now_ms, True, 0, 0)
    assert kept.muted_ms == pytest.approx(1000 + 2 * 200, abs=100)
    check_recording(call.path, sha256=kept.sha256, size_bytes=kept.size_bytes)
    call.path.write_bytes(data[:-1])
    with pytest.raises(RecordingChangedError, match="is not the file that was recorded"):
        check_recording(call.path, sha256=kept.sha256, size_bytes=kept.size_bytes)


async def test_audio_at_another_rate_and_in_two_channels_is_as_long_and_as_loud(call: Call) -> None:
    call.recording.consent(0.0, given=True)
    pieces = [frame(tone(1000, 48_000)[start : start + 4800], 48_000, 2) for start in range(0, 48_000, 4800)]
    start_ms, end_ms = call.answers(*pieces)
    call.quiet(1000)
    await call.recording.aclose()
    kept = part(call.read(), 1, start_ms, end_ms)
    assert np.abs(kept[1000:-1000]).max() == pytest.approx(8000, rel=0.05)
    crossings = np.count_nonzero(np.diff(kept[1000:-1000] >= 0))
    assert crossings / 2 / ((len(kept) - 2000) / 24_000) == pytest.approx(440, rel=0.02)


async def test_nothing_is_written_without_consent(call: Call) -> None:
    call.says("where is my order")
    call.quiet(5000)
    call.answers(frame(tone(500)))
    await call.recording.aclose()
    assert not call.path.parent.exists()
    assert call.events == []


async def test_before_a_consent_there_is_silence_as_long_as_the_call_was(call: Call) -> None:
    call.says("before")
    call.quiet(2000)
    call.recording.consent(agreed_ms := call.now_ms, given=True)
    said = call.says("with consent")
    call.quiet(2000)
    await call.recording.aclose()
    kept = call.read()
    assert kept.shape[1] == round(call.now_ms * PER_MS)
    assert not kept[:, : round(agreed_ms * PER_MS)].any()
    assert np.array_equal(part(kept, 0, *said), tone(500))


async def test_a_consent_taken_back_destroys_what_was_kept(call: Call) -> None:
    call.recording.consent(0.0, given=True)
    call.says("where is my order")
    call.quiet(10_000)
    call.recording.consent(call.now_ms, given=False)
    call.says("more")
    call.quiet(5000)
    await call.recording.aclose()
    assert not call.path.exists()
    assert [event.reason for event in call.of(RecordingDestroyed)] == ["the consent was taken back"]
    assert call.of(RecordingKept) == []


async def test_a_consent_given_again_begins_a_recording_without_what_was_destroyed(call: Call) -> None:
    call.recording.consent(0.0, given=True)
    call.says("where is my order")
    call.quiet(10_000)
    call.recording.consent(call.now_ms, given=False)
    call.quiet(1000)
    call.recording.consent(again_ms := call.now_ms, given=True)
    said = call.says("go on")
    call.quiet(3000)
    await call.recording.aclose()
    kept = call.read()
    assert not kept[:, : round(again_ms * PER_MS)].any()
    assert np.array_equal(part(kept, 0, *said), tone(500))
    assert call.kept.duration_ms == call.now_ms


async def test_where_the_line_says_so_what_was_kept_before_a_revocation_stays(tmp_path: Path) -> None:
    call = Call(tmp_path / "one", destroy_when_revoked=False)
    call.recording.consent(0.0, given=True)
    said = call.says("where is my order")
    call.quiet(2000)
    call.recording.consent(revoked_ms := call.now_ms, given=False)
    call.says("more")
    call.quiet(5000)
    await call.recording.aclose()
    kept = call.read()
    assert np.array_equal(part(kept, 0, *said), tone(1000))
    assert not kept[:, round(revoked_ms * PER_MS) :].any()
    assert call.of(RecordingDestroyed) == []


async def test_while_a_pin_is_expected_no_audio_reaches_the_disk(call: Call) -> None:
    call.recording.consent(0.0, given=True)
    call.quiet(3000)
    asked_ms, _ = call.answers(frame(tone(1000)), suspended=True)
    _, said_ms = call.says("one two three four", Span(0, 18, "PIN"))
    call.quiet(3000)
    await call.recording.aclose()
    kept = call.read()
    assert not kept[:, round(asked_ms * PER_MS) : round((said_ms + 200) * PER_MS)].any()
    assert call.kept.suspended_ms == pytest.approx(said_ms - asked_ms, abs=500)


async def test_with_the_real_redactor_cards_and_cvvs_of_a_conversation_are_never_on_disk(
    tmp_path: Path,
) -> None:
    call = Call(tmp_path / "one")

    def redacted(event: Event, spans: Sequence[Span]) -> None:
        call.recording.redacted(event, spans, suspended=recorder.suspends_recording)

    recorder = Recorder(Nowhere(), Redactor(), "c", on_redacted=redacted)
    call.record = recorder.record
    call.recording.consent(0.0, given=True)
    call.answers(frame(tone(800)), text="What is your card number?")
    card = call.says("it is four one one one one one one one one one one one one one one one okay")
    call.quiet(500)
    question = call.answers(frame(tone(800)), text="And the security code on the back?")
    cvv = call.says("one two three")
    call.quiet(500)
    call.answers(frame(tone(800)), text="Thank you. Your order is on its way.")
    after = call.says("when will it be here")
    call.quiet(500)
    await recorder.flush()
    await call.recording.aclose()
    await recorder.aclose()
    kept = call.read()
    assert np.array_equal(part(kept, 0, card[0], card[0] + 250), tone(500)[: 250 * PER_MS])
    assert not part(kept, 0, card[0] + 500 - 200, card[1] - 250 + 200).any()
    assert not kept[:, round(question[0] * PER_MS) : round((cvv[1] + 200) * PER_MS)].any()
    assert part(kept, 0, *after).any()


class Nowhere:
    """A ledger that keeps nothing."""

    def append_many(self, events: Sequence[Event]) -> None: ...


# -- things fail -------------------------------------------------------------------------------------------


async def test_a_disk_that_fills_up_ends_the_recording_and_nothing_else(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, room = os.write, [200_000]

    def write(descriptor: int, data: bytes) -> int:
        if len(data) > room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        room[0] -= len(data)
        return really(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    call.recording.consent(0.0, given=True)
    rng = np.random.default_rng(0)
    for _ in range(10):
        said = call.says("where is my order")
        call.caller(rng.integers(-40, 40, 1000 * PER_MS).astype(np.int16))
    call.recording.caller_heard(call.now_ms, frame(tone(20)))
    await call.recording.aclose()
    monkeypatch.undo()
    [failed] = call.of(PartFailed)
    assert (failed.part, failed.error) == ("recording", "OSError")
    kept = call.kept
    assert not kept.complete
    check_recording(call.path, sha256=kept.sha256, size_bytes=kept.size_bytes)
    pieces: list[Samples] = []
    with pytest.raises(RecordingTornError):
        pieces.extend(read_recording(call.path, KEY))
    read = np.concatenate(pieces, axis=1)
    assert 1000 * PER_MS < read.shape[1] < said[1] * PER_MS
    assert np.array_equal(read[0, : 1000 * PER_MS], tone(1000))


async def test_a_call_without_a_key_is_not_recorded_and_goes_on(call: Call) -> None:
    def none() -> bytes:
        raise RecordingError("the ledger is away")

    call.key = none
    call.recording.consent(0.0, given=True)
    call.says("where is my order")
    call.quiet(5000)
    await call.recording.aclose()
    assert [failed.error for failed in call.of(PartFailed)] == ["RecordingError"]
    assert not call.path.exists()


async def test_a_recording_that_failed_is_destroyed_with_the_consent_all_the_same(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    call.recording.consent(0.0, given=True)
    call.says("where is my order")
    call.quiet(5000)
    # The encoder takes no such frame: whatever goes wrong in the thread ends the recording.
    call.recording.caller_heard(call.now_ms, None)  # type: ignore[arg-type]
    call.recording.consent(call.now_ms, given=False)
    await call.recording.aclose()
    assert [failed.part for failed in call.of(PartFailed)] == ["recording"]
    assert not call.path.exists()


async def test_a_disk_that_hangs_does_not_keep_the_call_from_ending(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = threading.Event()

    def key() -> bytes:
        hung.wait()
        return KEY

    monkeypatch.setattr("compliance.recording.recording._CLOSE_S", 0.01)
    call.key = key
    call.recording.consent(0.0, given=True)
    call.says("where is my order")
    await call.recording.aclose()
    assert [failed.error for failed in call.of(PartFailed)] == ["TimeoutError"]
    monkeypatch.setattr("compliance.recording.recording._CLOSE_S", PATIENCE_S)
    hung.set()
    await call.recording.aclose()
    assert call.kept.complete


async def test_what_is_said_while_the_disk_hangs_for_long_is_lost_and_so_silent(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, hung = threading.Event(), threading.Event()

    def key() -> bytes:
        asked.set()
        hung.wait()
        return KEY

    monkeypatch.setattr("compliance.recording.recording._MOST_WAITING", 20)
    call.key = key
    call.recording.consent(0.0, given=True)
    said = call.says("where is my order")
    call.quiet(5000)
    assert asked.wait(PATIENCE_S), "the thread never came to make the file"
    for _ in range(20):
        call.quiet(5000)
    hung.set()
    await call.recording.aclose()
    kept = call.read()
    assert np.array_equal(part(kept, 0, *said), tone(1000))
    assert not part(kept, 0, 60_000, call.now_ms).any()
    assert call.of(PartFailed) == []


async def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"kept before")
    call = Call(tmp_path / "one")
    call.recording.consent(0.0, given=True)
    call.says("where is my order")
    await call.recording.aclose()
    assert [failed.error for failed in call.of(PartFailed)] == ["FileExistsError"]
    assert (tmp_path / "one").read_bytes() == b"kept before"


async def test_closing_twice_is_closing_once(call: Call) -> None:
    call.recording.consent(0.0, given=True)
    call.says("hello")
    await call.recording.aclose()
    await call.recording.aclose()
    assert len(call.of(RecordingKept)) == 1


# -- files -------------------------------------------------------------------------------------------------


def test_a_call_by_any_name_has_a_file_in_the_folder(tmp_path: Path) -> None:
    for name in ("a1b2", "../../etc/passwd", "a/b", "", ".", "ü"):
        assert Recordings(tmp_path).path(name).parent == tmp_path
        assert Recordings(tmp_path).path(name).name not in ("", ".", "..")


async def test_a_recording_is_shredded_once(call: Call) -> None:
    call.recording.consent(0.0, given=True)
    call.says("hello")
    await call.recording.aclose()
    kept = Recordings(call.path.parent)
    assert kept.keeps("c")
    assert (kept.shred("c"), kept.shred("c")) == (1, 0)
    assert not kept.keeps("c")
    with pytest.raises(RecordingError, match="cannot be read"):
        list(read_recording(call.path, KEY))
