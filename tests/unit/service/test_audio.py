"""Reading any audio file as int16 mono, and writing the recording of a call."""

from __future__ import annotations

import math
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.audio import AudioFileError, read_audio, resample, write_wav
from tests.one_fixture import SHARED

pytestmark = pytest.mark.unit


def tone(hz: float, seconds: float, rate_hz: int, level: float = 0.5) -> np.ndarray:
    return (np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz) * level * 32767).astype(
        np.int16
    )


def level_db(samples: np.ndarray) -> float:
    return 20 * math.log10(float(np.sqrt(np.mean((samples / 32768.0) ** 2))) + 1e-9)


def encode(path: Path, codec: str, sample_format: str, rate_hz: int, seconds: float = 1.0) -> Path:
    """A 440 Hz tone in any of FFmpeg's audio codecs."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout="mono")
        resampler = av.AudioResampler(
            sample_format, "mono", rate_hz, frame_size=stream.codec_context.frame_size
        )
        frame = av.AudioFrame.from_ndarray(tone(440, seconds, rate_hz)[None, :], format="s16", layout="mono")
        frame.sample_rate = rate_hz
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_any_rate_becomes_the_asked_one_with_its_duration_kept(tmp_path: Path, rate_hz: int) -> None:
    write_wav(tmp_path / "a.wav", [tone(440, 1.0, rate_hz)], sample_rate_hz=rate_hz)
    samples = read_audio(tmp_path / "a.wav", sample_rate_hz=24_000)
    assert samples.dtype == np.int16
    assert samples.shape == (pytest.approx(24_000, abs=50),)
    assert level_db(samples) == pytest.approx(level_db(tone(440, 1.0, 24_000)), abs=0.2)


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 11])
def test_any_number_of_channels_is_averaged_to_one(tmp_path: Path, channels: int) -> None:
    loud = tone(440, 0.5, 16_000)
    write_wav(tmp_path / "a.wav", [loud] + [np.zeros_like(loud)] * (channels - 1), sample_rate_hz=16_000)
    samples = read_audio(tmp_path / "a.wav", sample_rate_hz=16_000)
    assert level_db(samples) == pytest.approx(level_db(loud) - 20 * math.log10(channels), abs=0.2)


@pytest.mark.parametrize(
    ("name", "codec", "sample_format"),
    [
        ("a.wav", "pcm_u8", "u8"),
        ("a.wav", "pcm_s24le", "s32"),
        ("a.wav", "pcm_f32le", "flt"),
        ("a.wav", "pcm_f64le", "dbl"),
        ("a.wav", "pcm_mulaw", "s16"),
        ("a.wav", "pcm_alaw", "s16"),
        ("a.flac", "flac", "s16"),
        ("a.ogg", "libopus", "flt"),
        ("a.mp3", "libmp3lame", "fltp"),
        ("a.m4a", "aac", "fltp"),
    ],
)
def test_every_usual_encoding_is_read(tmp_path: Path, name: str, codec: str, sample_format: str) -> None:
    path = encode(tmp_path / name, codec, sample_format, 48_000)
    samples = read_audio(path, sample_rate_hz=16_000)
    assert len(samples) == pytest.approx(16_000, rel=0.1)
    assert level_db(samples) == pytest.approx(level_db(tone(440, 1, 16_000)), abs=1)


def test_what_the_new_rate_cannot_carry_is_removed_not_folded_back(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", [tone(14_000, 1.0, 48_000)], sample_rate_hz=48_000)
    steady = read_audio(tmp_path / "a.wav", sample_rate_hz=24_000)[1_000:-1_000]
    assert level_db(steady) < -80


def test_resampling_to_the_same_rate_or_of_nothing_changes_nothing() -> None:
    samples = tone(440, 0.1, 24_000)
    assert resample(samples, from_hz=24_000, to_hz=24_000) is samples
    assert len(resample(samples[:0], from_hz=24_000, to_hz=8_000)) == 0


def test_samples_that_are_no_numbers_become_silence(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.wav", "pcm_f32le", "flt", 16_000)
    raw = bytearray(path.read_bytes())
    raw[-400:] = np.full(100, np.nan, dtype="<f4").tobytes()
    path.write_bytes(raw)
    assert not read_audio(path, sample_rate_hz=16_000)[-90:].any()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match=r"there is no file .*gone\.wav"):
        read_audio(tmp_path / "gone.wav", sample_rate_hz=16_000)


def test_a_folder_is_not_a_recording(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match="is a folder"):
        read_audio(tmp_path, sample_rate_hz=16_000)


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    with pytest.raises(AudioFileError, match="0 bytes"):
        read_audio(tmp_path / "a.wav", sample_rate_hz=16_000)


def test_a_header_without_samples_says_so(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
    with pytest.raises(AudioFileError, match="no sound at all"):
        read_audio(tmp_path / "a.wav", sample_rate_hz=16_000)


def test_a_text_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("this is a letter, not a recording\n" * 100)
    with pytest.raises(AudioFileError, match="convert it first"):
        read_audio(tmp_path / "a.wav", sample_rate_hz=16_000)


def test_a_film_without_sound_has_no_audio_track(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p")
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(AudioFileError, match="no audio track"):
        read_audio(path, sample_rate_hz=16_000)


def test_a_playlist_does_not_open_what_it_names(tmp_path: Path) -> None:
    write_wav(tmp_path / "secret.wav", [tone(440, 0.5, 16_000)], sample_rate_hz=16_000)
    (tmp_path / "a.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{tmp_path / 'secret.wav'}\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(AudioFileError):
        read_audio(tmp_path / "a.m3u8", sample_rate_hz=16_000)


@given(rubbish=st.binary(max_size=600), kept=st.integers(0, 200))
@settings(max_examples=60, deadline=None, suppress_health_check=SHARED)
def test_a_damaged_file_gives_samples_or_the_one_error(tmp_path: Path, rubbish: bytes, kept: int) -> None:
    path = tmp_path / "whole.flac"
    if not path.exists():
        encode(path, "flac", "s16", 16_000, seconds=0.2)
    damaged = tmp_path / "damaged.flac"
    damaged.write_bytes(path.read_bytes()[:kept] + rubbish)
    try:
        samples = read_audio(damaged, sample_rate_hz=16_000)
    except AudioFileError:
        return
    assert samples.dtype == np.int16


def test_channels_are_written_side_by_side_the_shorter_filled_with_silence(tmp_path: Path) -> None:
    caller, agent = np.array([1, 2, 3], dtype=np.int16), np.array([-4], dtype=np.int16)
    write_wav(tmp_path / "call.wav", [caller, agent], sample_rate_hz=24_000)
    with wave.open(str(tmp_path / "call.wav")) as written:
        assert (written.getnchannels(), written.getframerate(), written.getnframes()) == (2, 24_000, 3)
        assert np.frombuffer(written.readframes(3), dtype="<i2").tolist() == [1, -4, 2, 0, 3, 0]


def test_a_recording_without_channels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one channel"):
        write_wav(tmp_path / "call.wav", [], sample_rate_hz=24_000)
