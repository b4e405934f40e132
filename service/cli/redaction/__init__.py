"""``patchbay redaction``: what each subcommand is called and takes. What they do stands beside this module."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.app import Json, explained, settings

redaction = typer.Typer(
    name="redaction",
    help="Check and try what is masked in the record of a call.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="[POLICY]",
        help="A redaction policy; by default the one that is configured.",
        show_default=False,
    ),
]


@redaction.command()
def check(file: File = None, json: Json = False) -> None:
    """All that is wrong in a redaction policy, as file:line:column. Exits 2 if anything is."""
    from service.cli.redaction.check import check

    with explained():
        raise typer.Exit(check(file or settings().redaction, as_json=json))


@redaction.command("try")
def try_out(
    said: Annotated[
        list[str],
        typer.Argument(
            metavar="'agent: ...' 'caller: ...'", help="What is said, in order; `caller:` may be left out."
        ),
    ],
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="By default the one that is configured.", dir_okay=False),
    ] = None,
    json: Json = False,
) -> None:
    """Redact a made-up conversation, and show what is masked and why."""
    from service.cli.redaction.trying import try_out

    with explained():
        raise typer.Exit(try_out(said, policy or settings().redaction, as_json=json))


@redaction.command()
def schema(
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The file to write; by default standard output.", dir_okay=False),
    ] = None,
) -> None:
    """The JSON Schema of redaction policies, by which editors complete and explain."""
    from service.cli.redaction.schema import print_schema

    with explained():
        raise typer.Exit(print_schema(out))
