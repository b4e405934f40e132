"""How the suite shares two cores: whole calls, which are heard in real time, and all else, which can wait."""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

_LOCK = Path(tempfile.gettempdir()) / f"patchbay-tests-{os.getuid()}.lock"
_NICENESS = 10
_COMMANDS_SET = ("", "livekit", "livekit.agents", "presidio-analyzer")
"""The logs whose levels a command sets."""

# The clock of a busy machine is no finding, and what is tried is the same in every run: what passed passes again.
# `--hypothesis-profile=default` tries something else each time.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but not what Python says of the source of google-genai where it compiles it first."""
    config.addinivalue_line("filterwarnings", "ignore:invalid escape sequence:DeprecationWarning")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeCallsTogether | None:
    """Ours where files go to workers whole; whoever asks for another way of sharing gets that."""
    return WholeCallsTogether(config, log) if config.getvalue("dist") == "loadfile" else None


class WholeCallsTogether(LoadFileScheduling):
    """A file to a worker; those of whole calls all to one and from the beginning, so that none waits for another."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "whole calls" if _is_alone(self.config.rootpath / file) else file


@cache
def _is_alone(file: Path) -> bool:
    """Whether a module says so of itself; who hands out the tests has not imported them."""
    return "pytest.mark.alone" in file.read_text(encoding="utf-8")


@cache
def _give_way() -> None:
    """From now on, let whole calls on another worker go first."""
    os.nice(_NICENESS)


@pytest.fixture(autouse=True)
def levels_of_logs() -> Iterator[None]:
    """A command says for its process what is logged: here that is the process of other tests, too."""
    levels = {name: logging.getLogger(name).level for name in _COMMANDS_SET}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(scope="module", autouse=True)
def alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """One module of whole calls at a time, whatever the number of workers and of runs of the suite.

    They are real audio in real time: a module makes all its calls at once, and two such modules beside each other
    want more than two cores.
    """
    if request.node.get_closest_marker("alone") is None:
        if "PYTEST_XDIST_WORKER" in os.environ:
            _give_way()
        yield
        return
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
