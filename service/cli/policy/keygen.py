"""``patchbay policy keygen``: a key pair that signs policies."""

from __future__ import annotations

import sys
from pathlib import Path

import typer
from rich.console import Console

from service.policies.keys import PrivateKey


def keygen(out: Path, *, protect: bool) -> int:
    """Write a private key, and print the public one: the line for ``PATCHBAY_POLICY_KEYS``.

    ``protect`` asks for a passphrase, twice.

    Raises:
        service.policies.errors.KeyFileError: the file is there already, or cannot be written.
    """
    passphrase = (
        typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True) if protect else None
    )
    key = PrivateKey.generate()
    key.save(out, passphrase)
    print(key.public.line)
    Console(file=sys.stderr).print(
        f"{out} signs policies: keep it where bundles are made, and nowhere else.\n"
        "The line above is its public key: put it into PATCHBAY_POLICY_KEYS of every worker.\n"
        f"Its id is {key.public.id[:12]}.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return 0
