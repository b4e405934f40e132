"""Ten recorded callers, and an impatient one, through the whole service: real audio in, a redacted record out.

All eleven calls are made in one run for all tests of this module, :data:`AT_ONCE` at a time.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from compliance.events import (
    AgentSaid,
    CallEnded,
    CallerSaid,
    CallStarted,
    Decided,
    HandedOff,
    PartFailed,
    ProviderFailed,
    ToolCalled,
    TurnAnswered,
    TurnEnded,
    UsageIncurred,
)
from compliance.ledger import Ledger
from lab.callers import recorded_call, recorded_calls
from lab.script import Say, Script
from service.call import Call
from service.exchange import Exchange
from service.heard import Answered, Span, heard_latencies
from service.line import Line
from service.promises import NO_TIME_MS, promises
from tests.whole_call import (
    PRIVATE,
    WholeCall,
    answered,
    exchange,
    recorded_caller,
    recording,
    without_settings,
    word_errors,
    words,
)

pytestmark = [pytest.mark.scenario, pytest.mark.alone]

AT_ONCE = 6
"""Calls; more would not be over sooner, for the longest takes a sixth of the time of all."""
APART_S = 1.0
"""Between the beginnings of two calls; the longest begins first."""
LONGEST_FIRST = ("04", "10", "05", "09", "02", "07", "03", "08", "06", "01")
NAMES = tuple(call.name for call in recorded_calls())
WORD_ERROR_RATE = 0.15
LATENCY_TOLERANCE_MS = 60.0
AROUND_MS = 500.0
CARD = "four one one one two two three four nine eight seven six five five zero one"
PHONE = "five five five zero one four two seven seven eight"
FIGURES = {
    name: str(figure)
    for figure, name in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    )
}
SPELLED = ("j o h n", "s m i t h", "m a r k")
HOURS = "hi what are your opening hours on saturday"


@dataclass(frozen=True)
class Run:
    """What is left when all callers have hung up: their calls by name, and the ledger's folder."""

    calls: dict[str, WholeCall]
    impatient: WholeCall
    ledger: Path

    def __getitem__(self, number: str) -> WholeCall:
        return self.calls[recorded_call(number).name]


async def cut_in_on_the_greeting(ready: Exchange) -> WholeCall:
    async def speak(line: Line, _: Call) -> None:
        await line.agent_started(0.0)
        said = await line.say(recording("01_quick_question_t01"))
        await line.agent_started(said.end_ms)
        await line.agent_finished(900)

    return await answered(ready, speak)


async def everybody(folder: Path) -> Run:
    room = asyncio.Semaphore(AT_ONCE)
    async with exchange(folder) as ready:

        async def later(place: int, number: str) -> WholeCall:
            await asyncio.sleep(APART_S * place)
            async with room:
                return await recorded_caller(ready, recorded_call(number))

        async def last() -> WholeCall:
            await asyncio.sleep(APART_S * len(LONGEST_FIRST))
            async with room:
                return await cut_in_on_the_greeting(ready)

        *calls, impatient = await asyncio.gather(
            *(later(place, number) for place, number in enumerate(LONGEST_FIRST)), last()
        )
    names = [recorded_call(number).name for number in LONGEST_FIRST]
    return Run(dict(zip(names, calls, strict=True)), impatient, folder / "ledger.sqlite")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch)
        return asyncio.run(everybody(tmp_path_factory.mktemp("calls")))


def engine(call: WholeCall, number: int) -> str:
    """The engine that answered turn ``number`` of the recorded call."""
    [answer] = call.about(TurnAnswered, number)
    return answer.engine


def rule(call: WholeCall, number: int) -> str:
    [decided] = call.about(Decided, number)
    return decided.rule


def scripted(name: str) -> str:
    """What the scripted model says by a rule."""
    [reply] = [rule.reply for rule in Script.load().rules if rule.name == name]
    assert isinstance(reply, Say)
    return " ".join(reply.text.split())


def timed(call: WholeCall) -> list[TurnEnded]:
    """The turns on record; words that came late are a turn of no time, which is on no recording."""
    return [turn for turn in call.of(TurnEnded) if turn.end_ms - turn.start_ms > NO_TIME_MS]


