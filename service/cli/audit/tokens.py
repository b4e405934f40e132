"""``patchbay audit token``: who may do what, by local tokens."""

from __future__ import annotations

from datetime import timedelta

from rich.console import Console

from compliance.access import Permission, Role, Tokens
from compliance.access.issuing import issue, revoke
from compliance.oversight import Accessed
from service.cli.audit.desk import At, overseer
from service.cli.audit.printing import say, say_table
from service.cli.policy.shared import print_json


def issue_token(at: At, name: str, *, role: Role, days: int, as_json: bool) -> int:
    """Issue a token and print it, once."""
    with overseer(at) as desk:
        made, issued = issue(desk, name, role, lasting=timedelta(days=days))
    if as_json:
        print_json(
            {
                "token": issued.token,
                "name": issued.name,
                "role": issued.grants,
                "expires_at": issued.expires_at,
                "secret": made.secret,
            }
        )
        return 0
    Console(stderr=True).print(
        f"token {issued.token} for {issued.name} as {issued.grants}, until {issued.expires_at}. It is shown once: "
        "hand it over, to be set as PATCHBAY_AUDIT_TOKEN.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    print(made.secret)
    return 0


def list_tokens(at: At, *, as_json: bool) -> int:
    """Print the tokens that were ever issued."""
    with overseer(at) as desk:
        desk.require(Permission.TOKENS)
        now, tokens = desk.now(), Tokens.of(desk.ledger.oversight(kinds=Tokens.KINDS))
        desk.record(Permission.TOKENS, Accessed, what="tokens", events=len(tokens.issued))
    rows = [
        {
            "token": one.token,
            "name": one.name,
            "role": one.grants,
            "issued_at": one.at,
            "issued_by": one.actor,
            "expires_at": one.expires_at,
            "state": "good"
            if tokens.is_good(one.token, now)
            else "revoked"
            if one.token in tokens.revoked
            else "expired",
        }
        for one in tokens.issued.values()
    ]
    if as_json:
        print_json(rows)
    elif not rows:
        say("no token was ever issued")
    else:
        say_table([name.replace("_", " ") for name in rows[0]], [tuple(row.values()) for row in rows])
    return 0


def revoke_token(at: At, token_id: str, *, as_json: bool) -> int:
    """Make a token void."""
    with overseer(at) as desk:
        revoked = revoke(desk, token_id)
    if as_json:
        print_json(revoked.model_dump(mode="json"))
    else:
        say(f"token {revoked.token} is revoked")
    return 0
