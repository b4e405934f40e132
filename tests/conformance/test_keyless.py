"""What arrives at a server of one's own: every plugin that speaks OpenAI's protocol, with a vendor's key about."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, llm
from openai.types.realtime import RealtimeSessionCreateRequestParam
from websockets.exceptions import InvalidStatus

from engines.catalogue import Catalogue
from engines.component import Component
from engines.keys import NO_KEY
from engines.plugins import Endpoint, Endpoints, build
from service.web.vendor import Vendor, VendorRefusedError

pytestmark = pytest.mark.conformance

SECRETS = {
    "OPENAI_API_KEY": "sk-secret-key",
    "OPENAI_ADMIN_KEY": "sk-secret-admin",
    "OPENAI_ORG_ID": "org-secret",
    "OPENAI_PROJECT_ID": "proj-secret",
    "OPENAI_CUSTOM_HEADERS": "X-Account: secret",
    "DEEPGRAM_API_KEY": "dg-secret",
}
ONCE = APIConnectOptions(max_retry=0, timeout=10.0)
CATALOGUE = """\
version: 1
greeting: Hello.
instructions: Be brief.
hosts: [127.0.0.1]
transcriber: {{plugin: openai, model: whisper-large-v3, base_url: {url}, keyless: true}}
voices:
  house: {{plugin: openai, model: kokoro, base_url: {url}, keyless: true}}
engines:
  fast: {{kind: cascade, model: {{plugin: openai, model: llama, base_url: {url}, keyless: true}}, voices: [house]}}
  heard: {{kind: realtime, model: {{plugin: openai, model: ultravox, base_url: {url}, keyless: true}}}}
"""


class Server:
    """Answers nothing, and keeps what it was told before the body."""

    def __init__(self) -> None:
        self.asked: dict[str, dict[str, str]] = {}
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.path] = dict(request.headers)
        return web.json_response({"error": {"message": "no"}}, status=400)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    answering = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answering.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    answering.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield answering
    await runner.cleanup()


async def use(role: Any, component: Component, http: aiohttp.ClientSession) -> None:
    """Ask the plugin for something, as far as the server lets it."""
    part = build(role, component, Endpoints(SECRETS).of(component), http)
    try:
        with suppress(APIError):
            if role == "llm":
                chat = llm.ChatContext()
                chat.add_message(role="user", content="hello")
                async with part.chat(chat_ctx=chat, conn_options=ONCE) as stream:
                    async for _ in stream:
                        pass
            elif role == "tts":
                async with part.synthesize("hello", conn_options=ONCE) as speech:
                    async for _ in speech:
                        pass
            else:
                silence = rtc.AudioFrame(bytes(4800), 24_000, 1, 2400)
                await part.recognize([silence], conn_options=ONCE)
    finally:
        await part.aclose()


async def test_no_vendors_key_or_account_reaches_a_server_that_takes_none(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/not-this-one")
    catalogue = Catalogue.parse(CATALOGUE.format(url=server.url))
    async with aiohttp.ClientSession() as http:
        await use("llm", catalogue.engines["fast"].mind, http)
        await use("tts", catalogue.voices["house"], http)
        await use("stt", catalogue.transcriber, http)
        mind = catalogue.engines["heard"].mind
        realtime = build("realtime", mind, Endpoints(SECRETS).of(mind), http)
        url, headers = realtime.session()._create_ws_url_and_headers()
        async with http.get(url.replace("ws://", "http://"), headers=headers):
            pass
        await realtime.aclose()
    assert set(server.asked) == {
        "/v1/chat/completions",
        "/v1/audio/speech",
        "/v1/audio/transcriptions",
        "/v1/realtime",
    }
    for path, headers in server.asked.items():
        assert headers["Authorization"] == f"Bearer {NO_KEY}", path
        assert "secret" not in str(headers), path


async def test_the_environment_does_not_choose_where_a_vendors_key_goes(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    vendor = Component("openai", "gpt-4.1-nano", {})
    async with aiohttp.ClientSession() as http:
        for role in ("llm", "tts", "decisions"):
            part = build(role, vendor, Endpoints(SECRETS).of(vendor), http)
            assert str(part._client.base_url) == "https://api.openai.com/v1/"
            await part.aclose()
    browsers = Vendor(Endpoints(SECRETS).of(vendor))
    assert browsers.calls_url == "https://api.openai.com/v1/realtime/calls"
    assert str(browsers.sideband("rtc_1")._prepare_url()) == "wss://api.openai.com/v1/realtime"
    await browsers.aclose()
    assert server.asked == {}


async def test_no_account_of_the_environment_goes_with_direct_calls_to_a_stand_in(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/not-this-one")
    vendor = Vendor(Endpoint("the-stand-ins-own", server.url, simulated=True))
    session: RealtimeSessionCreateRequestParam = {"type": "realtime", "model": "gpt-realtime"}
    with pytest.raises(VendorRefusedError):
        await vendor.secret(session, 60)
    with pytest.raises(VendorRefusedError):
        await vendor.call("v=0", session)
    with pytest.raises(VendorRefusedError):
        await vendor.hang_up("rtc_1")
    with pytest.raises(InvalidStatus):
        await vendor.sideband("rtc_1").enter()
    await vendor.aclose()
    assert set(server.asked) == {
        "/v1/realtime/client_secrets",
        "/v1/realtime/calls",
        "/v1/realtime/calls/rtc_1/hangup",
        "/v1/realtime",
    }
    for path, headers in server.asked.items():
        assert headers["Authorization"] == "Bearer the-stand-ins-own", path
        assert "secret" not in str(headers), path
