"""The lab of the hand-off bench in a process of its own: a vendor's work is never done in the process of the call.

Its ears know beforehand what the bench's caller can say, and its voices hum: ``python -m lab.bench.known_lab``, with
the options of ``lab.server``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache

import numpy as np

from compliance.tap import RATE_HZ
from lab import server
from lab.callers import load_pcm, recorded_call
from lab.known_speech import KnownSpeech, Utterance, excerpts, longest_pause_s
from lab.standins import ToneVoices

_PIECES = 40
_PAUSE_S = 0.1
_CALLERS = ("10", "09", "04", "07")
_TENS = ("", "twenty ")
_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEXTS = tuple(f"where is order {ten}{one}" for ten in _TENS for one in _ONES)


@cache
def speech() -> Sequence[Utterance]:
    """What the bench's caller can say: eighteen utterances of one second, without a pause that could end a turn."""
    turns = [turn for caller in _CALLERS for turn in recorded_call(caller).turns]
    long = np.concatenate([load_pcm(turn.path, sample_rate_hz=RATE_HZ) for turn in turns])
    pieces = excerpts(long, [str(number) for number in range(_PIECES)], seconds=1.0).values()
    fluent = [piece.samples for piece in pieces if longest_pause_s(piece.samples) < _PAUSE_S]
    return tuple(Utterance(text, samples) for text, samples in zip(_TEXTS, fluent, strict=False))


def ears(known: Sequence[Utterance]) -> KnownSpeech:
    """Ears that know all of it, and when an utterance is over."""
    return KnownSpeech(known, endpointing=True)


def voices() -> ToneVoices:
    """Voices that hum for 8 ms a character."""
    return ToneVoices(8.0)


if __name__ == "__main__":
    sys.exit(server.main(hearing=ears(speech()), voices=voices()))
