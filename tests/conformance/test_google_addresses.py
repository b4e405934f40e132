"""What is said to Google's models goes where the catalogue says, with the key it says, whatever the environment names.

A server of one's own is on loopback; what goes to the vendor is met by a proxy, which sees for whom it is.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, suppress

import pytest
from aiohttp import ClientError, web
from livekit.agents import APIConnectOptions, APIError, llm

from engines.catalogue import Catalogue
from engines.component import Component
from engines.gemini_building import GeminiLLM
from engines.keys import NO_KEY, host_of
from engines.plugins import Endpoints, build

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.filterwarnings("ignore:invalid escape sequence"),  # when google.genai is compiled
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession"),  # its HTTP session
]

ONCE = APIConnectOptions(max_retry=0, timeout=60)
VENDOR = "generativelanguage.googleapis.com"
REPLY = {
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "Good morning."}]}, "finishReason": "STOP"}
    ],
    "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10},
}
CATALOGUE = """\
version: 1
greeting: Hello.
instructions: Answer briefly.
hosts: [127.0.0.1]
transcriber: {{plugin: openai, model: whisper, base_url: {url}/v1, keyless: true}}
voices: {{house: {{plugin: openai, model: tts, base_url: {url}/v1, keyless: true}}}}
engines:
  fast:
    kind: cascade
    model: {{plugin: google, model: gemini-2.5-flash, base_url: {url}, {whose}}}
    voices: [house]
"""


class Server:
    """Answers like Gemini's ``generateContent``, and keeps what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, Mapping[str, str], str]] = []
        """Path, headers and body of each request."""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, dict(request.headers), await request.text()))
        if request.path.endswith("/models"):
            return web.json_response({"models": []})
        return web.Response(text=f"data: {json.dumps(REPLY)}\r\n\r\n", content_type="text/event-stream")


class Proxy:
    """Lets nobody through, and keeps to whom they wanted."""

    def __init__(self) -> None:
        self.wanted: list[str] = []
        self.heard = asyncio.Event()

    async def refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.wanted.append((await reader.readline()).decode())
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        self.heard.set()


async def serve(stack: AsyncExitStack) -> Server:
    server, app = Server(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return server


class World:
    """A server of one's own, another that only the environment names, and the way out."""

    def __init__(self, own: Server, named: Server, proxy: Proxy) -> None:
        self.own, self.named, self.proxy = own, named, proxy

    def mind(self, whose: str) -> Component:
        return Catalogue.parse(CATALOGUE.format(url=self.own.url, whose=whose)).engines["fast"].mind


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    proxy = Proxy()
    async with AsyncExitStack() as stack:
        own, named = await serve(stack), await serve(stack)
        way_out = await stack.enter_async_context(await asyncio.start_server(proxy.refuse, "127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{way_out.sockets[0].getsockname()[1]}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        for name in ("GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL"):
            monkeypatch.setenv(name, named.url)
        for name in ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE"):
            monkeypatch.setenv(name, "true")
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "a-project")
        for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
            monkeypatch.setenv(name, "secret-of-google")
        yield World(own, named, proxy)


KEYS = {"GOOGLE_API_KEY": "secret-of-google", "GATEWAY_KEY": "secret-of-the-gateway"}


def built(component: Component) -> GeminiLLM:
    made = build("llm", component, Endpoints(KEYS).of(component), None)  # type: ignore[arg-type]
    assert isinstance(made, GeminiLLM)
    return made


async def says(mind: GeminiLLM) -> str:
    """What the model answers to a greeting, after it was warmed up."""
    chat = llm.ChatContext()
    chat.add_message(role="user", content="good morning")
    try:
        with suppress(ClientError):  # the proxy's answer; the plugin only logs it
            await mind._prewarm_impl()
        async with mind.chat(chat_ctx=chat, conn_options=ONCE) as stream:
            return "".join([part.delta.content or "" async for part in stream if part.delta])
    finally:
        await mind.aclose()


@pytest.mark.parametrize(
    ("whose", "key"),
    [("keyless: true", NO_KEY), ("api_key_env: GATEWAY_KEY", "secret-of-the-gateway")],
)
async def test_a_model_behind_an_address_is_asked_there_with_its_own_key_or_none(
    world: World, whose: str, key: str
) -> None:
    mind = world.mind(whose)
    assert await says(built(mind)) == "Good morning."
    paths = [path for path, *_ in world.own.asked]
    assert paths == ["/v1/models", "/v1/models/gemini-2.5-flash:streamGenerateContent"]
    for _, headers, _ in world.own.asked:
        assert headers["x-goog-api-key"] == key
        assert "secret-of-google" not in str(headers)
    assert "good morning" in world.own.asked[-1][2]
    assert (world.named.asked, world.proxy.wanted) == ([], [])


async def test_the_host_that_doctor_names_is_the_one_that_is_asked(world: World) -> None:
    mind = world.mind("keyless: true")
    await says(built(mind))
    assert {headers["Host"].split(":")[0] for _, headers, _ in world.own.asked} == {host_of(mind)}


async def test_without_an_address_a_language_model_is_googles_whatever_the_environment_says(
    world: World,
) -> None:
    with pytest.raises(APIError):
        await says(built(Component("google", "gemini-2.5-flash", {})))
    assert {line.split()[1] for line in world.proxy.wanted} == {f"{VENDOR}:443"}
    assert (world.own.asked, world.named.asked) == ([], [])


async def test_without_an_address_a_realtime_model_is_googles_whatever_the_environment_says(
    world: World,
) -> None:
    live = Component("google", "gemini-2.5-flash-native-audio-preview-12-2025", {})
    model = build("realtime", live, Endpoints(KEYS).of(live), None)  # type: ignore[arg-type]
    session = model.session()
    try:
        await session.update_instructions("Answer briefly.")
        await asyncio.wait_for(world.proxy.heard.wait(), 60)
    finally:
        await session.aclose()
        await model.aclose()
    assert {line.split()[1] for line in world.proxy.wanted} == {f"{VENDOR}:443"}
    assert (world.own.asked, world.named.asked) == ([], [])
