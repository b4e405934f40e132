"""espeak-ng through ctypes: text in, 24 kHz speech and the time of every character out.

The library and its data come in the wheel ``espeakng-loader``. It keeps all its state in globals, so one
process holds one :class:`Espeak` (:mod:`lab.voices.worker`). Declarations follow espeak-ng 1.52's
``speak_lib.h``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import espeakng_loader  # type: ignore[import-untyped]
import numpy as np

from lab.errors import LabError
from service.audio import Samples, resample

SAMPLE_RATE_HZ = 24_000
LEVEL_DBFS = -20.0
"""Every utterance is brought to this RMS, measured where it is not silent."""

_PEAK = 0.95
_SYNCHRONOUS = 2
_DONT_EXIT, _PHONEME_EVENTS = 0x8000, 1
_UTF8 = 1
_BY_CHARACTER = 1
_RATE, _PITCH, _PITCH_RANGE = 1, 3, 4
_LIST_END, _WORD, _PHONEME = 0, 1, 7
_PAUSE = b"_:"


@dataclass(frozen=True, slots=True)
class Voice:
    """An espeak-ng voice and how it is set: words per minute, pitch and its range as 0 to 100."""

    espeak: str
    rate_wpm: int = 165
    pitch: int = 50
    pitch_range: int = 50


# Of sixteen English variants these are the ones that the lab's own recogniser understands best.
VOICES: dict[str, Voice] = {
    "agent": Voice("en-us+anika"),
    "realtime": Voice("en-us+f5", rate_wpm=172, pitch_range=65),
    "low": Voice("en-us+m1"),
    "british": Voice("en-gb-x-rp+f2"),
}


def voice_named(name: str) -> Voice:
    """The lab's voice of that name. A vendor's voice name stands for one of them, always the same."""
    if name in VOICES:
        return VOICES[name]
    return list(VOICES.values())[crc32(name.encode(errors="replace")) % len(VOICES)]


@dataclass(frozen=True, slots=True)
class Utterance:
    """Speech at :data:`SAMPLE_RATE_HZ`; ``boundaries_ms`` has one entry more than the text has characters."""

    samples: Samples
    boundaries_ms: list[float]


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # in characters, from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # ms
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


@dataclass(frozen=True, slots=True)
class _Word:
    start: int
    end: int
    at_ms: int


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Espeak:
    """The one synthesiser of this process."""

    def __init__(self) -> None:
        """Load the library.

        Raises:
            LabError: it does not start here.
        """
        try:
            self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise LabError(f"espeak-ng does not load ({error}); reinstall espeakng-loader") from error
        data = espeakng_loader.get_data_path().encode()
        self._native_hz = int(
            self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DONT_EXIT | _PHONEME_EVENTS)
        )
        if self._native_hz <= 0:
            raise LabError("espeak-ng finds no voice data; reinstall espeakng-loader")
        self._pcm = bytearray()
        self._words: list[_Word] = []
        self._pauses_ms: list[int] = []
        self._callback = _Callback(self._collect)  # kept: the library holds only its address
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: str) -> Utterance:
        """Synthesise ``text``.

        Raises:
            LabError: espeak-ng refused the voice or the text.
        """
        self._pcm.clear()
        self._words.clear()
        self._pauses_ms.clear()
        chosen = voice_named(voice)
        if self._library.espeak_SetVoiceByName(chosen.espeak.encode()):
            raise LabError(f"espeak-ng has no voice '{chosen.espeak}'")
        for parameter, value in (
            (_RATE, chosen.rate_wpm),
            (_PITCH, chosen.pitch),
            (_PITCH_RANGE, chosen.pitch_range),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)
        utf8 = text.replace("\0", " ").encode(errors="replace")
        status = self._library.espeak_Synth(utf8, len(utf8) + 1, 0, _BY_CHARACTER, 0, _UTF8, None, None)
        if status:
            raise LabError(f"espeak-ng refused to speak '{text[:40]}' (status {status})")
        native = np.frombuffer(bytes(self._pcm), dtype=np.int16)
        samples = resample(_levelled(native), from_hz=self._native_hz, to_hz=SAMPLE_RATE_HZ)
        total_ms = 1000 * len(native) / self._native_hz
        return Utterance(samples, _boundaries_ms(len(text), self._words, self._pauses_ms, total_ms))

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        if samples and count:
            self._pcm += ctypes.string_at(samples, 2 * count)
        index = 0
        while (event := events[index]).type != _LIST_END:
            if event.type == _WORD:
                start = event.text_position - 1
                self._words.append(_Word(start, start + event.length, event.audio_position))
            elif event.type == _PHONEME and event.id == _PAUSE:
                self._pauses_ms.append(event.audio_position)
            index += 1
        return 0  # go on


def _levelled(samples: Samples) -> Samples:
    audible = samples[np.abs(samples.astype(np.int32)) > 100].astype(np.float64)
    if not len(audible):
        return samples
    gain = 32768 * 10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(audible**2))
    gain = min(gain, _PEAK * 32767 / np.abs(audible).max())
    levelled: Samples = np.round(samples * gain).astype(np.int16)
    return levelled


def _boundaries_ms(
    length: int, words: Sequence[_Word], pauses_ms: Sequence[int], total_ms: float
) -> list[float]:
    """Where each of ``length`` characters begins, and the end: words as timed, characters evenly within.

    A number is reported once as written, and then again for the words it is read as, at positions inside it:
    only the first counts.
    """
    timed: list[_Word] = []
    for word in words:
        if not timed or word.start >= timed[-1].end:
            timed.append(word)
    positions, times_ms = [0], [0.0]
    for word, next_ms in zip(timed, [*(word.at_ms for word in timed[1:]), total_ms], strict=False):
        silent_ms = min((at for at in pauses_ms if at > word.at_ms), default=total_ms)
        positions += [word.start, word.end]
        times_ms += [word.at_ms, min(next_ms, silent_ms)]
    positions.append(length)
    times_ms.append(total_ms)
    at_ms = np.interp(np.arange(length + 1), np.minimum(positions, length), np.minimum(times_ms, total_ms))
    return [float(t) for t in at_ms.round(1)]
