"""Guards hold whatever fails: random policies, turns and failures, on the real router and the real desk."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.agents import llm

from classifiers.caller_state import SHIPPED, CallerStateModel
from classifiers.emotion import EmotionReading
from classifiers.tool_need import Earlier, ToolNeed, ToolSet
from compliance.clock import CallClock
from compliance.events import Decided, TurnMoved
from engines.routing import CallerTurn
from router import Policy
from service.facts import CallFacts, Classifiers
from service.turn_router import TurnRouter
from tests.unit.engines.sat import Sat

pytestmark = pytest.mark.unit

CASCADES = ("fast", "standard", "tool")
ENGINES = (*CASCADES, "realtime")
LAST = "fast"
CONDITIONS = (
    "turn.tool_p > 0.5",
    "emotion.upset > 0.5",
    "call.asked_human",
    "turn.digits > 2",
    "!provider.standard_healthy",
    "'x'.matches(call.queue)",  # cannot be evaluated where the queue is no pattern: it counts as true
)
WORDS = ("hello", "where is my order", "get me a human", "four four one seven")

some = st.lists(st.sampled_from(ENGINES), unique=True, max_size=3)
deniable = st.lists(
    st.sampled_from([engine for engine in ENGINES if engine != LAST]), unique=True, min_size=1
)
guards = st.lists(st.tuples(st.sampled_from(CONDITIONS), deniable), max_size=4)
turns = st.lists(
    st.fixed_dictionaries(
        {
            "preview": st.none() | st.sampled_from(WORDS),
            "preview_fails": st.integers(0, 4),
            "text": st.sampled_from(WORDS),
            "tool_p": st.sampled_from([0.1, 0.9, float("nan")]),  # NaN: routing itself fails
            "upset": st.sampled_from([0.1, 0.9]),
            "fails": st.lists(st.booleans(), max_size=4),
        }
    ),
    min_size=1,
    max_size=4,
)


def policy(guards: list[tuple[str, list[str]]], fallbacks: list[list[str]], routes: list[str]) -> Policy:
    lines = ["policy: {name: any, version: 1}", "engines:"]
    for engine, names in zip(ENGINES, fallbacks, strict=True):
        others = [name for name in names if name != engine]
        lines.append(f"  {engine}: {{fallback: [{', '.join(others)}]}}")
    lines += [f"last_resort: {LAST}", "guards:" if guards else "guards: []"]
    for number, (when, deny) in enumerate(guards):
        lines.append(f'  - {{id: g{number}, when: "{when}", deny: [{", ".join(deny)}], because: x}}')
    lines.append("rules:")
    lines.append(f"  - {{id: tools, when: turn.tool_p > 0.5, route: {routes[0]}, because: x}}")
    lines.append(f"  - {{id: otherwise, when: 'true', route: {routes[1]}, because: x}}")
    return Policy.parse("\n".join(lines))


class Line:
    """A caller and the state of things around the desk."""

    def __init__(self, policy: Policy) -> None:
        self.tool_p, self.upset = 0.0, 0.0
        self.now_s = 0.0
        need: Any = self
        self.router = TurnRouter(
            policy,
            classifiers=Classifiers(need, CallerStateModel.load(SHIPPED)),
            voice=self,
            facts=CallFacts(queue="("),
            clock=CallClock(monotonic=lambda: self.now_s, wall=lambda: self.now_s),
            emit=lambda event: self.sat.events.append(event),
            call_id="call",
        )
        self.sat = Sat(routing=self.router, realtime=["realtime"])

    def ready(self, agent: str, *, turn: int, earlier: Earlier) -> str:
        return agent

    def judge(self, text: str, ready: str, tools: ToolSet | None) -> ToolNeed:
        return ToolNeed(self.tool_p, 1.0)

    def reading(self) -> EmotionReading:
        return EmotionReading("calm" if self.upset < 0.5 else "upset", 0.9, self.upset, 4)

    def forget(self) -> None: ...

    def denied(self, turn: int) -> set[str]:
        """Who may not answer that turn, by its record."""
        [decided] = [one for one in self.sat.of(Decided) if one.turn == turn]
        return {*decided.denied}

    def lives(self, turn: dict[str, Any]) -> None:
        desk = self.sat.desk
        self.now_s += 5
        self.tool_p, self.upset = turn["tool_p"], turn["upset"]
        if turn["preview"] is not None:
            barred = self.router.preview(turn["preview"]).denied
            preview = self.sat.begins(llm.ChatMessage(role="user", content=[turn["preview"]]))
            for _ in range(turn["preview_fails"]):
                if preview is None:
                    break
                assert preview.engine not in barred
                if not desk.recovery.fail_over(preview, provider="p", error=TimeoutError()):
                    break
        said = llm.ChatMessage(role="user", content=[turn["text"]])
        desk.turn_completed(llm.ChatContext(), said)
        number = desk.turn
        assert desk.engine not in self.denied(number)
        for begun in turn["fails"]:
            reply = self.sat.begins(said)
            if reply is not None and begun:
                desk.recovery.fail_over(reply, provider="p", error=TimeoutError())
                assert reply.engine not in self.denied(number)
            else:
                desk.recovery.rescue()
            for over in (
                *desk.generations,
            ):  # a word about the delay, after which the turn may be handed over
                desk.recovery.reply_over(over, interrupted=False)
            assert desk.engine not in self.denied(number)


@settings(max_examples=300, deadline=None)
@given(
    guards,
    st.lists(some, min_size=4, max_size=4),
    st.lists(st.sampled_from(CASCADES), min_size=2, max_size=2),
    turns,
)
def test_no_engine_that_is_denied_ever_takes_a_turn(
    guards: list[tuple[str, list[str]]],
    fallbacks: list[list[str]],
    routes: list[str],
    turns: list[dict[str, Any]],
) -> None:
    async def call() -> None:
        line = Line(policy(guards, fallbacks, routes))
        for turn in turns:
            line.lives(turn)
        for move in line.sat.of(TurnMoved):
            assert move.to_engine not in line.denied(move.turn)
            assert move.to_engine != move.from_engine
        await line.sat.desk.aclose()

    asyncio.run(call())


def test_a_guard_that_cannot_be_evaluated_bars_its_engine_from_falling_over_too() -> None:
    line = Line(policy([("'x'.matches(call.queue)", ["standard"])], [[], [], [], []], ["fast", "fast"]))
    route = line.router.decide(CallerTurn("hello", 0, 0))
    assert line.router.fallback(route, {"fast"}) == "tool"
