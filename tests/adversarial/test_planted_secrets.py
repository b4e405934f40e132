"""Secrets said late, in a conversation about the question: nothing of them is anywhere that a call is kept or shown.

The dialogues are redacted by the shipped policy and model, recorded by a real recorder, and every place that a record
reaches without a line is searched; what whole calls leave on disk is searched in ``test_planted_values``.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from compliance.events import AgentSaid, CallEnded, CallerSaid, CallStarted, Event
from compliance.export import FORMATS, export
from compliance.ledger import Ledger
from compliance.recorder import Recorder
from compliance.redaction import Redactor
from compliance.reveal import Sealer, sealing_key
from service.cli import app
from service.private_logs import PrivateLogs
from tests.refusing_ledger import RefusingLedger

pytestmark = pytest.mark.adversarial

DIALOGUES = {
    "code": (
        "A: And the security code?",
        "what is that",
        "A: It is on the back of your card.",
        "the long one",
        "A: No, the short one.",
        "oh ok it's seven seven one",
    ),
    "code as a number": ("A: What is the CVV?", "hold on", "A: Take your time.", "hundred and seventy seven"),
    "pin": (
        "A: What's your PIN?",
        "the one for the phone?",
        "A: The one for your account.",
        "four three two nine",
    ),
    "social": (
        "A: What are the last four digits of your social?",
        "why do you need it",
        "A: It is only to verify you.",
        "fine it is six seven eight nine",
    ),
    "name": ("A: How can I help?", "my name's margaret thistlewood and my parcel is late"),
    "name of another": ("A: How can I help?", "i'm calling on behalf of my mother margaret thistlewood"),
}
SECRETS = (
    *("seven seven one", "771", "seventy seven", "177", "four three two nine", "4329"),
    *("six seven eight nine", "6789", "margaret", "thistlewood"),
)
UNRECORDED = {"code", "code as a number", "pin"}


def event(call: str, number: int, line: str) -> Event:
    when = {
        "call_id": call,
        "at_ms": number * 1000.0,
        "start_ms": number * 1000.0,
        "end_ms": number * 1000 + 900.0,
    }
    if line.startswith("A: "):
        return AgentSaid(**when, turn=1, engine="fast", generation=1, text=line[3:], interrupted=False)  # type: ignore[arg-type]
    return CallerSaid(**when, text=line, confidence=0.9)  # type: ignore[arg-type]


async def record(
    ledger: object, call: str, lines: Sequence[str], watch: Callable[[Event], None], keys: Ledger
) -> bool:
    """Records a call; whether no audio was kept when its last words were said."""
    sealer = Sealer(call, sealing_key(keys, call))
    recorder = Recorder(
        ledger,  # type: ignore[arg-type] # one of the two
        Redactor(),
        call,
        retry_after_s=(),
        seal=lambda entity, value, at_ms: sealer.seal(entity, value, at_ms=at_ms),
    )
    recorder.subscribe(watch)
    recorder.record(
        CallStarted(
            call_id=call,
            at_ms=0,
            started_at="2026-11-16T09:30:00+00:00",
            source="lab:test",
            policy="p",
            policy_hash="0" * 64,
        )
    )
    suspended = False
    for number, line in enumerate(lines, 1):
        await recorder.flush()
        suspended = recorder.suspends_recording
        recorder.record(event(call, number, line))
    recorder.record(CallEnded(call_id=call, at_ms=60_000, reason="hung up", turns=1, cost_usd=0))
    await recorder.aclose()
    return suspended


def files_in(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_bytes().decode("utf-8", "replace")
        for file in folder.rglob("*")
        if file.is_file()
    }


async def test_a_secret_that_is_told_late_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    handler.addFilter(PrivateLogs())
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    sinks: dict[str, str] = {}
    path = tmp_path / "ledger.sqlite"
    try:
        with closing(Ledger.open(path)) as ledger:
            for name, lines in DIALOGUES.items():
                for kind, where in (("", ledger), (" refused", RefusingLedger(ledger))):
                    suspended = await record(
                        where, name + kind, lines, lambda e: shown.append(e.model_dump_json()), ledger
                    )
                    assert suspended is (name in UNRECORDED), name
            sinks["record"] = "\n".join(
                one.model_dump_json() for call in ledger.calls() for one in ledger.events(call)
            )
            for form, write in FORMATS.items():
                list(export(ledger, ledger.calls(), write, tmp_path / form))
        monkeypatch.setenv("PATCHBAY_LEDGER", str(path))
        for words in (
            "audit search security --json",
            "audit search social",
            "audit search parcel",
            "audit access",
        ):
            sinks[words] = CliRunner().invoke(app, words.split()).output
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    sinks |= {"shown": "\n".join(shown), "logged": logged.getvalue()}
    sinks |= files_in(tmp_path)
    assert sum(sink.endswith(".spool") for sink in sinks) == len(DIALOGUES)
    assert json.loads(sinks["audit search security --json"]), "the calls are found"
    assert "security code" in sinks["record"]
    in_words = [secret for secret in SECRETS if not secret.isdecimal()]
    for sink, text in sinks.items():
        sought = (
            SECRETS if sink in ("shown", "record") else in_words
        )  # elsewhere figures come together by chance
        assert [secret for secret in sought if secret in text.lower()] == [], sink
