"""Calls to OpenAI Realtime by WebRTC, as a server sees them: client secrets, SDP, the sideband WebSocket, hang-up.

No media flows: the answer to an offer is a stub, and the caller is played by the lab itself into the call's own
conversation, where it is recognised, answered and billed like any other. The offer says who calls, in attributes that
another receiver would ignore (RFC 8866, section 5.13):

* ``a=x-lab-caller:02_order_status`` plays a recorded caller, ``a=x-lab-says:WORDS`` (any number) synthesised ones;
* ``a=x-lab-interrupts`` has the caller begin while the greeting is heard, ``a=x-lab-stays`` stay when all is said.

Without any of these the caller is silent.

A call's audio is not sent to the sideband; that it was sent to the browser is (``output_audio_buffer.*``). Source:
OpenAI API reference, *Create client secret*, *Create call*, *Hang up call*; guide *Webhooks and server-side controls*.
That a client secret opens no sideband and makes no other secrets is the lab's guess, and so is that a reply out of band
(``conversation: none``) is heard like any other.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from lab.callers import load_pcm, recorded_call
from lab.context import LabContext
from lab.errors import LabError
from lab.openai_realtime import Session, realtime
from lab.realtime_conversation import (
    BYTES_PER_MS,
    Conversation,
    RejectedError,
    new_session,
    update_session,
)
from lab.wire import cut, fail_at_the_door, failure

_SECONDS = range(10, 7201)
_DEFAULT_S = 600
_CHUNK_MS = 100
_PACE = 4
"""How many times faster than life the caller speaks, as the model's audio is streamed."""
_PAUSE_MS = 700
"""Silence after a turn: longer than any turn detection waits for."""
_REPLY_S = 10.0
"""A caller who is not answered goes on after so long."""
_ATTRIBUTE = re.compile(r"^a=x-lab-(caller|says):([^\r\n]*)", re.MULTILINE)
_ANSWER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=x-lab-simulated\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n"
)


@dataclass(frozen=True, slots=True)
class _Secret:
    session: dict[str, Any]
    expires_at: int


