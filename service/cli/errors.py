"""What a command says when it cannot do its work. Apart from the rest, for every command imports it at its start."""

from __future__ import annotations


class CommandError(Exception):
    """Something a command needs is not there or cannot be used; the message says what to do."""
