"""Gates: what the catalogue keeps from a provider does not reach it, whoever was asked to send it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from livekit import rtc
from livekit.agents import APIConnectOptions, ModelSettings, llm, stt

from compliance.events import Topic
from engines.aloud import Aloud, VoiceLimits
from engines.cascade import Cascade
from engines.catalogue import Catalogue
from engines.component import Role
from engines.gated import gated
from engines.gated_routing import GatedRouting
from engines.gates import GateError, Gates, Refusal
from engines.plugins import Endpoint, build
from engines.routing import CallerTurn, Route
from engines.unfinished import Unfinished
from engines.utterances import Utterances
from lab.delays import Delays
from lab.server import Lab, LabSettings
from lab.standins import GivenHearing, ToneVoices
from policies import DocumentError, shipped
from tests.desk_call import Plan
from tests.level_stt import LevelSTT
from tests.unit.engines.test_utterances import Detector, Whisper

pytestmark = [pytest.mark.unit, pytest.mark.asyncio(loop_scope="module")]

ONCE = APIConnectOptions(max_retry=0, timeout=60)
TURN = CallerTurn("hello", 0, 1)
ROLES: tuple[Role, ...] = ("llm", "tts", "stt", "realtime", "decisions")


def catalogue(**changes: Any) -> Catalogue:
    """The shipped one without its limits, in which the ``changes`` are of the models of the engines so named."""
    loaded = Catalogue.load(shipped("engines.yaml"))
    open_to_all: dict[str, Any] = {"callers": (), "needs": ()}
    engines = {
        name: replace(engine, mind=replace(engine.mind, **open_to_all | changes.get(name, {})))
        for name, engine in loaded.engines.items()
    }
    return replace(loaded, engines=engines)


@dataclass
class Call:
    """The facts that gates ask about, and what they refused."""

    region: str = "eu"
    consents: set[Topic] = field(default_factory=set)
    voice_closed: bool = False
    refusals: list[tuple[Refusal, int | None]] = field(default_factory=list)

    def gates(self, of: Catalogue | None = None) -> Gates:
        return Gates(
            of or catalogue(),
            region=self.region,
            given=self.consents.__contains__,
            voice_closed=self.voice_closed,
            refused=lambda refusal, turn: self.refusals.append((refusal, turn)),
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    async with Lab(LabSettings(delays=Delays.none()), hearing=GivenHearing(), voices=ToneVoices()) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def part(lab: Lab, http: aiohttp.ClientSession, role: Role, call: Call, **limits: Any) -> Any:
    """The shipped catalogue's plugin object of a role, against the lab, behind its gate."""
    shipped_one = catalogue()
    component = {
        "llm": shipped_one.engines["fast"].mind,
        "tts": shipped_one.voices["house"],
        "stt": shipped_one.transcriber,
        "realtime": shipped_one.engines["realtime"].mind,
        "decisions": replace(shipped_one.engines["fast"].mind, model="gpt-6-luna-decisions", options={}),
    }[role]
    component = replace(component, **limits)
    built = build(role, component, Endpoint("lab", lab.stand_ins[component.plugin]), http)
    return gated(role, built, component, role, call.gates())


def frame() -> rtc.AudioFrame:
    return rtc.AudioFrame(np.zeros(480, np.int16).tobytes(), 24_000, 1, 480)


async def opened(lab: Lab, plugin: Any) -> Any:
    """A realtime session that the server has been told how to answer in."""
    journal = lab.context.journal
    told = journal.count("openai.realtime", "session.update")
    session = plugin.session(turn_detection_disabled=True)
    await session.update_instructions("Be kind.")
    await journal.until("openai.realtime", "session.update", count=told + 2)
    return session


