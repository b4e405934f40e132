"""Every ordered pair of engines, where the trigger is: failure."""

import pytest

from tests.conformance.engines.cells import trigger
from tests.conformance.engines.pairs import after_a_failure

pytestmark = pytest.mark.conformance


@trigger("failure")
async def test_a_hand_off_is_clean_when_a_provider_fails(left: str, right: str) -> None:
    (await after_a_failure(left, right)).check()
