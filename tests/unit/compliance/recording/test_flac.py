"""Recordings as FLAC: what is read is what was written, silence included, with our reader and with another's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.recording.errors import RecordingError, RecordingTornError
from compliance.recording.flac import FlacEncoder, decoded
from compliance.tap import RATE_HZ
from compliance.voiced import Samples

pytestmark = pytest.mark.unit


def noise(samples: int, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).integers(-(2**15), 2**15, (2, samples), np.int16)


def encoded(pieces: list[Samples]) -> bytes:
    encoder = FlacEncoder()
    return b"".join([*(encoder.encode(piece) for piece in pieces), encoder.finish()])


def together(stream: list[bytes]) -> Samples:
    pieces = list(decoded(stream))
    return np.concatenate(pieces, axis=1) if pieces else np.empty((2, 0), np.int16)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 9000), max_size=6), st.integers(1, 5000))
def test_what_is_written_is_read_to_the_last_bit(lengths: list[int], step: int) -> None:
    pieces = [noise(length, seed) for seed, length in enumerate(lengths)]
    stream = encoded(pieces)
    read = together([stream[start : start + step] for start in range(0, len(stream), step)])
    assert np.array_equal(read, np.concatenate([noise(0), *pieces], axis=1))


def test_silence_is_zero_and_costs_next_to_nothing() -> None:
    samples = noise(3 * RATE_HZ)
    samples[:, RATE_HZ : 2 * RATE_HZ] = 0
    read = together([encoded([samples])])
    assert np.array_equal(read, samples)
    assert len(encoded([np.zeros((2, 60 * RATE_HZ), np.int16)])) < 20_000


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 200_000))
def test_of_a_torn_stream_the_whole_frames_are_read(cut: int) -> None:
    samples = noise(2 * RATE_HZ)

    def stream() -> Iterator[bytes]:
        yield encoded([samples])[:cut]
        raise RecordingTornError("torn")

    pieces: list[Samples] = []
    with pytest.raises(RecordingTornError):
        pieces.extend(decoded(stream()))
    read = np.concatenate([noise(0), *pieces], axis=1)
    assert np.array_equal(read, samples[:, : read.shape[1]])
    assert read.shape[1] >= min(2 * RATE_HZ, cut // 4 - 5000)


def test_what_is_no_flac_says_so() -> None:
    with pytest.raises(RecordingError, match="no FLAC"):
        together([b"RIFF" + bytes(5000)])
