"""People are in the shipped documents as comments: what becomes of them, and of callers, when they are taken out."""

from __future__ import annotations

import re

import pytest

from engines.catalogue import Catalogue
from engines.people import Target
from policies import shipped
from router import Memory, Policy, Signals

pytestmark = pytest.mark.unit


def taken_out(document: str, first: str) -> str:
    """A shipped document in which the commented lines from ``first`` on are none any longer."""
    text = shipped(document).read_text(encoding="utf-8")
    block = re.search(rf"^  # {first}\n(?:  #   .*\n)*", text, re.MULTILINE)
    assert block is not None
    return text.replace(block[0], re.sub(r"^  # ", "  ", block[0], flags=re.MULTILINE))


CATALOGUE = Catalogue.parse(taken_out("engines.yaml", "human:"))
ENGINE = "engines:\n"
"""After which the policy names whom it may route to."""


def engine_for(policy: Policy, **signals: bool) -> tuple[str, str | None]:
    asked = {f"{name.replace('_', '.', 1)}": value for name, value in signals.items()}
    decision, _ = policy.decide(Signals({"turn.count": 3, **asked}), Memory("a call"))
    return decision.engine, decision.rule


def test_a_person_waits_in_a_room_or_calls_back() -> None:
    human = CATALOGUE.people["human"]
    assert human.ways == ("warm", "callback")
    assert human.to == (Target("room", "desk-anna"), Target("env", "SUPERVISOR"))


@pytest.mark.parametrize(
    ("available", "answered"), [(True, ("human", "to-a-person")), (False, ("standard", "asked-for-a-person"))]
)
def test_who_asks_for_a_person_gets_one_who_is_there_and_else_one_engine_that_can_say_so(
    available: bool, answered: tuple[str, str]
) -> None:
    text = taken_out("default.yaml", "- id: to-a-person")
    assert text.count(f"\n{ENGINE}") == 1
    policy = Policy.parse(
        text.replace(f"\n{ENGINE}", f"\n{ENGINE}  human: {{fallback: [standard]}}\n"), engines=CATALOGUE.names
    )
    assert engine_for(policy, call_asked_human=True, human_available=available) == answered
    assert engine_for(policy, call_asked_human=False, human_available=available)[0] != "human"


def test_the_engine_that_keeps_who_asks_for_a_person_has_the_tool_to_pass_them_on() -> None:
    engine, _ = engine_for(Policy.load(shipped("default.yaml")), call_asked_human=True)
    assert CATALOGUE.engines[engine].tools


def test_no_engine_of_the_shipped_line_is_told_to_promise_a_person() -> None:
    shipped_one = Catalogue.load(shipped("engines.yaml"))
    assert not shipped_one.people
    assert "promise neither a person nor a call back" in " ".join(shipped_one.instructions.split())
