"""The lab's ears: real speech recognition by pocketsphinx, in processes of their own.

What comes back was decoded from the audio that was pushed, never looked up. The language model knows the
shipped callers' lines (see :mod:`lab.hearing.language_model`), so recognition figures measured here are those
of an *oracle*: declare it wherever they appear.
"""

from __future__ import annotations

from lab.hearing.heard import Heard, HearingError, Word
from lab.hearing.pool import Hearing, Listener

__all__ = ["Heard", "Hearing", "HearingError", "Listener", "Word"]
