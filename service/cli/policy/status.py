"""``patchbay policy status``: which policy the next call is answered under, and why what is offered is not it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from engines.catalogue import Catalogue
from service.cli.errors import CommandError
from service.cli.policy.shared import print_json
from service.policies.addresses import is_address, safe_address, shown_address
from service.policies.errors import FetchError
from service.policies.examining import Examined, examined
from service.policies.fetching import Fetcher
from service.policies.following import shown
from service.policies.gate import Accepted
from service.policies.offers import Offer, Refusal
from service.settings import Settings


def configured_as(settings: Settings, source: str) -> Settings:
    """The settings with another source, if one is named. Raises :class:`CommandError` for an unsafe address."""
    if not source:
        return settings
    if not is_address(source):
        return settings.model_copy(update={"policy": Path(source)})
    try:
        return settings.model_copy(update={"policy": safe_address(source)})
    except ValueError as error:
        raise CommandError(f"{shown_address(source)}: {error}") from error


async def status(settings: Settings, *, as_json: bool) -> int:
    """Print what is found; returns 1 when the source offers nothing that may be served.

    Raises:
        policies.DocumentError: the engine catalogue cannot be read.
        service.policies.errors.KeyFileError: the keys in the settings cannot be used.
    """
    fetched = await _fetched(settings)
    found = examined(settings, Catalogue.load(settings.catalogue).names, fetched)
    if as_json:
        print_json(_json(found))
    else:
        Console().print(_view(found))
    return 0 if found.offered is not None and not found.reasons else 1


async def _fetched(settings: Settings) -> Offer | Refusal | None:
    place = str(settings.policy)
    if not is_address(place):
        return None
    fetcher = Fetcher(place)
    try:
        return await fetcher.fetch()
    except FetchError as error:
        return Refusal(fetcher.name, (str(error),))


def _view(found: Examined) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("source", Text(found.source))
    keys = ", ".join(key[:12] for key in found.keys)
    table.add_row("signed by", Text(f"one of {keys}" if keys else "nobody: no keys are configured"))
    if found.offered is not None:
        table.add_row("offered", Text.assemble(_named(found.offered), (" ✓ may be served", "green")))
    elif not found.reasons:
        table.add_row("offered", Text("nothing yet", style="yellow"))
    if found.reasons:
        table.add_row(Text("refused", style="bold red"), Text("\n".join(found.reasons), style="red"))
    if found.kept is None:
        table.add_row("accepted last", Text("nothing is kept: a worker starts only on what is offered"))
    else:
        at = found.kept_at.isoformat(timespec="seconds") if found.kept_at else "an unknown time"
        table.add_row("accepted last", Text.assemble(_named(found.kept), (f", {at}", "dim")))
    table.add_row("worker", _worker(found.worker))
    return Group(table, Text.assemble("\nThe next call is answered under ", _next(found), "."))


def _next(found: Examined) -> Text:
    if found.served is None:
        return Text("nothing: a worker would not start", style="bold red")
    stays = "" if found.offered else ", which was accepted earlier"
    return Text(shown(found.served.policy) + stays, style="bold")


def _named(accepted: Accepted) -> Text:
    signer = f", signed by {accepted.signer[:12]}" if accepted.signer else ""
    return Text(shown(accepted.policy) + signer)


def _worker(noted: dict[str, Any] | None) -> Text:
    if noted is None:
        return Text("none has looked yet", style="dim")
    said = Text(f"looked at {noted.get('checked_at', 'an unknown time')}")
    served = noted.get("served")
    if isinstance(served, dict):
        said.append(
            f", serves {served.get('name')} version {served.get('version')} ({str(served.get('hash'))[:6]})"
        )
    for what, words in (("refused", "refuses what is offered"), ("away", "gets no answer")):
        if isinstance(noted.get(what), dict):
            said.append(f", {words} since {noted[what].get('at')}", style="red")
    return said


def _json(found: Examined) -> dict[str, Any]:
    """Schema ``patchbay.policy-status/1``."""
    return {
        "schema": "patchbay.policy-status/1",
        "ok": found.offered is not None and not found.reasons,
        "checked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": found.source,
        "keys": list(found.keys),
        "offered": _accepted_json(found.offered),
        "refused": list(found.reasons),
        "accepted_last": _accepted_json(found.kept),
        "accepted_last_at": found.kept_at and found.kept_at.isoformat(timespec="seconds"),
        "worker": found.worker,
    }


def _accepted_json(accepted: Accepted | None) -> dict[str, Any] | None:
    if accepted is None:
        return None
    policy = accepted.policy
    return {
        "name": policy.name,
        "version": policy.version,
        "hash": policy.hash,
        "signer": accepted.signer,
    }
