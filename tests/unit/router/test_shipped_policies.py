"""The policies that ship, on calls like the recorded ones and on what could go wrong in them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import pytest

from policies import shipped
from router import Decision, Memory, Policy, Signals

pytestmark = pytest.mark.unit

ENGINES = ("fast", "tool", "standard", "realtime")
DEFAULT = Policy.load(shipped("default.yaml"), engines=ENGINES)
REFERENCE = Policy.load(shipped("reference.yaml"), engines=ENGINES)


@dataclass(frozen=True)
class Said:
    """A caller's turn as the classifiers may hear it."""

    text: str
    upset: float = 0.02
    tool_p: float = 0.05
    asks_human: bool = False
    heard: bool = True

    def signals(self, number: int, **more: bool | int | float | str) -> Signals:
        label = "unknown" if not self.heard else "upset" if self.upset >= 0.5 else "calm"
        return Signals(
            {
                "turn.count": number,
                "turn.chars": len(self.text),
                "turn.words": len(self.text.split()),
                "turn.tool_p": self.tool_p,
                "turn.needs_tools": self.tool_p >= 0.5,
                "emotion.label": label,
                "emotion.upset": self.upset if self.heard else 0.0,
                "emotion.confidence": max(self.upset, 1 - self.upset) if self.heard else 0.0,
                "caller.consent_voice_ai": True,
                "call.asked_human": self.asks_human,
                **more,
            }
        )


CALLS = {
    "quick question": (
        Said("hi what are your opening hours on saturday", 0.05, 0.03),
        Said("great thank you that is all i needed", 0.45, 0.01),
        Said("goodbye", 0.83, 0.01),
    ),
    "order status": (
        Said("hello i'd like to know where my order is", tool_p=0.8),
        Said("the order number is four four one seven nine two", tool_p=0.9),
        Said("yes that's right", tool_p=0.35),
        Said("can you change the delivery date to next thursday morning", tool_p=0.85),
        Said("okay thank you goodbye", tool_p=0.03),
    ),
    "card and phone number": (
        Said("i want to pay my bill by card", tool_p=0.6),
        Said("my card number is four one one one two two three four", tool_p=0.7),
        Said("my phone number is five five five zero one four two", tool_p=0.5),
        Said("yes that's correct", tool_p=0.4),
        Said("thank you bye"),
    ),
    "calm becomes furious": (
        Said("hello i am calling about a refund for my washing machine", 0.14, 0.7),
        Said("the order number is eight zero five three one six two", 0.02, 0.9),
        Said("no i already told you that it was returned three weeks ago", 0.60, 0.3),
        Said("you keep saying the same thing", 0.42, 0.1),
        Said("this is ridiculous i want my money back right now", 0.97, 0.4),
        Said("stop reading me the same script you are not listening to me", 0.92, 0.1),
        Said("get me your supervisor", 0.97, 0.05, asks_human=True),
    ),
    "furious from the first word": (
        Said("why does nobody in this company answer the phone", 0.88, 0.1),
        Said("you charged me twice for the same order and i want my money back", 0.72, 0.7),
        Said("i don't care about your policy this is the third time i am calling", 0.88, 0.2),
        Said("no i will not wait any longer", 0.98, 0.05),
        Said("okay thank you for fixing it", 0.02),
    ),
    "barge-in": (
        Said("can you explain the difference between the basic and the premium plan", tool_p=0.3),
        Said("wait wait stop"),
        Said("i only want to know the price per month", tool_p=0.25),
        Said("no hold on a second that is not what i asked"),
        Said("thanks that is enough"),
    ),
    "silence and noise": (
        Said("hello"),
        Said("", heard=False),
        Said("", 0.55),
        Said("sorry i am still here the line is bad", 0.08),
        Said("are you still there", 0.06),
        Said("please check my internet connection", tool_p=0.6),
    ),
    "asks for a human": (
        Said("hello can i talk to a real person please", asks_human=True),
        Said("no i don't want to talk to a machine", 0.35, asks_human=True),
        Said("just transfer me to an agent please", 0.6, asks_human=True),
        Said("yes i will wait", asks_human=True),
    ),
    "e-mail spelled": (
        Said("i need to update my email address", tool_p=0.55),
        Said("it is j o h n dot s m i t h at gmail dot com", tool_p=0.6),
        Said("no it is m as in mike a as in alpha r as in romeo k as in kilo", tool_p=0.3),
        Said("so m a r k dot s m i t h at gmail dot com", tool_p=0.5),
        Said("yes that is correct thank you", tool_p=0.4),
    ),
    "long complaint": (
        Said(
            "i ordered a washing machine three weeks ago and it was supposed to arrive on tuesday", 0.09, 0.4
        ),
        Said("so i would like to know where it is and when i will get it", tool_p=0.75),
        Said("no i have already checked with the neighbours and there is nothing", 0.6, 0.3),
        Said("okay please send a new one and call me back tomorrow afternoon", 0.05, 0.7),
    ),
}


