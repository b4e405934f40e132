"""The real ``openai`` client against the lab: client secrets, calls by SDP, the sideband and hang-up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeSessionCreateRequestParam
from websockets.exceptions import ConnectionClosed, InvalidStatus

from lab.delays import Delays
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices

pytestmark = pytest.mark.conformance

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
SESSION: RealtimeSessionCreateRequestParam = {
    "type": "realtime",
    "model": "gpt-realtime",
    "instructions": "Answer the telephone.",
    "include": ["item.input_audio_transcription.logprobs"],
    "audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}, "output": {"voice": "cedar"}},
}


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    voices = ToneVoices(character_ms=2.0)
    async with Lab(
        LabSettings(Delays.none()), hearing=GivenHearing(["good morning"]), voices=voices
    ) as running:
        yield running


@asynccontextmanager
async def client(lab: Lab, key: str = "lab") -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=key, base_url=lab.openai_url, max_retries=0) as made:
        yield made


async def begun(openai_client: AsyncOpenAI, *attributes: str) -> tuple[str, str]:
    """A call by an offer with these attributes: the answer, and the vendor's id of the call."""
    sdp = SDP + "".join(f"a={attribute}\r\n" for attribute in attributes)
    answer = await openai_client.realtime.calls.create(sdp=sdp, session=SESSION)
    assert answer.response.status_code == 201
    return answer.text, answer.response.headers["location"].rpartition("/")[2]


async def told(connection: AsyncRealtimeConnection, last: str) -> Sequence[Any]:
    """All events up to the first of type ``last``."""
    events: list[Any] = []
    async with asyncio.timeout(60):
        while not events or events[-1].type != last:
            events.append(await connection.recv())
    return events


async def test_a_client_secret_has_the_session_and_its_time(lab: Lab) -> None:
    lab.context.wall = lambda: 1_000.0
    async with client(lab) as key:
        made = await key.realtime.client_secrets.create(
            session=SESSION, expires_after={"anchor": "created_at", "seconds": 60}
        )
    assert made.value.startswith("ek_")
    assert made.expires_at == 1_060
    assert made.session.type == "realtime"
    assert made.session.instructions == "Answer the telephone."


@pytest.mark.parametrize("seconds", [9, 7201])
async def test_a_client_secret_lasts_ten_seconds_to_two_hours(lab: Lab, seconds: int) -> None:
    async with client(lab) as key:
        with pytest.raises(openai.BadRequestError):
            await key.realtime.client_secrets.create(
                session=SESSION, expires_after={"anchor": "created_at", "seconds": seconds}
            )


async def test_a_client_secret_begins_calls_until_it_expires_and_does_nothing_else(lab: Lab) -> None:
    async with client(lab) as key:
        secret = await key.realtime.client_secrets.create(session=SESSION)
    async with client(lab, secret.value) as page:
        _, call = await begun(page)
        for asked in (
            page.realtime.client_secrets.create(session=SESSION),
            page.realtime.calls.hangup(call),
        ):
            with pytest.raises(openai.AuthenticationError):
                await asked
        lab.context.wall = lambda: float(secret.expires_at)
        with pytest.raises(openai.AuthenticationError):
            await begun(page)


async def test_an_offer_is_answered_and_its_call_has_a_name(lab: Lab) -> None:
    async with client(lab) as key:
        answer, call = await begun(key)
        assert answer.startswith("v=0\r\n")
        assert call.startswith("rtc_")
        with pytest.raises(openai.BadRequestError):
            await key.realtime.calls.create(sdp="hello")


