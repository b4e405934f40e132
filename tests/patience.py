"""All the time that a busy machine takes: the limits of the parts of a call, raised. They have tests of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import pytest
from livekit.agents import APIConnectOptions

import compliance.recorder
import compliance.recording.recording
import compliance.transcriber
import engines.awaited
import engines.cascade
import engines.tools
import engines.voices
import engines.warm
import lab.hearing.pool
import lab.process
import lab.shop
import lab.voices
import service.aside.channel
import service.aside.process
import service.emotion_ear
import service.ending
import service.patience
import service.privacy
import service.redaction_line
import service.transfer.telling
from compliance.live_view import LiveView
from compliance.transcriber import Persistence, Transcriber
from engines.vault import Veil
from policies import shipped

HANGS_S = 120.0
"""No machine is so busy that a part takes longer."""
SILENT_S = 30.0
"""Nor that an engine is silent for longer; some faults are noticed by that alone."""
WITHHELD_S = 5.0
"""After which a model is asked without the words whose values were not found."""


def without_limits(patch: pytest.MonkeyPatch) -> None:
    """No part counts as hung, and nothing as late, because the machine is busy."""
    processes_take_their_time(patch)
    patch.setattr(compliance.recording.recording, "_CLOSE_S", HANGS_S)
    patch.setattr(service.redaction_line, "PATIENCE_S", HANGS_S)
    patch.setattr(service.emotion_ear, "STALE_MS", 1000 * HANGS_S)
    patch.setattr(service.privacy, "Veil", partial(Veil, limit_s=WITHHELD_S))
    patch.setattr(service.patience, "SILENCE_LIMIT_S", SILENT_S)
    patch.setattr(service.ending, "GOODBYE_S", HANGS_S)
    patch.setattr(service.transfer.telling, "REDACTED_WITHIN_S", HANGS_S)
    patch.setattr(service.transfer.telling, "WRITTEN_WITHIN_S", HANGS_S)
    patch.setattr(engines.awaited, "TOOL_WAIT_S", HANGS_S)
    patch.setattr(engines.awaited, "NOISE_S", SILENT_S)
    patch.setattr(engines.cascade, "STALL_S", SILENT_S)
    patch.setattr(engines.warm, "STALL_S", SILENT_S)
    patch.setattr(engines.voices, "VOICE", APIConnectOptions(max_retry=0, timeout=SILENT_S))
    patch.setattr(engines.voices, "VOICE_STALL_S", SILENT_S)
    persistence = partial(Persistence, connect_within_ms=1000 * SILENT_S, answer_within_ms=1000 * SILENT_S)
    patch.setattr(compliance.transcriber, "Persistence", persistence)
    shown_however_late(patch)
    last_words_are_waited_for(patch)


@pytest.fixture(scope="module", autouse=True)
def patient() -> Iterator[None]:
    """For the ``conftest.py`` of a folder whose tests start processes."""
    with pytest.MonkeyPatch.context() as patch:
        processes_take_their_time(patch)
        yield


def processes_take_their_time(patch: pytest.MonkeyPatch) -> None:
    """No process that a part or the lab starts counts as hung, or as never begun; nor do the shop's tools."""
    patch.setattr(service.aside.channel, "HUNG_S", HANGS_S)
    patch.setattr(service.aside.process, "HUNG_S", HANGS_S)
    patch.setattr(service.aside.process, "READY_S", HANGS_S)
    patch.setattr(engines.tools, "LIMIT_S", SILENT_S)
    patch.setattr(engines.tools, "CONNECT_LIMIT_S", SILENT_S)
    patch.setattr(lab.process, "_STOP_TIMEOUT_S", HANGS_S)
    patch.setattr(lab.shop, "_START_S", HANGS_S)
    patch.setattr(lab.hearing.pool, "_PATIENCE_S", HANGS_S)
    patch.setattr(lab.voices, "_TIMEOUT_S", HANGS_S)


def last_words_are_waited_for(patch: pytest.MonkeyPatch) -> None:
    """No recogniser is left before it has said what it heard last."""
    defaults = Transcriber.aclose.__kwdefaults__
    assert defaults is not None
    patch.setitem(defaults, "within_ms", 1000 * SILENT_S)


def shown_however_late(patch: pytest.MonkeyPatch) -> None:
    """Whoever follows a call is shown what was said in it, and not that it was late."""
    patch.setattr(compliance.recorder, "LiveView", lambda call_id, **_: LiveView(call_id, late_s=HANGS_S))


def patient_engines(endpointing_ms: int = 600) -> str:
    """The shipped engines, with all the time that a busy machine takes to answer.

    Args:
        endpointing_ms: the silence that ends a turn; a pause within one, heard late, is still shorter.
    """
    text = re.sub(r"\n +first_reply_ms: \d+", "", shipped("engines.yaml").read_text(encoding="utf-8"))
    text = re.sub(r"(\n +kind: \w+)", r"\1\n    first_reply_ms: 30000", text)
    return _replaced(text, "\nendpointing_ms: 300\n", f"\nendpointing_ms: {endpointing_ms}\n")


def patient_policy() -> str:
    """The shipped policy, by which no engine is too slow."""
    text = shipped("default.yaml").read_text(encoding="utf-8")
    return _replaced(text, "{value: 2500, min: 500,  max: 5000}", "{value: 120000, min: 500, max: 120000}")


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)
