"""The ``patchbay`` command."""

from service.cli.app import app
from service.cli.audit import audit
from service.cli.callbacks import callbacks
from service.cli.cost import cost
from service.cli.evaluate import evaluate
from service.cli.latency import latency
from service.cli.policy import policy
from service.cli.redaction import redaction
from service.cli.train import train

app.add_typer(policy)
app.add_typer(audit)
app.add_typer(cost)
app.add_typer(evaluate)
app.add_typer(redaction)
app.add_typer(train)
app.command()(callbacks)
app.command()(latency)

__all__ = ["app"]
