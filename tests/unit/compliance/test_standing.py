"""Whatever happens in whatever order, a hold and an erasure never both have effect on the same thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.oversight import Erased, ErasureOrdered, HoldPlaced, HoldReleased, OversightEvent
from compliance.standing import CALL, Standing

pytestmark = pytest.mark.unit

CALLS = st.sampled_from(["a", "b"])
HOLDS = st.sampled_from(["h1", "h2"])
THINGS = st.sampled_from([CALL, "recording"])
BY = {"at": "2026-11-20T12:00:00Z", "actor": "token:pia", "role": "privacy_officer"}


@st.composite
def events(draw: st.DrawFn) -> OversightEvent:
    call = draw(CALLS)
    match draw(st.integers(0, 3)):
        case 0:
            return HoldPlaced(call_id=call, hold=draw(HOLDS), reason="r", **BY)
        case 1:
            return HoldReleased(call_id=call, hold=draw(HOLDS), reason="r", **BY)
        case 2:
            return ErasureOrdered(call_id=call, what=draw(THINGS), reason="r", **BY)
        case _:
            return Erased(call_id=call, what=draw(THINGS), items=1, **BY)


STORIES = st.lists(events(), max_size=30)


@given(STORIES)
def test_a_call_whose_erasure_has_effect_is_not_held(story: list[OversightEvent]) -> None:
    standing = Standing.of(story)
    for call in standing.holds:
        assert (call, CALL) not in standing.ordered
        assert (call, CALL) not in standing.gone


@given(STORIES)
def test_what_is_gone_stays_gone_and_what_was_ordered_is_ordered_or_gone(story: list[OversightEvent]) -> None:
    before = Standing.of(())
    for end in range(len(story) + 1):
        now = Standing.of(story[:end])
        assert set(before.gone) <= set(now.gone)
        assert set(before.ordered) <= set(now.ordered) | set(now.gone)
        before = now


@given(STORIES)
def test_nothing_is_gone_without_an_order_that_had_effect(story: list[OversightEvent]) -> None:
    orders = {(event.call_id, event.what) for event in story if isinstance(event, ErasureOrdered)}
    assert set(Standing.of(story).gone) <= orders


@given(STORIES)
def test_a_hold_in_force_keeps_out_every_order_after_it(story: list[OversightEvent]) -> None:
    standing = Standing.of(story)
    for call in standing.holds:
        more = [*story, ErasureOrdered(call_id=call, what="recording", reason="r", **BY)]
        assert set(Standing.of(more).ordered) == set(standing.ordered)


def test_what_is_kept_of_an_erased_call_is_gone_with_it() -> None:
    order = ErasureOrdered(call_id="a", what=CALL, reason="r", **BY)
    assert Standing.of([order]).is_going("a", "recording")
    standing = Standing.of([order, Erased(call_id="a", what=CALL, items=1, **BY)])
    assert standing.is_gone("a", "recording")
    assert not standing.is_going("a")
