"""Presidio with our rules, without network or model."""

import socket
import subprocess
import sys

import pytest

from compliance.redaction import RedactionEngine
from compliance.redaction.names import NoNames
from compliance.redaction.spoken import hear

pytestmark = pytest.mark.unit


def test_no_socket_is_opened_to_build_and_use_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []

    def refuse(*args: object, **kwargs: object) -> None:
        opened.append(args)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    engine = RedactionEngine(names=NoNames())

    assert {f.entity for f in engine.find(hear("write to maria.lopez@example.co.uk"))} == {"EMAIL_ADDRESS"}
    assert opened == []


def test_the_shared_engine_is_built_once() -> None:
    assert RedactionEngine.shared() is RedactionEngine.shared()


def test_the_check_digit_of_a_card_labels_and_never_drops() -> None:
    engine = RedactionEngine.shared()
    valid, invalid = "4111 1111 1111 1111", "4111 1111 1111 1112"

    assert max(engine.find(hear(valid)), key=lambda f: f.score).entity == "CREDIT_CARD"
    assert "CREDIT_CARD" in {f.entity for f in engine.find(hear(invalid))}


def test_presidio_context_words_count_without_a_language_model() -> None:
    engine = RedactionEngine.shared()

    assert not [f for f in engine.find(hear("the box holds A12345678")) if f.entity == "US_PASSPORT"]
    assert [f for f in engine.find(hear("my passport is A12345678")) if f.entity == "US_PASSPORT"]


def test_events_and_the_redaction_package_are_imported_without_presidio() -> None:
    code = "import sys, compliance.events, compliance.redaction; sys.exit('presidio_analyzer' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 # our own code
