"""Consent and disclosure in whole calls: what is said and asked, what was heard of it, and what the caller's words do.

The callers are synthesised (``consent/SOURCES.md``), and so is all that they hear; nothing of the service is replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compliance.consent import Disclosures, Wording
from compliance.events import (
    AgentSaid,
    CallEnded,
    ConsentChanged,
    Decided,
    Disclosed,
    DisclosureMissed,
    HandedOff,
    PartFailed,
    SpeechHeard,
)
from compliance.tap import RATE_HZ
from compliance.voiced import Samples
from engines.wording import Wording as Spoken
from lab.callers import load_pcm, recorded_call
from policies import shipped
from service.call import Call
from service.conversation import NOT_HERE
from service.line import Line
from service.promises import promises
from service.summary import summarise
from tests.patience import without_limits
from tests.together import understood
from tests.whole_call import (
    WholeCall,
    answered,
    asks,
    exchange,
    greeted,
    hears,
    recording,
    silence,
    until,
    without_settings,
)

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

HERE = Path(__file__).with_name("consent")
QUIET_MS = 2500
"""Silence after which the agent has nothing more to say, also after its reply."""
MISPLACED_MS = 1000.0
"""By which a busy machine may date what it plays too late."""
HOURS, THANKS = (turn.text for turn in recorded_call("01").turns[:2])
MACHINE, NOT_ME = "am i talking to a machine", "i don't want a machine to listen to me"
OBJECTING = ("yes please", "stop reading my feelings", "please stop recording this call")
NAMED_MS = 3000
"""The sound of the greeting up to the shop's name and a little after it."""
RULES = Disclosures.load(shipped("disclosures.yaml"))
POLICY = """
policy: {name: spoken, version: 1}
engines: {standard: {}, realtime: {fallback: [standard], warm: 'true'}}
last_resort: standard
guards:
  - {id: no-consent, when: '!caller.consent_voice_ai', deny: [realtime], because: no voice leaves without consent}
rules:
  - {id: all, when: 'true', route: realtime, because: heard by a realtime engine, else_route: standard}
overlays:
  warm:
    insert:
      - {before: all, id: waits, when: 'true', route: standard, because: a realtime session only waits}
"""


def spoken(name: str) -> Samples:
    return load_pcm(HERE / f"{name}.flac", sample_rate_hz=RATE_HZ)


async def says(line: Line, name: str) -> None:
    """Say something and hear out all that comes of it."""
    await line.say(silence(300))
    said = await line.say(spoken(name))
    await line.agent_started(said.end_ms)
    await line.agent_finished(QUIET_MS)


async def agrees_then_objects(line: Line, _: Call) -> None:
    await greeted(line)
    await says(line, "yes")
    await says(line, "not_my_feelings")
    await says(line, "stop_recording")


async def cuts_in(line: Line, _: Call) -> None:
    """Over the words after the shop's name: that this is a machine is what is cut."""
    await hears(line, NAMED_MS)
    said = await line.say(recording("01_quick_question_t01"))
    await line.agent_started(said.end_ms)
    await line.agent_finished(QUIET_MS)


def saying(*texts: str) -> Callable[[WholeCall], bool]:
    return lambda call: call.heard(*texts)


def was_cut(call: WholeCall) -> bool:
    """Whether the caller spoke where they meant to: within the words that say that this is a machine."""
    shares = [one.heard_share for one in call.of(Disclosed) if one.turn == 0]
    return call.heard(HOURS) and len(shares) == 1 and 0 < shares[0] < 1


async def cuts_in_and_goes(line: Line, _: Call) -> None:
    await line.agent_started(0.0)
    await line.say(recording("01_quick_question_t01"))


async def wonders(line: Line, _: Call) -> None:
    await greeted(line)
    await says(line, "talking_to_a_machine")


async def wants_no_machine_to_listen(line: Line, _: Call) -> None:
    await greeted(line)
    await asks(line, "01_quick_question_t01")
    await says(line, "not_to_me")
    await asks(line, "01_quick_question_t02")


async def objects_once(line: Line, call: Call) -> None:
    await greeted(line)
    await line.say(silence(300))
    await line.say(spoken("not_to_me"))
    await call.ended()


