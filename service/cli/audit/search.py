"""``patchbay audit search``: calls by what was said and what happened, shown as they are found."""

from __future__ import annotations

import json

from rich.console import Console
from rich.text import Text

from compliance.access import Permission
from compliance.erasure import lost, sentence_of_lost
from compliance.errors import ErasedError, LedgerError
from compliance.oversight import Accessed, Searched
from service.cli.audit.desk import At, known_calls, overseer
from service.cli.audit.printing import say
from service.cli.errors import CommandError
from service.cli.policy.shared import each
from service.searching import Hit, Query, hit, shown
from service.words import count

_LINES = 5


def search(at: At, query: Query, *, calls: tuple[str, ...], limit: int, as_json: bool) -> int:
    """Print the calls that have it all; returns 1 when there is none.

    Args:
        at: the ledger.
        query: what they must have.
        calls: only these; all of them when empty.
        limit: stop after so many; 0 goes through them all.
        as_json: one line of JSON for each call, as it is found.

    Raises:
        compliance.errors.ComplianceError: it is not permitted, or the ledger cannot be read.
    """
    if not (query.words.strip() or query.facts or query.since or query.until or calls):
        raise CommandError("say what to search for: words, or an option such as --tool")
    console, messages = Console(), Console(stderr=True)
    hits, erased, unreadable = 0, 0, 0
    with overseer(at) as desk:
        names = known_calls(desk.ledger, calls) if calls else desk.ledger.calls()
        # On record before the first call is opened, each call before it is shown.
        facts = query.facts | ({"call": ", ".join(calls)} if calls else {})
        desk.record(
            Permission.READ,
            Searched,
            words=query.words,
            facts=facts,
            since=query.since.isoformat() if query.since else "",
            until=query.until.isoformat() if query.until else "",
            calls=len(names),
        )
        strays = lost(desk.ledger)
        for name in each(names, "Searching"):
            try:
                found = hit(name, desk.ledger.events(name), query)
            except LedgerError as error:
                if isinstance(error, ErasedError) and name not in strays:
                    erased += 1
                    continue
                unreadable += 1
                told = sentence_of_lost(name) if name in strays else str(error)
                messages.print(told, style="red", markup=False, highlight=False, soft_wrap=True)
                continue
            if found is None:
                continue
            desk.record(Permission.READ, Accessed, call_id=name, what="search", events=len(found.events))
            if as_json:
                print(json.dumps(_json(found), ensure_ascii=False), flush=True)
            else:
                console.print(_view(found), soft_wrap=True)
            hits += 1
            if hits == limit:
                break
    if not as_json:
        say(_summary(hits, len(names), erased, stopped=hits == limit))
    return 0 if hits and not unreadable else 1


def _view(found: Hit) -> Text:
    view = Text(found.call_id, style="bold")
    view.append(f"  {found.began}", style="dim")
    for event in found.events[:_LINES]:
        view.append(f"\n  {event.at_ms / 1000:7.1f} s  ", style="dim")
        view.append(shown(event))
    if len(found.events) > _LINES:
        view.append(f"\n  and {count(len(found.events) - _LINES, 'more event')}", style="dim")
    return view


def _summary(hits: int, calls: int, erased: int, *, stopped: bool) -> str:
    said = f"{count(hits, 'call')} of {calls}"
    if erased:
        said += f"; {erased} erased and not searched"
    if stopped:
        said += "; stopped at --limit"
    return said


def _json(found: Hit) -> dict[str, object]:
    return {
        "call_id": found.call_id,
        "began": found.began,
        "events": [event.model_dump(mode="json") for event in found.events],
    }
