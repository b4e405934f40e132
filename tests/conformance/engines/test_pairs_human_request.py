"""Every ordered pair of engines, where the trigger is: human request."""

import pytest

from tests.conformance.engines import kept, pairs
from tests.conformance.engines.cells import trigger
from tests.conformance.engines.table import HUMAN

pytestmark = pytest.mark.conformance


@trigger("human request")
async def test_a_hand_off_is_clean_when_the_caller_asks_for_a_person(left: str, right: str) -> None:
    done = await (kept.on_request(left) if right == HUMAN else pairs.on_request(left, right))
    done.check()
