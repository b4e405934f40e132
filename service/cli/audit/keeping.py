"""``patchbay audit hold``, ``release``, ``erase`` and ``retain``: what stays and what goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import typer
from rich.console import Console

from compliance.access import Permission
from compliance.access.overseer import Overseer
from compliance.erasure import Destroyed, Due, Shreddable, erase, lost, sentence_of_lost
from compliance.errors import ErasedError, LedgerError
from compliance.holding import HeldError, hold, refuse_held, release
from compliance.oversight import Accessed
from compliance.retention import FACTS, RetentionPolicy, call_facts
from compliance.standing import Standing
from service.cli.audit.desk import At, known_calls, overseer
from service.cli.audit.printing import say, say_table
from service.cli.errors import CommandError
from service.cli.policy.shared import each, print_json
from service.shreddables import shreddables
from service.words import count


def hold_calls(at: At, calls: tuple[str, ...], *, reason: str, as_json: bool) -> int:
    """Hold calls, or list the holds in force when none is named."""
    with overseer(at) as desk:
        if calls:
            placed = hold(desk, known_calls(desk.ledger, calls), reason=reason)
        else:
            desk.require(Permission.READ_ACCESS_LOG)
            standing = Standing.of(desk.ledger.oversight())
            placed = tuple(one for held in standing.holds.values() for one in held)
            desk.record(Permission.READ_ACCESS_LOG, Accessed, what="holds", events=len(placed))
    if as_json:
        print_json([one.model_dump(mode="json") for one in placed])
    elif placed:
        say_table(
            ("call", "hold", "since (UTC)", "by", "reason"),
            ((one.call_id, one.hold, one.at, one.actor, one.reason) for one in placed),
        )
    else:
        say("no call is held")
    return 0


def release_holds(at: At, holds: tuple[str, ...], *, reason: str, as_json: bool) -> int:
    """End holds by their names."""
    with overseer(at) as desk:
        ended = release(desk, dict.fromkeys(holds), reason=reason)
    if as_json:
        print_json([one.model_dump(mode="json") for one in ended])
    else:
        for one in ended:
            say(f"hold {one.hold} on call {one.call_id} is released")
    return 0


def erase_calls(at: At, calls: tuple[str, ...], *, what: str, reason: str, sure: bool, as_json: bool) -> int:
    """Erase calls, or one kind of thing kept of them, for ever.

    Raises:
        compliance.holding.HeldError: one of them is held; none is then erased.
        CommandError: there is no reason, one of the calls is still on, or nobody is there to be asked.
    """
    if not reason.strip():
        raise CommandError("erasing takes a --reason: say who asked for it")
    with overseer(at) as desk:
        desk.require(Permission.ERASE)
        named = known_calls(desk.ledger, calls)
        refuse_held(desk, named)
        if on := [name for name in named if not _is_over(desk, name)]:
            raise CommandError(f"call {', '.join(on)} is still on: erase it when it has ended")
        if not sure and not typer.confirm(
            f"Erase the {what} of {count(len(named), 'call')} for ever? Nobody can bring it back.", err=True
        ):
            raise CommandError("nothing was erased")
        dues = [Due(name, what, reason) for name in named]
        gone = list(erase(desk, each(dues, "Erasing"), shreddables(at.settings, desk.ledger)))
        standing = Standing.of(desk.ledger.oversight())
        if left := [name for name in named if not standing.is_gone(name, what)]:
            raise HeldError(f"held meanwhile and not erased: call {', '.join(left)}")
    _print_gone(gone, as_json=as_json)
    return 0


@dataclass
class _Plan:
    """What of a ledger is due, found as it is iterated over."""

    desk: Overseer
    policy: RetentionPolicy
    places: tuple[Shreddable, ...]
    due: list[Due] = field(default_factory=list)
    held: list[Due] = field(default_factory=list)
    undated: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Due]:
        standing = Standing.of(self.desk.ledger.oversight())
        now, strays = self.desk.now(), lost(self.desk.ledger)
        for name in each([n for n in self.desk.ledger.calls() if not standing.is_gone(n)], "Reading"):
            try:
                call = call_facts(self.desk.ledger.events(name, kinds=FACTS))
                if call is None:
                    self.undated.append(name)
                    continue
                kept = {
                    place.kind
                    for place in self.places
                    if not standing.is_gone(name, place.kind) and place.keeps(name)
                }
            except LedgerError as error:
                if name in strays:
                    self.unreadable.append(sentence_of_lost(name))
                elif not isinstance(error, ErasedError):  # else its order has effect and is carried out first
                    self.unreadable.append(str(error))
                continue
            for due in self.policy.due(call, sorted(kept), now):
                (self.held if name in standing.holds else self.due).append(due)
                if name not in standing.holds:
                    yield due


def retain(at: At, file: Path | None, *, dry_run: bool, as_json: bool) -> int:
    """Carry the retention policy out; returns 1 when a call could not be read.

    Raises:
        policies.DocumentError: the policy cannot be used.
        compliance.errors.ComplianceError: it is not permitted, or something could not be destroyed.
    """
    policy = RetentionPolicy.load(file or at.settings.retention)
    with overseer(at) as desk:
        desk.require(Permission.RETAIN)
        places = shreddables(at.settings, desk.ledger)
        plan = _Plan(desk, policy, places)
        gone: list[Destroyed] = []
        if dry_run:
            list(plan)
            desk.record(Permission.RETAIN, Accessed, what="retention", events=len(plan.due))
        else:
            gone = list(erase(desk, plan, places, permission=Permission.RETAIN))
    if as_json:
        print_json(
            {
                "policy": policy.cited,
                "dry_run": dry_run,
                "due": [_due(due) for due in plan.due],
                "destroyed": [_gone(one) for one in gone],
                "held": [_due(due) for due in plan.held],
                "undated": plan.undated,
                "unreadable": plan.unreadable,
            }
        )
    else:
        _print_plan(plan, gone, dry_run=dry_run)
    return 1 if plan.unreadable else 0


def _is_over(desk: Overseer, name: str) -> bool:
    try:
        call = call_facts(desk.ledger.events(name, kinds=FACTS))
    except LedgerError:
        return True  # what cannot be read can still be erased
    return call is None or call.is_over(desk.now())


def _print_plan(plan: _Plan, gone: list[Destroyed], *, dry_run: bool) -> None:
    say(f"{plan.policy.file}: {plan.policy.cited}")
    if dry_run:
        if plan.due:
            say_table(("call", "what", "rule"), ((due.call_id, due.what, due.rule) for due in plan.due))
        say(f"{count(len(plan.due), 'thing')} due; nothing was destroyed")
    else:
        _print_gone(gone, as_json=False)
    for due in plan.held:
        say(f"held and kept: {due.what} of call {due.call_id}, due by {due.rule}")
    if plan.undated:
        say(f"{count(len(plan.undated), 'call')} without a start on record: no rule applies")
    for problem in plan.unreadable:
        Console(stderr=True).print(problem, style="red", markup=False, highlight=False, soft_wrap=True)


def _print_gone(gone: list[Destroyed], *, as_json: bool) -> None:
    if as_json:
        print_json([_gone(one) for one in gone])
        return
    for one in gone:
        by = f" by {one.rule}" if one.rule else ""
        say(f"{one.what} of call {one.call_id} is erased{by} ({count(one.items, 'item')})")
    if not gone:
        say("nothing was to be erased")


def _gone(one: Destroyed) -> dict[str, object]:
    return {"call_id": one.call_id, "what": one.what, "items": one.items, "rule": one.rule}


def _due(due: Due) -> dict[str, object]:
    return {"call_id": due.call_id, "what": due.what, "rule": due.rule}
