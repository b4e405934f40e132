"""``patchbay policy``: what each subcommand is called and takes. What they do stands beside this module."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.app import Json, explained, settings

policy = typer.Typer(
    name="policy",
    help="Check, prove, test, try, tune and roll out routing policies.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="[POLICY]", help="A policy file; by default the one that is configured.", show_default=False
    ),
]
