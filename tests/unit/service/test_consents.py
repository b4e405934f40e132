"""The consents of a call: what is put on record of what was played and said, and who is told."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from compliance.clock import CallClock
from compliance.consent import Disclosures, Passage, Wording
from compliance.events import ConsentChanged, Disclosed, DisclosureMissed, Event, Topic
from policies import shipped
from service.consents import SLACK_MS, CallConsents
from tests.agreed import PASSAGE_MS, Recited, heard, hears_out

pytestmark = pytest.mark.unit

DISCLOSURES = Disclosures.load(shipped("disclosures.yaml"))
ALL: tuple[Topic, ...] = ("recording", "emotion", "voice_ai")


class Kept:
    """Consents whose events and changes are kept."""

    def __init__(self, jurisdiction: str = "eu", wanted: Collection[Topic] = ALL) -> None:
        self.events: list[Event] = []
        self.told: list[tuple[Topic, bool]] = []
        self.consents = CallConsents(
            DISCLOSURES.of(jurisdiction),
            wanted=wanted,
            language="en",
            clock=CallClock(monotonic=lambda: 100.0, wall=lambda: 100.0),
            emit=self.events.append,
            call_id="call",
            changed=lambda what, given: self.told.append((what, given)),
        )

    def greeted(self) -> tuple[Passage, ...]:
        self.consents.answered()
        return self.consents.greeting("Hello.", "How can I help you?")

    def says(self, text: str, turn: int = 1) -> None:
        self.consents.heard(text, turn, ended=True)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def changes(self) -> list[tuple[str, bool, str]]:
        return [(event.what, event.given, event.how) for event in self.of(ConsentChanged)]

    @property
    def given(self) -> set[str]:
        return {
            name.removeprefix("caller.consent_") for name, value in self.consents.signals().items() if value
        }


def test_what_the_settings_give_is_on_record_from_the_start() -> None:
    kept = Kept("other")
    kept.consents.answered()
    assert kept.changes == [("emotion", True, "setting"), ("voice_ai", True, "setting")]
    assert kept.told == [("emotion", True), ("voice_ai", True)]
    assert kept.given == {"emotion", "voice_ai"}


def test_what_was_heard_is_on_record_with_its_place_its_share_and_its_words() -> None:
    kept = Kept()
    passages = kept.greeted()
    hears_out(kept.consents, passages)
    told = kept.of(Disclosed)
    assert [(one.what, one.complete, one.heard_share) for one in told] == [
        ("ai", True, 1.0),
        ("emotion", True, 1.0),
        ("recording", True, 1.0),
    ]
    assert [(one.start_ms, one.end_ms) for one in told] == [
        (500 + number * PASSAGE_MS, 500 + (number + 1) * PASSAGE_MS) for number in (1, 2, 3)
    ]
    assert [one.version for one in told] == [Wording.version(passage.words) for passage in passages[1:]]
    assert kept.given == {"call.ai_disclosed", "emotion", "voice_ai"}


@pytest.mark.parametrize(
    ("heard_ms", "synthesised", "told"),
    [
        (0.0, 9, []),
        (PASSAGE_MS, 9, []),
        (1.25 * PASSAGE_MS, 9, [("ai", False, 0.25)]),
        (2 * PASSAGE_MS - SLACK_MS, 9, [("ai", True, 0.96)]),
        (2 * PASSAGE_MS - SLACK_MS - 1, 9, [("ai", False, 0.959)]),
        (2 * PASSAGE_MS, 1, [("ai", False, 1.0)]),
        (2.5 * PASSAGE_MS, 9, [("ai", True, 1.0), ("emotion", False, 0.5)]),
    ],
)
def test_what_was_cut_is_on_record_as_cut(
    heard_ms: float, synthesised: int, told: list[tuple[str, bool, float]]
) -> None:
    kept = Kept()
    passages, recital = kept.greeted(), Recited(synthesised)
    kept.consents.played(passages, recital, heard(heard_ms), 0)  # type: ignore[arg-type]
    assert [(one.what, one.complete, pytest.approx(one.heard_share)) for one in kept.of(Disclosed)] == told
    assert kept.consents.signals()["call.ai_disclosed"] is any(complete for _, complete, _ in told)


def test_what_was_never_played_leaves_no_trace_and_is_still_owed() -> None:
    kept = Kept("other", wanted=[])
    passages = kept.greeted()
    kept.consents.played(passages, Recited(), None, 0)  # type: ignore[arg-type]
    assert kept.of(Disclosed) == []
    assert [one.what for one in kept.consents.after_reply()] == ["ai"]
    kept.consents.ended(9.0)
    assert [one.what for one in kept.of(DisclosureMissed)] == [("ai",)]


def test_a_call_in_which_all_was_heard_has_missed_nothing() -> None:
    kept = Kept()
    hears_out(kept.consents, kept.greeted())
    kept.consents.ended(9.0)
    assert kept.of(DisclosureMissed) == []


@pytest.mark.parametrize(
    ("answer", "change"),
    [
        ("yes, that's fine", ("recording", True, "stated")),
        ("no, I'd rather not", ("recording", False, "stated")),
        ("please don't record this call", ("recording", False, "stated")),
        ("you may record this", ("recording", True, "stated")),
    ],
)
def test_a_question_is_answered_by_the_turn_after_it(answer: str, change: tuple[str, bool, str]) -> None:
    kept = Kept("eu", wanted=["recording"])
    hears_out(kept.consents, kept.greeted())
    kept.says(answer)
    assert kept.changes == [change]
    kept.says("yes", 2)
    assert kept.changes == [change]


def test_who_goes_on_after_a_notice_has_consented_where_that_is_the_law() -> None:
    kept = Kept("us-ca", wanted=["recording"])
    hears_out(kept.consents, kept.greeted())
    kept.consents.heard("where is my", 1, ended=False)
    assert kept.changes == []
    kept.says("where is my order")
    assert kept.changes == [("recording", True, "by staying")]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("could you stop recording please", "recording"),
        ("don't analyse my voice", "emotion"),
        ("i don't want an AI listening to me", "voice_ai"),
    ],
)
def test_an_objection_counts_before_the_caller_has_finished_and_is_confirmed_after_the_reply(
    words: str, what: str
) -> None:
    kept = Kept("uk")
    hears_out(kept.consents, kept.greeted())
    assert kept.given == {"call.ai_disclosed", *ALL}
    kept.consents.heard(words, 1, ended=False)
    assert kept.changes[-1] == (what, False, "revoked")
    assert kept.told[-1] == (what, False)
    kept.says(words)
    assert what not in kept.given
    assert len(kept.changes) == 4
    [confirmed] = kept.consents.after_reply()
    assert confirmed.what is None
    assert "no longer" in confirmed.words or "stopped" in confirmed.words


def test_a_consent_taken_back_can_be_given_again() -> None:
    kept = Kept("uk", wanted=["recording"])
    hears_out(kept.consents, kept.greeted())
    kept.says("stop recording")
    kept.says("actually you can record again", 2)
    assert [given for _, given, _ in kept.changes] == [True, False, True]


def test_who_asks_whether_this_is_a_machine_is_told_after_the_reply() -> None:
    kept = Kept(wanted=[])
    hears_out(kept.consents, kept.greeted())
    kept.says("am I talking to a robot?")
    assert [one.what for one in kept.consents.after_reply()] == ["ai"]
