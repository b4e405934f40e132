"""Routing the turns of a call: what is gathered, what is remembered, and what happens when a part fails."""

from typing import Any

import pytest

from classifiers.emotion import EmotionReading
from classifiers.tool_need import ToolNeed
from compliance.clock import CallClock
from compliance.events import Decided, EmotionHeard, Event, PartFailed, TurnEnded
from engines.routing import CallerTurn
from policies import shipped
from router import Policy
from service.turn_router import SICK_S, CallFacts, TurnRouter

pytestmark = pytest.mark.unit

CALM = EmotionReading("calm", 0.9, 0.1, 5)
FURIOUS = EmotionReading("upset", 0.95, 0.95, 5)


class Voice:
    def __init__(self) -> None:
        self.heard: EmotionReading | Exception = CALM

    def reading(self) -> EmotionReading:
        if isinstance(self.heard, Exception):
            raise self.heard
        return self.heard


class Need:
    """Scores a turn by a number in it."""

    def __init__(self) -> None:
        self.probability: float | Exception = 0.0
        self.asked: list[tuple[str, str]] = []

    def score(self, text: str, agent_text: str = "") -> ToolNeed:
        self.asked.append((text, agent_text))
        if isinstance(self.probability, Exception):
            raise self.probability
        return ToolNeed(self.probability, 1.0)


class Routed:
    """A router on the shipped policy, with everything around it in a test's hands."""

    def __init__(self, **facts: Any) -> None:
        self.now_s = 100.0
        self.voice, self.need = Voice(), Need()
        self.events: list[Event] = []
        need: Any = self.need
        self.policy = Policy.load(shipped("default.yaml"))
        self.router = TurnRouter(
            self.policy,
            tool_need=need,
            emotion=self.voice,
            facts=CallFacts(**{"consent_voice_ai": True, **facts}),
            clock=CallClock(monotonic=lambda: self.now_s, wall=lambda: self.now_s),
            emit=self.events.append,
            call_id="call",
            now=lambda: self.now_s,
            hour=lambda: 14,
        )

    def turn(self, text: str, start_ms: float = 0.0, end_ms: float = 0.0) -> str:
        return self.router.decide(CallerTurn(text, start_ms, end_ms)).engine

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def signals(self) -> dict[str, Any]:
        return dict(self.of(Decided)[-1].signals)


def test_a_turn_is_recorded_with_what_was_heard_and_why() -> None:
    routed = Routed()
    assert routed.turn("hello there", 100, 900) == "fast"
    assert [type(event) for event in routed.events] == [TurnEnded, EmotionHeard, Decided]
    ended, heard, decided = routed.events
    assert isinstance(ended, TurnEnded)
    assert isinstance(heard, EmotionHeard)
    assert isinstance(decided, Decided)
    assert (ended.turn, ended.start_ms, ended.end_ms) == (1, 100, 900)
    assert (heard.label, heard.windows) == ("calm", 5)
    assert (decided.engine, decided.rule) == ("fast", "opening")
    assert decided.reason
    assert decided.took_us > 0


def test_the_signals_are_those_of_the_turn_and_the_call() -> None:
    routed = Routed(language="de", region="ch", codec_hz=8000, transport="sip", queue="vip")
    routed.need.probability = 0.7
    routed.router.tally.cost_usd = 0.25
    routed.router.tally.tool_failures = 2
    routed.turn("where is it", 500, 1500)
    routed.turn("as i said where is it", 4000, 5000)
    signals = routed.signals
    expected = {
        "turn.count": 2,
        "turn.words": 6,
        "turn.tool_p": 0.7,
        "turn.needs_tools": True,
        "emotion.label": "calm",
        "call.language": "de",
        "call.codec_hz": 8000,
        "call.queue": "vip",
        "caller.region": "ch",
        "call.repeats": 1,
        "call.tool_failures": 2,
        "call.silence_ms": 2500,
        "cost.usd": 0.25,
        "time.hour": 14,
    }
    assert {name: signals[name] for name in expected} == expected


def test_what_the_agent_said_last_helps_to_understand_the_turn() -> None:
    routed = Routed()
    routed.router.tally.last_agent_text = "What is your order number?"
    routed.turn("four four one")
    assert routed.need.asked == [("four four one", "What is your order number?")]


# -- previews -------------------------------------------------------------------------------------------------
def test_a_preview_says_what_the_decision_will_be_and_remembers_nothing() -> None:
    routed = Routed()
    routed.need.probability = 0.9
    tally = repr(routed.router.tally)
    assert routed.router.preview("i told you where is it, get me a human") == "standard"
    assert routed.router.preview("where is my order") == "tool"
    assert repr(routed.router.tally) == tally
    assert routed.events == []
    assert routed.turn("where is my order") == "tool"
    assert routed.signals["call.asked_human"] is False


def test_a_preview_never_raises_and_leaves_the_report_to_the_decision() -> None:
    routed = Routed()
    routed.need.probability = float("nan")  # no signal takes it
    assert routed.router.preview("hello") == routed.policy.default_engine
    assert routed.router.warm() is False
    assert routed.events == []