class Run:
    """The calls by name."""

    def __init__(self) -> None:
        self.calls: dict[str, WholeCall] = {}
        self.warm: list[bool] = []
        """Whether a realtime session waited, before the caller objected to it and after; of the last call."""

    async def make(self, folder: Path) -> None:
        policy = folder / "policy.yaml"
        policy.write_text(POLICY, encoding="utf-8")
        async with exchange(folder) as ready, exchange(folder / "spoken", policy=policy) as with_realtime:

            async def call(
                name: str,
                speak: Callable[[Line, Call], Awaitable[None]],
                jurisdiction: str,
                as_said: Callable[[WholeCall], bool],
                base: Any = ready,
                **settings: Any,
            ) -> None:
                changed = base.settings.model_copy(update=settings)
                mine = replace(base, settings=changed, rules=RULES.of(jurisdiction))
                self.calls[name] = await understood(
                    lambda: answered(mine, speak, source=f"lab:{name}"), as_said
                )

            # Its recogniser may hear nobody who wants no machine to listen.
            careful = replace(ready.catalogue.transcriber, needs=("consent_voice_ai",))
            only = replace(ready.catalogue, transcriber=careful, spare_transcriber=None)
            ready_with_care = replace(ready, catalogue=only)
            objecting, unheard = saying(*OBJECTING), saying(HOURS, NOT_ME, THANKS)
            await asyncio.gather(
                call("eu", agrees_then_objects, "eu", objecting, region="eu", consent_recording=True),
                call("unheard", wants_no_machine_to_listen, "other", unheard, base=with_realtime),
                call("cut", cuts_in, "other", was_cut),
            )

            async def watches(line: Line, call: Call) -> None:
                realtime = call.conversation.cast.realtime["realtime"]
                await greeted(line)
                await until(lambda: realtime.warm is not None)
                await line.say(silence(300))
                said = await line.say(spoken("not_to_me"))
                await line.agent_started(said.end_ms)
                self.warm = [True, realtime.warm is not None]
                await line.agent_finished(QUIET_MS)

            await asyncio.gather(
                call("gone", cuts_in_and_goes, "other", lambda _: True),
                call("wonders", wonders, "us-ut", saying(MACHINE), region="us"),
                call("waits", watches, "other", saying(NOT_ME), base=with_realtime, tenant="warm"),
                call("deaf", objects_once, "other", saying(NOT_ME), ready_with_care),
            )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made, folder = Run(), tmp_path_factory.mktemp("calls")
    (folder / "spoken").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch)
        without_limits(patch)
        asyncio.run(made.make(folder))
    return made


def changes(call: WholeCall, *, settings: bool = False) -> list[tuple[str, bool, str]]:
    return [
        (one.what, one.given, one.how) for one in call.of(ConsentChanged) if settings or one.how != "setting"
    ]


def said(call: WholeCall) -> str:
    return " ".join(one.text for one in call.of(AgentSaid))


@pytest.mark.parametrize("name", ["eu", "cut", "wonders", "unheard", "waits"])
def test_every_promise_is_kept(run: Run, name: str) -> None:
    assert promises(run.calls[name].events) == ()
    assert run.calls[name].of(PartFailed) == []


# -- what is said, and that it was heard -----------------------------------------------------------------------
def test_each_call_begins_with_what_its_law_wants_said(run: Run) -> None:
    greeting = run.calls["eu"].replies(0)[0].text
    assert greeting.startswith("Hello, this is the automated assistant of")
    assert "You are speaking with an AI" in greeting
    assert "tone of voice is analysed" in greeting
    assert greeting.endswith("May we record this call? Please say yes or no.")
    assert run.calls["wonders"].replies(0)[0].text.endswith("How can I help you?")


def test_what_was_played_to_its_end_is_on_record_as_such_with_its_place_and_its_wording(run: Run) -> None:
    call = run.calls["eu"]
    first = [one for one in call.of(Disclosed) if one.turn == 0]
    assert [(one.what, one.complete, one.heard_share) for one in first] == [
        ("ai", True, 1.0),
        ("emotion", True, 1.0),
        ("recording", True, 1.0),
    ]
    [greeting] = [one for one in call.of(SpeechHeard) if one.speaker == "agent"][:1]
    times = [time for one in first for time in (one.start_ms, one.end_ms)]
    assert times == sorted(times)
    assert greeting.start_ms - MISPLACED_MS < times[0]
    assert times[-1] <= greeting.end_ms + MISPLACED_MS
    ai = RULES.of("eu").wording("ai", "en")
    assert (first[0].wording, first[0].version) == ("ai", Wording.version(ai.say))


