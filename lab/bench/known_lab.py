"""The lab of the hand-off bench in a process of its own: a vendor's work is never done in the process of the call.

Its ears know beforehand what the bench's caller can say, and its voices hum: ``python -m lab.bench.known_lab``, with
the options of ``lab.server``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from compliance.tap import RATE_HZ
from lab import server
from lab.callers import load_pcm, recorded_call
from lab.known_speech import KnownSpeech, Utterance, excerpts
from lab.standins import ToneVoices

_TEXTS = tuple(f"where is order {number}" for number in ("one", "two", "three", "four", "five", "six"))


def speech() -> Sequence[Utterance]:
    """What the bench's caller can say: six utterances of one second."""
    long = load_pcm(recorded_call("10").turns[0].path, sample_rate_hz=RATE_HZ)
    return tuple(excerpts(long, _TEXTS, seconds=1.0).values())


def ears(known: Sequence[Utterance]) -> KnownSpeech:
    """Ears that know all of it, and when an utterance is over."""
    return KnownSpeech(known, endpointing=True)


def voices() -> ToneVoices:
    """Voices that hum for 8 ms a character."""
    return ToneVoices(8.0)


if __name__ == "__main__":
    sys.exit(server.main(hearing=ears(speech()), voices=voices()))
