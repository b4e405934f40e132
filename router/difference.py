"""What two policies say differently: in meaning, not in layout, comments or the order of keys.

Conditions are compared as CEL reads them, so neither blanks nor brackets count. Whether what changed can change a
decision is another question, answered by :mod:`router.equivalence`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from router.conditions import Condition
from router.content import (
    Content,
    Derived,
    Engine,
    Experiment,
    Guard,
    Never,
    Overlay,
    Param,
    Question,
    Rule,
    Shadow,
)
from router.equivalence import Equivalence, equivalence, same_outcome
from router.gates import DAYS, Rollout, Schedule
from router.inlining import meaning
from router.policy import Policy

What = Literal["added", "removed", "moved", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is said differently."""

    section: str
    """``policy``, ``param``, ``derived``, ``emotion``, ``question``, ``engine``, ``guard``, ``rule``, ``shadow``,
    ``experiment``, ``never`` or ``overlay``."""
    name: str
    """Of the entry; empty for the policy itself."""
    what: What
    field: str = ""
    """What of the entry changed; empty for the whole."""
    before: str = ""
    after: str = ""
    note: str = ""
    wording: bool = False
    """Only what people read, or which version it is: the same turns are routed in the same way."""
    conditions: tuple[Condition, Condition] | None = None
    """Before and after, where the field is a condition."""
    equivalent: bool = False
    """Both conditions come to the same for any turn."""

    @property
    def meant(self) -> bool:
        """Whether it changes what the policy means."""
        return not (self.wording or self.equivalent)


@dataclass(frozen=True, slots=True)
class Difference:
    """All that two policies say differently, and whether it can change a decision."""

    changes: tuple[Change, ...]
    decisions: Equivalence

    @property
    def same(self) -> bool:
        """Whether both mean the same."""
        return not any(change.meant for change in self.changes)


def difference(before: Policy, after: Policy) -> Difference:
    """Compare two policies. Takes a second or two where no decision is found at once that differs."""
    old, new = before.content, after.content
    found = (
        replace(change, equivalent=same_outcome(old, new, *change.conditions))
        if change.conditions and change.section != "overlay"  # whose conditions read the tenant's params
        else change
        for change in changes(old, new)
    )
    return Difference(tuple(found), equivalence(before, after))


def changes(before: Content, after: Content) -> tuple[Change, ...]:
    """Every change, in the order of a policy file."""
    old, new = _said(before), _said(after)
    found = (change for section in old for change in _section(section, old[section], new[section]))
    return tuple(
        replace(change, note=_within(before.params[change.name], after.params[change.name]))
        if (change.section, change.field) == ("param", "value")
        else change
        for change in found
    )


# -- comparing ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Field:
    """One thing that an entry says: as it is compared, and as it is shown."""

    value: object
    shown: str
    wording: bool = False
    condition: Condition | None = None


_Fields = Mapping[str, _Field]
_Entries = Mapping[str, _Fields]
_NOTHING = _Field(None, "")
_ORDERED = ("guard", "rule", "never")


def _section(section: str, before: _Entries, after: _Entries) -> Iterator[Change]:
    for name in before:
        if name not in after:
            yield Change(section, name, "removed", before=_whole(before[name]))
    moved = _moved(list(before), list(after)) if section in _ORDERED else {}
    for name, fields in after.items():
        if name not in before:
            place = _place(list(after), name) if section in _ORDERED else ""
            yield Change(section, name, "added", after=_whole(fields), note=place)
            continue
        if name in moved:
            yield Change(section, name, "moved", before=moved[name][0], after=moved[name][1])
        yield from _changed(section, name, before[name], fields)


def _changed(section: str, name: str, before: _Fields, after: _Fields) -> Iterator[Change]:
    for field in dict.fromkeys((*before, *after)):
        old, new = before.get(field, _NOTHING), after.get(field, _NOTHING)
        if old.value == new.value:
            continue
        conditions = (old.condition, new.condition) if old.condition and new.condition else None
        wording = old.wording or new.wording
        yield Change(section, name, "changed", field, old.shown, new.shown, "", wording, conditions)


