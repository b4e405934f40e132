"""``patchbay audit key``: the public key that a log is verified with, and new secret keys for a ledger on a server."""

from __future__ import annotations

from contextlib import closing

from compliance.ledger import Ledger
from compliance.ledger.keys import Keyring
from service.cli.policy.shared import print_json


def show_key(where: str, tenant: str, *, as_json: bool) -> int:
    """Print the public key of a log.

    Args:
        where: the ledger: a path or a URL.
        tenant: whose log.
        as_json: print JSON.

    Raises:
        compliance.errors.LedgerError: there is no ledger, or it cannot be opened.
    """
    with closing(Ledger.open(where, tenant=tenant, must_exist=True)) as ledger:
        if as_json:
            print_json({"log": ledger.log, "origin": ledger.origin, "key": ledger.vkey})
        else:
            print(ledger.vkey)
    return 0


def make_keys() -> int:
    """Print a new keyring. It is secret, and nowhere else."""
    print(Keyring.new().text)
    return 0
