"""How the suite is spread over xdist's workers."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole calls run on one worker, one module after the other.

    They are real audio in real time: a module makes its calls once, all at the same time, and two such modules
    beside each other would want more than two cores.
    """
    for item in items:
        if item.get_closest_marker("scenario") or item.get_closest_marker("adversarial"):
            item.add_marker(pytest.mark.xdist_group("calls"))
