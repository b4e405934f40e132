"""The prover has all the time that a busy machine takes, unless a test says how much."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import router.lint
import router.lint.pair
from router.lint.search import Patience

_USUAL_MS, _HANGS_MS = 2_000, 120_000


@pytest.fixture(scope="module", autouse=True)
def patient() -> Iterator[None]:
    """What is proved in milliseconds is not given up because the machine stood still."""

    def patience(timeout_ms: int) -> Patience:
        return Patience(_HANGS_MS if timeout_ms == _USUAL_MS else timeout_ms)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(router.lint, "Patience", patience)
        patch.setattr(router.lint.pair, "_TIMEOUT_MS", _HANGS_MS)
        yield
