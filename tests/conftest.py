"""How the suite shares two cores."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_LOCK = Path(tempfile.gettempdir()) / f"patchbay-tests-{os.getuid()}.lock"


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but not what Python says of the source of google-genai where it compiles it first."""
    config.addinivalue_line("filterwarnings", "ignore:invalid escape sequence:DeprecationWarning")


@pytest.fixture(scope="module", autouse=True)
def alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """One module of whole calls at a time, whatever the number of workers.

    They are real audio in real time: a module makes all its calls at once, and two such modules beside each other
    want more than two cores.
    """
    if request.node.get_closest_marker("alone") is None:
        yield
        return
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