# -- memory ----------------------------------------------------------------------------------------------------
def test_having_asked_for_a_person_is_not_forgotten() -> None:
    routed = Routed()
    routed.turn("can i talk to a real person")
    routed.turn("hello")
    assert routed.signals["call.asked_human"] is True
    assert routed.of(Decided)[-1].rule == "asked-for-a-person"


def test_a_furious_caller_is_kept_with_the_engine_that_hears_tone() -> None:
    routed = Routed()
    routed.voice.heard = FURIOUS
    assert routed.turn("why does nobody answer the phone") == "realtime"
    assert routed.router.warm() is True
    assert routed.turn("i will not wait any longer") == "realtime"


def test_without_consent_no_voice_goes_to_a_realtime_engine() -> None:
    routed = Routed(consent_voice_ai=False)
    routed.voice.heard = FURIOUS
    assert routed.router.warm() is False
    assert routed.turn("why does nobody answer the phone") != "realtime"


# -- failures --------------------------------------------------------------------------------------------------
def test_a_failure_in_routing_sends_the_turn_to_the_default_engine_and_says_so() -> None:
    routed = Routed()
    routed.need.probability = float("nan")  # no signal takes it
    assert routed.turn("hello there 4111 1111 1111 1111", 0, 1000) == routed.policy.default_engine
    assert [type(event) for event in routed.events] == [TurnEnded, PartFailed, Decided]
    failed, decided = routed.of(PartFailed)[0], routed.of(Decided)[0]
    assert (failed.part, failed.error) == ("router", "SignalError")
    assert (decided.engine, decided.rule) == (routed.policy.default_engine, "default-engine")
    assert decided.policy_hash == routed.policy.hash
    assert "4111" not in "".join(event.model_dump_json() for event in routed.events)


def test_a_failure_of_tool_need_leaves_the_turn_to_the_other_signals() -> None:
    routed = Routed()
    routed.need.probability = RuntimeError("the caller said 4111 1111 1111 1111")
    assert routed.turn("hello there") == "fast"
    [failed] = routed.of(PartFailed)
    assert (failed.part, failed.error) == ("tool_need", "RuntimeError")
    assert "4111" not in failed.model_dump_json()


def test_turns_are_counted_and_cues_kept_although_routing_fails() -> None:
    routed = Routed()
    routed.need.probability = RuntimeError("broken")
    routed.turn("can i talk to a human", 0, 1000)
    routed.need.probability = 0.0
    routed.turn("hello", 3000, 3500)
    assert routed.signals["turn.count"] == 2
    assert routed.signals["call.asked_human"] is True
    assert routed.signals["call.silence_ms"] == 2000


def test_a_failure_of_the_emotion_model_leaves_the_turn_without_an_emotion() -> None:
    routed = Routed()
    routed.voice.heard = RuntimeError("broken")
    assert routed.turn("hello") == "fast"
    assert routed.signals["emotion.label"] == "unknown"
    assert [(event.part, event.error) for event in routed.of(PartFailed)] == [("emotion", "RuntimeError")]
    assert routed.of(EmotionHeard)[0].label == "unknown"


def test_a_failure_of_the_emotion_model_is_told_once_a_turn() -> None:
    routed = Routed()
    routed.voice.heard = RuntimeError("broken")
    routed.router.preview("hel")
    routed.router.preview("hello")
    routed.router.warm()
    routed.turn("hello")
    assert len(routed.of(PartFailed)) == 1


# -- health ----------------------------------------------------------------------------------------------------
def test_an_engine_that_failed_is_avoided_for_half_a_minute() -> None:
    routed = Routed()
    assert routed.router.preview("hello") == "fast"
    routed.router.failed("fast")
    assert routed.router.preview("hello") == "standard"
    routed.now_s += SICK_S - 1
    assert routed.router.preview("hello") == "standard"
    routed.now_s += 1
    assert routed.router.preview("hello") == "fast"


def test_a_realtime_engine_that_failed_is_not_kept_warm() -> None:
    routed = Routed()
    routed.voice.heard = FURIOUS
    assert routed.router.warm()
    routed.router.failed("realtime")
    assert not routed.router.warm()


def test_fallbacks_are_the_policys() -> None:
    routed = Routed()
    assert routed.router.fallback("fast", {"fast"}) == "standard"
    assert routed.router.fallback("realtime", {"realtime", "tool"}) == "standard"
    assert routed.router.fallback("fast", {"fast", "standard"}) is None


def test_the_heard_latency_of_an_engine_is_a_signal_by_its_slow_answers() -> None:
    routed = Routed()
    for heard_ms in (100.0, 900.0, 200.0):
        routed.router.answered("fast", heard_ms)
    for heard_ms in (3000.0, 3000.0):
        routed.router.answered("realtime", heard_ms)
    for heard_ms in range(1, 101):
        routed.router.answered("tool", float(heard_ms))
    routed.turn("hello")
    assert routed.signals["provider.fast_p95_ms"] == 900
    assert routed.signals["provider.tool_p95_ms"] == 95
    assert routed.signals["provider.realtime_p95_ms"] == 0  # two say too little
