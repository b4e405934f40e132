"""Routing the turns of a call: what is gathered, what is remembered, and what happens when a part fails."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from livekit.agents import ModelSettings, llm

from classifiers.caller_state import SHIPPED, CallerStateModel
from classifiers.emotion import EmotionReading
from classifiers.tool_need import Earlier, ToolNeed, ToolSet
from compliance.clock import CallClock
from compliance.consent import Disclosures, Rules
from compliance.events import ConsentChanged, Decided, Event, PartFailed, Topic, TurnEnded, TurnMoved
from engines.cascade import TOLD
from engines.routing import CallerTurn, Route
from policies import shipped
from router import Memory, Policy, Signals
from service.consents import CallConsents
from service.facts import CallFacts, Classifiers
from service.gathering import UNHEARD
from service.health import CallHealth, Health, SharedCircuits
from service.said import SPOKEN_LANGUAGE
from service.turn_router import TurnRouter
from tests.agreed import hears_out
from tests.unit.engines.test_cascade import Mind, cascade

pytestmark = pytest.mark.unit

CALM = EmotionReading("calm", 0.9, 0.1, 5)
FURIOUS = EmotionReading("upset", 0.95, 0.95, 5)
DISCLOSURES = Disclosures.load(shipped("disclosures.yaml"))
RULES = DISCLOSURES.of("other")
STATE = CallerStateModel.load(SHIPPED)
THURSDAY = datetime(2026, 12, 31, 14, 30, tzinfo=UTC)
STRICT = """
policy: {name: strict, version: 7}
engines:
  fast: {fallback: [standard]}
  standard: {fallback: [tool]}
  tool: {}
  realtime: {fallback: [tool, standard]}
last_resort: fast
guards:
  - {id: no-voice, when: '!caller.consent_voice_ai', deny: [realtime], because: no consent}
  - {id: refund, when: turn.tool_p > 0.5, deny: [standard, tool], because: a person must look at it}
rules:
  - {id: digits, when: turn.ends_in_digits, route: standard, endpointing_ms: 1200, because: time to read it out}
  - {id: otherwise, when: 'true', route: fast, because: no other rule matched}
shadow:
  - {id: try-tool, replaces: otherwise, when: 'true', route: tool, because: would it be better}
experiments:
  - {id: fast-or-tool, rule: otherwise, by: call.id, arms: {control: 100, tool: {weight: 0, route: tool}}, because: see}
