"""Reads the gates of a rule: its schedule and its rollout."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from policies.document import Node, did_you_mean
from router.gates import BY_CALL, DAYS, Rollout, Schedule
from router.keys import POLICY_KEYS
from router.signals import Kind, Spec

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|24:00")
_DAY_MINUTES = 24 * 60


def schedule(node: Node) -> Schedule | None:
    """The schedule in ``node``; ``None`` after a problem."""
    if not isinstance(node.value, dict):
        node.problem(
            'must be a mapping such as {days: mon-fri, from: "18:00", to: "22:00", tz: Europe/Berlin}'
        )
        return None
    node.only(POLICY_KEYS["a schedule"])
    days, zone = node.get("days"), node.require("tz")
    begin, end = node.get("from"), node.get("to")
    since, until = node.get("since"), node.get("until")
    found = Schedule(
        zone=(zone and _zone(zone)) or "UTC",
        days=_days(days) if days else frozenset(range(len(DAYS))),
        begin_minute=_minute(begin) % _DAY_MINUTES if begin else 0,
        end_minute=_minute(end) if end else _DAY_MINUTES,
        since=day(since) if since else None,
        until=day(until) if until else None,
    )
    if end and found.begin_minute == found.end_minute:
        end.problem("is when it begins: such a schedule is empty; leave `from` and `to` out for whole days")
    if until and found.since and found.until and found.since > found.until:
        until.problem(f"is before `since`, {found.since}: such a schedule is empty")
    return found


def rollout(node: Node, signals: Mapping[str, Spec]) -> Rollout | None:
    """The rollout in ``node``; ``None`` after a problem."""
    if not isinstance(node.value, dict):
        node.problem("must be a mapping such as {percent: 10, by: call.id}")
        return None
    node.only(POLICY_KEYS["a rollout"])
    percent = node.require("percent")
    share = percent.number(least=0.0, most=100.0) if percent else None
    by = sorting_key(node, signals)
    return None if share is None else Rollout(share, by)


def sorting_key(entry: Node, signals: Mapping[str, Spec]) -> str:
    """What calls are sorted by: the optional ``by``, the call's id unless it says otherwise."""
    node = entry.get("by")
    by = node.text() if node else None
    keys = sorting_keys(signals)
    if node and by is not None and by not in keys:
        near = did_you_mean(by, keys)
        node.problem(
            f"calls cannot be sorted by '{by}', only by {', '.join(keys)}: a call stays where it is{near}"
        )
    return by or BY_CALL


def sorting_keys(signals: Mapping[str, Spec]) -> tuple[str, ...]:
    """What calls can be sorted by: their id, and texts that are known from the first turn and stay as they are."""
    lasting = (spec.name for spec in signals.values() if spec.source in ("call", "configuration"))
    return (BY_CALL, *(name for name in lasting if signals[name].kind in (Kind.TEXT, Kind.ENUM)))


def day(node: Node) -> date | None:
    """A date; YAML reads one that is not quoted, and it may be quoted too."""
    value = node.value
    if isinstance(value, date) and not isinstance(value, datetime):
        return date(value.year, value.month, value.day)
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    node.problem("must be a date such as 2026-12-31")
    return None


def _days(node: Node) -> frozenset[int]:
    """Days from ``mon-fri``, ``mon,wed`` or a list of such texts."""
    parts = list(node.elements()) if isinstance(node.value, list) else [node]
    if not parts:
        node.problem("names no day: leave it out for every day")
    return frozenset(number for part in parts for number in _some_days(part))


def _some_days(node: Node) -> Iterator[int]:
    text = node.text()
    for span in (text or "").replace(" ", "").split(",") if text is not None else ():
        ends = [DAYS.index(name) if name in DAYS else None for name in span.lower().split("-")]
        match ends:
            case [int(only)]:
                yield only
            case [int(first), int(last)]:
                length = (last - first) % len(DAYS) + 1
                yield from ((first + step) % len(DAYS) for step in range(length))
            case _:
                near = did_you_mean(span.lower(), DAYS)
                node.problem(f"'{span}' is no day or span of days such as mon-fri{near}")


def _minute(node: Node) -> int:
    text = node.value if isinstance(node.value, str) else ""
    found = _CLOCK.fullmatch(text)
    if found is None:
        node.problem('must be a time of day in quotes, such as "18:00"')
        return 0
    return int(found[1]) * 60 + int(found[2]) if found[1] else _DAY_MINUTES


def _zone(node: Node) -> str | None:
    name = node.text()
    if name is None:
        return None
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        node.problem(f"unknown time zone '{name}'{did_you_mean(name, _zones())}")
        return None
    return name


@lru_cache(maxsize=1)
def _zones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))
