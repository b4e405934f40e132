"""The ``patchbay`` command."""

from service.cli.app import app
from service.cli.policy import policy

app.add_typer(policy)

__all__ = ["app"]