async def used(lab: Lab, role: Role, plugin: Any) -> None:
    """Use a part as a call does, from warming it up on."""
    match role:
        case "llm":
            plugin.prewarm()
            mind = Cascade("fast", plugin, plugin, False, 5.0)
            async for _ in mind.think(
                llm.ChatContext([llm.ChatMessage(role="user", content=["hi"])]), [], ModelSettings()
            ):
                pass
        case "tts":
            plugin.prewarm()

            async def words() -> AsyncIterator[str]:
                yield "Hello."

            async with plugin.stream(conn_options=ONCE) as stream:
                async for _ in Aloud(stream, words(), VoiceLimits(5.0, 5.0, 5.0)).frames():
                    pass
        case "stt":
            plugin.prewarm()
            async with plugin.stream(conn_options=ONCE) as stream:
                stream.push_frame(frame())
                stream.end_input()
                async for _ in stream:
                    pass
        case "realtime":
            session = await opened(lab, plugin)
            await session.aclose()
        case "decisions":
            question = {"upset": llm.Probability("Is the caller upset?")}
            await plugin.evaluate(input="caller: hello", decisions=question, conn_options=ONCE)


@pytest.mark.parametrize("role", ROLES)
async def test_no_byte_reaches_a_provider_that_may_not_have_it(
    lab: Lab, http: aiohttp.ClientSession, role: Role
) -> None:
    call = Call(region="eu")
    plugin = part(lab, http, role, call, callers=("us", "uk"))
    before = len(lab.context.journal.entries)
    with pytest.raises(GateError, match="it serves callers of us, uk, and this one is of eu"):
        await used(lab, role, plugin)
    await asyncio.sleep(0)  # a warm-up would begin now
    await plugin.aclose()
    assert lab.context.journal.entries[before:] == []
    assert [(refusal.used_by, turn) for refusal, turn in call.refusals] == [(role, None)]


@pytest.mark.parametrize("role", ROLES)
async def test_an_open_gate_changes_nothing(lab: Lab, http: aiohttp.ClientSession, role: Role) -> None:
    call = Call(region="eu", consents={"recording"})
    plugin = part(lab, http, role, call, callers=("eu", "ch"), needs=("consent_recording",))
    before = len(lab.context.journal.entries)
    await used(lab, role, plugin)
    await plugin.aclose()
    assert len(lab.context.journal.entries) > before
    assert call.refusals == []


@pytest.mark.parametrize("role", ROLES)
async def test_a_part_without_limits_is_the_plugin_itself(
    lab: Lab, http: aiohttp.ClientSession, role: Role
) -> None:
    plugin = part(lab, http, role, Call())
    assert type(plugin).__module__ != "engines.gated"
    await plugin.aclose()


async def test_a_recogniser_that_listens_hears_nothing_more_once_a_consent_is_taken_back() -> None:
    call, recogniser = Call(consents={"recording"}), LevelSTT()
    word = rtc.AudioFrame(np.full(480, 1000, np.int16).tobytes(), 24_000, 1, 480)
    component = replace(catalogue().transcriber, needs=("consent_recording",))
    plugin = gated("stt", recogniser, component, "transcriber", call.gates())
    async with plugin.stream(conn_options=ONCE) as stream:
        stream.push_frame(word)
        assert (await anext(stream)).type is stt.SpeechEventType.START_OF_SPEECH
        stream.push_frame(word)
        call.consents.clear()  # before that was sent
        for _ in range(50):
            stream.push_frame(word)
        with pytest.raises(GateError, match="it needs consent_recording, which is not given"):
            async for _ in stream:
                pass
    assert recogniser.opened[0].audio_s == pytest.approx(word.duration)
    assert [refusal.used_by for refusal, _ in call.refusals] == ["transcriber"]


async def test_what_waits_for_a_connection_when_a_consent_is_taken_back_is_not_sent(
    lab: Lab, http: aiohttp.ClientSession
) -> None:
    call = Call(consents={"recording"})
    plugin = part(lab, http, "stt", call, needs=("consent_recording",))
    before = len(lab.context.journal.entries)
    async with plugin.stream(conn_options=ONCE) as stream:
        for _ in range(50):
            stream.push_frame(frame())
        stream.end_input()
        call.consents.clear()
        with pytest.raises(GateError):
            async for _ in stream:
                pass
    await plugin.aclose()
    sent = [entry.name for entry in lab.context.journal.entries[before:]]
    assert not {"audio", "Finalize"} & {*sent}, sent