def on_the_recording(call: WholeCall) -> tuple[Answered, ...]:
    """Each such turn with its reply, as both are heard on the recording of the line."""
    spans = [Span(turn.start_ms, turn.end_ms) for turn in timed(call)]
    before = [0.0, *(span.end_ms for span in spans)]
    after = [*(span.start_ms for span in spans[1:]), float("inf")]
    # The voice detector hears a turn begin late and end early: a little around it belongs to it.
    around = [
        Span(max(span.start_ms - AROUND_MS, before_ms), min(span.end_ms + AROUND_MS, after_ms))
        for span, before_ms, after_ms in zip(spans, before, after, strict=False)
    ]
    return heard_latencies(call.caller, call.agent, turns=around)


def said_by(number: str) -> list[str]:
    """Every word of a recorded call, with what is personal as the record shows it."""
    texts = [turn.text for turn in recorded_call(number).turns]
    if number == "03":
        texts[1:3] = [f"my card number is {PRIVATE}", f"my phone number is {PRIVATE}"]
    if number == "09":
        texts[1:4] = [f"it is {PRIVATE}", f"no it is {PRIVATE}", f"so {PRIVATE}"]
    return words(" ".join(texts))


# -- every call --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_promise_is_kept(run: Run, name: str) -> None:
    assert promises(run.calls[name].events) == ()


@pytest.mark.parametrize("name", NAMES)
def test_the_caller_is_greeted_answered_every_time_and_hangs_up(run: Run, name: str) -> None:
    report = run.calls[name].report
    assert report is not None
    assert (report.greeted, report.gave_up, report.cut_off) == (True, None, False)
    assert run.calls[name].of(CallEnded)[0].reason == "the caller hung up"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_fails(run: Run, name: str) -> None:
    assert run.calls[name].of(ProviderFailed) == []
    assert run.calls[name].of(PartFailed) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_greeting_comes_first_and_says_that_it_is_automated(run: Run, name: str) -> None:
    first = run.calls[name].of(AgentSaid)[0]
    assert first.turn == 0
    assert "automated assistant" in first.text
    assert first.start_ms < run.calls[name].of(CallerSaid)[0].start_ms


@pytest.mark.parametrize("name", NAMES)
def test_every_turn_is_answered_by_the_engine_decided(run: Run, name: str) -> None:
    call = run.calls[name]
    decided = {event.turn: event.engine for event in call.of(Decided)}
    for reply in call.of(AgentSaid):
        assert reply.turn == 0 or reply.engine == decided[reply.turn]


@pytest.mark.parametrize("name", NAMES)
def test_everything_the_caller_said_is_in_the_record(run: Run, name: str) -> None:
    said = said_by(name[:2])
    heard = run.calls[name].words
    assert word_errors(said, heard) <= WORD_ERROR_RATE * len(said), " ".join(heard)


@pytest.mark.parametrize("name", NAMES)
def test_the_wait_on_record_is_the_wait_on_the_recording(run: Run, name: str) -> None:
    call = run.calls[name]
    measured = {turn.turn: found for turn, found in zip(timed(call), on_the_recording(call), strict=True)}
    answers = [answer for answer in call.of(TurnAnswered) if answer.turn in measured]
    assert answers
    for answer in answers:
        wait_ms = measured[answer.turn].heard_latency_ms
        assert wait_ms is not None
        assert answer.heard_ms == pytest.approx(wait_ms, abs=LATENCY_TOLERANCE_MS)


@pytest.mark.parametrize("name", NAMES)
def test_a_wait_has_its_hand_off_in_it(run: Run, name: str) -> None:
    # A realtime engine is told our words for the turn after it: they are no transcript that was waited for.
    call = run.calls[name]
    for handed in call.of(HandedOff):
        [answer] = [answer for answer in call.of(TurnAnswered) if answer.turn == handed.turn]
        spent_ms = answer.waits.get("hand_off", 0.0) + answer.waits.get("context_sync", 0.0)
        assert spent_ms == pytest.approx(handed.took_ms, abs=50)


@pytest.mark.parametrize("name", NAMES)
def test_the_call_costs_the_sum_of_what_was_used(run: Run, name: str) -> None:
    call = run.calls[name]
    [ended] = call.of(CallEnded)
    assert ended.cost_usd == pytest.approx(sum(used.cost_usd for used in call.of(UsageIncurred)))
    assert all(used.cost_usd > 0 for used in call.of(UsageIncurred))
    assert {used.provider for used in call.of(UsageIncurred)} == {"openai", "deepgram", "elevenlabs"}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_simulated_is_declared(run: Run, name: str) -> None:
    assert run.calls[name].of(CallStarted)[0].simulated == ("deepgram", "elevenlabs", "openai")


