"""Every reply of a realtime session is billed once, whether its vendor says what it used or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, llm
from livekit.agents.metrics import RealtimeModelMetrics

from engines.errors import SILENT
from engines.meter import Meter
from engines.owed import OwedSession
from engines.prices import Prices
from engines.unfinished import AUDIO_TOKENS, Unfinished
from engines.usage import OfReply, usage
from policies import shipped
from tests.unit.engines.fakes import FakeRealtime, FakeSession, frame

pytestmark = pytest.mark.unit

INSTRUCTIONS = "Be brief."
TURN_S, SAID_S, SAID = 2.0, 1.5, "It is on its way."


class Session:
    """A session that was asked for a reply to a turn of two seconds, and what its books were told."""

    def __init__(self) -> None:
        self.inner = FakeSession(FakeRealtime())
        self.told: list[object] = []
        self.replies: list[int] = []
        self.owed: Any = OwedSession(self.inner, "gpt-realtime", AUDIO_TOKENS["openai"], self.tell, lambda: 4)

    def tell(self, event: object) -> None:
        if isinstance(event, OfReply):
            self.replies.append(event.generation)
            event = event.event
        self.told.append(event)

    async def asks(self) -> None:
        await self.owed.update_instructions(INSTRUCTIONS)
        self.owed.push_audio(frame(500))
        self.owed.clear_audio()  # another turn, which nobody asks about
        self.owed.push_audio(frame(int(TURN_S * 1000)))
        self.owed.generate_reply()

    async def hears(self, response_id: str = "r1") -> None:
        """The reply comes, or the beginning of it."""
        created = llm.GenerationCreatedEvent(
            message_stream=stream(
                llm.MessageGeneration(
                    message_id="m",
                    text_stream=stream(*SAID.split(" ")),
                    audio_stream=stream(frame(1000), frame(500)),
                    modalities=_modalities(),
                )
            ),
            function_stream=stream(),
            user_initiated=True,
            response_id=response_id,
        )
        self.inner.emit("generation_created", created)
        async for message in created.message_stream:
            assert [text async for text in message.text_stream] == SAID.split(" ")
            frames: Sequence[rtc.AudioFrame] = [one async for one in message.audio_stream]
            assert sum(one.duration for one in frames) == SAID_S
            message.modalities.close()  # type: ignore[attr-defined]

    def ends(
        self, response_id: str = "r1", *, audio: int = 0, cancelled: bool = False
    ) -> RealtimeModelMetrics:
        kind = RealtimeModelMetrics
        metrics = kind(
            request_id=response_id,
            timestamp=0,
            duration=0,
            ttft=0,
            cancelled=cancelled,
            label="fake",
            input_tokens=0,
            output_tokens=audio,
            total_tokens=audio,
            tokens_per_second=0,
            input_token_details=kind.InputTokenDetails(),
            output_token_details=kind.OutputTokenDetails(audio_tokens=audio),
        )
        self.inner.emit("metrics_collected", metrics)
        return metrics

    @property
    def estimates(self) -> list[Unfinished]:
        return [event for event in self.told if isinstance(event, Unfinished)]


async def stream(*items: Any) -> AsyncIterator[Any]:
    for item in items:
        yield item


async def _modalities() -> Any:
    return ["audio"]


ESTIMATE = Unfinished(
    "gpt-realtime",
    input_text_tokens=4 + 3,
    output_text_tokens=4,
    input_audio_tokens=20,
    output_audio_tokens=30,
)


async def test_what_the_vendor_says_is_what_is_billed() -> None:
    session = Session()
    await session.asks()
    await session.hears()
    metrics = session.ends(audio=30)
    await session.owed.aclose()
    assert session.told == [metrics]
    assert session.replies == [4]


async def test_a_reply_that_is_lost_with_its_connection_is_billed_as_far_as_it_came() -> None:
    session = Session()
    await session.asks()
    await session.hears()
    session.inner.fails(APIConnectionError("gone"), recoverable=True)
    assert session.estimates == [ESTIMATE]
    session.ends(audio=30)  # what the vendor says after all is not billed again
    await session.owed.aclose()
    assert session.told == [ESTIMATE]


async def test_a_reply_whose_end_tells_nothing_is_billed_as_far_as_it_came() -> None:
    session = Session()
    await session.asks()
    await session.hears()
    session.ends()
    assert session.estimates == [ESTIMATE]
    session.ends(audio=30)
    await session.owed.aclose()
    assert session.estimates == [ESTIMATE]
    assert [usage(event) for event in session.told if event != ESTIMATE] == [None]


async def test_a_reply_that_ends_before_a_word_of_it_is_billed_if_it_was_cut_and_not_if_it_was_refused() -> (
    None
):
    for cancelled, sent in ((True, [20.0]), (False, [])):
        session = Session()
        await session.asks()
        created = llm.GenerationCreatedEvent(stream(), stream(), user_initiated=True, response_id="r1")
        session.inner.emit("generation_created", created)
        session.ends(cancelled=cancelled)
        await session.owed.aclose()
        assert [one.input_audio_tokens for one in session.estimates] == sent


async def test_a_reply_that_was_being_made_when_its_session_was_closed_is_billed() -> None:
    session = Session()
    await session.asks()
    await session.hears()
    await session.owed.aclose()
    assert session.estimates == [ESTIMATE]


async def test_a_reply_that_never_came_is_billed_what_was_sent_and_one_that_was_refused_is_not() -> None:
    for error, sent in ((llm.RealtimeError("nothing", code=SILENT), [20.0]), (llm.RealtimeError("no"), [])):
        session = Session()
        await session.asks()
        session.inner.replies[-1].set_exception(error)
        await asyncio.sleep(0)
        await session.owed.aclose()
        assert [one.input_audio_tokens for one in session.estimates] == sent
        assert all(one.output_audio_tokens == 0 for one in session.estimates)


async def test_each_of_several_replies_is_billed_by_itself() -> None:
    session = Session()
    for response_id in ("r1", "r2"):
        await session.asks()
        await session.hears(response_id)
    session.ends("r2", audio=30)
    session.inner.emit("session_reconnected", llm.RealtimeSessionReconnectedEvent())
    assert session.estimates == [ESTIMATE]
    assert len(session.told) == 2


def test_an_estimate_has_a_price_and_is_marked() -> None:
    used = usage(ESTIMATE)
    assert used is not None
    assert used.estimated
    charge = Meter(Prices.load(shipped("prices.yaml"))).charge("openai", used)
    assert charge.cost_usd == pytest.approx((7 * 4 + 4 * 16 + 20 * 32 + 30 * 64) / 1e6)


async def test_it_is_taken_for_the_session_that_it_is() -> None:
    session = Session()
    assert isinstance(session.owed, FakeSession)
    assert session.owed.told == session.inner.told
