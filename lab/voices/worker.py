"""A process that speaks: ``python -m lab.voices.worker``.

Request, on standard input: one line of JSON, ``{"text": …, "voice": …}``. Answer, on standard output: two
big-endian uint32 lengths, then that much JSON (``boundaries_ms``, or ``error``) and that much int16 PCM. It
ends when its input is closed, so it never outlives who started it.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys

from lab.errors import LabError
from lab.voices.espeak import Espeak

HEADER = struct.Struct(">II")


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the group; the parent ends us
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # whatever the library prints must not mix with the answers
        espeak = Espeak()
        for line in sys.stdin.buffer:
            request = json.loads(line)
            pcm = b""
            try:
                said = espeak.speak(request["text"], request["voice"])
            except LabError as error:
                head = json.dumps({"error": str(error)}).encode()
            else:
                pcm = said.samples.astype("<i2").tobytes()
                head = json.dumps({"boundaries_ms": said.boundaries_ms}).encode()
            answers.write(HEADER.pack(len(head), len(pcm)) + head + pcm)
            answers.flush()


if __name__ == "__main__":
    main()