@pytest.mark.parametrize("withdrawn", [True, False])
async def test_an_utterance_that_is_held_when_a_consent_is_taken_back_is_not_sent(*, withdrawn: bool) -> None:
    call, whisper = Call(consents={"recording"}), Whisper("one", "two")
    component = replace(catalogue().transcriber, needs=("consent_recording",))
    plugin = gated("stt", Utterances(whisper, Detector((1, 2), (5, 6))), component, "spare", call.gates())
    whisper.held.clear()  # the first one's answer
    async with plugin.stream(conn_options=ONCE) as stream:
        for _ in range(10):
            stream.push_frame(frame())
        stream.end_input()  # all of it is held now, of which the first utterance is sent
        await whisper.asked.wait()
        if withdrawn:
            call.consents.clear()
        whisper.held.set()
        with pytest.raises(GateError) if withdrawn else nullcontext():
            async for _ in stream:
                pass
    await plugin.aclose()
    assert len(whisper.sent_s) == (1 if withdrawn else 2)


async def test_a_session_that_is_open_is_sent_nothing_once_a_consent_is_taken_back(
    lab: Lab, http: aiohttp.ClientSession
) -> None:
    call = Call(consents={"voice_ai"})
    plugin = part(lab, http, "realtime", call, needs=("consent_voice_ai",))
    session = await opened(lab, plugin)
    call.consents.clear()
    before = len(lab.context.journal.entries)
    session.push_audio(frame())
    session.commit_audio()
    with pytest.raises(llm.RealtimeError, match="needs consent_voice_ai"):
        await session.update_chat_ctx(llm.ChatContext([llm.ChatMessage(role="user", content=["hi"])]))
    with pytest.raises(llm.RealtimeError, match="needs consent_voice_ai"):
        await session.generate_reply()
    await asyncio.sleep(0.05)  # whatever were sent would be here by now
    sent = [entry.name for entry in lab.context.journal.entries[before:]]
    await session.aclose()
    assert sent == []
    assert len(call.refusals) == 1


async def test_what_was_stopped_is_not_billed(lab: Lab, http: aiohttp.ClientSession) -> None:
    used_up: list[Unfinished] = []
    shut = part(lab, http, "llm", Call(), callers=("us",))
    mind = Cascade("fast", shut, shut, False, 5.0, on_unfinished=used_up.append)
    with pytest.raises(GateError):
        await anext(mind.think(llm.ChatContext.empty(), [], ModelSettings()))
    await shut.aclose()
    assert used_up == []


async def test_where_placeholders_are_demanded_no_engine_hears_the_caller(
    lab: Lab, http: aiohttp.ClientSession
) -> None:
    call = Call(voice_closed=True)
    plugin = part(lab, http, "realtime", call)
    with pytest.raises(GateError, match="placeholders are demanded"):
        plugin.session()
    assert call.gates().closed_engines == {"realtime"}


# -- routing -------------------------------------------------------------------------------------------------
def routed(call: Call, of: Catalogue, *engines: str) -> GatedRouting:
    return GatedRouting(Plan(engines or ("tool",)), call.gates(of))


async def test_a_turn_for_a_closed_engine_goes_to_the_next_and_is_put_on_record() -> None:
    call = Call()
    routing = routed(call, catalogue(tool={"callers": ("us",)}))
    assert routing.preview("hello") == Route(1, "standard", frozenset({"tool"}))
    assert call.refusals == []
    assert routing.decide(TURN) == Route(1, "standard", frozenset({"tool"}))
    assert [(refusal.used_by, refusal.provider, turn) for refusal, turn in call.refusals] == [
        ("tool", "openai", 1)
    ]
    assert routing.decide(TURN).engine == "standard"
    assert len(call.refusals) == 1