class Calls:
    """The calls and client secrets of one lab."""

    def __init__(self, context: LabContext) -> None:
        self._context = context
        self._secrets: dict[str, _Secret] = {}
        self._on: dict[str, Call] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/realtime", self._attach),
            web.post("/v1/realtime/client_secrets", self._make_secret),
            web.post("/v1/realtime/calls", self._begin),
            web.post("/v1/realtime/calls/{call}/hangup", self._hang_up),
        ]

    async def _make_secret(self, request: web.Request) -> web.StreamResponse:
        refused = await self._refused(request, "client_secrets", with_key=True)
        if refused is not None:
            return refused
        try:
            body = await request.json()
            seconds = int(body.get("expires_after", {}).get("seconds", _DEFAULT_S))
            session = _set_up(body.get("session") or {"type": "realtime"})
            if seconds not in _SECONDS:
                raise ValueError(f"expires_after.seconds must be 10 to 7200, not {seconds}")
        except (ValueError, KeyError, TypeError, AttributeError, RejectedError) as error:
            return self._failure(400, f"The request cannot be read: {error!r}")
        value = f"ek_{secrets.token_hex(16)}"
        made = _Secret(session, int(self._context.wall()) + seconds)
        self._secrets[value] = made
        self._context.journal.record("openai.realtime", value[:11], "lab.client_secret", body)
        return web.json_response({"value": value, "expires_at": made.expires_at, "session": session})

    async def _begin(self, request: web.Request) -> web.StreamResponse:
        refused = await self._refused(request, "calls", with_key=False)
        if refused is not None:
            return refused
        try:
            sdp, session = await self._offer(request)
            turns = await self._turns(sdp)
        except (ValueError, KeyError, TypeError, AttributeError, RejectedError, LabError) as error:
            return self._failure(400, f"The offer cannot be read: {error!r}")
        call_id = self._context.new_id("rtc_")
        self._on[call_id] = call = Call(self._context, call_id, session)
        self._context.journal.record("openai.realtime", call_id, "lab.call", {"session": session})
        call.begin(
            turns,
            stays="a=x-lab-stays" in sdp,
            interrupts="a=x-lab-interrupts" in sdp,
            over=lambda: self._on.pop(call_id, None),
        )
        return web.Response(
            text=_ANSWER,
            status=201,
            content_type="application/sdp",
            headers={"Location": f"/v1/realtime/calls/{call_id}"},
        )

    async def _offer(self, request: web.Request) -> tuple[str, dict[str, Any]]:
        """The SDP and the session: of the client secret, or given with the offer."""
        if request.content_type == "multipart/form-data":
            form = await request.post()
            sdp = _part(form["sdp"])
            session = _set_up(json.loads(_part(form.get("session", '{"type": "realtime"}'))))
        else:
            sdp = await request.text()
            known = self._secrets.get(_bearer(request))
            session = known.session if known else _set_up({"type": "realtime"})
        if not sdp.startswith("v=0") or "\nm=audio " not in sdp:
            raise ValueError("no SDP with audio")
        return sdp, session

    async def _turns(self, sdp: str) -> list[bytes]:
        """What the caller says, as int16 mono of 24 kHz."""
        turns: list[bytes] = []
        for kind, value in _ATTRIBUTE.findall(sdp):
            if kind == "caller":
                turns += [load_pcm(turn.path).tobytes() for turn in recorded_call(value).turns]
            elif kind == "says":
                turns.append((await self._context.voices.synthesise(value, voice="caller")).pcm)
        return turns

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        call_id = request.query.get("call_id")
        if call_id is None:
            return await realtime(request, self._context)
        refused = await self._refused(request, "lab.attach", with_key=True)
        if refused is not None:
            return refused
        call = self._on.get(call_id)
        if call is None:
            return self._failure(404, "No session found for the provided call_id.")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        try:
            await call.watched(socket, request)
        finally:
            call.left(socket)
            self._context.journal.record("openai.realtime", call_id, "lab.detach")
        return socket

    async def _hang_up(self, request: web.Request) -> web.StreamResponse:
        refused = await self._refused(request, "hangup", with_key=True)
        if refused is not None:
            return refused
        call = self._on.get(request.match_info["call"])
        if call is None:
            return self._failure(404, "No session found for the provided call_id.")
        await call.end()
        return web.Response()

    async def _refused(self, request: web.Request, name: str, *, with_key: bool) -> web.Response | None:
        """The answer to who may not ask, or is to fail."""
        token = _bearer(request)
        self._context.journal.record("openai.realtime", token[:3], name, dict(request.query))
        known = self._secrets.get(token)
        expired = known is not None and self._context.wall() >= known.expires_at
        if not token or expired or (token.startswith("ek_") and (with_key or known is None)):
            return failure(
                401, self._context.new_id("req_"), "Incorrect API key provided.", "invalid_api_key"
            )
        return await fail_at_the_door(request, self._context, "openai.realtime")

    def _failure(self, status: int, message: str) -> web.Response:
        return failure(status, self._context.new_id("req_"), message, "invalid_request_error")


