"""Providers that refuse, fail, hang, break off and lie: the caller is answered all the same.

One call per fault, on a lab of its own that shares ears and voices with the others. Where a fault is that
nothing comes, a limit is what ends the wait: long enough that being busy is never taken for it.
"""

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from compliance.events import AgentSaid, Hedged, LateEventDropped, ProviderFailed
from engines.catalogue import Catalogue
from lab.delays import Delays
from lab.faults import Fault, Provider
from lab.hearing import Hearing
from lab.server import Lab, LabSettings
from lab.voices import Voices
from tests.desk_call import BYE, BYE_TEXT, PATIENCE_S, THANKS, THANKS_TEXT, DeskCall, Plan, patient
from tests.together import DESK_CALLS, make_all

pytestmark = [pytest.mark.adversarial, pytest.mark.alone]

FIRST_REPLY_S = 10.0
VOICE_LIMIT_S, VOICE_STALL_S = 10.0, 30.0
SORRY = "I am sorry, I have a technical problem just now. Please say that again in a moment."
GOODBYE, WELCOME = "Thank you for calling. Goodbye.", "You are very welcome. Have a good day."

MODELS = ("openai.chat", "openai.realtime")

Faults = dict[Provider, Fault]


@dataclass
class Case:
    """One call with faults, switched on before it or once its realtime session is connected."""

    engines: tuple[str, ...]
    faults: Faults
    once_connected: bool = False
    order: tuple[str, ...] = ("standard", "tool", "fast")
    hedge_s: float | None = None

    @property
    def first_reply_s(self) -> float:
        hangs = any(one.kind == "hang" for name, one in self.faults.items() if name in MODELS)
        return FIRST_REPLY_S if hangs else PATIENCE_S


@dataclass
class Finished:
    call: DeskCall
    messages: list[tuple[str, str]]
    answered_ms: list[float] = field(default_factory=list)


def chat(kind: Any, times: int | None = 1, **how: Any) -> Faults:
    return {"openai.chat": Fault(kind, times=times, **how)}


def realtime(kind: Any, times: int | None = 1, **how: Any) -> Faults:
    return {"openai.realtime": Fault(kind, times=times, **how)}


CASES = {  # the longest first
    "voices hang": Case(("fast",), {"elevenlabs": Fault("hang"), "openai.speech": Fault("hang")}),
    "realtime hang at connect": Case(("realtime", "realtime"), realtime("hang", 1)),
    "realtime refuse at connect": Case(("realtime", "fast"), realtime("refuse", None)),
    **{
        f"realtime {kind}": Case(("realtime", "realtime"), realtime(kind), once_connected=True)
        for kind in ("hang", "refuse", "drop", "malformed", "server_error")
    },
    "recogniser drop": Case(("fast",), {"deepgram": Fault("drop", times=1, after=1)}),
    **{
        f"chat {kind}": Case(("fast",), chat(kind))
        for kind in ("server_error", "rate_limited", "refuse", "hang", "drop", "malformed")
    },
    "chat hang, hedged": Case(("fast",), chat("hang"), hedge_s=0.3),
    "chat is gone": Case(("fast",), chat("server_error", None)),
    "voice refuse": Case(("fast",), {"elevenlabs": Fault("refuse", times=1)}),
    "voice hang": Case(("fast",), {"elevenlabs": Fault("hang")}),
    "voices are gone": Case(
        ("fast",), {"elevenlabs": Fault("refuse"), "openai.speech": Fault("server_error")}
    ),
}


class _Shared:
    """Ears or voices that several labs use: whoever made them starts and closes them."""

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    async def start(self) -> None: ...
    async def aclose(self) -> None: ...


def hedged(hedge_s: float | None, catalogue: Catalogue) -> Catalogue:
    engines = {name: replace(engine, hedge_s=hedge_s) for name, engine in catalogue.engines.items()}
    return replace(catalogue, engines=engines)


async def make(name: str, hearing: Any, voices: Any) -> Finished:
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
            first_reply_s=case.first_reply_s,
            change=partial(hedged, case.hedge_s),
        ) as call:
            if case.once_connected:
                await journal.until("openai.realtime", "session.update", timeout_s=PATIENCE_S)
                for provider, fault in case.faults.items():
                    faults.set(provider, fault)
            done = Finished(call, [])
            for spoken in (BYE, THANKS)[: len(case.engines)]:
                said = await call.says(spoken)
                done.answered_ms.append(await call.answered(said) - said.end_ms)
                await call.heard_out()
            # A reply is in the history when the session has heard that it was played.
            await call.until(lambda: [role for role, _ in call.messages][-1:] == ["assistant"])
            done.messages = call.messages
        return done


@pytest.fixture(scope="module")
def calls() -> dict[str, Finished]:
    async def all_of_them() -> dict[str, Finished]:
        hearing, voices = Hearing(processes=2), Voices(processes=1)
        try:
            await asyncio.gather(hearing.start(), voices.start())
            return await make_all(
                CASES, partial(make, hearing=_Shared(hearing), voices=_Shared(voices)), at_once=DESK_CALLS
            )
        finally:
            await asyncio.gather(hearing.aclose(), voices.aclose())

    with patient(voice_s=VOICE_LIMIT_S, voice_stall_s=VOICE_STALL_S):
        return asyncio.run(all_of_them())


