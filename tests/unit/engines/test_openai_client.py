"""Every part at OpenAI has a client of its own."""

import subprocess
import sys
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import aiohttp
import openai
import pytest
from aiohttp import web

from engines.component import Component, Role
from engines.openai_client import openai_client
from engines.plugins import Endpoint, build
from engines.utterances import Utterances
from lab.tls import loopback_context

pytestmark = pytest.mark.unit

MIND = Component("openai", "gpt-4.1-nano", MappingProxyType({}))
LAB = Endpoint("lab", "http://127.0.0.1:1/v1", simulated=True)


def client_of(part: Any) -> openai.AsyncClient:
    client = (part.recogniser if isinstance(part, Utterances) else part)._client
    assert isinstance(client, openai.AsyncClient)
    return client


def test_a_callers_first_turn_loads_nothing_of_the_client() -> None:
    program = """
import sys
from engines.openai_client import openai_client
client = openai_client("key", "http://127.0.0.1:1/v1")
before = set(sys.modules)
client.models.list, client.chat.completions.create
client.audio.speech.with_streaming_response.create, client.audio.transcriptions.create
print(sorted(set(sys.modules) - before))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 -- our own
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("role", ["llm", "tts", "stt"])
async def test_a_part_closes_its_client_and_no_other(http: aiohttp.ClientSession, role: Role) -> None:
    one, other = build(role, MIND, LAB, http), build(role, MIND, LAB, http)
    await one.aclose()
    assert client_of(one).is_closed()
    assert not client_of(other).is_closed()
    await other.aclose()


async def test_what_a_catalogue_says_of_the_client_still_holds(http: aiohttp.ClientSession) -> None:
    patient = replace(MIND, options=MappingProxyType({"max_retries": 2, "timeout": 5.0, "temperature": 0.3}))
    made, plain = build("llm", patient, LAB, http), build("llm", MIND, LAB, http)
    assert (client_of(made).max_retries, client_of(made).timeout) == (2, 5.0)
    assert client_of(plain).max_retries == 0
    assert made._opts.temperature == 0.3
    assert (client_of(made).api_key, str(client_of(made).base_url)) == ("lab", "http://127.0.0.1:1/v1/")
    await made.aclose()
    await plain.aclose()


async def test_a_server_that_nobody_vouches_for_is_not_talked_to() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=loopback_context())
    await site.start()
    port = runner.addresses[0][1]
    client = openai_client("key", f"https://127.0.0.1:{port}/v1")
    try:
        with pytest.raises(openai.APIConnectionError) as refused:
            await client.models.list()
    finally:
        await client.close()
        await runner.cleanup()
    assert "CERTIFICATE_VERIFY_FAILED" in repr(refused.value.__cause__)
    assert asked == []
