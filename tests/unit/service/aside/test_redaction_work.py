"""Redacting beside the calls: the same as a redactor in the call's own process, and nothing quoted when it fails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from compliance.events import AgentSaid, CallerSaid, Event, ToolCalled
from compliance.redaction import Redactor
from policies import shipped
from service.aside.redaction import RedactionWork, redaction_works

pytestmark = pytest.mark.unit


def caller(text: str) -> CallerSaid:
    return CallerSaid(call_id="c", at_ms=1, start_ms=0, end_ms=1, text=text, confidence=0.9)


def agent(text: str) -> AgentSaid:
    return AgentSaid(
        call_id="c", at_ms=1, turn=1, engine="fast", generation=1, start_ms=0, end_ms=1, text=text, interrupted=False
    )  # fmt: skip


CONVERSATION: tuple[Event, ...] = (
    agent("may I have the number of your card"),
    caller("it is four one one one one one one one"),
    caller("one one one one one one one one"),
    agent("and the three digits on the back"),
    caller("seven three nine"),
    ToolCalled(
        call_id="c", at_ms=1, turn=1, engine="tool", name="find", arguments={"name": "Ada Lovelace"},
        result=[{"email": "ada@example.com"}], failed=False, took_ms=1,
    ),
    caller("yes this is lovelace speaking"),
)  # fmt: skip


@pytest.fixture(scope="module")
def work() -> RedactionWork:
    return redaction_works(shipped("redaction.yaml"))()


def ask(work: RedactionWork, do: str, payload: bytes = b"", **header: Any) -> tuple[Mapping[str, Any], bytes]:
    told, answer = work.answer({"do": do, **header}, payload)
    return json.loads(json.dumps(told)), answer


def test_what_is_kept_is_what_a_redactor_of_this_process_would_keep(work: RedactionWork) -> None:
    ask(work, "begin", b"k" * 32)
    here = Redactor(key=b"k" * 32)
    for event in CONVERSATION:
        kept, spans = here.redact(event)
        header, texts = ask(work, "redact", json.dumps(event.model_dump()).encode())
        assert {name: getattr(kept, name) for name in json.loads(texts)} == json.loads(texts)
        assert header["suspended"] == here.suspends_recording
        assert header["spans"] == {
            name: [[one.start, one.end, one.entity] for one in found] for name, found in spans.items()
        }


def test_the_recording_is_suspended_while_a_security_code_may_be_said(work: RedactionWork) -> None:
    ask(work, "begin")
    header, _ = ask(work, "expect", entity="CVV")
    assert header["suspended"] is True


def test_what_is_known_of_the_caller_is_masked(work: RedactionWork) -> None:
    ask(work, "begin")
    ask(work, "know", json.dumps([("PERSON", "Ottilie Quern")]).encode())
    _, texts = ask(work, "redact", json.dumps(caller("ask ottilie quern").model_dump()).encode())
    assert "quern" not in json.loads(texts)["text"]


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b"[]", b'{"kind": "my card is 4111"}', b"\xff", b"[" * 100_000]
)
def test_a_message_that_is_no_event_is_told_by_the_class_of_its_error(
    work: RedactionWork, payload: bytes
) -> None:
    ask(work, "begin")
    header, answer = ask(work, "redact", payload)
    assert header.keys() == {"failed"}
    assert header["failed"].isidentifier()
    assert answer == b""


def test_a_call_begins_before_anything_is_redacted(work: RedactionWork) -> None:
    fresh = RedactionWork(lambda key: Redactor())
    assert "failed" in ask(fresh, "redact", json.dumps(caller("hello").model_dump()).encode())[0]