class Call(Session):
    """One call's session, with all who watch it."""

    def __init__(self, context: LabContext, call_id: str, session: dict[str, Any]) -> None:
        self._watchers: dict[web.WebSocketResponse, web.Request] = {}
        super().__init__(context, self, call_id, str(session["model"]), cut=self._cut_off)
        update_session(self._config, {key: value for key, value in session.items() if key != "id"})
        self._detect()
        self._someone = asyncio.Event()
        self._audible = asyncio.Event()
        self._answered = asyncio.Event()
        self._playing: asyncio.Task[None] | None = None
        self._playing_id = ""
        self._audio_ms = 0
        self._began_s = 0.0
        self._caller: asyncio.Task[None] | None = None
        self._aside = False
        """Whether the last reply is out of band."""
        self._ended = False

    def begin(self, turns: list[bytes], *, stays: bool, interrupts: bool, over: Callable[[], object]) -> None:
        """The call is on until it is hung up by either side, when ``over`` is told."""
        self._over = over
        if turns:
            self._caller = asyncio.create_task(
                self._speak(turns, stays=stays, interrupts=interrupts), name=f"caller of {self._connection}"
            )

    async def watched(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        """Serve one sideband to its end."""
        await socket.send_str(json.dumps({"type": "session.created", "session": self._config}))
        self._watchers[socket] = request
        self._someone.set()
        async for message in socket:
            await self.carry_out(str(message.data))

    def left(self, socket: web.WebSocketResponse) -> None:
        self._watchers.pop(socket, None)

    async def end(self) -> None:
        """The call is over for everybody."""
        if self._ended:
            return
        self._ended = True
        self._over()
        for task in (self._playing, self._caller):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        await self.close()
        await self.aclose()

    # -- lab.openai_realtime.Outlet: all who watch ------------------------------------------------------------
    async def send_str(self, data: str) -> None:
        for socket in list(self._watchers):
            with contextlib.suppress(ConnectionError):
                await socket.send_str(data)

    async def close(self) -> None:
        for socket in list(self._watchers):
            await socket.close()

    def _cut_off(self) -> None:
        for request in list(self._watchers.values()):
            cut(request)

    # -- client events ----------------------------------------------------------------------------------------
    async def clear_output(self, event: dict[str, Any]) -> None:
        """Stop what the browser still plays."""
        self._stop_playing()

    # -- the caller -------------------------------------------------------------------------------------------
    async def _speak(self, turns: list[bytes], *, stays: bool, interrupts: bool) -> None:
        """A caller who waits to be greeted, more or less, and for each answer."""
        await self._someone.wait()
        await (self._audible.wait() if interrupts else self._is_answered())
        for pcm in turns:
            self._answered.clear()
            await self._say(pcm)
            await self._is_answered()
        if not stays:
            await self.end()

    async def _say(self, pcm: bytes) -> None:
        step = _CHUNK_MS * BYTES_PER_MS
        audio = pcm + bytes(_PAUSE_MS * BYTES_PER_MS)
        for at in range(0, len(audio), step):
            await self.append({"audio": base64.b64encode(audio[at : at + step]).decode()})
            await asyncio.sleep(_CHUNK_MS / 1000 / _PACE)

    async def _is_answered(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REPLY_S):
                await self._answered.wait()

    # -- what is heard of the model ---------------------------------------------------------------------------
    def _respond(self, params: dict[str, Any]) -> None:
        """A reply out of band reads what it is told to, which is all or (``input: []``) nothing, and adds nothing."""
        kept, self._aside = self._conversation, params.get("conversation") == "none"
        if self._aside:
            self._conversation = Conversation([] if params.get("input") == [] else list(kept.items))
        super()._respond(params)
        self._conversation = kept

    def _send(self, event: str, **fields: Any) -> None:
        if event == "input_audio_buffer.speech_started" and self._vad is not None and self._vad.interrupts:
            self._stop_playing()
        super()._send(event, **fields)

    def _stream(self, event: str, **fields: Any) -> None:
        if self._aside and event.startswith("conversation."):
            return
        if event == "response.output_audio.delta":
            if self._playing_id != fields["response_id"]:
                self._playing_id, self._audio_ms = fields["response_id"], 0
                self._began_s = asyncio.get_running_loop().time()
                self._audible.set()
                super()._stream("output_audio_buffer.started", response_id=self._playing_id)
            self._audio_ms += len(base64.b64decode(fields["delta"])) // BYTES_PER_MS
            return  # the audio goes to the browser
        super()._stream(event, **fields)
        if event == "response.done" and fields["response"]["id"] == self._playing_id:
            self._playing = asyncio.create_task(self._play_out(), name=f"playout of {self._connection}")

    async def _play_out(self) -> None:
        played_s = asyncio.get_running_loop().time() - self._began_s
        await asyncio.sleep(max(0.0, self._audio_ms / 1000 - played_s))
        self._playing = None
        self._stream("output_audio_buffer.stopped", response_id=self._playing_id)
        self._answered.set()

    def _stop_playing(self) -> None:
        if self._playing is not None:
            self._playing.cancel()
            self._playing = None
            self._stream("output_audio_buffer.cleared", response_id=self._playing_id)
            self._answered.set()


Call.handlers = {**Session.handlers, "output_audio_buffer.clear": Call.clear_output}


def routes(context: LabContext) -> list[web.RouteDef]:
    return Calls(context).routes()


def _set_up(change: dict[str, Any]) -> dict[str, Any]:
    """A session as the service opens it, with what was asked for."""
    session = new_session("sess_lab", str(change.get("model", "gpt-realtime")))
    update_session(session, change)
    return session


def _part(value: Any) -> str:
    """A part of a form, whatever type it says it is of."""
    return value.decode() if isinstance(value, bytes | bytearray) else str(value)


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.casefold() == "bearer" else ""
