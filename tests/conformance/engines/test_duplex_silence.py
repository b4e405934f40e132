"""A full-duplex engine that stays connected and says nothing, in whole calls: no caller waits longer than the limit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest

import lab.openai_live
from compliance.events import AgentSaid, ProviderFailed
from engines.desk import SILENCE_LIMIT_S
from engines.routing import CallerTurn, Route
from lab.faults import Fault
from tests.conformance.engines import stage as stages
from tests.conformance.engines.stage import HOST, QUESTIONS, Staged, Upset, staged
from tests.virtual_time import in_virtual_time_with_sockets

pytestmark = pytest.mark.conformance

ONE, TWO, THREE, _ = QUESTIONS
LIMIT_S = SILENCE_LIMIT_S
LATE_S = 1.0
"""What lies between the caller's last sound and the words of it, and between a reply and its voice."""
PROVIDER = lab.openai_live.PROVIDER


async def heard_after_s(stage: Staged, text: str) -> float:
    """How long after saying it the caller hears anything."""
    said = await stage.says(text)
    began_ms = await stage.call.answered(said)
    await stage.call.heard_out()
    return (began_ms - said.end_ms) / 1000


def moved(stage: Staged) -> list[tuple[str, str]]:
    return [(failed.engine, failed.action) for failed in stage.call.of(ProviderFailed)]


@in_virtual_time_with_sockets
async def test_what_it_leaves_unanswered_another_answers() -> None:
    async with staged(["duplex"], beside=["cascade"]) as stage:
        await stage.asks(ONE)
        stage.lab.context.faults.set(PROVIDER, Fault("hang"))
        assert LIMIT_S <= await heard_after_s(stage, TWO) <= LIMIT_S + LATE_S
    assert moved(stage) == [("duplex", "moved to cascade")]
    assert stage.replies[-1][1:3] == ("cascade", "One moment, please. The answer to question two is yours.")
    assert stage.call.messages.count(("user", TWO)) == 1


@in_virtual_time_with_sockets
async def test_it_is_answered_though_the_provider_does_not_even_transcribe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def deaf(session: Any, event: dict[str, Any]) -> None:
        """Nothing comes of what it hears."""

    async with staged(["duplex"], beside=["cascade"]) as stage:
        await stage.asks(ONE)
        handlers = {**lab.openai_live._Session._HANDLERS, "session.input_audio.append": deaf}
        monkeypatch.setattr(lab.openai_live._Session, "_HANDLERS", handlers)
        stage.lab.context.faults.set(PROVIDER, Fault("hang"))
        assert await heard_after_s(stage, TWO) <= LIMIT_S + LATE_S
    assert stage.replies[-1][1:3] == ("cascade", "One moment, please. The answer to question two is yours.")
    assert stage.call.messages.count(("user", TWO)) == 1


@in_virtual_time_with_sockets
async def test_one_that_speaks_when_it_is_asked_keeps_the_call() -> None:
    async with staged(["duplex"], beside=["cascade"]) as stage:
        await stage.asks(ONE)
        stage.lab.context.faults.set(PROVIDER, Fault("hang", times=1))
        assert await heard_after_s(stage, TWO) <= LIMIT_S / 2 + LATE_S
        await stage.asks(THREE)
        await asyncio.sleep(3 * LIMIT_S)
    assert moved(stage) == []
    assert {said.engine for said in stage.call.of(AgentSaid)} == {"duplex"}
    assert len(stage.replies) == 3, "nothing is said into a silence in which nobody waits"


@in_virtual_time_with_sockets
async def test_one_that_yields_to_the_caller_and_hangs_is_left() -> None:
    async with staged(["duplex"], beside=["cascade"]) as stage:
        spoken = await stage.says("tell me all")
        await stage.call.answered(spoken)
        await asyncio.sleep(1.5)
        stage.lab.context.faults.set(PROVIDER, Fault("hang"))
        await stage.interrupts(TWO)
        await stage.call.until(lambda: "question two" in str(stage.replies))
    assert moved(stage) == [("duplex", "moved to cascade")]


@in_virtual_time_with_sockets
async def test_a_tool_that_takes_its_time_is_waited_for() -> None:
    async with staged(["duplex"], beside=["cascade"], with_tools=True) as stage:
        await stage.asks(ONE)
        await stage.says("wait for it")
        await stage.call.until(lambda: "did not work out" in str(stage.replies))
    assert moved(stage) == []
    assert stage.replies[-1][1] == "duplex"


@dataclass
class Denying(Upset):
    """Guards that deny every cascade."""

    def preview(self, text: str) -> Route:
        return replace(super().preview(text), denied=frozenset({HOST, "cascade"}))

    def decide(self, turn: CallerTurn) -> Route:
        return replace(super().decide(turn), denied=frozenset({HOST, "cascade"}))


@in_virtual_time_with_sockets
async def test_no_engine_is_asked_that_a_guard_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "Upset", Denying)
    async with staged(["duplex"], beside=["cascade"]) as stage:
        await stage.asks(ONE)
        stage.lab.context.faults.set(PROVIDER, Fault("hang"))
        await heard_after_s(stage, TWO)
    assert moved(stage) == [("duplex", "none left; asked the caller to say it again")]
    assert stage.replies[-1][2] == stage.call.desk.wording.cannot_help
    assert stage.lab.context.journal.of("openai.chat", "chat.completions") == []