def test_the_ledger_verifies(run: Run) -> None:
    ledger = Ledger.open(run.ledger, must_exist=True)
    try:
        assert ledger.verify().ok
        assert set(ledger.calls()) == {run.impatient.call_id, *(call.call_id for call in run.calls.values())}
    finally:
        ledger.close()


# -- which engine ------------------------------------------------------------------------------------------


def test_a_quick_question_stays_with_the_fast_engine(run: Run) -> None:
    call = run["01"]
    assert [engine(call, number) for number in (1, 2, 3)] == ["fast"] * 3
    assert rule(call, 1) == "opening"
    assert call.of(HandedOff) == []


def test_an_order_is_looked_up_by_the_tool_engine(run: Run) -> None:
    call = run["02"]
    assert [engine(call, number) for number in (2, 4)] == ["tool", "tool"]
    [lookup] = call.about(ToolCalled, 2)
    assert (lookup.name, lookup.engine, lookup.failed) == ("order_lookup", "tool", False)
    assert lookup.arguments == {"order_number": "441792"}


def test_a_delivery_is_really_moved(run: Run) -> None:
    [change] = run["02"].about(ToolCalled, 4)
    assert (change.name, change.failed) == ("delivery_change", False)
    assert change.arguments["order_number"] == "441792"
    assert change.result["delivery_date"] in run["02"].replies(change.turn)[0].text


def test_a_calm_caller_who_becomes_furious_is_moved_to_realtime(run: Run) -> None:
    call = run["04"]
    assert "realtime" not in (engine(call, 1), engine(call, 2))
    assert [engine(call, number) for number in (5, 6)] == ["realtime", "realtime"]
    assert {rule(call, 5), rule(call, 6)} == {"de-escalate"}


def test_realtime_is_warm_and_hears_the_turn_that_decided_it(run: Run) -> None:
    [hand_off] = [event for event in run["04"].of(HandedOff) if event.to_engine == "realtime"]
    assert (hand_off.warm, hand_off.turn_as_audio) == (True, True)
    assert hand_off.items > 0


def test_a_furious_caller_who_asks_for_a_supervisor_gets_no_further_machine(run: Run) -> None:
    call = run["04"]
    assert rule(call, 7) == "asked-for-a-person"
    assert engine(call, 7) == "standard"
    assert "supervisor" in call.replies(call.recorded(7))[0].text


def test_a_caller_furious_from_the_first_word_gets_realtime_by_the_second_turn(run: Run) -> None:
    assert "realtime" in (engine(run["05"], 1), engine(run["05"], 2))


def test_a_caller_who_asks_for_a_human_is_transferred(run: Run) -> None:
    call = run["08"]
    assert [rule(call, number) for number in (1, 2, 3, 4)] == ["asked-for-a-person"] * 4
    assert [engine(call, number) for number in (1, 2, 3, 4)] == ["standard"] * 4
    assert "transfer" in call.replies(1)[0].text


def test_a_spelled_e_mail_address_reaches_the_shop_and_not_the_record(run: Run) -> None:
    call = run["09"]
    [change] = call.of(ToolCalled)
    assert (change.name, change.failed) == ("contact_change", False)
    assert re.fullmatch(r"<\w+>", change.arguments["email"])
    assert "updated" in call.replies(call.recorded(5))[0].text


def test_a_long_complaint_is_one_turn(run: Run) -> None:
    call = run["10"]
    assert len(call.of(TurnEnded)) == len(recorded_call("10").turns)
    assert "washing machine" in call.replies(1)[0].text


def test_every_change_of_engine_is_a_hand_off_for_the_turn_that_decided_it(run: Run) -> None:
    for call in run.calls.values():
        decided = call.of(Decided)
        changes = [
            (after.turn, before.engine, after.engine)
            for before, after in pairwise(decided)
            if before.engine != after.engine
        ]
        later = [
            (event.turn, event.from_engine, event.to_engine) for event in call.of(HandedOff) if event.turn > 1
        ]
        assert later == changes


# -- barge-in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cut", "by", "script"), [(1, 2, "difference of the plans"), (3, 4, "price of the plans")]
)
def test_a_caller_who_cuts_in_is_heard_and_the_reply_ends_there(
    run: Run, cut: int, by: int, script: str
) -> None:
    call = run["06"]
    assert call.as_lived(by).barged_in
    [reply] = call.about(AgentSaid, cut)
    assert reply.interrupted
    assert reply.end_ms < call.as_lived(by).end_ms
    heard, whole = words(reply.text), words(scripted(script))
    assert 0 < len(heard) < len(whole)
    assert heard == whole[: len(heard)]


