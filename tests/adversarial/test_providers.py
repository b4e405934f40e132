"""Providers that refuse, fail, hang, break off and lie: the caller is answered all the same.

One call per fault, all at once, each on a lab of its own that shares ears and voices with the others.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from livekit.agents import APIConnectOptions

import engines.cascade
from compliance.events import AgentSaid, LateEventDropped, ProviderFailed
from lab.delays import Delays
from lab.faults import Fault, Provider
from lab.hearing import Hearing
from lab.server import Lab, LabSettings
from lab.voices import Voices
from tests.desk_call import HOURS, HOURS_TEXT, ORDER, ORDER_TEXT, DeskCall, Plan

pytestmark = pytest.mark.adversarial

FIRST_REPLY_S = 1.5
VOICE_LIMIT_S, VOICE_STALL_S = 1.0, 2.5
APART_S = 0.4
"""Between the beginnings of two calls: their first requests together would keep the machine busy for seconds."""
SILENCE_LIMIT_S = 6.0
SORRY = "I am sorry, I have a technical problem just now. Please say that again in a moment."
ANSWER = "On saturday we are open from nine in the morning until five in the afternoon."

Faults = dict[Provider, Fault]


@dataclass
class Case:
    """One call with faults, switched on before it or once its realtime session is connected."""

    engines: tuple[str, ...]
    faults: Faults
    once_connected: bool = False
    order: tuple[str, ...] = ("standard", "tool", "fast")


@dataclass
class Finished:
    call: DeskCall
    messages: list[tuple[str, str]]
    answered_ms: list[float] = field(default_factory=list)


def chat(kind: Any, times: int | None = 1, **how: Any) -> Faults:
    return {"openai.chat": Fault(kind, times=times, **how)}


def realtime(kind: Any, times: int | None = 1, **how: Any) -> Faults:
    return {"openai.realtime": Fault(kind, times=times, **how)}


CASES = {
    **{
        f"chat {kind}": Case(("fast",), chat(kind))
        for kind in ("server_error", "rate_limited", "refuse", "hang", "drop", "malformed")
    },
    "chat is gone": Case(("fast",), chat("server_error", None)),
    "voice refuse": Case(("fast",), {"elevenlabs": Fault("refuse", times=1)}),
    "voice hang": Case(("fast",), {"elevenlabs": Fault("hang")}),
    "voices are gone": Case(("fast",), {"elevenlabs": Fault("refuse"), "openai.speech": Fault("server_error")}),
    "voices hang": Case(("fast",), {"elevenlabs": Fault("hang"), "openai.speech": Fault("hang")}),
    "realtime refuse at connect": Case(("realtime", "fast"), realtime("refuse", None)),
    "realtime hang at connect": Case(("realtime", "realtime"), realtime("hang", 1)),
    **{
        f"realtime {kind}": Case(("realtime", "realtime"), realtime(kind), once_connected=True)
        for kind in ("hang", "refuse", "drop", "malformed", "server_error")
    },
    "recogniser drop": Case(("fast",), {"deepgram": Fault("drop", times=1, after=1)}),
}


class _Shared:
    """Ears or voices that several labs use: whoever made them starts and closes them."""

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    async def start(self) -> None: ...
    async def aclose(self) -> None: ...


async def make(name: str, hearing: Any, voices: Any, *, after_s: float = 0.0) -> Finished:
    await asyncio.sleep(after_s)
    case = CASES[name]
    lab = Lab(LabSettings(delays=Delays.none()), hearing=hearing, voices=voices)
    plan = Plan(case.engines, order=case.order)
    async with lab:
        journal, faults = lab.context.journal, lab.context.faults
        if not case.once_connected:
            for provider, fault in case.faults.items():
                faults.set(provider, fault)
        async with DeskCall(
            lab,
            plan,
            name=name,
            first_reply_s=FIRST_REPLY_S,
            silence_limit_s=SILENCE_LIMIT_S,
        ) as call:
            if case.once_connected:
                await journal.until("openai.realtime", "session.update")
                for provider, fault in case.faults.items():
                    faults.set(provider, fault)
            done = Finished(call, [])
            for spoken in (HOURS, ORDER)[: len(case.engines)]:
                said = await call.says(spoken)
                done.answered_ms.append(await call.answered(said) - said.end_ms)
                await call.heard_out(quiet_ms=2000)  # a failure in mid-reply leaves a gap
            done.messages = call.messages
        return done


@pytest.fixture(scope="module")
def calls() -> dict[str, Finished]:
    async def all_at_once() -> dict[str, Finished]:
        hearing, voices = Hearing(processes=2), Voices(processes=1)
        try:
            await asyncio.gather(hearing.start(), voices.start())
            shared = _Shared(hearing), _Shared(voices)
            done = await asyncio.gather(
                *(make(name, *shared, after_s=APART_S * number) for number, name in enumerate(CASES))
            )
        finally:
            await asyncio.gather(hearing.aclose(), voices.aclose())
        return dict(zip(CASES, done, strict=True))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines.cascade, "VOICE", APIConnectOptions(max_retry=0, timeout=VOICE_LIMIT_S))
        patch.setattr(engines.cascade, "VOICE_STALL_S", VOICE_STALL_S)
        return asyncio.run(all_at_once())


def failures(done: Finished) -> list[tuple[int, str, str]]:
    return [(event.turn, event.engine, event.action) for event in done.call.of(ProviderFailed)]
