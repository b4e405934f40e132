"""``patchbay render``: another caller from text."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rich.console import Console


def render_caller(text: str, path: Path, *, voice: Literal["rms", "slt", "awb"], upset: bool) -> int:
    """Render; returns the exit status."""
    from lab.errors import LabError
    from lab.render import render

    try:
        render(text, path, voice=voice, upset=upset)
    except LabError as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        return 2
    return 0
