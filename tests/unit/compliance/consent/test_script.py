"""What must be said to a caller, in which order and words, and what was never heard."""

from __future__ import annotations

import pytest

from compliance.consent import Disclosures, Passage, Script
from policies import shipped

pytestmark = pytest.mark.unit

DISCLOSURES = Disclosures.load(shipped("disclosures.yaml"))
HELLO, OFFER = "Hello.", "How can I help you?"


def script(jurisdiction: str = "eu", *wanted: str, language: str = "en") -> Script:
    return Script(DISCLOSURES.of(jurisdiction), wanted, language)  # type: ignore[arg-type]


def whats(passages: tuple[Passage, ...]) -> list[str | None]:
    return [passage.what for passage in passages]


def said(one: Script, passages: tuple[Passage, ...], *, cut: str = "") -> None:
    """All passages are heard, but one that is cut and those after it."""
    for passage in passages:
        if passage.what == cut:
            one.said(passage, complete=False)
            return
        one.said(passage, complete=True)


def test_what_is_disclosed_stands_between_the_greeting_and_the_offer() -> None:
    greeting = script("us", "recording").greeting(HELLO, OFFER)
    assert whats(greeting) == [None, "ai", "recording", None]
    assert (greeting[0].words, greeting[-1].words) == (HELLO, OFFER)


def test_a_question_comes_last_and_takes_the_offers_place() -> None:
    assert whats(script("eu", "recording", "emotion").greeting(HELLO, OFFER)) == [
        None,
        "ai",
        "emotion",
        "recording",
    ]


def test_what_the_line_does_not_do_is_not_spoken_of() -> None:
    assert whats(script("eu").greeting(HELLO, OFFER)) == [None, "ai", None]


def test_a_line_without_a_greeting_or_an_offer_has_no_empty_passages() -> None:
    assert whats(script("eu").greeting("", "")) == ["ai"]


def test_it_is_said_in_the_lines_language() -> None:
    assert "KI" in script("eu", language="de").greeting("", "")[0].words


def test_what_was_heard_is_not_said_again() -> None:
    one = script("us", "recording", "emotion")
    said(one, one.greeting(HELLO, OFFER))
    assert one.after_reply() == ()
    assert one.missed == ()


def test_what_was_cut_is_said_once_more_in_other_words_and_then_no_more() -> None:
    one = script("us", "recording")
    greeting = one.greeting(HELLO, OFFER)
    said(one, greeting, cut="ai")
    again = one.after_reply()
    assert whats(again) == ["ai", "recording"]
    assert again[0].words.startswith("To be clear")
    assert again[1].words == greeting[2].words  # not begun before, so said as it would have been
    said(one, again, cut="ai")
    assert one.missed == ("ai", "recording")
    assert whats(one.after_reply()) == ["recording"]


def test_who_asks_is_told_again_that_this_is_a_machine() -> None:
    one = script()
    said(one, one.greeting(HELLO, OFFER))
    one.asked_if_machine()
    again = one.after_reply()
    assert whats(again) == ["ai"]
    one.said(again[0], complete=False)
    assert one.after_reply() == ()
    assert one.missed == ()  # it was heard before


def test_that_an_objection_is_honoured_is_told_once_if_anything_ended() -> None:
    one = script("us", "recording")
    said(one, one.greeting(HELLO, OFFER))
    one.objected("recording", was_given=True)
    assert [passage.words for passage in one.after_reply()] == ["The recording has stopped."]
    assert one.after_reply() == ()
    one.objected("emotion", was_given=False)
    assert one.after_reply() == ()


def test_what_was_refused_needs_no_notice_any_more() -> None:
    one = script("us", "recording")
    said(one, one.greeting(HELLO, OFFER), cut="recording")
    one.objected("recording", was_given=False)
    assert one.after_reply() == ()
    assert one.missed == ()


def test_who_has_consented_is_not_asked_again_but_a_notice_is_still_owed() -> None:
    asked, told = script("eu", "recording"), script("us", "recording")
    for one in (asked, told):
        said(one, one.greeting(HELLO, OFFER), cut="recording")
        one.answered("recording")
    assert asked.after_reply() == ()
    assert whats(told.after_reply()) == ["recording"]
