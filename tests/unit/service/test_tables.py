"""service.tables and service.live: what the terminal shows, at 80 and at 100 columns."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console, RenderableType

from compliance.events import (
    AgentSaid,
    CallStarted,
    Decided,
    ProviderFailed,
    TurnAnswered,
    TurnEnded,
    TurnMoved,
)
from service.live import LiveCalls
from service.promises import promises
from service.redacted import masked, pieces
from service.summary import LedgerCheck, summarise
from service.tables import call_table, calls_table, ledger_line, promises_line, redacted_text, transcript_view
from service.words import clock, count, dollars, length, milliseconds
from tests.unit.service.sample_call import call_with_a_person, furious_call, quick_call

pytestmark = pytest.mark.unit
WIDTHS = pytest.mark.parametrize("width", [80, 100])


def shown(renderable: RenderableType, width: int = 100) -> str:
    out = StringIO()
    Console(file=out, width=width, legacy_windows=False).print(renderable)
    return out.getvalue()


def squeezed(text: str) -> str:
    return " ".join(text.split())


@WIDTHS
def test_a_call_shows_route_rule_emotion_latency_and_cost_per_turn(width: int) -> None:
    text = shown(call_table(summarise(furious_call())), width)
    assert all(len(line) <= width for line in text.splitlines())
    for expected in ("upset caller", "furious 0.93", "1,575 ms", "$0.0109", "→standard", "needs tools"):
        assert expected in text
    for note in (
        "caller cut in",
        "preview discarded",
        "look_up_order",
        "APITimeoutError",
        "turn heard as audio",
    ):
        assert note in squeezed(text)


@WIDTHS
def test_a_call_shows_its_policy_tenant_arms_and_where_a_shadow_rule_would_differ(width: int) -> None:
    events = furious_call()
    summary = summarise(events)
    table = squeezed(shown(call_table(summary), width))
    assert "policy default v3, tenant acme" in table
    for text in (table, squeezed(shown(transcript_view(events, summary), width))):
        assert text.count("arm tool of earlier-tools") == 1
        assert text.count("shadow try-lower: tool") == 1  # in the other turns it would choose the same
        assert "waits for 1,200 ms of silence" in text


def test_a_call_on_the_lab_is_said_to_be_simulated() -> None:
    assert "simulated: deepgram, elevenlabs, openai" in shown(call_table(summarise(furious_call())))
    vendors = [
        event.model_copy(update={"simulated": ()}) if isinstance(event, CallStarted) else event
        for event in quick_call()
    ]
    assert "simulated" not in shown(call_table(summarise(vendors)))


@WIDTHS
def test_the_transcript_has_both_sides_the_routes_and_the_masks(width: int) -> None:
    events = furious_call()
    text = squeezed(shown(transcript_view(events, summarise(events)), width))
    assert "<CREDIT_CARD>" in text
    assert "→ realtime by “upset caller”: upset 0.83 ≥ 0.70 with confidence 0.88" in text
    assert "cut by the caller" in text
    assert "openai failed (APITimeoutError)" in text
    assert text.index("opening hours") < text.index("We are open from nine")


@WIDTHS
def test_a_transcript_has_a_persons_words_under_their_name_between_the_callers(width: int) -> None:
    events = call_with_a_person()
    text = squeezed(shown(transcript_view(events, summarise(events)), width))
    places = [text.index(words) for words in ("human (anna) hello", "it is <CREDIT_CARD>", "that is paid")]
    assert places == sorted(places)


def test_text_of_a_call_is_never_read_as_markup() -> None:
    events = [
        event.model_copy(update={"text": "[bold red]hello[/] [link=x]y"})
        if isinstance(event, AgentSaid)
        else event
        for event in quick_call()
    ]
    text = shown(transcript_view(events, summarise(events)))
    assert "[bold red]hello[/] [link=x]y" in text


def test_the_ledger_line_says_whether_the_record_holds() -> None:
    good = shown(ledger_line(LedgerCheck(True, 94, "9c1f" * 16, "chain unbroken")))
    assert "✓ ledger chain unbroken · 94 events, head 9c1f9c1f9c1f9c1f" in good
    assert "✗ ledger entry 12 was changed" in shown(
        ledger_line(LedgerCheck(False, 94, "", "entry 12 was changed"))
    )


def test_broken_promises_are_listed() -> None:
    events = furious_call()
    assert "all kept" in shown(promises_line(promises(events)))
    assert "The record stops at" in shown(promises_line(promises(events[:30])))


@WIDTHS
def test_several_calls_have_a_row_each_and_a_total(width: int) -> None:
    summaries = [summarise(furious_call()), summarise(quick_call())]
    text = shown(calls_table(summaries, broken=[(), promises(quick_call()[:9])]), width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "04_calm_becomes_furious" in text
    assert "01_quick_question" in text
    assert "2 calls" in text
    assert ("✓" in text, "✗" in text) == (True, True)


@WIDTHS
def test_calls_are_followed_while_they_run(width: int) -> None:
    live = LiveCalls(("01_quick_question", "05_furious_from_first_word"))
    for event in furious_call()[:30]:
        live.take(event)
    for event in quick_call():
        live.take(event)
    text = shown(live, width)
    assert all(len(line) <= width for line in text.splitlines())
    rows = {
        name: next(line for line in text.splitlines() if name in line)
        for name in ("04_calm_becomes_furious", "01_quick_question", "05_furious_from_first_word")
    }
    assert "tool" in rows["04_calm_becomes_furious"]
    assert "✓" in rows["01_quick_question"]
    assert "·" in rows["05_furious_from_first_word"]
    assert live.running == 1


def test_a_followed_call_shows_what_a_person_says() -> None:
    live = LiveCalls()
    for event in call_with_a_person()[:-1]:
        live.take(event)
    assert "» thank you that is paid" in shown(live, 100)


def test_a_followed_call_says_what_it_is_doing() -> None:
    events = furious_call()
    seen = []
    live = LiveCalls()
    for event in events:
        live.take(event)
        if isinstance(event, TurnEnded | Decided | ProviderFailed | TurnAnswered):
            seen.append((type(event), shown(live, 100)))
    for kind, state in (
        (TurnEnded, "deciding"),
        (Decided, "answering"),
        (ProviderFailed, "failing over"),
        (TurnAnswered, "answering"),
    ):
        assert all(state in text for of, text in seen if of is kind)


def test_a_turn_that_moves_is_followed_to_the_engine_that_takes_it_over() -> None:
    live = LiveCalls()
    for event in furious_call():
        live.take(event)
        if isinstance(event, TurnMoved):
            break
    row = next(line for line in shown(live).splitlines() if "04_calm_becomes_furious" in line)
    assert "standard" in row
    assert "realtime" not in row


def test_masks_are_found_in_stored_text_and_counted_in_a_record() -> None:
    assert [(piece.text, piece.entity) for piece in pieces("card <CREDIT_CARD> or <PERSON_2>, a < b")] == [
        ("card ", ""),
        ("<CREDIT_CARD>", "CREDIT_CARD"),
        (" or ", ""),
        ("<PERSON_2>", "PERSON"),
        (", a < b", ""),
    ]
    assert masked(furious_call()) == {"CREDIT_CARD": 2, "EMAIL_ADDRESS": 2, "PERSON": 2, "ADDRESS": 1}
    assert str(redacted_text("card <CVV>")) == "card <CVV>"


def test_figures_are_written_the_same_everywhere() -> None:
    assert (clock(0), clock(64_240), clock(59_990)) == ("0:00.0", "1:04.2", "1:00.0")
    assert (length(76_900), milliseconds(None), milliseconds(6.14), milliseconds(1_575)) == (
        "1:17",
        "–",
        "6.1 ms",
        "1,575 ms",
    )
    assert (dollars(0.0491), dollars(12.5), count(1, "turn"), count(2, "turn")) == (
        "$0.0491",
        "$12.50",
        "1 turn",
        "2 turns",
    )
