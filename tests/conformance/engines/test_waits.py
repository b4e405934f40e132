"""Where an engine failed, what the caller waited for is the answer and not the word about the delay."""

from __future__ import annotations

import asyncio

import pytest

from compliance.events import ProviderFailed
from engines.wording import Wording
from lab.faults import Fault
from tests.conformance.engines.stage import CHARACTER_MS, FIRST_REPLY_S, HOST, QUESTIONS, staged
from tests.conformance.engines.table import BY_NAME
from tests.virtual_time import run_with_sockets

pytestmark = pytest.mark.conformance

ONE, TWO, *_ = QUESTIONS
WORDS = Wording()
DECIDED_MS = 600.0
"""By then a turn is over and its engine has begun, if it does."""
NEAR_MS = 40.0
"""Two pieces of what is told apart by ear."""


@pytest.mark.parametrize(
    ("engine", "beside", "fault", "words", "taker"),
    [
        ("cascade", ["audio_aware"], Fault("server_error", times=1), [WORDS.one_moment], "audio_aware"),
        ("cascade", ["audio_aware"], Fault("hang", times=1), [WORDS.one_moment], "audio_aware"),
        ("cascade", ["audio_aware"], Fault("hang", times=2), [WORDS.one_moment, WORDS.still_here], HOST),
        ("cascade", ["realtime"], Fault("hang", times=1), [WORDS.one_moment], "realtime"),
        ("realtime", ["audio_aware"], Fault("hang", times=1), [WORDS.one_moment], "audio_aware"),
        ("half_cascade", ["realtime"], Fault("server_error", times=1), [WORDS.one_moment], "realtime"),
    ],
)
def test_a_turn_is_answered_by_the_engine_that_answers_it_and_not_by_the_word_about_the_delay(
    engine: str, beside: list[str], fault: Fault, words: list[str], taker: str
) -> None:
    async def call() -> None:
        answers: list[tuple[float, str]] = []
        async with staged([engine], beside=beside) as stage:
            desk = stage.call.desk
            await stage.asks(ONE)
            await stage.call.in_step()
            stage.call.ear.on_answer.append(
                lambda at_ms: answers.append((at_ms, desk.answering.engine if desk.answering else ""))
            )
            stage.lab.context.faults.set(BY_NAME[engine].provider, fault)
            said = await stage.says(TWO)
            await stage.call.until(lambda: bool(answers))
            await asyncio.sleep(0.1)
            told_ms = next(at_ms for at_ms in stage.call.sounds_ms if at_ms > said.end_ms)
            [(answered_ms, by)] = answers
            told, answer = stage.heard_ms(told_ms, answered_ms), stage.heard_ms(answered_ms)
            await stage.call.heard_out()
        assert by == taker
        assert sum(told.values()) == pytest.approx(
            sum(CHARACTER_MS * len(word.strip()) for word in words), abs=NEAR_MS * (1 + len(words))
        )
        assert answer == {taker: pytest.approx(100, abs=NEAR_MS)}
        assert len(answers) == 1

    run_with_sockets(call)


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("engine", [name for name, engine in BY_NAME.items() if engine.hears])
def test_who_waits_for_a_realtime_engine_waits_no_longer_because_its_server_says_that_it_has_begun(
    engine: str, after: int
) -> None:
    async def call() -> None:
        async with staged([engine]) as stage:
            stage.lab.context.faults.set(BY_NAME[engine].provider, Fault("stall", times=1, after=after))
            said = await stage.asks(ONE)
        [failed] = stage.call.of(ProviderFailed)
        assert failed.at_ms - said.end_ms < 1000 * FIRST_REPLY_S + DECIDED_MS
        by, text = stage.replies[-1][1:3]
        assert (by, text.endswith(f"The answer to {ONE} is yours.")) == (HOST, True)

    run_with_sockets(call)


def test_a_turn_of_which_no_more_is_heard_than_that_there_is_no_answer_is_not_answered() -> None:
    async def call() -> None:
        answers: list[float] = []
        async with staged(["cascade"]) as stage:
            await stage.asks(ONE)
            stage.call.ear.on_answer.append(answers.append)
            stage.lab.context.faults.set(BY_NAME["cascade"].provider, Fault("server_error"))
            await stage.asks(TWO)
            assert WORDS.cannot_help.strip() in stage.replies[-1][2]
        assert answers == []

    run_with_sockets(call)
