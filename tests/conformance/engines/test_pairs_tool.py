"""Every ordered pair of engines, where the trigger is: tool."""

import pytest

from tests.conformance.engines.cells import trigger
from tests.conformance.engines.pairs import beside_a_tool

pytestmark = pytest.mark.conformance


@trigger("tool")
async def test_a_hand_off_is_clean_when_a_tool_runs(left: str, right: str) -> None:
    (await beside_a_tool(left, right)).check()