def test_a_disclosure_that_was_talked_over_is_said_again_shortly_after_the_reply(run: Run) -> None:
    call = run.calls["cut"]
    cut, again = call.of(Disclosed)
    assert (cut.what, cut.complete, cut.turn) == ("ai", False, 0)
    assert 0 < cut.heard_share < 1
    assert (again.what, again.complete, again.turn) == ("ai", True, 1)
    assert "To be clear: you are speaking with an AI" in call.replies(1)[-1].text
    assert call.of(DisclosureMissed) == []
    [decided] = call.of(Decided)
    assert decided.signals["call.ai_disclosed"] is False


def test_a_call_in_which_it_was_never_heard_says_so_at_its_end(run: Run) -> None:
    call = run.calls["gone"]
    [missed] = call.of(DisclosureMissed)
    assert missed.what == ("ai",)
    assert isinstance(call.events[-1], CallEnded)
    assert "The caller never heard to its end: that this is a machine." in summarise(call.events).remarks


def test_who_asks_whether_this_is_a_machine_is_told_so(run: Run) -> None:
    call = run.calls["wonders"]
    [decided] = call.of(Decided)
    assert decided.signals["turn.asks_if_machine"] is True
    assert decided.signals["call.ai_disclosed"] is True
    assert [(one.what, one.turn) for one in call.of(Disclosed) if one.what == "ai"] == [("ai", 0), ("ai", 1)]


# -- what the caller's words do ----------------------------------------------------------------------------------
def test_consents_follow_the_law_and_the_callers_words(run: Run) -> None:
    assert changes(run.calls["eu"], settings=True) == [
        ("voice_ai", True, "setting"),
        ("emotion", True, "notice"),
        ("recording", True, "stated"),
        ("emotion", False, "revoked"),
        ("recording", False, "revoked"),
    ]


def test_each_decision_is_made_on_the_consents_of_its_moment(run: Run) -> None:
    seen = [
        (one.signals["caller.consent_recording"], one.signals["caller.consent_emotion"])
        for one in run.calls["eu"].of(Decided)
    ]
    assert seen == [(True, True), (True, False), (False, False)]


def test_an_objection_counts_before_the_turn_is_over(run: Run) -> None:
    call = run.calls["eu"]
    revoked = [one for one in call.of(ConsentChanged) if one.how == "revoked"]
    for change in revoked:
        [decided] = [one for one in call.of(Decided) if one.turn == change.turn]
        assert change.at_ms <= decided.at_ms


def test_the_caller_is_told_that_an_objection_was_honoured(run: Run) -> None:
    call = run.calls["eu"]
    assert "Your voice is no longer analysed." in " ".join(one.text for one in call.replies(2))
    assert "The recording has stopped." in " ".join(one.text for one in call.replies(3))


def test_a_voice_that_no_machine_may_hear_goes_to_no_realtime_engine_from_that_turn_on(run: Run) -> None:
    call = run.calls["unheard"]
    assert changes(call) == [("voice_ai", False, "revoked")]
    assert [one.engine for one in call.of(Decided)] == ["realtime", "standard", "standard"]
    assert [(one.from_engine, one.to_engine) for one in call.of(HandedOff)][-1] == ("realtime", "standard")
    assert "Your voice no longer goes to a voice AI." in said(call)


def test_a_realtime_session_that_waits_is_closed_as_soon_as_the_caller_objects(run: Run) -> None:
    assert run.warm == [True, False]
    assert changes(run.calls["waits"]) == [("voice_ai", False, "revoked")]


def test_a_call_that_no_recogniser_may_hear_any_more_ends_with_a_word(run: Run) -> None:
    call = run.calls["deaf"]
    assert changes(call) == [("voice_ai", False, "revoked")]
    assert call.of(AgentSaid)[-1].text == Spoken().not_here
    assert [ended.reason for ended in call.of(CallEnded)] == [NOT_HERE]
