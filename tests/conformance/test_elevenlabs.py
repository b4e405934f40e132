"""The simulated ElevenLabs against the real livekit-plugins-elevenlabs: every message the plugin relies on."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from livekit.agents import (
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APIStatusError,
    APITimeoutError,
    tts,
)
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.plugins import elevenlabs

from lab.context import LabContext
from lab.delays import Delays
from lab.faults import Fault, Kind
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing

pytestmark = [pytest.mark.conformance, pytest.mark.asyncio(loop_scope="module")]

ONCE = APIConnectOptions(max_retry=0, timeout=30)
IMPATIENT = APIConnectOptions(max_retry=0, timeout=1.0)
REPLY = "Your order is on its way. It will arrive on Thursday morning."


@dataclass(frozen=True)
class Service:
    lab: Lab
    http: aiohttp.ClientSession

    @property
    def context(self) -> LabContext:
        return self.lab.context

    def tts(self, **options: object) -> elevenlabs.TTS:
        given = {"api_key": "x", "encoding": "pcm_24000", "base_url": self.lab.elevenlabs_url}
        return elevenlabs.TTS(**{**given, "http_session": self.http, **options})

    def raw(self, query: str = "output_format=pcm_24000") -> aiohttp.client._WSRequestContextManager:
        url = f"{self.lab.elevenlabs_url}/text-to-speech/someone/multi-stream-input?{query}"
        return self.http.ws_connect(url, headers={"xi-api-key": "x"})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Service]:
    lab = Lab(LabSettings(delays=Delays.none()), hearing=GivenHearing())
    async with lab, aiohttp.ClientSession() as http:
        yield Service(lab, http)


@pytest_asyncio.fixture(loop_scope="module")
async def service(running: Service) -> AsyncIterator[Service]:
    yield running
    running.context.faults.clear()


async def spoken(
    plugin: elevenlabs.TTS, text: str, options: APIConnectOptions = ONCE
) -> list[tts.SynthesizedAudio]:
    async with plugin.stream(conn_options=options) as stream:
        stream.push_text(text)
        stream.end_input()
        return [audio async for audio in stream]


def seconds(audio: list[tts.SynthesizedAudio]) -> float:
    return sum(a.frame.duration for a in audio)


def samples(audio: list[tts.SynthesizedAudio]) -> np.ndarray:
    return np.concatenate([np.frombuffer(a.frame.data, dtype=np.int16) for a in audio])


async def test_text_comes_back_as_audible_speech_of_a_plausible_length(service: Service) -> None:
    plugin = service.tts()
    audio = await spoken(plugin, REPLY)
    assert audio[0].frame.sample_rate == 24_000
    assert 2.5 < seconds(audio) < 6
    assert np.abs(samples(audio).astype(int)).max() > 5_000
    assert audio[-1].is_final
    await plugin.aclose()


async def test_the_alignment_becomes_a_timed_transcript_of_every_word(service: Service) -> None:
    plugin = service.tts()
    audio = await spoken(plugin, REPLY)
    words = [word for a in audio for word in a.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])]
    assert "".join(words).split() == REPLY.split()
    assert all(before.end_time <= after.start_time + 0.001 for before, after in pairwise(words))
    assert words[-1].end_time == pytest.approx(seconds(audio), abs=0.3)
    await plugin.aclose()


async def test_a_later_sentence_is_timed_on_the_clock_of_its_context(service: Service) -> None:
    plugin = service.tts()
    audio = await spoken(plugin, REPLY)
    words = {
        word.strip(): word for a in audio for word in a.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])
    }
    start = round(words["It"].start_time * 24_000)
    sound = np.abs(samples(audio).astype(int))
    assert sound[start - 2_400 : start - 240].max() < 400  # the breath before it
    assert sound[start : start + 4_800].max() > 2_000
    await plugin.aclose()


async def test_the_plugins_messages_arrive_in_the_vendors_order(service: Service) -> None:
    plugin = service.tts()
    await spoken(plugin, "One sentence only.")
    connection = service.context.journal.of("elevenlabs")[-1].connection
    names = [e.name for e in service.context.journal.of("elevenlabs") if e.connection == connection]
    assert names == ["connect", "voice_settings", "flush", "flush", "close_context"]
    await plugin.aclose()


async def test_replies_share_one_socket(service: Service) -> None:
    before = service.context.journal.count("elevenlabs", "connect")
    plugin = service.tts()
    for _ in range(3):
        assert seconds(await spoken(plugin, "Hello again.")) > 0.4
    assert service.context.journal.count("elevenlabs", "connect") == before + 1
    await plugin.aclose()


async def test_two_contexts_speak_at_once_and_do_not_mix(service: Service) -> None:
    plugin = service.tts()
    short, long = await asyncio.gather(spoken(plugin, "Yes."), spoken(plugin, REPLY))
    alone = [await spoken(plugin, text) for text in ("Yes.", REPLY)]
    assert [seconds(short), seconds(long)] == pytest.approx([seconds(a) for a in alone])
    assert np.array_equal(samples(long), samples(alone[1]))
    await plugin.aclose()


async def test_a_reply_that_is_interrupted_stops_and_the_socket_serves_the_next(service: Service) -> None:
    plugin = service.tts()
    journal = service.context.journal
    closed, connects = journal.count("elevenlabs", "close_context"), journal.count("elevenlabs", "connect")
    async with plugin.stream(conn_options=ONCE) as stream:
        stream.push_text("This is the first of many sentences. And this is the second. ")
        stream.flush()
        await anext(aiter(stream))
    await journal.until("elevenlabs", "close_context", count=closed + 1)
    assert seconds(await spoken(plugin, "Hello again.")) > 0.4
    assert journal.count("elevenlabs", "connect") == connects + 1
    await plugin.aclose()


async def test_a_closed_context_speaks_what_it_had_and_then_nothing(service: Service) -> None:
    async with service.raw() as socket:
        await socket.send_json({"text": "Before. ", "context_id": "a"})
        await socket.send_json({"close_context": True, "context_id": "a"})
        await socket.send_json({"text": "After. ", "flush": True, "context_id": "a"})
        await socket.send_json({"text": "Elsewhere. ", "flush": True, "context_id": "b"})
        await socket.send_json({"close_socket": True})
        packets = [json.loads(message.data) async for message in socket]
    said = "".join(
        "".join(p["alignment"]["chars"]) for p in packets if p["contextId"] == "a" and p.get("alignment")
    )
    assert said == "Before. "
    assert [p["contextId"] for p in packets if p["isFinal"]] in (["a", "b"], ["b", "a"])
    assert {p["contextId"] for p in packets if p["audio"]} == {"a", "b"}
    assert socket.closed


async def test_a_context_that_is_closed_without_text_is_final_without_audio(service: Service) -> None:
    plugin = service.tts()
    async with service.raw() as socket:
        await socket.send_json({"text": " ", "voice_settings": {}, "context_id": "a"})
        await socket.send_json({"close_context": True, "context_id": "a"})
        assert await socket.receive_json(timeout=30) == {"audio": None, "isFinal": True, "contextId": "a"}
    await plugin.aclose()


async def test_other_sample_rates_are_served(service: Service) -> None:
    plugin = service.tts(encoding="pcm_16000")
    audio = await spoken(plugin, REPLY)
    assert audio[0].frame.sample_rate == 16_000
    assert 2.5 < seconds(audio) < 6
    await plugin.aclose()


async def test_a_whole_text_in_one_request_is_spoken_too(service: Service) -> None:
    plugin = service.tts()
    async with plugin.synthesize(REPLY, conn_options=ONCE) as stream:
        audio = [a async for a in stream]
    assert 2.5 < seconds(audio) < 6
    await plugin.aclose()


@pytest.mark.parametrize(("kind", "status"), [("rate_limited", 429), ("server_error", 500)])
async def test_an_error_at_the_handshake_is_the_plugins_status_error(
    service: Service, kind: Kind, status: int
) -> None:
    service.context.faults.set("elevenlabs", Fault(kind))
    plugin = service.tts()
    with pytest.raises(APIStatusError) as raised:
        await spoken(plugin, REPLY)
    assert raised.value.status_code == status
    await plugin.aclose()


async def test_a_refused_connection_is_the_plugins_connection_error(service: Service) -> None:
    service.context.faults.set("elevenlabs", Fault("refuse"))
    plugin = service.tts()
    with pytest.raises(APIConnectionError):
        await spoken(plugin, REPLY)
    await plugin.aclose()


async def test_a_service_that_hangs_is_the_plugins_timeout(service: Service) -> None:
    service.context.faults.set("elevenlabs", Fault("hang"))
    plugin = service.tts()
    with pytest.raises(APITimeoutError):
        await spoken(plugin, REPLY, IMPATIENT)
    await plugin.aclose()


@pytest.mark.parametrize("kind", ["refuse", "rate_limited", "server_error", "hang", "drop", "malformed"])
async def test_a_fault_on_a_socket_that_is_already_open_fails_the_reply_and_the_next_one_works(
    service: Service, kind: Kind
) -> None:
    plugin = service.tts()
    await spoken(plugin, "Hello.")
    service.context.faults.set("elevenlabs", Fault(kind, times=1))
    with pytest.raises(APIError):
        await spoken(plugin, REPLY, IMPATIENT if kind == "hang" else ONCE)
    assert seconds(await spoken(plugin, "Hello again.")) > 0.4
    await plugin.aclose()


async def test_a_dropped_line_leaves_the_frames_before_it(service: Service) -> None:
    service.context.faults.set("elevenlabs", Fault("drop", after=3))
    async with service.raw() as socket:
        await socket.send_json({"text": REPLY, "flush": True, "context_id": "a"})
        packets = [json.loads(message.data) async for message in socket]
    assert [len(base64.b64decode(p["audio"])) for p in packets] == [9_600] * 3


@pytest.mark.parametrize("kind", ["drop", "malformed"])
async def test_a_reply_too_short_to_fail_in_its_middle_fails_at_its_end(service: Service, kind: Kind) -> None:
    service.context.faults.set("elevenlabs", Fault(kind, times=1, after=500))
    plugin = service.tts()
    with pytest.raises(APIError):
        await spoken(plugin, "Hello.")
    await plugin.aclose()


async def test_the_first_byte_waits_as_long_as_was_drawn_and_a_slow_fault_multiplies_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, float]] = []

    async def wait(stage: str, *, slow: float = 1.0, spent_s: float = 0.0) -> float:
        drawn.append((stage, slow))
        return 0.0

    monkeypatch.setattr(LabContext, "wait", lambda self, stage, **given: wait(stage, **given))
    plugin = service.tts()
    await spoken(plugin, REPLY)
    service.context.faults.set("elevenlabs", Fault("slow", factor=3.0))
    await spoken(plugin, REPLY)
    assert drawn == [("tts_ttfb", 1.0), ("tts_ttfb", 3.0)]
    await plugin.aclose()


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("output_format=mp3_22050_32", {"xi-api-key": "x"}, 400),
        ("", {"xi-api-key": "x"}, 400),
        ("output_format=pcm_24000", {}, 401),
    ],
)
async def test_what_the_lab_cannot_serve_is_refused_with_the_reason(
    service: Service, query: str, headers: dict[str, str], status: int
) -> None:
    url = f"{service.lab.elevenlabs_url}/text-to-speech/someone/stream?{query}"
    async with service.http.post(url, headers=headers, json={"text": "Hello."}) as response:
        assert response.status == status
        assert (await response.json())["detail"]["message"]


@pytest.mark.parametrize("garbage", ["{", "[]", '"text"', "null"])
async def test_a_message_that_is_no_json_object_closes_the_socket_with_an_error(
    service: Service, garbage: str
) -> None:
    async with service.raw() as socket:
        await socket.send_str(garbage)
        assert (await socket.receive_json(timeout=30))["error"] == "invalid_message"
        assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1008


async def test_text_that_is_no_text_does_not_end_the_socket(service: Service) -> None:
    async with service.raw() as socket:
        await socket.send_json({"text": 42, "flush": True, "context_id": ["odd"]})
        await socket.send_json({"close_socket": True})
        packets = [json.loads(message.data) async for message in socket]
    assert packets[-1]["isFinal"]
