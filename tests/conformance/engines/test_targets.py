"""How long a caller waits for a hand-off, to the millisecond: in virtual time only what is waited for takes any."""

import pytest

from compliance.events import HandedOff
from lab.faults import Fault
from tests.conformance.engines.stage import DELAYS, FIRST_REPLY_S, QUESTIONS, staged
from tests.conformance.engines.table import BY_NAME
from tests.virtual_time import run_with_sockets

pytestmark = pytest.mark.conformance

ONE, TWO, *_ = QUESTIONS
ROUND_TRIP_MS = 2 * DELAYS.network.p50_ms


@pytest.mark.parametrize("engine", ["realtime", "gemini"])
def test_a_warm_engine_is_heard_its_first_byte_and_a_round_trip_after_the_decision(engine: str) -> None:
    async def waited_ms() -> float:
        async with staged(["cascade", engine]) as stage:
            await stage.asks(ONE)
            heard_ms = await stage.call.answered(await stage.says(TWO))
            [handed] = stage.call.of(HandedOff)
        return heard_ms - float(handed.at_ms - handed.took_ms)

    first_byte_ms = DELAYS.realtime.p50_ms + ROUND_TRIP_MS
    assert first_byte_ms <= run_with_sockets(waited_ms) <= first_byte_ms + ROUND_TRIP_MS + 15


@pytest.mark.parametrize("engine", ["cascade", "realtime", "gemini"])
def test_the_next_engine_is_heard_soon_after_the_time_out_of_one_that_hangs(engine: str) -> None:
    async def waited_ms() -> float:
        async with staged([engine], beside=["audio_aware"]) as stage:
            await stage.asks(ONE)
            stage.lab.context.faults.set(BY_NAME[engine].provider, Fault("hang", times=1))
            said = await stage.says(TWO)
            return await stage.call.answered(said) - said.end_ms

    # The request is sent at the latest when the turn is over, and that is a second after its last sound.
    assert run_with_sockets(waited_ms) <= 1000 + 1000 * FIRST_REPLY_S + 300
