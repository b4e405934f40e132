"""Every ordered pair of engines, where the trigger is: failure."""

import pytest

from tests.conformance.engines import kept, pairs
from tests.conformance.engines.cells import trigger
from tests.conformance.engines.table import BY_NAME, HUMAN

pytestmark = pytest.mark.conformance


@trigger("failure")
async def test_a_hand_off_is_clean_when_a_provider_fails(left: str, right: str) -> None:
    if left == HUMAN:
        (await kept.by_a_person(right, comes=False)).check()
    elif right == HUMAN and BY_NAME[left].keeps:
        (await kept.by_an_engine_with_no_other(left, lost=True)).check()
    elif right == HUMAN:
        (await kept.after_every_failure(left)).check()
    elif BY_NAME[left].keeps:
        (await kept.by_an_engine(left, right, lost=True)).check()
    else:
        (await pairs.after_a_failure(left, right)).check()
