from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from compliance.clock import CallClock
from compliance.events import Event, PreviewSettled
from engines.generations import Generation
from engines.previews import Previews
from engines.record import Record
from engines.routing import Route

pytestmark = pytest.mark.unit


@dataclass
class Kept:
    events: list[Event] = field(default_factory=list)

    def previews(self) -> Previews:
        return Previews(("fast", "tool"), Record(self.events.append, CallClock(), "c"), aware={"tool"})

    @property
    def settled(self) -> list[tuple[int, str, bool]]:
        return [(one.turn, one.engine, one.used) for one in self.events if isinstance(one, PreviewSettled)]


def generation(number: int = 1) -> Generation:
    return Generation(number, "fast", 0)


def test_a_preview_by_the_engine_decided_is_used_once_it_is_heard() -> None:
    kept, reply = Kept(), generation()
    previews = kept.previews()
    previews.begin(reply, Route(1, "tool"))
    assert previews.decided(Route(1, "tool"))
    assert reply.confirmed
    assert kept.settled == []
    previews.heard()
    previews.heard()
    assert kept.settled == [(1, "tool", True)]


def test_a_preview_by_another_engine_is_thrown_away() -> None:
    kept, reply = Kept(), generation()
    previews = kept.previews()
    previews.begin(reply, Route(1, "fast"))
    assert not previews.decided(Route(1, "tool"))
    assert reply.closed
    assert kept.settled == [(1, "fast", False)]


@pytest.mark.parametrize("decided", ["fast", "tool"])
def test_a_preview_that_moved_to_another_engine_is_used_for_either(decided: str) -> None:
    kept, reply = Kept(), generation()
    previews = kept.previews()
    previews.begin(reply, Route(1, "fast"))
    reply.engine = "tool"
    assert previews.decided(Route(1, decided))
    assert previews.adopted is reply


def test_a_preview_that_moved_to_an_engine_which_may_not_answer_the_turn_is_thrown_away() -> None:
    kept, reply = Kept(), generation()
    previews = kept.previews()
    previews.begin(reply, Route(1, "fast"))
    reply.engine = "tool"
    assert not previews.decided(Route(1, "fast", frozenset({"tool"})))
    assert reply.closed
    assert kept.settled == [(1, "tool", False)]


def test_a_preview_knows_who_may_not_answer_it_by_the_newest_word_on_it() -> None:
    reply = generation()
    previews = Kept().previews()
    previews.begin(reply, Route(1, "fast", frozenset({"tool"})))
    assert reply.denied == {"tool"}
    previews.decided(Route(1, "fast", frozenset({"standard"})))
    assert reply.denied == {"standard"}


def test_a_preview_with_more_of_the_words_supersedes_the_one_before() -> None:
    kept, first, second = Kept(), generation(1), generation(2)
    previews = kept.previews()
    previews.begin(first, Route(1, "fast"))
    previews.begin(second, Route(1, "fast"))
    assert first.closed
    assert previews.decided(Route(1, "fast"))
    previews.heard()
    assert kept.settled == [(1, "fast", False), (1, "fast", True)]


def test_a_realtime_engine_previews_nothing_and_counts_nothing() -> None:
    kept, reply = Kept(), generation()
    previews = kept.previews()
    previews.begin(reply, Route(1, "realtime"))
    assert reply.closed
    assert not previews.decided(Route(1, "fast"))
    assert kept.settled == []


def test_a_preview_that_livekit_drops_because_the_words_changed_was_not_used() -> None:
    kept = Kept()
    previews = kept.previews()
    previews.begin(generation(), Route(1, "fast"))
    previews.decided(Route(1, "fast"))
    previews.thrown_away()
    assert kept.settled == [(1, "fast", False)]


def test_a_preview_that_the_caller_cuts_before_it_is_heard_was_used() -> None:
    kept = Kept()
    previews = kept.previews()
    previews.begin(generation(), Route(1, "fast"))
    previews.decided(Route(1, "fast"))
    assert previews.decided(Route(2, "fast"))
    assert kept.settled == [(1, "fast", True)]


def test_a_turn_without_a_preview_needs_nothing_thrown_away() -> None:
    kept = Kept()
    assert kept.previews().decided(Route(1, "tool"))
    assert kept.settled == []


def test_a_preview_that_did_not_know_how_the_caller_sounds_is_thrown_away_where_that_matters() -> None:
    kept, reply = Kept(), generation()
    previews = kept.previews()
    previews.begin(reply, Route(1, "tool"))
    assert not previews.decided(Route(1, "tool", manner="upset"))
    assert kept.settled == [(1, "tool", False)]


def test_where_it_does_not_matter_how_the_caller_sounds_the_preview_is_kept() -> None:
    kept, reply = Kept(), generation()
    previews = kept.previews()
    previews.begin(reply, Route(1, "fast"))
    assert previews.decided(Route(1, "fast", manner="upset"))
    assert reply.confirmed