def test_what_the_caller_cut_in_with_is_on_record_and_answered(run: Run) -> None:
    call = run["06"]
    said = " ".join(call.words)
    assert "wait wait stop" in said
    assert "hold on a second that is not what i asked" in said
    assert [reply.interrupted for reply in call.about(AgentSaid, 4)] == [False]
    assert "ten dollars" in call.about(AgentSaid, 4)[0].text


# -- silence and noise -----------------------------------------------------------------------------------------


def test_silence_and_noise_put_no_words_on_record(run: Run) -> None:
    call = run["07"]
    spoken = [turn for turn in call.report.turns if turn.text] if call.report else []
    for segment in call.of(CallerSaid):
        assert any(segment.start_ms < turn.end_ms and turn.start_ms < segment.end_ms for turn in spoken), (
            segment.text
        )


def test_silence_and_noise_are_no_turns(run: Run) -> None:
    assert len(run["07"].of(TurnEnded)) == sum(bool(turn.text) for turn in recorded_call("07").turns)


def test_the_caller_is_answered_after_silence_and_noise(run: Run) -> None:
    call = run["07"]
    for number in (4, 6, 7):
        assert call.as_lived(number).heard_latency_ms is not None
        assert [reply.interrupted for reply in call.about(AgentSaid, number)] == [False]


# -- nothing personal --------------------------------------------------------------------------------------------


def stored(run: Run) -> bytes:
    """Every byte of the ledger, lower case."""
    files = sorted(run.ledger.parent.glob(f"{run.ledger.name}*"))
    return b"\n".join(file.read_bytes() for file in files).lower()


@pytest.mark.parametrize("number", [CARD, PHONE], ids=["card", "phone"])
def test_no_number_that_identifies_the_caller_is_in_the_ledger_file(run: Run, number: str) -> None:
    kept, said = stored(run), number.split()
    figures = [FIGURES[word] for word in said]
    for written in ("".join(figures), " ".join(figures), "-".join(figures)):
        assert written.encode() not in kept
    for start in range(len(said) - 3):
        for separator in (" ", "-", ", "):
            assert separator.join(said[start : start + 4]).encode() not in kept
        assert " ".join(figures[start : start + 4]).encode() not in kept


def test_no_figure_is_left_of_what_the_caller_gave_with_the_card_and_the_phone(run: Run) -> None:
    said = [event.text for event in run["03"].of(CallerSaid)] + [
        event.text for event in run["03"].of(AgentSaid)
    ]
    assert "<CREDIT_CARD>" in " ".join(said)
    assert "<PHONE_NUMBER>" in " ".join(said)
    assert not set(words(" ".join(said))) & FIGURES.keys()
    assert not re.search(r"\d", " ".join(said))


@pytest.mark.parametrize("letters", SPELLED)
def test_no_letter_of_the_spelled_address_is_in_the_ledger_file(run: Run, letters: str) -> None:
    kept = stored(run)
    for separator in (" ", "-", ". ", ", "):
        assert separator.join(letters.split()).encode() not in kept
    assert b"gmail" not in kept
    assert b"smith" not in kept
    assert b"john" not in kept


def test_an_order_number_is_kept_for_it_identifies_an_order(run: Run) -> None:
    assert "four four one seven nine two" in " ".join(run["02"].words)


# -- a caller who does not wait for the greeting --------------------------------------------------------------------


def test_words_over_the_greeting_are_on_record(run: Run) -> None:
    assert word_errors(HOURS.split(), run.impatient.words) <= 1, run.impatient.words


def test_who_speaks_over_the_greeting_is_answered(run: Run) -> None:
    assert promises(run.impatient.events) == ()
    reply, again = run.impatient.replies(1)
    assert "nine in the morning" in reply.text
    assert "are speaking with an AI" in again.text  # which the greeting had no time to say


def test_the_greeting_ends_when_the_caller_speaks_over_it(run: Run) -> None:
    [greeting] = run.impatient.replies(0)
    assert greeting.interrupted
    assert len(words(greeting.text)) < len(
        words("Hello, this is the automated assistant of Harbour Goods. How can I help you?")
    )
