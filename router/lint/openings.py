"""Calls and moments for which the gates of rules are open or closed, and for which experiments pick an arm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from router.content import Content, Experiment, Rule
from router.gates import BY_CALL, Rollout, Schedule, pick, share
from router.lint.trials import Point
from router.signals import CATALOGUE, Scalar

_CALLS = 2_048
_EVERY = (1 << _CALLS) - 1
_SOME_MONDAY = date(2026, 1, 5)
_LAST = int(CATALOGUE["time.unix_s"].high)
_FIRST_DAY = date(1970, 1, 9)
_LAST_DAY = datetime.fromtimestamp(_LAST, UTC).date() - timedelta(days=16)


class Openings:
    """Searches some thousand call ids, and moments around every schedule.

    Sets of calls are the bits of whole numbers, so that one that all gates agree on is found by their conjunction.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        shadows = (shadow.rule for shadow in content.shadow)
        self._schedules = [rule.schedule for rule in (*content.rules, *shadows) if rule.schedule]
        self._included: dict[tuple[str, Rollout], int] = {}
        self._arms: dict[str, list[int]] = {}

    def is_open(self, rule: Rule, point: Point) -> bool:
        """Whether the rule exists for the call at that hour."""
        if rule.schedule is not None and not rule.schedule.covers(int(point.signals.get("time.unix_s", 0))):
            return False
        if rule.rollout is None:
            return True
        key = point.call_id if rule.rollout.by == BY_CALL else _value(rule.rollout.by, point.signals)
        return rule.rollout.includes(self._content.salt, rule.id, key)

    def find(
        self,
        signals: Mapping[str, Scalar],
        wanted: Sequence[tuple[Rule, bool]],
        arms: Sequence[tuple[Experiment, int]],
    ) -> tuple[int, str]:
        """A moment and a call for which gates and arms are as wanted, as far as one can have all of it.

        Args:
            signals: the turn otherwise.
            wanted: whether the gate of a rule is open; the first matter most.
            arms: the index of the arm that routes the call; any other index for none.
        """
        moments = [int(signals.get("time.unix_s", 0)), *self.moments]
        for rule, is_open in wanted:
            if rule.schedule and (is_open or not rule.rollout):
                moments = [moment for moment in moments if rule.schedule.covers(moment) == is_open] or moments
        for experiment, arm in arms:
            if arm in _routed(experiment):
                moments = [moment for moment in moments if _runs(experiment, moment)] or moments
        moment, calls = moments[0], _EVERY
        for rule, is_open in wanted:
            if rule.rollout and (is_open or not rule.schedule or rule.schedule.covers(moment)):
                included = self._includes(rule.id, rule.rollout, signals)
                calls = calls & (included if is_open else ~included) or calls
        for experiment, arm in arms:
            calls = calls & self._picks(experiment, arm, moment, signals) or calls
        return moment, "" if calls == _EVERY else _call((calls & -calls).bit_length() - 1)

    @cached_property
    def moments(self) -> tuple[int, ...]:
        """Moments at which schedules of the policy begin, run and pause, and experiments are on and over."""
        found = [moment for schedule in self._schedules for moment in _around(schedule)]
        for experiment in self._content.experiments:
            end = datetime.combine(_near_enough(experiment.until or _SOME_MONDAY), time(12), UTC)
            found += [int(end.timestamp()), int((end + timedelta(days=2)).timestamp())]
        return tuple(dict.fromkeys(moment for moment in found if 0 < moment <= _LAST))

    def _includes(self, name: str, rollout: Rollout, signals: Mapping[str, Scalar]) -> int:
        """The calls to which the rule of that id is rolled out."""
        salt = self._content.salt
        if rollout.by != BY_CALL:
            return _EVERY if rollout.includes(salt, name, _value(rollout.by, signals)) else 0
        if (name, rollout) not in self._included:
            self._included[name, rollout] = _those(
                rollout.includes(salt, name, _call(number)) for number in range(_CALLS)
            )
        return self._included[name, rollout]

    def _picks(self, experiment: Experiment, wanted: int, moment: int, signals: Mapping[str, Scalar]) -> int:
        """The calls that fall to the arm, or to none that routes them."""
        routed, salt = _routed(experiment), self._content.salt
        weights = [arm.weight for arm in experiment.arms]

        def arm(key: str) -> int:
            return pick(weights, share(salt, experiment.id, key)) if key else -1

        def suits(index: int) -> bool:
            return index == wanted if wanted in routed else index not in routed

        if not _runs(experiment, moment):
            return _EVERY if suits(-1) else 0
        if experiment.by != BY_CALL:
            return _EVERY if suits(arm(_value(experiment.by, signals))) else 0
        if experiment.id not in self._arms:
            self._arms[experiment.id] = [arm(_call(number)) for number in range(_CALLS)]
        return _those(suits(index) for index in self._arms[experiment.id])


def _call(number: int) -> str:
    return f"call-{number}"


def _those(suit: Iterable[bool]) -> int:
    """The set of calls for which it is true, as bits."""
    return sum(1 << number for number, suits in enumerate(suit) if suits)


def _value(name: str, signals: Mapping[str, Scalar]) -> str:
    return str(signals.get(name, ""))


def _routed(experiment: Experiment) -> set[int]:
    return {index for index, arm in enumerate(experiment.arms) if arm.route is not None}


def _runs(experiment: Experiment, moment: int) -> bool:
    if experiment.until is None:
        return True
    return moment > 0 and datetime.fromtimestamp(moment, UTC).date() <= experiment.until


def _near_enough(day: date) -> date:
    """The day, or the nearest of those of which a signal can tell the time."""
    return min(max(day, _FIRST_DAY), _LAST_DAY)


def _around(schedule: Schedule) -> Iterator[int]:
    """Moments of two weeks in which the schedule is in force: when it begins, a little later, when it has ended."""
    first = _near_enough(schedule.since or _SOME_MONDAY)
    if schedule.until is not None and schedule.since is None:
        first = min(first, _near_enough(schedule.until) - timedelta(days=7))
    zone = ZoneInfo(schedule.zone)
    for day in range(14):
        begins = datetime.combine(first + timedelta(days=day), time(), zone) + timedelta(
            minutes=schedule.begin_minute
        )
        yield int(begins.timestamp())
        yield int((begins + timedelta(minutes=5)).timestamp())
        yield int((begins + timedelta(hours=12)).timestamp())