async def test_the_sideband_hears_the_caller_the_model_and_the_bill_but_no_audio(lab: Lab) -> None:
    async with client(lab) as key:
        _, call = await begun(key, "x-lab-says:good morning", "x-lab-stays")
        async with key.realtime.connect(call_id=call) as connection:
            greeting = {"instructions": 'Say this, word for word: "Hello."', "metadata": {"ours": "1"}}
            await connection.response.create(response=greeting)
            first = await told(connection, "output_audio_buffer.stopped")
            rest = await told(connection, "output_audio_buffer.stopped")
    types = [event.type for event in first]
    assert types[0] == "session.created"
    assert types.index("output_audio_buffer.started") < types.index("response.done")
    (done,) = [event.response for event in first if event.type == "response.done"]
    assert done.output[0].content[0].transcript == "Hello."
    assert done.metadata == {"ours": "1"}
    assert done.usage.input_token_details.text_tokens > 0
    heard = [event for event in rest if event.type.endswith("input_audio_transcription.completed")]
    assert [event.transcript for event in heard] == ["good morning"]
    assert heard[0].logprobs
    assert "response.output_audio.delta" not in {event.type for event in (*first, *rest)}


async def test_a_caller_who_has_said_all_hangs_up_and_the_call_is_not_known_any_more(lab: Lab) -> None:
    async with client(lab) as key:
        _, call = await begun(key, "x-lab-says:good morning")
        async with key.realtime.connect(call_id=call) as connection:
            await connection.response.create()
            with pytest.raises(ConnectionClosed):
                await told(connection, "never")
        with pytest.raises(InvalidStatus) as refused:
            await key.realtime.connect(call_id=call).enter()
        assert refused.value.response.status_code == 404


async def test_a_call_is_hung_up_once(lab: Lab) -> None:
    async with client(lab) as key:
        _, call = await begun(key)
        async with key.realtime.connect(call_id=call) as connection:
            await key.realtime.calls.hangup(call)
            with pytest.raises(ConnectionClosed):
                await told(connection, "never")
        with pytest.raises(openai.NotFoundError):
            await key.realtime.calls.hangup(call)


async def test_what_the_browser_still_plays_can_be_stopped(lab: Lab) -> None:
    async with client(lab) as key:
        _, call = await begun(key)
        async with key.realtime.connect(call_id=call) as connection:
            long = f'Say this, word for word: "{"and so on " * 500}"'
            await connection.response.create(response={"instructions": long})
            await told(connection, "output_audio_buffer.started")
            await connection.response.cancel()
            await connection.output_audio_buffer.clear()
            events = await told(connection, "output_audio_buffer.cleared")
    (done,) = [event.response for event in events if event.type == "response.done"]
    assert done.status == "cancelled"
    assert "error" not in {event.type for event in events}


async def test_a_reply_out_of_band_is_heard_and_is_in_no_history(lab: Lab) -> None:
    async with client(lab) as key:
        _, call = await begun(key)
        async with key.realtime.connect(call_id=call) as connection:
            words = 'Say this, word for word: "Still here."'
            await connection.response.create(
                response={"instructions": words, "conversation": "none", "input": []}
            )
            first = await told(connection, "output_audio_buffer.stopped")
            await connection.response.create()
            rest = await told(connection, "conversation.item.added")
    (done,) = [event.response for event in first if event.type == "response.done"]
    assert done.output[0].content[0].transcript == "Still here."
    assert "conversation.item.added" not in {event.type for event in first}
    assert rest[-1].previous_item_id is None


async def test_an_update_of_other_things_does_not_cut_a_turn_in_two(lab: Lab) -> None:
    async with client(lab) as key:
        _, call = await begun(key, "x-lab-says:good morning", "x-lab-stays")
        async with key.realtime.connect(call_id=call) as connection:
            await connection.response.create()
            await told(connection, "input_audio_buffer.speech_started")
            await connection.session.update(session={"type": "realtime", "instructions": "Be brief."})
            events = await told(connection, "input_audio_buffer.committed")
    assert [event.type for event in events].count("input_audio_buffer.speech_started") == 0


async def test_a_session_that_is_updated_tells_everybody_who_watches(lab: Lab) -> None:
    async with client(lab) as key:
        _, call = await begun(key)
        async with key.realtime.connect(call_id=call) as ours, key.realtime.connect(call_id=call) as theirs:
            await theirs.session.update(session={"type": "realtime", "instructions": "Be brief."})
            for connection in (ours, theirs):
                updated = (await told(connection, "session.updated"))[-1]
                assert updated.session.instructions == "Be brief."
                assert updated.session.audio.output.voice == "cedar"
