"""The hand-off bench's lab in a process of its own: its ears know what the bench's caller says."""

import io
import wave

import aiohttp
import pytest

from lab.bench import known_lab
from lab.delays import Delays
from lab.known_speech import RATE_HZ, Samples
from lab.process import LabProcess
from lab.server import LabSettings

pytestmark = pytest.mark.unit


def wav(samples: Samples) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(samples.tobytes())
    return file.getvalue()


async def test_it_hears_what_the_benchs_caller_says_and_has_the_delays_it_is_given() -> None:
    said = known_lab.speech()[0]
    delays = Delays.parse("none,network=1/2")
    async with LabProcess(LabSettings(delays), program=known_lab.__name__) as lab:
        assert (await lab.health())["delays"] == delays.describe()
        form = aiohttp.FormData({"model": "whisper-1"})
        form.add_field("file", wav(said.samples), filename="said.wav")
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{lab.openai_url}/audio/transcriptions", data=form) as response,
        ):
            assert (await response.json())["text"] == said.text
