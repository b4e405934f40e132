"""The work of redacting what is said in a call, in the process beside the calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from compliance.events import EVENT, redactable
from compliance.redaction import RedactionEngine, Redactor
from compliance.redaction.policy import RedactionPolicy


class RedactionWork:
    """One call's redactor. Messages are events, in order; the answer is what may be kept of their texts.

    ======== ==================================== ===================================================================
    ``do``   message                              answer
    ======== ==================================== ===================================================================
    begin    payload: the key of hashed masks     nothing
    redact   payload: an event, JSON              ``spans``: field → start, end, entity; payload: field → redacted, JSON
    know     payload: entities and values, JSON   nothing
    expect   ``entity``                           nothing
    ======== ==================================== ===================================================================

    ``begin`` comes first. Every answer says whether a recording has to be ``suspended``. One with ``failed``, the class
    of an error, has nothing else: it never quotes the call.
    """

    def __init__(self, redactor: Callable[[bytes], Redactor]) -> None:
        self._make = redactor
        self._redactor: Redactor

    def answer(self, header: Mapping[str, Any], payload: bytes) -> tuple[Mapping[str, Any], bytes]:
        try:
            told, answer = self._answer(header, payload)
            return {**told, "suspended": self._redactor.suspends_recording}, answer
        except Exception as error:
            return {"failed": type(error).__name__}, b""

    def _answer(self, header: Mapping[str, Any], payload: bytes) -> tuple[Mapping[str, Any], bytes]:
        match header["do"]:
            case "begin":
                self._redactor = self._make(payload)
            case "redact":
                return self._redact(payload)
            case "know":
                for entity, value in json.loads(payload):
                    self._redactor.know(entity, value)
            case "expect":
                self._redactor.expect(header["entity"])
            case _:
                raise LookupError
        return {}, b""

    def _redact(self, payload: bytes) -> tuple[Mapping[str, Any], bytes]:
        failures = self._redactor.failures
        event, spans = self._redactor.redact(EVENT.validate_python(json.loads(payload)))
        if self._redactor.failures > failures:
            return {"failed": self._redactor.last_failure}, b""
        told = {name: [(one.start, one.end, one.entity) for one in found] for name, found in spans.items()}
        texts = {name: getattr(event, name) for name in redactable(event)}
        return {"spans": told}, json.dumps(texts).encode()


def redaction_works(policy: Path) -> Callable[[], RedactionWork]:
    """Loads everything that redactors share; seconds. Returns what makes the work for one call.

    Raises:
        policies.DocumentError: the redaction policy has errors; all are listed.
        compliance.redaction.ner.NameFinderError: the model that it names cannot be loaded.
    """
    loaded = RedactionPolicy.load(policy)
    engine = RedactionEngine.shared(loaded)
    return lambda: RedactionWork(lambda key: Redactor(engine, policy=loaded, key=key or None))
