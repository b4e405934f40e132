"""``patchbay doctor``: what this machine and its settings can do."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from compliance.consent import Disclosures
from engines.catalogue import Catalogue
from engines.keys import host_of, variable_of
from engines.needs import VOICE_AI
from engines.prices import Prices
from engines.trial import try_out
from engines.usage import reported_by
from policies import DocumentError
from router import Policy
from service.cli.rig import simulated
from service.doctor import (
    KEYS,
    LAB_KEYS,
    Finding,
    Key,
    Status,
    examine,
    exit_code,
    findings_json,
    findings_table,
)
from service.patience import within
from service.policies.errors import KeyFileError
from service.policies.examining import examined
from service.policies.following import shown
from service.settings import Settings


def diagnose(settings: Settings, *, as_json: bool) -> int:
    """Print the findings; returns 1 when something will not work."""
    findings = examine(
        os.environ,
        state=_state(settings),
        models={
            "emotion": settings.emotion_model / "model.onnx",
            "tool need": settings.tool_need_model / "config.json",
            "caller state": settings.caller_state_model / "config.json",
        },
        documents={
            str(settings.catalogue): lambda: try_out(Catalogue.load(settings.catalogue)),
            str(settings.prices): lambda: Prices.load(settings.prices),
            str(settings.disclosures): lambda: settings.rules(Disclosures.load(settings.disclosures)),
        },
        keys=_keys(settings),
    )
    findings += (*_policy(settings), *_hosts(settings), *_unpriced(settings), *_ungated(settings))
    if as_json:
        json.dump(findings_json(findings), sys.stdout, indent=2)
        print()
    else:
        Console().print(findings_table(findings))
    return exit_code(findings)


def _keys(settings: Settings) -> tuple[Key, ...]:
    """The keys that the catalogue's providers read; those of the shipped one when the catalogue cannot be read."""
    try:
        catalogue = Catalogue.load(settings.catalogue)
    except DocumentError:
        return LAB_KEYS
    parts = catalogue.components()
    wanted = {variable: part for part in parts if (variable := variable_of(part)) is not None}
    beyond = {variable_of(part) for part in parts if not simulated(catalogue, part)}
    known = {key.variable: key for key in KEYS}
    return tuple(
        replace(known.get(name, Key(part.provider, name, "an engine")), simulated=name not in beyond)
        for name, part in sorted(wanted.items())
    )


def _hosts(settings: Settings) -> tuple[Finding, ...]:
    """Where calls go from here; nothing when the engine catalogue cannot be read."""
    try:
        catalogue = Catalogue.load(settings.catalogue)
    except DocumentError:
        return ()
    parts = catalogue.components()
    keyed = sorted({variable for part in parts if (variable := variable_of(part)) is not None})
    asked = ", ".join(sorted({host_of(part) for part in parts}))
    held = (
        " The catalogue's `hosts` allow no others."
        if catalogue.hosts
        else " List `hosts` in the catalogue to allow no others."
    )
    keys = f"Sent along: {', '.join(keyed)}." if keyed else "No key is sent anywhere."
    return (Finding("hosts of engines", Status.OK, f"The catalogue's parts ask {asked}. {keys}{held}"),)


def _policy(settings: Settings) -> tuple[Finding, ...]:
    """What calls are answered under; nothing when the engine catalogue cannot be read. No address is asked."""
    try:
        found = examined(settings, Catalogue.load(settings.catalogue).names)
    except DocumentError:
        return ()
    except KeyFileError as error:
        return (Finding("policy keys", Status.PROBLEM, str(error), "Correct PATCHBAY_POLICY_KEYS."),)
    if found.reasons:
        serves = f"\nServed meanwhile: {shown(found.kept.policy)}." if found.kept else ""
        return (
            Finding(
                found.source, Status.PROBLEM, "\n".join(found.reasons) + serves, "Correct what is listed."
            ),
        )
    if found.served is None:
        return (
            Finding(
                found.source,
                Status.MISSING,
                "No policy was fetched yet: a worker starts only if the address answers.",
                "Ask it with `patchbay policy status`.",
            ),
        )
    what = "loads without an error" if found.offered else "was accepted earlier"
    return (
        Finding(found.source, Status.OK, f"{shown(found.served.policy)} {what}."),
        *_hedged_too_late(settings, found.served.policy),
    )


def _hedged_too_late(settings: Settings, policy: Policy) -> Iterator[Finding]:
    """A finding for every engine that has failed, by the policy's budget, before another is asked besides."""
    for engine in within(Catalogue.load(settings.catalogue), policy.answer_within_ms).engines.values():
        if engine.hedge_s is not None and engine.hedge_s >= engine.first_reply_s:
            yield Finding(
                f"hedge of {engine.name}",
                Status.MISSING,
                f"Nobody is asked besides: the policy's answer_within_ms gives the engine {engine.first_reply_s:g} s "
                f"to begin, and `hedge_ms` is {1000 * engine.hedge_s:g}.",
                f"Make its `hedge_ms` in {settings.catalogue} less than {1000 * engine.first_reply_s:g}.",
            )


def _unpriced(settings: Settings) -> tuple[Finding, ...]:
    """A finding for every model with a use that the price list does not price; none when a document cannot be read."""
    try:
        prices, parts = Prices.load(settings.prices), Catalogue.load(settings.catalogue).parts()
    except DocumentError:
        return ()
    unpriced = {
        f"{part.provider}/{part.model}": units
        for role, part in parts
        if (units := prices.unpriced(part.provider, part.model, reported_by(role, part)))
    }
    return tuple(
        Finding(
            f"price of {model}",
            Status.MISSING,
            "Its use counts nothing in the cost of a call, nor against a budget, as far as it is told in "
            f"{', '.join(unit.replace('_', ' ') for unit in units)}.",
            f"Add what its vendor charges for to {model} in {settings.prices}.",
        )
        for model, units in sorted(unpriced.items())
    )


def _ungated(settings: Settings) -> tuple[Finding, ...]:
    """A finding for every engine by which a vendor hears callers who were not asked; none without a catalogue."""
    try:
        engines = Catalogue.load(settings.catalogue).engines.values()
    except DocumentError:
        return ()
    hearing = (engine for engine in engines if engine.kind != "cascade" and not engine.mind.keyless)
    return tuple(
        Finding(
            f"consent for {engine.name}",
            Status.MISSING,
            f"{engine.mind.provider} hears callers' voices by it, also of those who did not consent to that, "
            "unless a guard of the policy denies it.",
            f"Add `needs: [{VOICE_AI}]` to its model in {settings.catalogue}.",
        )
        for engine in hearing
        if VOICE_AI not in engine.mind.needs
    )


def _state(settings: Settings) -> Path:
    """The folder of the ledger, where it is a file."""
    return Path(".") if "://" in settings.ledger else Path(settings.ledger).parent
