"""Round trips, of real connections on loopback."""

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from livekit.plugins import openai

from engines.network import RoundTrips, round_trip_ms
from lab.delays import Delays
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices

pytestmark = pytest.mark.unit

HERE = "127.0.0.1"


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab(LabSettings(delays=Delays.none()), hearing=GivenHearing(), voices=ToneVoices()) as lab:
        yield lab


async def test_the_round_trip_of_a_socket_is_known_while_it_is_open_and_remembered(lab: Lab) -> None:
    trips = RoundTrips()
    assert trips.to(HERE) is None
    async with (
        aiohttp.ClientSession(trace_configs=[trips.of_session()]) as http,
        http.ws_connect(f"{lab.url}/v1/realtime?model=gpt-realtime") as realtime,
    ):
        await realtime.receive()
        near_ms = trips.to(HERE)
    assert near_ms is not None
    assert 0 < near_ms < 60_000
    assert trips.to(HERE) is not None  # though it is closed


async def test_the_round_trip_of_an_openai_client_is_known(lab: Lab) -> None:
    trips = RoundTrips()
    model = openai.LLM(model="gpt-4.1", api_key="lab", base_url=lab.openai_url)
    trips.of_client(model._client)
    await model._client.chat.completions.create(
        model="gpt-4.1", messages=[{"role": "user", "content": "hello"}]
    )
    await model.aclose()
    near_ms = trips.to(HERE)
    assert near_ms is not None
    assert near_ms > 0


def test_what_is_no_tcp_connection_has_no_round_trip() -> None:
    trips = RoundTrips()
    trips.of_client(object())
    assert round_trip_ms(None) is None
    assert round_trip_ms(object()) is None
    with socket.socket(socket.AF_UNIX) as unix:
        assert round_trip_ms(unix) is None


def test_a_closed_connection_has_none() -> None:
    closed = socket.socket()
    closed.close()
    assert round_trip_ms(closed) is None
