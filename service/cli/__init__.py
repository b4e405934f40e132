"""The ``patchbay`` command."""

from service.cli.app import app
from service.cli.cost import cost
from service.cli.evaluate import evaluate
from service.cli.policy import policy
from service.cli.train import train

app.add_typer(policy)
app.add_typer(cost)
app.add_typer(evaluate)
app.add_typer(train)

__all__ = ["app"]
