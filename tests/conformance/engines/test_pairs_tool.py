"""Every ordered pair of engines, where the trigger is: tool."""

import pytest

from tests.conformance.engines import kept, pairs
from tests.conformance.engines.cells import trigger
from tests.conformance.engines.table import HUMAN

pytestmark = pytest.mark.conformance


@trigger("tool")
async def test_a_hand_off_is_clean_when_a_tool_runs(left: str, right: str) -> None:
    done = await (kept.by_a_tool(left) if right == HUMAN else pairs.beside_a_tool(left, right))
    done.check()
