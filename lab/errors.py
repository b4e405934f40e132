"""The lab's one error family."""

from __future__ import annotations


class LabError(Exception):
    """Something in the lab cannot be used as asked. The message says what was wrong and what to do."""
