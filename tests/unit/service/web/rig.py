"""The web application on a lab of stand-ins, asked by a real HTTP client; the real ``openai`` client is inside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from compliance.access import Verifier
from compliance.events import CallEnded, Event
from compliance.ledger import Ledger
from engines.plugins import Endpoint, Endpoints
from lab.delays import Delays
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices
from service.exchange import Exchange
from service.web import LiveKit, make_app
from service.web.app import DIRECT

SITE = "a-site's-token"
ORIGIN = "https://shop.example.com"
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
LIMIT_S = 60.0
REALTIME: Final = "openai.realtime"
"""The lab's name for what answers direct calls."""

E = TypeVar("E", bound=Event)


def of(events: Sequence[Event], kind: type[E]) -> list[E]:
    """Those of ``kind``."""
    return [event for event in events if isinstance(event, kind)]


def ending(events: Sequence[Event]) -> str:
    """Why a call ended, which is the last that its record says."""
    (ended,) = of(events, CallEnded)
    assert events[-1] is ended
    return ended.reason


def offer(*says: str, stays: bool = False) -> str:
    """The SDP offer of a caller of the lab who says this, a turn each."""
    attributes = [*(f"a=x-lab-says:{words}" for words in says), *(["a=x-lab-stays"] if stays else [])]
    return SDP + "".join(f"{attribute}\r\n" for attribute in attributes)


@asynccontextmanager
async def lab_hearing(*texts: str, character_ms: float = 2.0) -> AsyncIterator[Lab]:
    """A lab whose ears hear ``texts``, an utterance each, and whose voice hums."""
    voices = ToneVoices(character_ms=character_ms)
    async with Lab(LabSettings(Delays.none()), hearing=GivenHearing(texts), voices=voices) as lab:
        yield lab


@dataclass
class Web:
    """The application being asked."""

    client: TestClient[Any, Any]
    exchange: Exchange
    watched: list[Event]
    _seen: asyncio.Event

    async def post(self, path: str, body: Any = None, *, token: str = SITE, **options: Any) -> ClientResponse:
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        content = {} if body is None else {"json": body}
        return await self.client.post(path, headers=headers, **content, **options)

    async def begun(self, sdp: str) -> str:
        """A direct call by an SDP offer; its id."""
        answer = await self.post("/v1/realtime/calls", {"sdp": sdp})
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["call_id"])

    async def until(self, kind: type[E], such_that: Callable[[E], bool] = lambda _: True) -> E:
        """The first event of ``kind``, when it is on record."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for event in self.watched:
                    if isinstance(event, kind) and such_that(event):
                        return event
                self._seen.clear()
                await self._seen.wait()

    async def over(self, call_id: str) -> Sequence[Event]:
        """The record of a call, when it is over and complete."""
        direct = self.client.app[DIRECT]
        async with asyncio.timeout(LIMIT_S):
            if call_id in direct:
                await direct.of("site", call_id).ended()
        return self.exchange.ledger.events(call_id)

    def notice(self, event: Event) -> None:
        self.watched.append(event)
        self._seen.set()


@asynccontextmanager
async def web(
    exchange: Exchange,
    lab: Lab | None = None,
    *,
    ledger: Ledger | None = None,
    livekit: LiveKit | None = None,
    oidc: Verifier | None = None,
    clock: Callable[[], float] = lambda: 0.0,
    **settings: Any,
) -> AsyncIterator[Web]:
    """The application on ``lab`` with these settings; a caller consents to voice AI and the site has its token."""
    chosen = {"consent_voice_ai": True, "web_origins": ORIGIN, "web_requests_per_minute": 600.0, **settings}
    asked: list[Web] = []
    stand_ins = {"openai": Endpoint("lab-key", lab.openai_url, simulated=True)} if lab else {}
    own = replace(
        exchange,
        settings=exchange.settings.model_copy(update=chosen),
        endpoints=Endpoints({}, stand_ins),
        ledger=ledger or exchange.ledger,
        watchers=(lambda event: asked[0].notice(event),),
    )
    app = make_app(own, livekit=livekit, oidc=oidc, clock=clock)
    async with TestClient(TestServer(app)) as client:
        asked.append(Web(client, own, [], asyncio.Event()))
        yield asked[0]
