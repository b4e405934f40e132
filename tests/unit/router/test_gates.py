"""Gates of a rule: the hours in which it exists, and the share of calls for which it does."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import Memory, Policy, Signals
from router.gates import Rollout, pick, share

pytestmark = pytest.mark.unit

POLICY = """
policy: {{name: t, version: 1}}
engines: {{fast: {{}}, standard: {{}}}}
rules:
  - {{id: gated, when: true, route: fast, {gate}, because: so}}
  - {{id: otherwise, when: true, route: standard, because: so}}
"""


def gated(gate: str) -> Policy:
    return Policy.parse(POLICY.format(gate=gate))


def open_at(schedule: str, *moments: str) -> list[bool]:
    """Whether a rule with the schedule exists at each moment, given in ISO 8601 with its offset from UTC."""
    policy, found = gated(f"schedule: {{{schedule}}}"), []
    for moment in moments:
        unix_s = int(datetime.fromisoformat(moment).timestamp())
        decision, _ = policy.decide(Signals({"time.unix_s": unix_s}), Memory.start("c"))
        found.append(decision.rule == "gated")
    return found


def takes(gate: str, calls: int = 10_000, **signals: str) -> set[int]:
    """The calls, of so many, for which a rule with the gate exists."""
    policy, values = gated(gate), Signals(signals)
    return {
        number
        for number in range(calls)
        if policy.decide(values, Memory.start(f"call-{number}"))[0].rule == "gated"
    }


# -- schedules --------------------------------------------------------------------------------------------------
def test_a_schedule_begins_with_its_first_minute_and_ends_before_its_last() -> None:
    moments = ("08:59:59", "09:00:00", "16:59:59", "17:00:00")
    expected = [False, True, True, False]
    assert (
        open_at('from: "09:00", to: "17:00", tz: UTC', *(f"2026-12-15T{at}Z" for at in moments)) == expected
    )


def test_a_schedule_without_hours_is_open_all_day_on_its_days() -> None:
    saturday, sunday = "2026-12-19T00:00Z", "2026-12-20T23:59Z"
    assert open_at("days: [sat], tz: UTC", saturday, sunday, "2026-12-18T23:59Z") == [True, False, False]
    assert open_at("tz: UTC", saturday, sunday) == [True, True]


def test_hours_of_which_one_is_left_out_run_from_or_to_midnight() -> None:
    moments = ("2026-12-15T00:00Z", "2026-12-15T06:59Z", "2026-12-15T07:00Z", "2026-12-15T23:59Z")
    assert open_at('to: "07:00", tz: UTC', *moments) == [True, True, False, False]
    assert open_at('from: "07:00", tz: UTC', *moments) == [False, False, True, True]
    assert open_at('from: "07:00", to: "24:00", tz: UTC', *moments) == [False, False, True, True]
    assert open_at('from: "07:00", to: "00:00", tz: UTC', *moments) == [False, False, True, True]


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    night = 'days: fri, from: "22:00", to: "06:00", tz: UTC'
    thursday, friday, saturday = "2026-12-17", "2026-12-18", "2026-12-19"
    assert open_at(night, f"{thursday}T23:00Z", f"{friday}T05:59Z", f"{friday}T21:59Z") == [False] * 3
    assert open_at(night, f"{friday}T22:00Z", f"{saturday}T00:00Z", f"{saturday}T05:59Z") == [True] * 3
    assert open_at(night, f"{saturday}T06:00Z", f"{saturday}T22:00Z") == [False] * 2


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("mon-fri", "1111100"),
        ("fri-mon", "1000111"),
        ("sun-sun", "0000001"),
        ("sat,sun", "0000011"),
        ("Mon - Wed, FRI", "1110100"),
        ("[tue, thu-fri]", "0101100"),
        ("sun-sat", "1111111"),
        ("mon-mon", "1000000"),
    ],
)
def test_days_are_named_listed_and_spanned_also_over_the_end_of_the_week(days: str, expected: str) -> None:
    days = days if days.startswith("[") else f'"{days}"'
    week = [f"2026-12-{day}T12:00Z" for day in range(14, 21)]  # Monday to Sunday
    assert "".join("01"[found] for found in open_at(f"days: {days}, tz: UTC", *week)) == expected


def test_hours_are_those_of_the_place() -> None:
    evening = 'days: [tue], from: "18:00", to: "22:00", tz: {}'
    tuesday_in_tokyo = "2026-12-15T19:00+09:00"
    assert open_at(evening.format("Asia/Tokyo"), tuesday_in_tokyo) == [True]
    assert open_at(evening.format("Europe/Berlin"), tuesday_in_tokyo, "2026-12-15T19:00+01:00") == [
        False,
        True,
    ]
    # Wednesday in Auckland while it is Tuesday in Berlin.
    assert open_at("days: [wed], tz: Pacific/Auckland", "2026-12-15T13:00+01:00") == [True]


def test_summer_time_moves_the_hours_with_the_clocks_on_the_wall() -> None:
    morning = 'from: "08:00", to: "09:00", tz: Europe/Berlin'
    winter, summer = "2026-03-28T07:30Z", "2026-03-29T06:30Z"
    assert open_at(morning, winter, summer, "2026-03-29T07:30Z") == [True, True, False]


def test_an_hour_that_the_clocks_skip_is_in_no_schedule_and_one_they_repeat_is_in_it_twice() -> None:
    small_hours = 'from: "02:00", to: "03:00", tz: Europe/Berlin'
    spring = [f"2026-03-29T{at}Z" for at in ("00:59", "01:00", "01:59")]  # 01:59, 03:00, 03:59
    autumn = [
        f"2026-10-25T{at}Z" for at in ("00:00", "00:59", "01:00", "01:59", "02:00")
    ]  # 02:00 … 02:59 … 03:00
    assert open_at(small_hours, *spring) == [False] * 3
    assert open_at(small_hours, *autumn) == [True, True, True, True, False]


def test_a_night_in_which_the_clocks_change_is_an_hour_shorter_or_longer() -> None:
    def hours(*days: str) -> int:
        moments = [f"{day}T{hour:02}:30Z" for day in days for hour in range(24)]
        return sum(open_at('from: "22:00", to: "06:00", tz: Europe/Berlin, days: [sat]', *moments))

    assert hours("2026-03-28", "2026-03-29") == 7
    assert hours("2026-10-24", "2026-10-25") == 9
    assert hours("2026-11-07", "2026-11-08") == 8


def test_since_and_until_are_days_of_the_place_and_both_in_it() -> None:
    december = "since: 2026-12-01, until: 2026-12-31, tz: Europe/Berlin"
    assert open_at(december, "2026-11-30T23:59+01:00", "2026-12-01T00:00+01:00") == [False, True]
    assert open_at(december, "2026-12-31T23:59+01:00", "2027-01-01T00:00+01:00") == [True, False]
    # The last night ends the morning after, and the morning of the first day belongs to the night before it.
    night = f'{december}, from: "22:00", to: "06:00"'
    assert open_at(night, "2026-12-01T05:00+01:00", "2027-01-01T05:00+01:00") == [False, True]


def test_a_date_may_be_quoted() -> None:
    assert open_at('since: "2026-12-01", tz: UTC', "2026-11-30T12:00Z", "2026-12-01T12:00Z") == [False, True]


def test_a_schedule_is_closed_when_the_time_is_not_known() -> None:
    decision, _ = gated("schedule: {tz: UTC}").decide(Signals(), Memory.start("c"))
    assert (decision.rule, decision.tried[0]) == ("otherwise", ("gated", "outside its hours"))


@given(st.integers(0, 2**33), st.sampled_from(["Pacific/Kiritimati", "Pacific/Niue", "Europe/Berlin"]))
def test_every_time_that_can_be_signalled_is_inside_or_outside(unix_s: int, zone: str) -> None:
    night = f'schedule: {{from: "22:00", to: "06:00", days: [sun], tz: {zone}}}'
    decision, _ = gated(night).decide(Signals({"time.unix_s": unix_s}), Memory.start("c"))
    assert decision.rule in ("gated", "otherwise")


def test_a_hold_does_not_keep_a_rule_beyond_its_hours() -> None:
    policy = Policy.parse(
        POLICY.format(gate='hold: true, schedule: {to: "12:00", tz: UTC}').replace(
            "when: true, route: fast", "when: turn.count == 1, route: fast"
        )
    )
    memory, engines = Memory.start("c"), []
    for number, at in enumerate(("11:58", "11:59", "12:00"), 1):
        unix_s = int(datetime.fromisoformat(f"2026-12-15T{at}Z").astimezone(UTC).timestamp())
        decision, memory = policy.decide(Signals({"turn.count": number, "time.unix_s": unix_s}), memory)
        engines.append(decision.engine)
    assert engines == ["fast", "fast", "standard"]


# -- rollouts ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("percent", [1, 10, 33.3, 50, 90])
def test_a_rollout_takes_its_share_of_the_calls(percent: float) -> None:
    taken, expected = len(takes(f"rollout: {{percent: {percent}}}")) / 10_000, percent / 100
    # Five standard deviations of a binomial: one run in two million is farther off, and the ids are the same in all.
    assert abs(taken - expected) < 5 * math.sqrt(expected * (1 - expected) / 10_000)


def test_nought_percent_takes_no_call_and_a_hundred_takes_all() -> None:
    assert takes("rollout: {percent: 0}", 1000) == set()
    assert takes("rollout: {percent: 100}", 1000) == set(range(1000))


def test_the_largest_hash_there_is_falls_below_a_hundred_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    class Largest:
        def digest(self) -> bytes:
            return b"\xff" * 32

    monkeypatch.setattr("router.gates.hashlib.sha256", lambda _: Largest())
    assert Rollout(100.0).includes("salt", "rule", "call")
    assert not Rollout(99.999_999).includes("salt", "rule", "call")
    assert pick([1.0, 1.0], share("salt", "rule", "call")) == 1


def test_raising_the_percentage_only_adds_calls() -> None:
    before: set[int] = set()
    for percent in (0, 0.5, 5, 20, 60, 99.9, 100):
        taken = takes(f"rollout: {{percent: {percent}}}", 2000)
        assert before <= taken
        before = taken


@given(st.text(max_size=20), st.floats(0, 100), st.floats(0, 100))
def test_no_call_leaves_a_rollout_that_grows(key: str, one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert not Rollout(less).includes("salt", "rule", key) or Rollout(more).includes("salt", "rule", key)


def test_two_rules_sort_the_same_calls_independently() -> None:
    calls = [f"call-{number}" for number in range(10_000)]
    both = sum(
        Rollout(50).includes("s", "a", call) and Rollout(50).includes("s", "b", call) for call in calls
    )
    assert abs(both / 10_000 - 0.25) < 5 * math.sqrt(0.25 * 0.75 / 10_000)


def test_a_new_salt_sorts_the_calls_anew_and_the_name_is_the_salt_unless_one_is_given() -> None:
    def sorted_by(policy: str) -> set[int]:
        gate = Policy.parse(
            POLICY.format(gate="rollout: {percent: 50}").replace("{name: t, version: 1}", policy)
        )
        chosen = (gate.decide(Signals(), Memory.start(f"{number}"))[0].rule for number in range(1000))
        return {number for number, rule in enumerate(chosen) if rule == "gated"}

    first = sorted_by("{name: t, version: 1, salt: 2026-q3}")
    assert sorted_by("{name: t, version: 2, salt: 2026-q3}") == first
    assert sorted_by("{name: other, version: 1, salt: 2026-q3}") == first
    moved = first ^ sorted_by("{name: t, version: 1, salt: 2026-q4}")
    assert abs(len(moved) / 1000 - 0.5) < 5 * math.sqrt(0.25 / 1000)
    assert sorted_by("{name: t, version: 1}") == sorted_by("{name: other, version: 1, salt: t}") != first


def test_a_call_is_in_a_rollout_or_out_of_it_from_its_first_turn_to_its_last() -> None:
    policy = gated("rollout: {percent: 50}")
    for call in range(50):
        memory, rules = Memory.start(f"call-{call}"), set()
        for number in range(1, 8):
            signals = Signals(
                {"turn.count": number, "emotion.upset": number / 10, "time.unix_s": number * 10**8}
            )
            decision, memory = policy.decide(signals, memory)
            rules.add(decision.rule)
        assert len(rules) == 1


def test_calls_sorted_by_a_signal_are_in_together_whatever_their_ids() -> None:
    queues = [f"queue-{number}" for number in range(200)]
    taken = {
        queue: len(takes("rollout: {percent: 50, by: call.queue}", 3, **{"call.queue": queue}))
        for queue in queues
    }
    assert set(taken.values()) == {0, 3}
    assert 60 < sum(count == 3 for count in taken.values()) < 140


@pytest.mark.parametrize("by", ["call.id", "call.queue"])
def test_a_call_without_the_key_is_in_no_rollout(by: str) -> None:
    decision, _ = gated(f"rollout: {{percent: 100, by: {by}}}").decide(Signals(), Memory.start(""))
    assert (decision.rule, decision.tried[0]) == ("otherwise", ("gated", "not in its rollout to 100 %"))


def test_calls_are_told_apart_by_64_bits() -> None:
    places = [share("salt", "rule", f"call-{number}") * 2**64 for number in range(1000)]
    assert all(place.is_integer() for place in places)
    assert max(places) > 2**63
    assert any(place % 2**12 for place in places)  # not 52 bits or fewer


def test_a_keys_place_never_changes() -> None:
    # From `printf 'support\x1fvip\x1fcall-4711' | sha256sum`: a rollout outlives the version that began it.
    assert share("support", "vip", "call-4711") == 0x4DBA_4A68_CE3C_009A / 2**64


def test_a_key_of_any_characters_has_a_place() -> None:
    assert 0.0 <= share("salt", "rule", "\ud800 📞 \0") < 1.0


@given(st.lists(st.floats(0.0, 1e6), min_size=1).filter(any), st.floats(0.0, 1.0))
def test_a_weight_of_nought_is_never_picked(weights: list[float], at: float) -> None:
    assert weights[pick(weights, at)] > 0
