"""A realtime session hears while the audio arrives, forgets what was cleared, and survives a lost recogniser."""

import pytest

from lab.errors import LabError
from lab.realtime_ears import RealtimeEars
from lab.standins import GivenHearing

pytestmark = pytest.mark.unit


async def test_each_turn_is_heard_by_itself() -> None:
    ears = RealtimeEars(GivenHearing(["one", "two"]), sample_rate_hz=24_000)
    ears.push(bytes(4800))
    first = ears.take()
    ears.push(bytes(4800))
    second = ears.take()
    assert (await first, await second) == ("one", "two")
    await ears.aclose()


async def test_what_was_discarded_is_not_part_of_the_next_turn() -> None:
    hearing = GivenHearing(["forget this", "and keep this"])
    ears = RealtimeEars(hearing, sample_rate_hz=24_000)
    ears.push(bytes(9600))
    ears.discard()
    ears.push(bytes(4800))
    assert await ears.take() == "and keep this"
    assert hearing.heard_bytes == [9600, 4800]
    await ears.aclose()


async def test_a_session_that_ends_leaves_nobody_waiting() -> None:
    class Deaf(GivenHearing):
        async def recognise(self, pcm: bytes, *, sample_rate_hz: int) -> None:  # type: ignore[override]
            raise LabError("the recogniser died")

    ears = RealtimeEars(Deaf(), sample_rate_hz=24_000)
    ears.push(bytes(4800))
    heard = ears.take()
    with pytest.raises(LabError, match="died"):
        await heard
    with pytest.raises(LabError, match="has ended"):
        await ears.take()
    ears.push(bytes(4800))  # opens new ears
    await ears.aclose()


async def test_nothing_was_said_before_the_first_audio() -> None:
    ears = RealtimeEars(GivenHearing(), sample_rate_hz=24_000)
    ears.discard()
    with pytest.raises(LabError):
        await ears.take()
    await ears.aclose()
