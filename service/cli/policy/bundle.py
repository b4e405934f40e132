"""``patchbay policy bundle``: a policy that was checked and tested, signed as one file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console

from engines.catalogue import Catalogue
from policies import Document
from router import Policy, cases
from service.cli.app import errors
from service.cli.errors import CommandError
from service.cli.policy.shared import print_json, write_text
from service.history import moment
from service.policies.bundles import SUFFIX, Bundle
from service.policies.following import shown
from service.policies.keys import PrivateKey
from service.settings import Settings
from service.words import count

SCHEMA = "patchbay.policy-bundled/1"

EPOCH = "SOURCE_DATE_EPOCH"
"""Seconds since 1970 to give as the time of making, so that the same input gives the same bytes anywhere.
https://reproducible-builds.org/specs/source-date-epoch/"""


def bundle(
    settings: Settings,
    policy: Path,
    *,
    key: Path,
    out: Path | None,
    not_before: str,
    expires: str,
    as_json: bool,
) -> int:
    """Write the bundle; returns 1, and writes nothing, when the policy's tests fail.

    Args:
        settings: of the deployment; the policy must fit its engine catalogue.
        policy: a policy file.
        key: the private key that signs.
        out: a file, or a folder; by default ``NAME-VERSION.bundle.json`` in this folder.
        not_before: when it may be accepted first; empty is at once.
        expires: when it may be accepted no longer; empty is never.
        as_json: JSON instead of sentences.

    Raises:
        policies.DocumentError: the policy or the catalogue has errors.
        service.policies.errors.PolicyLifeError: the key cannot be used, or the bundle cannot be made.
        CommandError: an option makes no sense.
    """
    loaded = Policy.load(policy, engines=Catalogue.load(settings.catalogue).names)
    path, signer = _path(out, loaded), _signer(key)
    tests = _tests(policy, loaded)
    if not tests.passed:
        if as_json:
            print_json({"schema": SCHEMA, "ok": False, "failed": list(tests.failed)})
        for name in tests.failed:
            errors.print(f"{name}: failed", style="red", markup=False, highlight=False, soft_wrap=True)
        errors.print(f"{policy} is not signed; `patchbay policy test` says more", style="red", markup=False)
        return 1
    bundle = Bundle(
        name=loaded.name,
        version=loaded.version,
        policy_hash=loaded.hash,
        created=_now(),
        not_before=_moment("--not-before", not_before),
        expires=_moment("--expires", expires),
        policy=loaded.content.source,
        tests=tests.text,
    )
    write_text(path, bundle.sealed(signer).decode())
    if as_json:
        print_json(
            {
                "schema": SCHEMA,
                "ok": True,
                "file": str(path),
                "name": loaded.name,
                "version": loaded.version,
                "hash": loaded.hash,
                "key": signer.public.id,
                "tests": tests.passed_count,
            }
        )
    else:
        passed = count(tests.passed_count, "test") + " passed" if tests.text else "it has no tests"
        said = f"{path}: {shown(loaded)}, {passed}, signed by {signer.public.id[:12]}"
        Console().print(said, markup=False, highlight=False, soft_wrap=True)
    return 0


@dataclass(frozen=True, slots=True)
class _Tests:
    """The tests beside a policy, and what became of them."""

    text: str | None = None
    passed_count: int = 0
    failed: tuple[str, ...] = ()
    """Each as ``file:line:column: name``."""

    @property
    def passed(self) -> bool:
        return not self.failed


def _tests(path: Path, policy: Policy) -> _Tests:
    """Run the tests beside a policy, if there are any. Raises :class:`policies.DocumentError`."""
    file = cases.beside(path)
    if not file.is_file():
        return _Tests()
    document = Document.load(file)
    results = [cases.run(policy, scenario) for scenario in cases.read(document, policy)]
    failed = tuple(
        f"{file}:{result.scenario.line}:{result.scenario.column}: {result.scenario.name}"
        for result in results
        if not result.passed
    )
    return _Tests(document.source, len(results) - len(failed), failed)


def _path(out: Path | None, policy: Policy) -> Path:
    """Where the bundle goes. Raises :class:`CommandError` for a name by which no folder would offer it."""
    usual = f"{policy.name}-{policy.version}{SUFFIX}".replace("/", "-")
    path = Path(usual) if out is None else out / usual if out.is_dir() else out
    if not path.name.endswith(SUFFIX):
        raise CommandError(
            f"--out {path}: the name of a bundle ends in {SUFFIX}, by which a folder's are found"
        )
    return path


def _signer(path: Path) -> PrivateKey:
    passphrase = (
        typer.prompt(f"Passphrase of {path}", hide_input=True, err=True)
        if PrivateKey.protected(path)
        else None
    )
    return PrivateKey.load(path, passphrase)


def _now() -> datetime:
    epoch = os.environ.get(EPOCH, "")
    if not epoch:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise CommandError(f"{EPOCH} '{epoch}' is no number of seconds since 1970") from error


def _moment(option: str, text: str) -> datetime | None:
    try:
        return moment(text, last=False) if text else None
    except ValueError as error:
        raise CommandError(
            f"{option} '{text}' is no time: write 2026-11-01, or 2026-11-01T09:00+01:00"
        ) from error