def play(policy: Policy, turns: tuple[Said, ...], **more: bool | int | float | str) -> list[Decision]:
    memory, decisions = Memory.start("call"), []
    for number, said in enumerate(turns, 1):
        decision, memory = policy.decide(said.signals(number, **more), memory)
        decisions.append(decision)
    return decisions


def engines(policy: Policy, name: str, **more: bool | int | float | str) -> list[str]:
    return [decision.engine for decision in play(policy, CALLS[name], **more)]


def switches(route: list[str]) -> int:
    return sum(before != after for before, after in pairwise(route))


@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("quick question", "fast fast fast"),
        ("order status", "tool tool tool tool tool"),
        ("calm becomes furious", "tool tool tool tool realtime realtime standard"),
        ("furious from the first word", "realtime realtime realtime realtime standard"),
        ("asks for a human", "standard standard standard standard"),
    ],
)
def test_the_default_policy_routes_a_call_as_its_caller_would_wish(name: str, route: str) -> None:
    assert engines(DEFAULT, name) == route.split()


def test_no_call_is_switched_more_than_twice_and_most_at_most_once() -> None:
    counts = {name: switches(engines(DEFAULT, name)) for name in CALLS}
    assert max(counts.values()) <= 2, counts
    assert median(counts.values()) <= 1, counts


def test_the_reference_logic_gives_a_furious_first_turn_to_the_fast_engine() -> None:
    assert engines(REFERENCE, "furious from the first word")[0] == "fast"
    assert engines(REFERENCE, "order status")[:2] == ["fast", "fast"]


def test_the_reference_logic_is_the_published_one() -> None:
    turns = (
        Said("a" * 49),
        Said("a" * 50, tool_p=0.9),
        Said("short", tool_p=0.9),
        Said("short", 0.9),
        Said("short"),
    )
    decisions = play(REFERENCE, turns)
    assert [decision.rule for decision in decisions] == ["opening", "tools", "tools", "upset", "otherwise"]
    assert [decision.engine for decision in decisions] == ["fast", "tool", "tool", "realtime", "standard"]
    label = Signals({"turn.count": 9, "emotion.label": "frustrated"})
    assert REFERENCE.decide(label, Memory.start("c"))[0].engine == "realtime"


def test_a_furious_opening_is_in_realtime_by_the_second_turn_even_when_heard_less_surely() -> None:
    weaker = (
        Said("why does nobody answer the phone", 0.65),
        Said("you charged me twice for the order", 0.70),
    )
    assert [decision.engine for decision in play(DEFAULT, weaker)][-1] == "realtime"


def test_one_noisy_reading_does_not_move_a_calm_call() -> None:
    calm = Said("i would like to hear more about the premium plan")
    turns = (calm, calm, calm, Said(calm.text, 0.95), calm, calm)
    assert switches([decision.engine for decision in play(DEFAULT, turns)]) == 0


def test_one_calm_reading_does_not_end_a_hold() -> None:
    angry = Said("this is ridiculous i want my money back", 0.95)
    turns = (angry, angry, angry, Said(angry.text, 0.3), angry)
    assert {decision.engine for decision in play(DEFAULT, turns)} == {"realtime"}


def test_one_word_and_silence_are_no_evidence_of_anger() -> None:
    turns = (Said("hello", 0.9), Said("", 0.95), Said("", 0.95), Said("yes", 0.9), Said("goodbye", 0.9))
    decisions = play(DEFAULT, turns)
    assert "realtime" not in {decision.engine for decision in decisions}
    assert decisions[-1].signals["upset"] == 0.0


@pytest.mark.parametrize(
    ("more", "guard"),
    [
        ({"caller.consent_voice_ai": False}, "no-consent"),
        ({"provider.realtime_healthy": False}, "realtime-down"),
        ({"provider.realtime_p95_ms": 2501}, "realtime-slow"),
        ({"cost.usd": 1.0, "cost.budget_usd": 1.0}, "over-budget"),
    ],
)
def test_a_guard_keeps_a_furious_caller_out_of_realtime(
    more: dict[str, bool | int | float], guard: str
) -> None:
    decisions = play(DEFAULT, CALLS["furious from the first word"], **more)
    assert {decision.denied["realtime"] for decision in decisions} == {guard}
    assert "realtime" not in {decision.engine for decision in decisions}


def test_realtime_is_warmed_before_it_is_needed_and_not_for_calm_callers() -> None:
    def warmed(name: str) -> list[bool]:
        memory, warm = Memory.start("call"), []
        for number, said in enumerate(CALLS[name], 1):
            warm.append(DEFAULT.warm(said.signals(number), memory))
            _, memory = DEFAULT.decide(said.signals(number), memory)
        return warm

    assert not any(warmed("order status"))
    assert warmed("calm becomes furious")[2:6] == [True] * 4


@pytest.mark.parametrize("policy", [DEFAULT, REFERENCE])
def test_every_rule_and_guard_has_a_reason_that_a_person_can_read(policy: Policy) -> None:
    reasons = {decision.reason for name in CALLS for decision in play(policy, CALLS[name])}
    assert reasons
    assert not any(reason.startswith(("rule ", "guard ")) for reason in reasons)
