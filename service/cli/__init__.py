"""The ``patchbay`` command."""

import os

# Set before anything imports it: transformers runs here without torch, and says so on every start otherwise.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from service.cli.app import app

__all__ = ["app"]
