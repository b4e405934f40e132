"""Who may hear a caller: what all calls know of providers, and what the call's gates let through."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from livekit.agents import APIConnectionError

from compliance.events import Topic
from engines.catalogue import Catalogue
from engines.gates import Gates
from policies import shipped
from service.health import CallHealth, SharedCircuits, providers
from service.hearing_health import HearingHealth
from tests.level_stt import LevelSTT

pytestmark = pytest.mark.unit

CUT = APIConnectionError()
CATALOGUE = shipped("engines.yaml").read_text(encoding="utf-8")


class Machine:
    """Calls of one machine, by a catalogue."""

    def __init__(self, catalogue: str = CATALOGUE) -> None:
        self.now_s = 1000.0
        self.catalogue = Catalogue.parse(catalogue)
        self.circuits = SharedCircuits(now_s=lambda: self.now_s)
        self.first, self.spare = self.ears = LevelSTT(), LevelSTT()

    def call(self, call_id: str, *, region: str = "us", consents: Collection[Topic] = ()) -> HearingHealth:
        gates = Gates(self.catalogue, region=region, given=lambda topic: topic in consents)
        health = CallHealth(self.circuits, providers(self.catalogue), call_id)
        return HearingHealth(dict(zip(self.ears, self.catalogue.transcribers, strict=True)), health, gates)


def test_a_recogniser_goes_by_the_name_under_which_it_is_priced() -> None:
    machine = Machine()
    call = machine.call("a")
    assert [call.name(ears) for ears in machine.ears] == ["deepgram/nova-3", "openai/gpt-4o-mini-transcribe"]


def test_a_call_leaves_who_failed_it_alone_and_tries_it_again_later() -> None:
    machine = Machine()
    call = machine.call("a")
    call.failed(machine.first, CUT)
    assert [call.may_ask(ears) for ears in machine.ears] == [False, True]
    assert machine.call("b").may_ask(machine.first)
    machine.now_s += 37  # 30 s, give or take a fifth
    assert call.may_ask(machine.first)


def test_the_next_calls_begin_with_the_spare_while_the_first_is_out_until_one_has_tried_it() -> None:
    machine = Machine()
    for number in range(3):
        machine.call(str(number)).failed(machine.first, CUT)
    late = machine.call("late")
    assert [late.may_ask(ears) for ears in machine.ears] == [False, True]
    machine.now_s += 20
    late.asked(machine.first)
    assert not machine.call("later").may_ask(machine.first)
    late.worked(machine.first)
    assert machine.call("later").may_ask(machine.first)


def test_who_may_have_the_callers_voice_is_another_thing_than_who_is_well() -> None:
    machine = Machine(CATALOGUE.replace("  model: nova-3\n", "  model: nova-3\n  callers: [eu]\n"))
    call = machine.call("a", region="us")
    assert [call.may_hear(ears) for ears in machine.ears] == [False, True]
    assert [call.may_ask(ears) for ears in machine.ears] == [True, True]
    assert machine.call("b", region="eu").may_hear(machine.first)


def test_who_needs_a_consent_may_have_the_callers_voice_while_it_is_given() -> None:
    machine, consents = (
        Machine(CATALOGUE.replace("  model: nova-3\n", "  model: nova-3\n  needs: [consent_recording]\n")),
        set[Topic](),
    )
    call = machine.call("a", consents=consents)
    assert not call.may_hear(machine.first)
    consents.add("recording")
    assert call.may_hear(machine.first)
    consents.clear()
    assert not call.may_hear(machine.first)