def failures(done: Finished) -> list[tuple[int, str, str]]:
    return [(event.turn, event.engine, event.action) for event in done.call.of(ProviderFailed)]


def replies(done: Finished) -> list[tuple[str, str]]:
    return [(event.engine, event.text) for event in done.call.of(AgentSaid)]


@pytest.mark.parametrize("kind", ["server_error", "rate_limited", "refuse", "hang"])
def test_a_model_that_does_not_begin_is_replaced_by_the_next(calls: dict[str, Finished], kind: str) -> None:
    done = calls[f"chat {kind}"]
    assert failures(done) == [(1, "fast", "moved to standard")]
    assert replies(done) == [("standard", f"One moment, please. {GOODBYE}")]
    assert done.call.plan.failures == ["fast"]


def test_a_model_that_is_late_for_its_hedge_is_outrun_by_the_next(calls: dict[str, Finished]) -> None:
    done = calls["chat hang, hedged"]
    assert failures(done) == []
    [hedge] = done.call.of(Hedged)
    assert (hedge.engine, hedge.winner, hedge.loser) == ("fast", "standard", "fast")
    assert replies(done) == [("standard", GOODBYE)]  # nobody was asked to wait


@pytest.mark.parametrize("kind", ["drop", "malformed"])
def test_a_model_that_breaks_off_is_replaced_and_the_reply_begun_again(
    calls: dict[str, Finished], kind: str
) -> None:
    done = calls[f"chat {kind}"]
    assert failures(done) == [(1, "fast", "moved to standard")]
    [(engine, text)] = replies(done)
    assert engine == "standard"
    assert text.endswith(f"Sorry, let me start again. {GOODBYE}")


def test_the_caller_is_told_when_every_model_fails(calls: dict[str, Finished]) -> None:
    done = calls["chat is gone"]
    assert [engine for _, engine, _ in failures(done)] == ["fast", "standard", "tool"]
    assert failures(done)[-1][2] == "apologised: no engine is left"
    [(_, text)] = replies(done)
    assert text.strip() == f"One moment, please. {SORRY}"


@pytest.mark.parametrize("kind", ["refuse", "hang"])
def test_the_next_voice_speaks_when_one_fails(calls: dict[str, Finished], kind: str) -> None:
    done = calls[f"voice {kind}"]
    assert failures(done) == []
    assert replies(done) == [("fast", GOODBYE)]


@pytest.mark.parametrize("name", ["voices are gone", "voices hang"])
def test_a_recorded_apology_is_heard_when_every_voice_fails(calls: dict[str, Finished], name: str) -> None:
    done = calls[name]
    assert failures(done) == [(1, "fast", "played the recorded apology")]
    recorded = "I am sorry, we have a technical problem just now. Please stay on the line."
    assert replies(done) == [("fast", recorded)]
    assert done.messages == [("user", BYE_TEXT), ("assistant", recorded)]


REALTIME = [name for name, case in CASES.items() if case.engines[0] == "realtime"]


@pytest.mark.parametrize("name", REALTIME)
def test_a_realtime_engine_that_fails_is_replaced_by_a_cascade(calls: dict[str, Finished], name: str) -> None:
    done = calls[name]
    assert (1, "realtime", "moved to standard") in failures(done)
    [engine, text] = next(reply for reply in replies(done) if reply[0] != "realtime")
    assert engine == "standard"
    assert text.endswith(GOODBYE)
    assert text != GOODBYE  # it begins with a word about the delay


@pytest.mark.parametrize("name", REALTIME)
def test_the_turn_of_a_failed_realtime_engine_is_kept_once(calls: dict[str, Finished], name: str) -> None:
    spoken = [text for role, text in calls[name].messages if role == "user"]
    assert spoken == [BYE_TEXT, THANKS_TEXT]


@pytest.mark.parametrize("name", REALTIME)
def test_the_call_goes_on_after_a_realtime_engine_failed(calls: dict[str, Finished], name: str) -> None:
    done = calls[name]
    assert replies(done)[-1] == (done.call.plan.engines[1], WELCOME)


def test_a_turn_is_transcribed_although_the_recogniser_broke_off(calls: dict[str, Finished]) -> None:
    done = calls["recogniser drop"]
    assert done.messages == [("user", BYE_TEXT), ("assistant", GOODBYE)]
    assert [segment.text for segment in done.call.segments] == [BYE_TEXT]
    assert done.call.transcriber.streams >= 2


def test_no_turn_goes_without_an_answer(calls: dict[str, Finished]) -> None:
    for name, done in calls.items():
        assert len(done.answered_ms) == len(CASES[name].engines), name


def test_nothing_is_spoken_that_came_late(calls: dict[str, Finished]) -> None:
    assert [event for done in calls.values() for event in done.call.of(LateEventDropped)] == []
