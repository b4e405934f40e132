"""A realtime engine in charge that is left without a session between two turns answers the next one on another."""

import asyncio

import pytest

from compliance.events import HandedOff, ProviderFailed
from engines.warm_session import SessionGoneError
from engines.wording import Wording
from lab.faults import Fault
from tests.conformance.engines.stage import HOST, QUESTIONS, Staged, staged
from tests.conformance.engines.table import BY_NAME
from tests.virtual_time import run_with_sockets

pytestmark = pytest.mark.conformance

ONE, TWO, THREE, _ = QUESTIONS
ENGINES = ["realtime", "half_cascade", "gemini"]
"""Those whose plugins give up when they are refused."""
GIVEN_UP_S = 30.0
"""No plugin tries to connect anew for longer."""


def answer(question: str) -> str:
    return f"The answer to {question} is yours."


async def loses_its_session(stage: Staged, engine: str) -> None:
    """The provider is away for so long that the plugin gives up, and comes back."""
    faults, provider = stage.lab.context.faults, BY_NAME[engine].provider
    faults.set(provider, Fault("refuse"))
    stage.cut_off(engine)
    await asyncio.sleep(GIVEN_UP_S)
    faults.clear(provider)


@pytest.mark.parametrize("beside", [["cascade"], []])
@pytest.mark.parametrize("engine", ENGINES)
def test_the_turn_after_a_session_was_lost_is_answered_by_its_engine_on_a_fresh_one(
    engine: str, beside: list[str]
) -> None:
    async def main() -> None:
        async with staged([engine], beside=beside) as stage:
            await stage.asks(ONE)
            await loses_its_session(stage, engine)
            spoken = await stage.says(TWO)
            began_ms = await stage.call.answered(spoken)
            await stage.call.heard_out()
            await stage.asks(THREE)
        assert stage.replies == [
            (turn, engine, answer(question), False) for turn, question in enumerate((ONE, TWO, THREE), 1)
        ]
        assert began_ms - spoken.end_ms < 1000
        assert stage.said_to_model[:-1] == [
            message for one in (ONE, TWO) for message in (("user", one), ("assistant", answer(one)))
        ]
        assert stage.lost_ms(TWO) <= 20
        # The loss is told of once, and a turn that its engine keeps is no hand-off.
        assert [one.action for one in stage.call.of(ProviderFailed)] == ["closed the warm session"]
        assert stage.call.plan.failures == [engine]
        assert [one.turn for one in stage.call.of(HandedOff)] == [1]

    run_with_sockets(main)


def test_an_engine_that_nobody_can_stand_in_for_answers_once_its_provider_is_well_again() -> None:
    async def main() -> None:
        async with staged(["realtime"]) as stage:
            stage.call.plan.order = ()
            await stage.asks(ONE)
            stage.lab.context.faults.set("openai.realtime", Fault("hang", times=1))
            await stage.asks(TWO)
            await stage.asks(THREE)
        assert [(turn, text.strip()) for turn, _, text, _ in stage.replies] == [
            (1, answer(ONE)),
            (2, Wording().cannot_help.strip()),
            (3, answer(THREE)),
        ]
        assert stage.call.plan.failures == ["realtime"]

    run_with_sockets(main)


def test_what_a_tool_returned_is_told_at_once_by_the_next_engine_when_the_session_is_gone_by_then() -> None:
    async def main() -> None:
        async with staged(["realtime"], with_tools=True) as stage:
            await stage.says("take your time")
            await stage.call.until(lambda: stage.tools_begun > 0)
            stage.lab.context.faults.set("openai.realtime", Fault("refuse"))
            stage.cut_off("realtime")
            await stage.call.until(lambda: "kettle" in str(stage.replies))
        by, text = stage.replies[-1][1:3]
        assert (by, text) == (HOST, f"{Wording().one_moment}Your kettle is on its way.")
        lost, gone = stage.call.of(ProviderFailed)
        assert (lost.action, gone.error) == ("closed the warm session", SessionGoneError.__name__)
        assert stage.call.plan.failures == ["realtime"]

    run_with_sockets(main)
