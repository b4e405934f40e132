"""Redaction of what is said in a call: a :class:`Redactor` per call over one shared :class:`RedactionEngine`."""

from compliance.redaction.engine import RedactionEngine
from compliance.redaction.policy import RedactionPolicy
from compliance.redaction.redacted import Redacted
from compliance.redaction.session import REDACTION_FAILED, Redactor
from compliance.redaction.spans import Span

__all__ = ["REDACTION_FAILED", "Redacted", "RedactionEngine", "RedactionPolicy", "Redactor", "Span"]
