"""The format of an encrypted recording: what was written comes back, and nothing else does."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.recording import RecordingChangedError, RecordingTornError
from compliance.recording.errors import RecordingError
from compliance.recording.sealed import CHUNK_BYTES, HEADER_BYTES, TAG_BYTES, SealedFile, opened

pytestmark = pytest.mark.unit

KEY = bytes(range(32))
SEALED = CHUNK_BYTES + TAG_BYTES
BOUNDARIES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 5]

sizes = st.sampled_from(BOUNDARIES) | st.integers(0, 4 * CHUNK_BYTES)


def sealed(data: bytes, key: bytes = KEY, *, finished: bool = True, step: int = 5000) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "one"
        file = SealedFile(path, key)
        for start in range(0, len(data), step):
            file.write(data[start : start + step])
        if finished:
            file.finish()
        file.close()
        kept = path.read_bytes()
        assert (file.sha256, file.size_bytes) == (hashlib.sha256(kept).hexdigest(), len(kept))
        return kept


def read(data: bytes, key: bytes = KEY) -> tuple[bytes, RecordingError | None]:
    """What comes out before the end or the first error."""
    out = b""
    try:
        for chunk in opened(io.BytesIO(data), key, name="one"):
            out += chunk
    except RecordingError as error:
        return out, error
    return out, None


def plain(size: int) -> bytes:
    return hashlib.shake_128(b"plain").digest(size)


@settings(max_examples=40, deadline=None)
@given(sizes, st.integers(1, 2 * CHUNK_BYTES))
def test_what_is_written_comes_back(size: int, step: int) -> None:
    assert read(sealed(plain(size), step=step)) == (plain(size), None)


@settings(max_examples=150, deadline=None)
@given(sizes, st.data())
def test_a_flipped_bit_anywhere_is_found_and_nothing_after_it_comes_out(
    size: int, data: st.DataObject
) -> None:
    whole = bytearray(sealed(plain(size)))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    out, error = read(bytes(whole))
    assert isinstance(error, RecordingChangedError | RecordingTornError)
    assert plain(size).startswith(out)
    assert len(out) <= max(0, at - HEADER_BYTES) // SEALED * CHUNK_BYTES


@settings(max_examples=150, deadline=None)
@given(sizes, st.data())
def test_a_file_that_was_cut_or_went_on_is_found(size: int, data: st.DataObject) -> None:
    whole = sealed(plain(size))
    cut = data.draw(st.integers(0, len(whole) - 1))
    out, error = read(whole[:cut])
    assert isinstance(error, RecordingTornError)
    assert plain(size).startswith(out)
    more = data.draw(st.binary(min_size=1, max_size=SEALED + 1))
    out, error = read(whole + more)
    assert error is not None
    assert plain(size).startswith(out)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.data())
def test_a_chunk_dropped_repeated_moved_or_of_another_file_is_found(chunks: int, data: st.DataObject) -> None:
    size = chunks * CHUNK_BYTES - 7
    whole, other = sealed(plain(size)), sealed(plain(size))
    head, body = whole[:HEADER_BYTES], whole[HEADER_BYTES:]
    pieces = [body[start : start + SEALED] for start in range(0, len(body), SEALED)]
    first, second = data.draw(
        st.tuples(st.integers(0, chunks - 1), st.integers(0, chunks - 1)).filter(
            lambda pair: pair[0] != pair[1]
        )
    )
    swapped = list(pieces)
    swapped[first], swapped[second] = pieces[second], pieces[first]
    foreign = list(pieces)
    foreign[first] = other[HEADER_BYTES + first * SEALED :][: len(pieces[first])]
    for changed in (
        pieces[:first] + pieces[first + 1 :],
        [*pieces[:first], pieces[first], *pieces[first:]],
        swapped,
        foreign,
    ):
        out, error = read(head + b"".join(changed))
        assert error is not None
        assert plain(size).startswith(out)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 6 * CHUNK_BYTES))
def test_what_a_crash_leaves_can_be_read_to_its_last_whole_chunk(size: int) -> None:
    out, error = read(sealed(plain(size), finished=False))
    assert isinstance(error, RecordingTornError)
    assert out == plain(size)[: max(0, size - 1) // CHUNK_BYTES * CHUNK_BYTES]


def test_the_key_of_another_call_opens_nothing() -> None:
    assert isinstance(read(sealed(plain(100)), bytes(32))[1], RecordingChangedError | RecordingTornError)


def test_two_files_under_one_key_share_no_bytes_of_ciphertext() -> None:
    one, two = sealed(bytes(CHUNK_BYTES)), sealed(bytes(CHUNK_BYTES))
    assert one[HEADER_BYTES : HEADER_BYTES + 64] != two[HEADER_BYTES : HEADER_BYTES + 64]


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    file = SealedFile(tmp_path / "folder" / "one", KEY)
    file.finish()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"kept before")
    with pytest.raises(FileExistsError):
        SealedFile(tmp_path / "one", KEY)
    assert (tmp_path / "one").read_bytes() == b"kept before"


def test_when_the_disk_is_full_the_file_ends_with_a_whole_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = SealedFile(tmp_path / "one", KEY)
    file.write(plain(2 * CHUNK_BYTES + 1))
    room = [SEALED // 2]
    really = os.write

    def write(descriptor: int, data: memoryview) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = really(descriptor, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space"):
        file.write(plain(CHUNK_BYTES))
    monkeypatch.undo()
    file.close()
    kept = file.path.read_bytes()
    assert len(kept) == file.size_bytes == HEADER_BYTES + 2 * SEALED
    assert file.sha256 == hashlib.sha256(kept).hexdigest()


def test_a_file_of_something_else_says_so() -> None:
    out, error = read(b"fLaC" + bytes(1000))
    assert out == b""
    assert isinstance(error, RecordingChangedError)
    assert "no recording of this format" in str(error)
