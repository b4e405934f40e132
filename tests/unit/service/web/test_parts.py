"""The small parts: rates, order, replies and wording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from compliance.events import Event, PartFailed
from service.settings import Settings
from service.web import rates
from service.web.in_order import InOrder
from service.web.rates import Rates
from service.web.replies import Replies
from service.web.telling import says

pytestmark = pytest.mark.unit


# -- rates ----------------------------------------------------------------------------------------------------
@given(st.lists(st.floats(0, 5), max_size=60))
def test_nobody_asks_more_often_than_the_burst_and_the_rate_allow(pauses_s: list[float]) -> None:
    limit, now_s, allowed = Rates(60.0, 3), 0.0, 0
    for pause_s in pauses_s:
        now_s += pause_s
        allowed += limit.wait_s("a client", now_s) == 0
    assert allowed <= 3 + now_s + 1e-6


def test_who_waits_as_long_as_told_may_ask() -> None:
    limit = Rates(2.0, 1)
    assert limit.wait_s("a client", 0.0) == 0
    wait_s = limit.wait_s("a client", 7.0)
    assert limit.wait_s("another", 7.0) == 0
    assert limit.wait_s("a client", 7.0 + wait_s) == 0


def test_clients_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST_CLIENTS", 2)
    limit = Rates(1.0, 1)
    assert [limit.wait_s(client, 0.0) for client in "abc"] == [0, 0, 0]
    assert limit.wait_s("c", 0.0) > 0
    assert limit.wait_s("a", 0.0) == 0, "the one that asked longest ago was forgotten"


# -- order ----------------------------------------------------------------------------------------------------
def event(name: str) -> Event:
    return PartFailed(call_id="a call", at_ms=0, part="call", error=name, action="none")


@given(st.permutations(range(6)))
def test_what_was_said_is_on_record_in_its_order_whenever_it_becomes_known(order: list[int]) -> None:
    emitted: list[Event] = []
    places = InOrder(emitted.append, patience_ms=1000, now_ms=lambda: 0.0)
    for place in range(6):
        places.keep(place)
    for place in order:
        places.fill(place, event(str(place)))
    assert emitted == [event(str(place)) for place in range(6)]


def test_what_never_becomes_known_holds_the_rest_up_only_so_long() -> None:
    now_ms = 0.0
    emitted: list[Event] = []
    places = InOrder(emitted.append, patience_ms=1000, now_ms=lambda: now_ms)
    places.keep("never")
    places.add(event("after"))
    assert emitted == []
    now_ms = 1001.0
    places.add(event("later"))
    assert emitted == [event("after"), event("later")]
    places.fill("never", event("at last"))
    assert emitted[-1] == event("at last")


def test_at_the_end_all_that_is_known_goes_out() -> None:
    emitted: list[Event] = []
    places = InOrder(emitted.append, patience_ms=1000, now_ms=lambda: 0.0)
    places.keep("unknown")
    places.add(event("known"))
    assert places.give_up() == ["unknown"]
    assert emitted == [event("known")]


# -- replies --------------------------------------------------------------------------------------------------
class Asked:
    """Replies, and what the vendor was asked for."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self.replies = Replies(self.sent.append)

    def said(self) -> list[str]:
        return [one["response"]["instructions"] for one in self.sent]


def test_replies_are_asked_for_one_at_a_time_and_known_by_their_labels() -> None:
    asked = Asked()
    asked.replies.began("")
    first, _ = asked.replies.ask(instructions="first"), asked.replies.ask(instructions="second")
    assert asked.said() == []
    asked.replies.done()
    assert asked.said() == ["first"]
    assert asked.sent[0]["event_id"] == asked.sent[0]["response"]["metadata"]["patchbay"] == first
    asked.replies.began(first)
    asked.replies.done()
    assert asked.said() == ["first", "second"]


def test_a_reply_for_which_the_vendor_was_busy_is_asked_for_again_when_it_is_free() -> None:
    asked = Asked()
    ours = asked.replies.ask(instructions="ours")
    asked.replies.began("")  # the vendor had begun one of its own accord
    asked.replies.refused(ours, busy=True)
    assert asked.said() == ["ours"]
    asked.replies.done()
    assert asked.said() == ["ours", "ours"]


def test_a_reply_that_the_vendor_will_not_make_holds_up_no_other() -> None:
    asked = Asked()
    ours = asked.replies.ask(instructions="ours")
    asked.replies.ask(instructions="next")
    asked.replies.refused("somebody else's", busy=False)
    assert asked.said() == ["ours"]
    asked.replies.refused(ours, busy=False)
    assert asked.said() == ["ours", "next"]


def test_after_a_lost_connection_replies_are_asked_for_again() -> None:
    asked = Asked()
    asked.replies.ask(instructions="lost")
    asked.replies.lost()
    asked.replies.ask(instructions="next")
    assert asked.said() == ["lost", "next"]


def test_what_is_of_no_use_any_more_is_cancelled_before_another_is_asked_for() -> None:
    asked = Asked()
    first = asked.replies.ask(instructions="first")
    asked.replies.began(first)
    asked.replies.ask(instructions="next")
    asked.replies.abandon()
    asked.replies.ask(instructions="instead")
    assert [one["type"] for one in asked.sent] == ["response.create", "response.cancel"]
    asked.replies.done()
    assert asked.sent[-1]["response"]["instructions"] == "instead"


def test_a_reply_that_never_begins_is_not_cancelled_for_the_vendor_knows_none() -> None:
    asked = Asked()
    asked.replies.ask(instructions="never begun")
    asked.replies.abandon()
    asked.replies.ask(instructions="instead")
    assert asked.said() == ["never begun", "instead"]


# -- disclosures ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello. You are speaking with an AI system. How can I help?", True),
        ("hello, you are speaking with an a.i. system", False),
        ("You're speaking with an AI system!", False),
        ("You are speaking", False),
        ("YOU ARE SPEAKING — WITH AN AI SYSTEM", True),
        ("", False),
    ],
)
def test_a_disclosure_was_said_when_its_words_were(text: str, said: bool) -> None:
    assert says(text, "You are speaking with an AI system.") is said


# -- settings -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "origins",
    ["*", "https://shop.example.com/", "shop.example.com", "https://Shop.example.com", "https://a b"],
)
def test_what_is_no_origin_lets_no_page_in(origins: str) -> None:
    with pytest.raises(ValidationError, match="origin"):
        Settings(web_origins=origins)


def test_several_origins_are_separated_by_commas() -> None:
    settings = Settings(web_origins="https://shop.example.com, http://localhost:8080,")
    assert settings.page_origins() == {"https://shop.example.com", "http://localhost:8080"}


@pytest.mark.parametrize(("name", "value"), [("web_secret_s", 601), ("web_join_s", 601), ("web_secret_s", 9)])
def test_credentials_of_pages_last_ten_seconds_to_ten_minutes(name: str, value: int) -> None:
    with pytest.raises(ValidationError):
        Settings(**{name: value})  # type: ignore[arg-type]
