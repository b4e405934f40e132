"""Audio files in and out: whatever FFmpeg decodes becomes int16 mono at the rate that is asked for.

Samples are numpy ``int16`` arrays of shape ``(samples,)``, full scale ±32768.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from numpy.typing import NDArray

Samples = NDArray[np.int16]


class AudioFileError(ValueError):
    """A file that no call can be made from. The message says which file, what is wrong and what to do."""


def read_audio(path: Path | str, *, sample_rate_hz: int) -> Samples:
    """The sound of a file: any format, rate and channel count, mixed to mono at ``sample_rate_hz``.

    Raises:
        AudioFileError: the file is missing, unreadable, not audio, damaged, or holds no sample.
    """
    path = Path(path)
    try:
        # A file object rather than a name, and no further protocols: a playlist must not reach the network.
        with (
            path.open("rb") as file,
            av.open(file, mode="r", options={"protocol_whitelist": "none"}) as container,
        ):
            if not container.streams.audio:
                raise AudioFileError(f"{path} has no audio track; record or export it with sound")
            pieces = list(_decoded(container, path, sample_rate_hz))
    except OSError as error:  # FFmpeg's own errors about a file are OSErrors too
        raise AudioFileError(_unreadable(path, error)) from error
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, AudioFileError):
            raise
        raise AudioFileError(_unreadable(path, error)) from error
    if not pieces or not sum(map(len, pieces)):
        raise AudioFileError(f"{path} holds no sound at all (zero samples); record it again")
    return np.concatenate(pieces)


def resample(samples: Samples, *, from_hz: int, to_hz: int) -> Samples:
    """The same sound at another rate, by FFmpeg's windowed-sinc resampler."""
    if from_hz == to_hz or not len(samples):
        return samples
    resampler = AudioResampler("s16", "mono", to_hz)
    pieces = [*_run(resampler, _mono_frame(samples, from_hz)), *_run(resampler, None)]
    return np.concatenate(pieces) if pieces else samples[:0]


def write_wav(path: Path | str, channels: Sequence[Samples], *, sample_rate_hz: int) -> None:
    """Write int16 channels side by side as one WAV; shorter channels are filled up with silence.

    Raises:
        ValueError: no channel was given.
    """
    if not channels:
        raise ValueError("a WAV needs at least one channel")
    interleaved = np.zeros((max(map(len, channels)), len(channels)), dtype="<i2")
    for column, channel in enumerate(channels):
        interleaved[: len(channel), column] = channel
    with wave.open(str(path), "wb") as out:
        out.setnchannels(len(channels))
        out.setsampwidth(2)
        out.setframerate(sample_rate_hz)
        out.writeframes(interleaved.tobytes())


def _decoded(container: InputContainer, path: Path, sample_rate_hz: int) -> Iterator[Samples]:
    """Decode, mix and resample frame by frame, so that an hour of 48 kHz stereo never sits in memory."""
    resampler = AudioResampler("s16", "mono", sample_rate_hz)
    source_hz: int | None = None
    for frame in container.decode(container.streams.audio[0]):
        if source_hz is not None and frame.sample_rate != source_hz:
            raise AudioFileError(
                f"{path} changes its sample rate midway ({source_hz} to {frame.sample_rate} Hz); "
                f"export it again at one rate"
            )
        source_hz = frame.sample_rate
        yield from _run(resampler, _mono_frame(_mixed(frame), source_hz))
    yield from _run(resampler, None)


def _mixed(frame: AudioFrame) -> NDArray[np.float32]:
    """One decoded frame as float samples in ±1, channels averaged.

    FFmpeg's own mixing needs to know where each loudspeaker stands; a plain average takes any channel count.
    """
    raw = frame.to_ndarray()
    if not frame.format.is_planar:
        raw = raw.reshape(-1, frame.layout.nb_channels).T
    samples = raw.astype(np.float64)
    if raw.dtype == np.uint8:
        samples = (samples - 128) / 128
    elif np.issubdtype(raw.dtype, np.integer):
        samples /= 2.0 ** (8 * raw.dtype.itemsize - 1)
    mono: NDArray[np.float32] = np.nan_to_num(samples, posinf=1, neginf=-1).mean(axis=0).astype(np.float32)
    return mono.clip(-1, 1)


def _mono_frame(samples: NDArray[np.float32] | Samples, sample_rate_hz: int) -> AudioFrame:
    kind = "s16" if samples.dtype == np.int16 else "flt"
    frame = AudioFrame.from_ndarray(samples[np.newaxis, :], format=kind, layout="mono")
    frame.sample_rate = sample_rate_hz
    return frame


def _run(resampler: AudioResampler, frame: AudioFrame | None) -> Iterator[Samples]:
    for out in resampler.resample(frame):
        yield out.to_ndarray()[0].astype(np.int16, copy=False)


def _unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no file {path}; check the name"
    if isinstance(error, PermissionError):
        return f"{path} may not be read; check its permissions"
    if isinstance(error, IsADirectoryError):
        return f"{path} is a folder; name one audio file"
    try:
        empty = path.stat().st_size == 0
    except OSError:
        empty = False
    if empty:
        return f"{path} is empty (0 bytes); record it again"
    reason = getattr(error, "strerror", None) or error
    return f"{path} cannot be decoded as audio ({reason}); convert it first, for example to WAV"