async def test_a_closed_engine_is_no_fallback_and_is_not_kept_warm() -> None:
    routing = routed(
        Call(), catalogue(standard={"callers": ("us",)}, realtime={"needs": ("consent_voice_ai",)})
    )
    assert routing.fallback(Route(1, "tool"), set()) == "fast"
    assert not routing.warm("realtime")


async def test_an_engine_is_closed_when_all_its_voices_are() -> None:
    shut = catalogue()
    voices = {name: replace(voice, callers=("us",)) for name, voice in shut.voices.items()}
    only_one = {**shut.voices, "house": voices["house"]}
    assert Call().gates(replace(shut, voices=only_one)).closed_engines == frozenset()
    assert Call().gates(replace(shut, voices=voices)).closed_engines == {"fast", "standard", "tool"}


async def test_where_everything_is_closed_a_cascade_says_so() -> None:
    closed = catalogue(**{name: {"callers": ("us",)} for name in ("fast", "standard", "tool", "realtime")})
    assert routed(Call(), closed, "realtime").decide(TURN).engine == "fast"


async def test_being_closed_to_a_call_is_no_sign_of_bad_health() -> None:
    plan = Plan(("tool",))
    routing = GatedRouting(plan, Call().gates(catalogue(tool={"callers": ("us",)})))
    for engine in ("tool", "fast"):
        routing.failed(engine)
    assert plan.failures == ["fast"]


async def test_what_is_open_is_routed_as_decided() -> None:
    call = Call(consents={"voice_ai"})
    routing = routed(call, catalogue(realtime={"needs": ("consent_voice_ai",)}), "realtime")
    assert routing.decide(TURN) == Route(1, "realtime")
    assert routing.warm("realtime")


# -- the catalogue ---------------------------------------------------------------------------------------------
async def test_as_shipped_no_voice_goes_to_a_vendor_without_consent_although_the_policy_lets_it(
    lab: Lab, http: aiohttp.ClientSession
) -> None:
    call, as_shipped = Call(), Catalogue.load(shipped("engines.yaml"))
    routing = routed(call, as_shipped, "realtime")  # by a plan without guards
    assert routing.decide(TURN).engine != "realtime"
    assert not routing.warm("realtime")
    mind = as_shipped.engines["realtime"].mind
    endpoint = Endpoint("lab", lab.stand_ins[mind.plugin])
    plugin = gated(
        "realtime", build("realtime", mind, endpoint, http), mind, "realtime", call.gates(as_shipped)
    )
    before = len(lab.context.journal.entries)
    with pytest.raises(GateError, match="it needs consent_voice_ai, which is not given"):
        plugin.session(turn_detection_disabled=True)
    await plugin.aclose()
    assert lab.context.journal.entries[before:] == []
    call.consents.add("voice_ai")
    assert routing.decide(TURN).engine == "realtime"


async def test_the_catalogue_says_whose_calls_a_part_serves_and_what_it_needs() -> None:
    text = shipped("engines.yaml").read_text(encoding="utf-8")
    limited = text.replace("model: gpt-4.1,", "model: gpt-4.1, callers: eu, needs: [consent_recording],")
    mind = Catalogue.parse(limited).engines["tool"].mind
    assert (mind.callers, mind.needs) == (("eu",), ("consent_recording",))


async def test_a_mistake_in_it_is_told_with_its_place() -> None:
    text = shipped("engines.yaml").read_text(encoding="utf-8")
    wrong = text.replace("model: gpt-4.1,", "model: gpt-4.1, callers: [europe], needs: [consent_voiceai], ")
    with pytest.raises(DocumentError) as caught:
        Catalogue.parse(wrong, file="e.yaml")
    assert "unknown region 'europe'" in str(caught.value)
    assert "unknown consent 'consent_voiceai', did you mean 'consent_voice_ai'?" in str(caught.value)
