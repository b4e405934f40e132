"""Redaction of what is said in a call: a :class:`Redactor` per call over one shared :class:`RedactionEngine`."""

from compliance.redaction.engine import RedactionEngine
from compliance.redaction.session import REDACTION_FAILED, Redacted, Redactor

__all__ = ["REDACTION_FAILED", "Redacted", "RedactionEngine", "Redactor"]
