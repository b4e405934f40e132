"""Every ordered pair of engines, where the trigger is: human request."""

import pytest

from tests.conformance.engines.cells import trigger
from tests.conformance.engines.pairs import on_request

pytestmark = pytest.mark.conformance


@trigger("human request")
async def test_a_hand_off_is_clean_when_the_caller_asks_for_a_person(left: str, right: str) -> None:
    (await on_request(left, right)).check()
