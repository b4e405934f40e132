"""An audio-aware cascade, on the lab: the model is told how the caller sounds, and another voice answers."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from compliance.events import AgentSaid, PreviewSettled
from engines.cascade import TOLD
from engines.catalogue import Catalogue
from engines.routing import CallerTurn, Route
from lab.delays import Delays
from lab.server import Lab, LabSettings
from tests.desk_call import HOURS, HOURS_TEXT, ORDER, ORDER_TEXT, DeskCall, Plan, patient

pytestmark = [pytest.mark.scenario, pytest.mark.alone]


def aware(catalogue: Catalogue) -> Catalogue:
    """The fast engine, told how the caller sounds and with the spare voice for those who are upset."""
    fast = replace(catalogue.engines["fast"], audio_aware=True, voices_when={"upset": ("spare",)})
    return replace(catalogue, engines={**catalogue.engines, "fast": fast})


@dataclass
class Sounding(Plan):
    """A plan that says how the caller sounds, turn by turn, once the turn is over: previews do not know."""

    manners: tuple[str, ...] = field(default=())

    def decide(self, turn: CallerTurn) -> Route:
        route = super().decide(turn)
        return replace(route, manner=self.manners[route.turn - 1])


@pytest.fixture(scope="module")
def call() -> DeskCall:
    async def both_turns() -> DeskCall:
        async with (
            Lab(LabSettings(delays=Delays.none())) as lab,
            DeskCall(
                lab, Sounding(("fast", "fast"), manners=("", "upset")), name="aware", change=aware
            ) as call,
        ):
            for spoken in (HOURS, ORDER):
                await call.asks(spoken)
            return call

    with patient():
        return asyncio.run(both_turns())


def test_both_turns_are_answered_by_the_engine_decided(call: DeskCall) -> None:
    assert [(said.turn, said.engine) for said in call.of(AgentSaid)] == [(1, "fast"), (2, "fast")]


def test_the_model_is_told_right_before_the_words(call: DeskCall) -> None:
    last = call.completions[-1].payload["messages"]
    assert [message["content"] for message in last[-2:]] == [TOLD.format(manner="upset"), ORDER_TEXT]
    assert TOLD.format(manner="upset") not in str(call.completions[0].payload)


def test_a_preview_that_did_not_know_is_not_what_the_caller_hears(call: DeskCall) -> None:
    assert [(one.turn, one.used) for one in call.of(PreviewSettled)] == [(1, True), (2, False)]


def test_the_upset_turn_is_answered_in_the_other_voice(call: DeskCall) -> None:
    journal = call.lab.context.journal
    assert len(journal.of("openai.speech", "audio.speech")) >= 1
    assert len(journal.of("elevenlabs")) >= 1


def test_the_history_says_nothing_of_it(call: DeskCall) -> None:
    assert [text for role, text in call.messages if role == "user"] == [HOURS_TEXT, ORDER_TEXT]
    assert TOLD.format(manner="upset") not in str(call.messages)
