"""What a process that has calls does once all that they need is loaded."""

from __future__ import annotations

import gc
import sys

SWITCH_S = 0.001
"""How long a thread keeps the interpreter while another waits for it; Python's default is five times that."""


def settle() -> None:
    """Keep what is said from waiting for anything that is not said.

    What was loaded stays, and looking through it for garbage takes longer than any work on a call. And the thread
    that keeps the record would hold up the loop, which has the audio, for 5 ms at a time.
    """
    gc.freeze()
    sys.setswitchinterval(SWITCH_S)
