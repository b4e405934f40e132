"""A decision model that refuses, hangs, cuts off, lies or dawdles: its signals stay empty, and nobody waits for it.

The real plugin and the lab's endpoint. Nothing here asserts how long something took, but on whether it was waited for.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from livekit.plugins import openai

from lab.delays import Delay, Delays
from lab.faults import Fault, Kind
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices
from service import decision_signals
from service.decision_signals import DecisionSignals

pytestmark = pytest.mark.adversarial

QUESTIONS = {"complains": "The caller makes a complaint.", "manager": "The caller asks for a manager."}
WORDS = "get me your manager, my account is swordfish"
LIMIT_S = 0.5
LATE = Delays(llm_ttft=Delay(100, 100), network=Delay(0, 0))


@dataclass
class Line:
    lab: Lab
    signals: DecisionSignals

    def says(self, turn: int, words: str) -> None:
        self.signals.ask(turn, [("agent", "How can I help?"), ("caller", words)])

    @property
    def requests(self) -> int:
        return self.lab.context.journal.count("openai.decisions", "decisions")

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not what():  # noqa: ASYNC110 -- a failure is counted, and nobody told
                await asyncio.sleep(0.005)


@asynccontextmanager
async def line(
    fault: Fault | None = None,
    *,
    delays: Delays | None = None,
    base_url: str | None = None,
    timeout_s: float = LIMIT_S,
) -> AsyncIterator[Line]:
    settings = LabSettings(delays or Delays.none())
    async with Lab(settings, hearing=GivenHearing(), voices=ToneVoices()) as lab:
        if fault is not None:
            lab.context.faults.set("openai.decisions", fault)
        model = openai.DecisionModel(base_url=base_url or lab.openai_url, api_key="lab")
        signals = DecisionSignals(
            model, QUESTIONS, timeout_s=timeout_s, most_per_call=100, settled=lambda: None
        )
        try:
            yield Line(lab, signals)
        finally:
            await signals.aclose()
            await model.aclose()


async def test_a_model_that_answers_is_heard() -> None:
    async with line(timeout_s=20) as call:
        call.says(1, WORDS)
        await call.until(lambda: call.signals.counts.answered == 1)
        assert call.signals.values() == {"complains": 0.05, "manager": 0.715}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("refuse"),
        Fault("rate_limited"),
        Fault("server_error"),
        Fault("hang"),
        Fault("drop"),
        Fault("malformed"),
        Fault("slow", factor=10),
    ],
    ids=lambda fault: fault.kind,
)
async def test_whatever_goes_wrong_leaves_no_signal_no_wait_and_no_word_in_the_logs(
    fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with line(fault, delays=LATE) as call:
        for turn in (1, 2, 3):
            for heard in range(1, 5):
                call.says(turn, " ".join(WORDS.split()[: 2 * heard]))
                assert call.signals.values() == {}
            call.signals.turn_ended()
        call.says(4, WORDS)
        await call.until(lambda: call.signals.counts.failed == 1)
        assert call.signals.values() == {}
        assert call.signals.counts.answered == 0
    assert "gives no answer" in caplog.text
    assert "swordfish" not in caplog.text
    assert "manager" not in caplog.text


async def test_an_address_where_nobody_is_leaves_no_signal() -> None:
    async with line(base_url="http://127.0.0.1:1/v1") as call:
        call.says(1, WORDS)
        await call.until(lambda: call.signals.counts.failed == 1)
        assert call.signals.values() == {}


@pytest.mark.parametrize("kind", ["refuse", "server_error", "rate_limited"])
async def test_a_model_that_fails_is_not_hammered(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_signals, "FIRST_PAUSE_S", 600.0)
    async with line(Fault(kind)) as call:
        call.says(1, "hello")
        await call.until(lambda: call.signals.counts.failed == 1)
        for number in range(200):
            call.says(1 + number // 10, f"{WORDS} {number}")
            await asyncio.sleep(0)
        assert call.requests == 1


async def test_a_model_that_recovers_is_heard_again() -> None:
    async with line(Fault("server_error", times=1), timeout_s=20) as call:
        call.says(1, "hello")
        await call.until(lambda: call.signals.counts.failed == 1)
        call.says(2, WORDS)
        await call.until(lambda: call.signals.counts.answered == 1)
        assert call.signals.values() == {"complains": 0.05, "manager": 0.715}


async def test_an_answer_that_comes_after_the_turn_is_dropped() -> None:
    async with line(delays=LATE, timeout_s=20) as call:
        call.says(1, WORDS)
        await call.lab.context.journal.until("openai.decisions", "decisions")
        call.signals.turn_ended()
        await call.until(lambda: call.signals.counts.late == 1)
        assert call.signals.values() == {}


async def test_a_call_that_ends_while_a_model_hangs_leaves_it() -> None:
    async with line(Fault("hang"), timeout_s=1000) as call:
        call.says(1, WORDS)
        await call.lab.context.journal.until("openai.decisions", "decisions")
        await call.signals.aclose()
        assert call.signals.values() == {}
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "patchbay.questions"]
