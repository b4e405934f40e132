"""The table in the docs is that of the suite as it is."""

import pytest

from tests.conformance.engines.report import FAIL, PAGE, PASS, cells, page

pytestmark = pytest.mark.unit


def test_the_page_lists_every_cell_and_each_passed() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(dict.fromkeys(cells(), PASS)), (
        "docs/conformance.md is stale: run `uv run python -m tests.conformance.engines.report`"
    )


def test_a_cell_that_failed_or_was_not_run_is_told() -> None:
    [first, *_] = cells()
    told = page({first: FAIL})
    assert told.count(FAIL) == 1
    assert "not run" in told
