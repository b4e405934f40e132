"""Every ordered pair of engines, where the trigger is: given back."""

import pytest

from tests.conformance.engines import kept
from tests.conformance.engines.cells import trigger
from tests.conformance.engines.table import HUMAN

pytestmark = pytest.mark.conformance


@trigger("given back")
async def test_a_call_that_is_given_back_goes_on_where_it_was(left: str, right: str) -> None:
    if left == HUMAN:
        (await kept.by_a_person(right, comes=True)).check()
    elif right == HUMAN:
        (await kept.by_an_engine_with_no_other(left, lost=False)).check()
    else:
        (await kept.by_an_engine(left, right, lost=False)).check()
