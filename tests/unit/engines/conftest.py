"""No tool counts as hung because the machine is busy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.patience import processes_take_their_time


@pytest.fixture(scope="module", autouse=True)
def patient() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        processes_take_their_time(patch)
        yield