def _moved(before: Sequence[str], after: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The entries that were moved past others, as few as explain the new order, with their places before and after."""
    common = [name for name in after if name in before]
    order = [before.index(name) for name in common]
    stay = {common[index] for index in _longest_rising(order)}
    return {name: (_place(before, name), _place(after, name)) for name in common if name not in stay}


def _longest_rising(numbers: Sequence[int]) -> list[int]:
    """The indices of a longest rising subsequence."""
    ends: list[int] = []
    at: list[int] = []
    previous: list[int] = []
    for index, number in enumerate(numbers):
        length = bisect_left(ends, number)
        ends[length:] = [number]
        previous.append(at[length - 1] if length else -1)
        at[length:] = [index]
    found, index = [], at[-1] if at else -1
    while index >= 0:
        found.append(index)
        index = previous[index]
    return found[::-1]


def _place(names: Sequence[str], name: str) -> str:
    index = names.index(name)
    return f"after {names[index - 1]}" if index else "first"


def _within(before: Param, after: Param) -> str:
    inside = before.allows(after.value)
    return f"{'within' if inside else 'outside'} its range of {before.range}"


def _whole(fields: _Fields) -> str:
    return "; ".join(
        f"{name} {field.shown}" for name, field in fields.items() if field.shown and not field.wording
    )


# -- what is said ---------------------------------------------------------------------------------------------
def _said(content: Content) -> Mapping[str, _Entries]:
    """Everything that a policy says, by section and name."""
    return {
        "policy": {"": _policy(content)},
        "param": {param.name: _param(param) for param in content.params.values()},
        "derived": {each.name: _derived(each) for each in content.derived},
        "emotion": {"": _emotion(content)},
        "question": {each.name: _question(each) for each in content.questions.values()},
        "engine": {engine.name: _engine(engine) for engine in content.engines.values()},
        "guard": {guard.id: _guard(guard) for guard in content.guards},
        "rule": {rule.id: _rule(rule) for rule in content.rules},
        "shadow": {each.rule.id: _shadow(each) for each in content.shadow},
        "experiment": {each.id: _experiment(each) for each in content.experiments},
        "never": {each.id: _never(each) for each in content.never},
        "overlay": {overlay.tenant: _overlay(overlay) for overlay in content.overlays.values()},
    }


def _policy(content: Content) -> _Fields:
    stability = content.stability
    return {
        "name": _Field(content.name, content.name, wording=True),
        "version": _Field(content.version, str(content.version), wording=True),
        "salt": _plain(content.salt),
        "last_resort": _plain(content.last_resort),
        "max_switches": _plain(stability.max_switches),
        "cooldown_turns": _plain(stability.cooldown_turns),
        "answer_within_ms": _plain(content.answer_within_ms),
    }


def _param(param: Param) -> _Fields:
    return {
        "value": _plain(param.value),
        "range": _Field((param.low, param.high), param.range),
    }


def _derived(each: Derived) -> _Fields:
    return {
        "from": _condition(each.reading),
        "only_if": _condition(each.only_if),
        "ewma": _plain(each.ewma),
        "unknown": _plain(each.unknown),
        "noise": _plain(each.noise),
    }


def _emotion(content: Content) -> _Fields:
    deaf = content.emotion
    return {
        "unless": _condition(deaf.unless if deaf else None),
        "because": _words(deaf.because if deaf else ""),
    }


def _question(each: Question) -> _Fields:
    return {
        "ask": _plain(each.ask),
        "unknown": _plain(each.spec.unknown),
        "noise": _plain(each.spec.noise),
    }


def _engine(engine: Engine) -> _Fields:
    return {
        "fallback": _list(engine.fallback),
        "min_turns": _plain(engine.min_turns),
        "warm": _condition(engine.warm),
    }


def _guard(guard: Guard) -> _Fields:
    return {
        "when": _condition(guard.when),
        "deny": _list(sorted(guard.deny)),
        "force": _plain(guard.force),
        "because": _words(guard.because),
    }


def _rule(rule: Rule) -> _Fields:
    return {
        "when": _condition(rule.when),
        "hold": _condition(rule.hold),
        "route": _plain(rule.route),
        "else_route": _plain(rule.else_route),
        "schedule": _Field(rule.schedule, _schedule(rule.schedule)),
        "rollout": _Field(rule.rollout, _rollout(rule.rollout)),
        "endpointing_ms": _plain(rule.endpointing_ms),
        "because": _words(rule.because),
    }


def _shadow(shadow: Shadow) -> _Fields:
    return {"replaces": _plain(shadow.replaces), **_rule(shadow.rule)}


def _experiment(experiment: Experiment) -> _Fields:
    arms = (f"{arm.name} {arm.weight:g}{f' to {arm.route}' if arm.route else ''}" for arm in experiment.arms)
    return {
        "rule": _plain(experiment.rule),
        "by": _plain(experiment.by),
        "arms": _Field(experiment.arms, ", ".join(arms)),
        "until": _plain(experiment.until),
        "because": _words(experiment.because),
    }


def _never(never: Never) -> _Fields:
    return {
        "route": _list(sorted(never.routes)),
        "when": _condition(never.when),
        "because": _words(never.because),
    }


def _overlay(overlay: Overlay) -> _Fields:
    inserted = {
        f"rule {rule.id}": {"before": _plain(before), **_rule(rule)} for before, rule in overlay.insert
    }
    guards = {f"guard {guard.id}": _guard(guard) for guard in overlay.guards}
    return {
        **{name: _plain(value) for name, value in overlay.params.items()},
        "disable": _list(sorted(overlay.disable)),
        "order": _Field((*inserted, *guards), ", ".join((*inserted, *guards))),
        **{
            f"{name}: {field}": each
            for name, fields in {**inserted, **guards}.items()
            for field, each in fields.items()
        },
    }


# -- how it is shown ------------------------------------------------------------------------------------------
def _plain(value: object) -> _Field:
    """A value; a whole number is not the same as one with a point."""
    shown = "" if value is None else str(value)
    return _Field((type(value), value), shown)


def _list(values: Iterable[str]) -> _Field:
    names = tuple(values)
    return _Field(names, ", ".join(names))


def _words(text: str) -> _Field:
    return _Field(text, text, wording=True)


def _condition(condition: Condition | None) -> _Field:
    if condition is None:
        return _NOTHING
    return _Field(meaning(condition), " ".join(condition.source.split()), condition=condition)


def _schedule(schedule: Schedule | None) -> str:
    if schedule is None:
        return ""
    days = ",".join(DAYS[day] for day in sorted(schedule.days))
    begin, end = (
        f"{minute // 60:02}:{minute % 60:02}" for minute in (schedule.begin_minute, schedule.end_minute)
    )
    since = f" since {schedule.since}" if schedule.since else ""
    until = f" until {schedule.until}" if schedule.until else ""
    return f"{days} {begin}-{end} {schedule.zone}{since}{until}"


def _rollout(rollout: Rollout | None) -> str:
    return "" if rollout is None else f"{rollout.percent:g} % by {rollout.by}"
