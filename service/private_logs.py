"""Keeps personal data out of the worker's logs: LiveKit logs transcripts, and callers' numbers as names."""

from __future__ import annotations

import logging
import re

_MARKED = "lk.pii."
"""LiveKit's own mark on fields that may hold words of a call."""
_LONG_NUMBER = re.compile(
    r"(?P<date>\b\d{4}-\d\d-\d\d(?:[T ]\d\d(?=:)|\b(?![- ()]{0,3}\d)))"
    r"|\+?\d(?:[- ()]{0,3}\d){6,}|\b\d{3}\.\d{3}\.\d{4}\b"
)
"""Seven digits or more, also with what people write between them; days and times are none."""
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_OURS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class PrivateLogs(logging.Filter):
    """Drops what LiveKit marks as personal, and masks long numbers and e-mail addresses in what else is logged.

    The identity of a participant on the telephone and the name of its room hold the caller's number.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        fields = vars(record)
        for name in [name for name in fields if name.startswith(_MARKED)]:
            del fields[name]
        for name, value in fields.items():
            if name not in _OURS and isinstance(value, str):
                fields[name] = _masked(value)
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # a filter that raises would take down who logged
            message = f"{record.msg} (its arguments do not fit and are left out)"
        record.msg, record.args = _masked(message), None
        if record.exc_info:
            record.exc_text, record.exc_info = logging.Formatter().formatException(record.exc_info), None
        if record.exc_text:
            record.exc_text = _masked(record.exc_text)
        return True


def keep_private() -> None:
    """Filter everything that is logged from here on. Records of the job processes pass here, too."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, PrivateLogs) for known in handler.filters):
            handler.addFilter(PrivateLogs())


def _masked(text: str) -> str:
    text = _LONG_NUMBER.sub(lambda found: found["date"] or "<PHONE_NUMBER>", text)
    return _EMAIL.sub("<EMAIL_ADDRESS>", text)