"""


class Voice:
    def __init__(self) -> None:
        self.heard: EmotionReading | Exception = CALM
        self.forgotten = 0

    def forget(self) -> None:
        self.forgotten += 1

    def reading(self) -> EmotionReading:
        if isinstance(self.heard, Exception):
            raise self.heard
        return self.heard


class Need:
    """Scores a turn by a number in it."""

    def __init__(self) -> None:
        self.probability: float | Exception = 0.0
        self.asked: list[tuple[str, str]] = []

    def ready(self, agent: str, *, turn: int, earlier: Earlier) -> str:
        return agent

    def judge(self, text: str, ready: str, tools: ToolSet | None) -> ToolNeed:
        self.asked.append((text, ready))
        if isinstance(self.probability, Exception):
            raise self.probability
        return ToolNeed(self.probability, 1.0)


class Routed:
    """A router on the shipped policy, or another, with everything around it in a test's hands."""

    def __init__(
        self,
        text: str = "",
        *,
        agrees: Collection[Topic] = ("voice_ai", "emotion"),
        rules: Rules = RULES,
        health: Health | None = None,
        **facts: Any,
    ) -> None:
        self.now_s = 100.0
        self.voice, self.need = Voice(), Need()
        self.events: list[Event] = []
        need: Any = self.need
        self.policy = Policy.parse(text) if text else Policy.load(shipped("default.yaml"))
        clock = CallClock(monotonic=lambda: self.now_s, wall=lambda: self.now_s)
        self.consents = CallConsents(
            rules, wanted=agrees, language="en", clock=clock, emit=self.events.append, call_id="call"
        )
        self.router = TurnRouter(
            self.policy,
            classifiers=Classifiers(need, STATE),
            voice=self.voice,
            facts=CallFacts(**facts),
            consents=self.consents,
            clock=clock,
            emit=self.events.append,
            call_id="call",
            now=lambda: THURSDAY,
            health=health,
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
    assert [type(event) for event in routed.events] == [TurnEnded, Decided]
    ended, decided = routed.events
    assert isinstance(ended, TurnEnded)
    assert isinstance(decided, Decided)
    assert (ended.turn, ended.start_ms, ended.end_ms) == (1, 100, 900)
    assert decided.signals["emotion.voice"] == CALM.upset
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
        "emotion.voice": CALM.upset,
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


def test_time_is_that_of_the_line() -> None:
    routed = Routed()
    routed.now_s += 12.5
    routed.turn("hello")
    expected = {
        "time.hour": 14,
        "time.weekday": 4,
        "time.unix_s": int(THURSDAY.timestamp()),
        "call.duration_ms": 12_500,
    }
    assert {name: routed.signals[name] for name in expected} == expected


def test_digits_and_corrections_are_signals() -> None:
    routed = Routed()
    routed.turn("no it's four double five")
    assert routed.signals["turn.digits"] == 3
    assert routed.signals["turn.ends_in_digits"] is True
    routed.turn("that's not what i said")
    routed.turn("all right")
    assert routed.signals["call.corrections"] == 2
    assert routed.signals["turn.ends_in_digits"] is False


def test_consents_are_signals() -> None:
    routed = Routed(agrees=[])
    routed.turn("hello")
    consents = {name: value for name, value in routed.signals.items() if name.startswith("caller.consent_")}
    assert consents == {
        "caller.consent_voice_ai": False,
        "caller.consent_emotion": False,
        "caller.consent_recording": False,
    }


def test_every_signal_of_the_call_is_filled() -> None:
    routed = Routed(
        agrees=["voice_ai", "emotion", "recording"],
        rules=DISCLOSURES.of("uk"),
        language="de", queue="vip", region="ch", transport="sip", budget_usd=2.0, codec_hz=8_000,
    )  # fmt: skip
    hears_out(routed.consents, routed.consents.greeting("Hello.", "How can I help you?"))
    routed.need.probability = 0.7
    routed.now_s += 60
    tally = routed.router.tally
    tally.cost_usd, tally.tool_failures, tally.turns = 0.25, 2, 4
    routed.router.people_seen(True)
    routed.turn("where is my parcel it has not come", 5_000, 7_000)
    said = "are you a machine ridiculous as i said i meant a real person another question about my invoice number four"
    routed.turn(said, 9_000, 9_900)
    unknown = Signals().values
    same = {name for name, value in routed.signals.items() if name in unknown and value == unknown[name]}
    unasked = {SPOKEN_LANGUAGE}  # its model is loaded only for a policy that reads it
    assert {name for name in same if not name.startswith("provider.")} == unasked


def test_a_policy_that_asks_for_it_knows_the_language_spoken() -> None:
    routed = Routed(STRICT.replace("when: turn.ends_in_digits", 'when: call.spoken_language == "de"'))
    routed.turn("guten tag ich habe eine frage zu meiner rechnung")
    assert routed.signals[SPOKEN_LANGUAGE] == "de"
    assert routed.of(Decided)[0].rule == "digits"


def test_a_decision_is_recorded_with_its_version_arm_and_shadow() -> None:
    routed = Routed(STRICT)
    routed.turn("hello")
    [decided] = routed.of(Decided)
    assert (decided.policy_version, decided.rule, decided.engine) == (7, "otherwise", "fast")
    assert (decided.arms, decided.shadow) == ({"fast-or-tool": "control"}, {"try-tool": "tool"})
    assert decided.endpointing_ms is None


def test_a_rules_hint_at_how_long_to_wait_goes_with_its_route() -> None:
    routed = Routed(STRICT)
    assert routed.router.preview("four four one").endpointing_ms == 1200
    assert routed.router.preview("four four one please").endpointing_ms is None
    routed.turn("four four one")
    assert routed.of(Decided)[0].endpointing_ms == 1200


# -- previews -------------------------------------------------------------------------------------------------
def test_a_preview_says_what_the_decision_will_be_and_remembers_nothing() -> None:
    routed = Routed()
    routed.need.probability = 0.9
    tally = repr(routed.router.tally)
    assert routed.router.preview("i told you where is it, get me a human").engine == "standard"
    assert routed.router.preview("where is my order").engine == "tool"
    assert repr(routed.router.tally) == tally
    assert routed.events == []
    assert routed.turn("where is my order") == "tool"
    assert routed.signals["call.asked_human"] is False


def test_the_words_of_a_right_preview_are_read_once_and_those_of_a_wrong_one_do_not_count() -> None:
    routed = Routed()
    for text in ("where is", "where is my order"):
        routed.router.preview(text)
    routed.turn("where is my order")
    assert [text for text, _ in routed.need.asked] == ["where is", "where is my order"]
    plain = Routed()
    plain.turn("where is my order")
    assert routed.signals == plain.signals


def test_what_changes_between_a_preview_and_the_end_of_its_turn_counts() -> None:
    routed = Routed()
    assert routed.router.preview("why does nobody answer the phone").engine == "fast"
    routed.now_s += 5
    routed.router.tally.cost_usd = 0.25
    routed.voice.heard = FURIOUS
    routed.router.failed("fast")
    assert routed.turn("why does nobody answer the phone") == "realtime"
    expected = {
        "call.duration_ms": 5_000,
        "cost.usd": 0.25,
        "emotion.voice": FURIOUS.upset,
        "provider.fast_healthy": False,
    }
    assert {name: routed.signals[name] for name in expected} == expected


def test_a_preview_never_raises_and_leaves_the_report_to_the_decision() -> None:
    routed = Routed()
    routed.need.probability = float("nan")  # no signal takes it
    assert routed.router.preview("hello").engine == routed.policy.default_engine
    assert routed.router.warm("realtime") is False
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
    assert routed.router.warm("realtime") is True
    assert routed.turn("i will not wait any longer") == "realtime"


def test_without_consent_no_voice_goes_to_a_realtime_engine() -> None:
    routed = Routed(agrees=["emotion"])
    routed.voice.heard = FURIOUS
    assert routed.router.warm("realtime") is False
    assert routed.turn("why does nobody answer the phone") != "realtime"


# -- guards, when something fails ------------------------------------------------------------------------------
def test_a_route_says_who_may_not_answer_and_no_fallback_is_one_of_them() -> None:
    routed = Routed(STRICT, agrees=["emotion"])
    routed.need.probability = 0.9
    for route in (routed.router.preview("refund"), routed.router.decide(CallerTurn("refund", 0, 0))):
        assert (route.engine, route.denied) == ("fast", {"standard", "tool", "realtime"})
        assert routed.router.fallback(route, {"fast"}) is None


def test_the_guards_of_a_preview_are_not_those_of_the_turn_before() -> None:
    routed = Routed(STRICT)
    routed.need.probability = 0.9
    routed.turn("refund")
    routed.need.probability = 0.0
    preview = routed.router.preview("hello")
    assert (preview.turn, preview.denied) == (2, frozenset())
    assert routed.router.fallback(preview, {"fast"}) == "standard"


def test_when_guards_could_not_be_asked_only_the_engine_that_none_may_deny_answers() -> None:
    routed = Routed(STRICT)
    routed.need.probability = float("nan")  # no signal takes it
    for route in (routed.router.preview("hello"), routed.router.decide(CallerTurn("hello", 0, 0))):
        assert (route.turn, route.engine) == (1, "fast")
        assert routed.router.fallback(route, {"fast"}) is None
    assert routed.of(Decided)[0].denied.keys() == {"standard", "tool", "realtime"}


def test_a_turn_that_another_engine_answers_is_recorded_and_counts_as_a_switch() -> None:
    routed = Routed(STRICT)
    routed.turn("hello")
    routed.router.moved("fast")
    routed.router.moved("standard")
    routed.router.moved("standard")
    routed.router.moved("tool")
    moves = [(event.turn, event.from_engine, event.to_engine) for event in routed.of(TurnMoved)]
    assert moves == [(1, "fast", "standard"), (1, "standard", "tool")]


def test_a_call_can_be_decided_again_from_its_record() -> None:
    routed = Routed()
    texts = ("hello there", "where is my order", "no i said where is my order", "and now", "thank you", "bye")
    for number, text in enumerate(texts):
        routed.need.probability = float("nan") if number == 3 else 0.9 * (number in (1, 2))
        routed.turn(text)
        if number in (1, 3):
            routed.router.moved("realtime")
    moves = {event.turn: event.to_engine for event in routed.of(TurnMoved)}
    memory = Memory.start("call")
    for decided in routed.of(Decided):
        if decided.rule == "default-engine":
            continue
        signals = {name: value for name, value in decided.signals.items() if name in Signals().values}
        decision, memory = routed.policy.decide(Signals(signals), memory)
        assert (decision.engine, decision.rule) == (decided.engine, decided.rule)
        if decided.turn in moves:
            memory = memory.moved_to(moves[decided.turn])


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
    assert routed.signals["emotion.voice"] == 0.0


def test_a_failure_of_the_emotion_model_is_told_once_a_turn() -> None:
    routed = Routed()
    routed.voice.heard = RuntimeError("broken")
    routed.router.preview("hel")
    routed.router.preview("hello")
    routed.router.warm("realtime")
    routed.turn("hello")
    assert len(routed.of(PartFailed)) == 1


# -- health ----------------------------------------------------------------------------------------------------
def test_an_engine_that_failed_is_avoided_for_half_a_minute() -> None:
    routed = Routed()
    assert routed.router.preview("hello").engine == "fast"
    routed.router.failed("fast")
    assert routed.router.preview("hello").engine == "standard"
    routed.now_s += 20
    assert routed.turn("hello") == "standard"
    assert routed.signals["provider.fast_healthy"] is False
    assert ("health", "fast is unhealthy, instead standard") in routed.of(Decided)[-1].tried
    routed.now_s += 20
    assert routed.router.preview("hello").engine == "fast"


def test_an_engine_that_failed_in_other_calls_is_avoided_until_one_has_tried_it() -> None:
    names = {engine: engine for engine in ("fast", "standard", "tool", "realtime")}
    now_s = 0.0
    shared = SharedCircuits(now_s=lambda: now_s)
    for number in range(3):
        CallHealth(shared, names, f"call {number}").failed("fast")
    first, second = (Routed(health=CallHealth(shared, names, who)) for who in ("one", "two"))
    assert first.router.preview("hello").engine == "standard"
    now_s = 30.0
    assert first.router.preview("hello").engine == "fast"
    first.router.asked("fast")
    assert first.turn("hello") == "fast"
    assert second.turn("hello") == "standard"
    first.router.worked("fast")
    assert second.router.preview("hello").engine == "fast"


def test_an_engine_that_is_not_well_takes_over_only_when_no_other_is_left() -> None:
    routed = Routed()
    routed.router.failed("standard")
    assert routed.router.fallback(Route(1, "fast"), {"fast"}) == "tool"
    assert routed.router.fallback(Route(1, "fast"), {"fast", "tool", "realtime"}) == "standard"


def test_a_realtime_engine_that_failed_is_not_kept_warm() -> None:
    routed = Routed()
    routed.voice.heard = FURIOUS
    assert routed.router.warm("realtime")
    routed.router.failed("realtime")
    assert not routed.router.warm("realtime")


def test_no_policy_keeps_an_engine_warm_that_is_not_well() -> None:
    routed = Routed(STRICT.replace("realtime: {", "realtime: {warm: 'true', "))
    assert routed.router.warm("realtime")
    routed.router.failed("realtime")
    assert not routed.router.warm("realtime")


def test_fallbacks_are_the_policys() -> None:
    routed = Routed()
    assert routed.router.fallback(Route(1, "fast"), {"fast"}) == "standard"
    assert routed.router.fallback(Route(1, "realtime"), {"realtime", "tool"}) == "standard"


def test_when_the_fallbacks_are_used_up_any_other_engine_of_the_policy_may_answer() -> None:
    routed = Routed()
    assert routed.router.fallback(Route(1, "fast"), {"fast", "standard"}) == "tool"
    assert routed.router.fallback(Route(1, "fast"), {"fast", "standard", "tool"}) == "realtime"
    assert routed.router.fallback(Route(1, "fast"), set(routed.policy.engines)) is None


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


# -- how the caller is -------------------------------------------------------------------------------------------
def test_a_decision_says_in_words_what_the_callers_state_rests_on() -> None:
    routed = Routed()
    routed.voice.heard = FURIOUS
    routed.turn("i have told you this three times already and nothing happens")
    assert routed.signals["emotion.label"] == "upset"
    [decided] = routed.of(Decided)
    assert decided.evidence
    assert not any("three times" in each or "told you" in each for each in decided.evidence)


def test_words_count_where_the_voice_may_not_be_judged() -> None:
    routed = Routed(agrees=["voice_ai"])
    routed.voice.heard = FURIOUS
    for _ in range(3):
        routed.turn("this is ridiculous i want to speak to a real person i told you already")
    assert routed.signals["emotion.voice"] == 0.0
    assert routed.signals["emotion.upset"] > 0.5
    assert not any("voice" in each for each in routed.of(Decided)[-1].evidence)


COMPLAINT = "this is ridiculous i want to speak to a real person i told you already"


async def read_by_an_audio_aware_model(route: Route, words: str) -> list[tuple[str, str]]:
    """Role and text of what the model is given for a turn that was routed so."""
    mind = Mind((0, "I am sorry."))
    aware = replace(cascade(mind), audio_aware=True)
    history = llm.ChatContext()
    history.add_message(role="user", content=words)
    async for _ in aware.think(history, [], ModelSettings(), route.manner):
        pass
    return mind.read[-1]


@pytest.mark.parametrize("heard", [FURIOUS, CALM, UNHEARD, RuntimeError("no model")])
@pytest.mark.parametrize("agrees", [True, False])
async def test_a_model_is_told_of_an_upset_voice_only_where_the_voice_was_listened_to(
    heard: EmotionReading | Exception, agrees: bool
) -> None:
    routed = Routed(agrees=["emotion"] if agrees else [])
    routed.voice.heard = heard
    for _ in range(3):
        previewed = routed.router.preview(COMPLAINT)
        decided = routed.router.decide(CallerTurn(COMPLAINT, 0.0, 0.0))
    assert routed.signals["emotion.upset"] > 0.5  # by the words, whatever the voice
    told = [("system", TOLD.format(manner="upset"))] if agrees and heard is FURIOUS else []
    for route in (previewed, decided):
        assert await read_by_an_audio_aware_model(route, COMPLAINT) == [*told, ("user", COMPLAINT)]


async def test_a_voice_counts_for_what_a_model_is_told_where_the_words_are_friendly() -> None:
    routed = Routed()
    routed.voice.heard = FURIOUS
    route = routed.router.decide(CallerTurn("thank you", 0.0, 0.0))
    told, _ = await read_by_an_audio_aware_model(route, "thank you")
    assert told == ("system", TOLD.format(manner="upset"))


NOT_MY_VOICE = "please don't analyse my voice"


def test_a_caller_who_does_not_want_to_be_judged_by_the_voice_is_not() -> None:
    routed = Routed()
    routed.voice.heard = FURIOUS
    routed.turn("hello i have a question about my order")
    assert routed.signals["emotion.voice"] > 0.5
    routed.turn(NOT_MY_VOICE)
    assert routed.voice.forgotten
    assert routed.signals["caller.consent_emotion"] is False
    assert routed.signals["emotion.voice"] == 0.0
    assert [(event.turn, event.what, event.given) for event in routed.of(ConsentChanged)] == [
        (2, "emotion", False)
    ]
    routed.turn("so where is my order")
    assert routed.signals["emotion.voice"] == 0.0
    assert len(routed.of(ConsentChanged)) == 1


def test_such_a_wish_is_honoured_before_the_caller_has_finished_speaking() -> None:
    routed = Routed()
    routed.router.preview(NOT_MY_VOICE + " because")
    assert routed.voice.forgotten
    assert [event.turn for event in routed.of(ConsentChanged)] == [1]


NOT_IN_EUROPE = """
policy: {name: local, version: 1}
engines: {fast: {}}
emotion: {unless: 'caller.region == "eu" || turn.count > 2', because: the contract says so}
rules:
  - {id: otherwise, when: true, route: fast, because: it is all there is}
"""


def test_a_policy_decides_whose_voice_is_judged() -> None:
    assert not Routed(NOT_IN_EUROPE, region="eu").router.may_judge_voice()
    assert Routed(NOT_IN_EUROPE, region="us").router.may_judge_voice()


def test_a_voice_that_may_not_be_judged_any_more_is_left_alone_for_good() -> None:
    routed = Routed(NOT_IN_EUROPE, region="us")
    heard = []
    for _ in range(3):
        routed.turn("hello i have a question")
        heard.append(routed.signals["emotion.voice"] > 0.0)
    assert heard == [True, True, False]
    assert routed.voice.forgotten
    assert routed.of(ConsentChanged) == []  # the caller has taken nothing back
