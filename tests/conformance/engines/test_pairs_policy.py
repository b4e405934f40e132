"""Every ordered pair of engines, where the trigger is: policy."""

import pytest

from tests.conformance.engines import kept, pairs
from tests.conformance.engines.cells import trigger
from tests.conformance.engines.table import HUMAN

pytestmark = pytest.mark.conformance


@trigger("policy")
async def test_a_hand_off_is_clean_when_the_policy_decides(left: str, right: str) -> None:
    done = await (kept.by_policy(left) if right == HUMAN else pairs.by_policy(left, right))
    done.check()
