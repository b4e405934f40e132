"""Circuit breakers: whom they let ask, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.circuits import Circuit, Circuits, Happened, Limits, State, What

pytestmark = pytest.mark.unit

PLAIN = Limits(jitter=0.0)
STEPS = st.lists(
    st.tuples(
        st.floats(0, 40, allow_nan=False),
        st.sampled_from(["asked", "worked", "failed"]),
        st.sampled_from("ab"),
        st.sampled_from("xyz"),
    ),
    max_size=60,
)


def happenings(steps: Sequence[tuple[float, What, str, str]]) -> list[Happened]:
    """Steps of (seconds since the one before, what, whose, who), as they happened."""
    at_s, found = 0.0, []
    for later_s, what, name, who in steps:
        at_s += later_s
        found.append(Happened(at_s, name, what, who))
    return found


def failed(times: int, limits: Limits = PLAIN, *, at_s: float = 0.0) -> Circuit:
    circuit = Circuit("x", limits)
    for _ in range(times):
        circuit = circuit.failed(at_s)
    return circuit


def test_failures_in_a_row_open_it() -> None:
    assert failed(2).state(0) is State.CLOSED
    assert failed(3).state(0) is State.OPEN
    assert not failed(3).may_ask(0, "me")


def test_a_failure_now_and_then_does_not_open_it() -> None:
    circuit = Circuit("x", PLAIN)
    for second in range(50):
        circuit = circuit.failed(second) if second % 3 == 0 else circuit.worked(second)
    assert circuit.state(50) is State.CLOSED


def test_many_failures_open_it_though_others_work() -> None:
    circuit, outcomes = Circuit("x", PLAIN), [False, True, False, True, True]
    for second, worked in enumerate(outcomes):
        circuit = circuit.worked(second) if worked else circuit.failed(second)
    assert circuit.state(5) is State.CLOSED  # too few to tell
    assert circuit.failed(5).state(5) is State.OPEN  # three of six


def test_failures_long_ago_count_no_more() -> None:
    circuit = failed(2)
    assert circuit.failed(PLAIN.window_s + 1).state(PLAIN.window_s + 1) is State.CLOSED


def test_after_its_cool_down_one_may_try_it() -> None:
    circuit = failed(3)
    assert circuit.state(14.9) is State.OPEN
    assert circuit.state(15) is State.HALF_OPEN
    probed = circuit.asked(15, "me")
    assert probed.may_ask(16, "me")
    assert not probed.may_ask(16, "another")
    assert probed.asked(16, "another") == probed


def test_a_probe_of_which_nothing_is_heard_keeps_nobody_from_the_next() -> None:
    probed = failed(3).asked(15, "me")
    assert not probed.may_ask(35, "another")
    assert probed.may_ask(35.1, "another")


def test_a_probe_that_works_closes_it() -> None:
    circuit = failed(3).asked(15, "me").worked(16)
    assert circuit.state(16) is State.CLOSED
    assert circuit.failed(17).failed(17).state(17) is State.CLOSED  # what was before is forgotten


def test_it_can_want_more_than_one_probe_to_work() -> None:
    circuit = failed(3, replace(PLAIN, successes=2)).asked(15, "me").worked(16)
    assert circuit.state(16) is State.HALF_OPEN
    assert circuit.may_ask(16, "another")
    assert circuit.worked(17).state(17) is State.CLOSED


def test_a_probe_that_fails_opens_it_for_twice_as_long() -> None:
    circuit = failed(3).asked(15, "me").failed(16)
    assert circuit.state(45.9) is State.OPEN
    assert circuit.state(46) is State.HALF_OPEN


def test_a_cool_down_has_an_end() -> None:
    circuit, now_s = failed(3), 15.0
    for _ in range(100):
        assert circuit.until_s is not None
        now_s = circuit.until_s
        circuit = circuit.failed(now_s)
    assert circuit.until_s == now_s + PLAIN.longest_cool_down_s


def test_one_that_opens_again_soon_stays_open_longer_and_one_that_was_well_does_not() -> None:
    closed = failed(3).asked(15, "me").worked(16)
    soon, late = 20.0, 16.0 + PLAIN.window_s + 1
    for at_s, cool_down_s in ((soon, 30.0), (late, 15.0)):
        again = closed.failed(at_s).failed(at_s).failed(at_s)
        assert again.until_s == at_s + cool_down_s


def test_what_comes_late_while_it_is_open_changes_nothing() -> None:
    circuit = failed(3)
    assert circuit.worked(1) == circuit
    assert circuit.failed(1) == circuit


def test_machines_do_not_all_probe_at_once() -> None:
    ends = set()
    for salt in "abcdefgh":
        circuit = Circuit("x", Limits(), salt)
        for _ in range(3):
            circuit = circuit.failed(0)
        assert circuit.until_s is not None
        assert 12.0 <= circuit.until_s <= 18.0
        ends.add(circuit.until_s)
    assert len(ends) == 8


@given(STEPS)
def test_who_folds_the_same_knows_the_same(steps: list[tuple[float, What, str, str]]) -> None:
    found = happenings(steps)
    at_once, one_by_one = Circuits(salt="s"), Circuits(salt="s")
    at_once.take(found)
    for one in found:
        one_by_one.take([one])
    assert [at_once.of(name) for name in "ab"] == [one_by_one.of(name) for name in "ab"]


@given(STEPS)
def test_half_open_lets_at_most_one_ask(steps: list[tuple[float, What, str, str]]) -> None:
    circuits = Circuits()
    for one in happenings(steps):
        before = circuits.of(one.name)
        circuits.take([one])
        circuit = circuits.of(one.name)
        if circuit.state(one.at_s) is State.HALF_OPEN and circuit.probe is not None:
            assert [who for who in "xyz" if circuit.may_ask(one.at_s, who)] == [circuit.probe[0]] or (
                one.at_s - circuit.probe[1] > Limits().probe_s
            )
        if before.state(one.at_s) is State.OPEN:  # nothing shortens a cool-down
            assert circuit == before


@given(STEPS)
def test_it_opens_only_for_failures_and_closes_only_for_successes(
    steps: list[tuple[float, What, str, str]],
) -> None:
    circuits = Circuits()
    for one in happenings(steps):
        before = circuits.of(one.name).state(one.at_s)
        circuits.take([one])
        match before, circuits.of(one.name).state(one.at_s):
            case (State.CLOSED | State.HALF_OPEN, State.OPEN):
                assert one.what == "failed"
            case (State.HALF_OPEN, State.CLOSED):
                assert one.what == "worked"
            case (was, now):
                assert was is now


@given(STEPS)
def test_it_always_lets_somebody_ask_again(steps: list[tuple[float, What, str, str]]) -> None:
    circuits, found = Circuits(), happenings(steps)
    circuits.take(found)
    limits, last_s = Limits(), found[-1].at_s if found else 0.0
    later_s = last_s + limits.longest_cool_down_s * (1 + limits.jitter) + limits.probe_s + 1
    assert all(circuits.of(name).may_ask(later_s, "somebody else") for name in "ab")
