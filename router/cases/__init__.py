"""Tests of a policy: cases of one turn and scenarios of several, what they expect, and which rules they reach.

They stand in a YAML file beside the policy, ``default.test.yaml`` beside ``default.yaml``. Pure: a document in, results
out; :data:`router.keys.TEST_KEYS` says what a test may hold.
"""

from router.cases.coverage import Coverage, Item, coverage
from router.cases.reading import Scenario, Turn, beside, policy_beside, read
from router.cases.running import Played, Result, Wrong, run

__all__ = [
    "Coverage",
    "Item",
    "Played",
    "Result",
    "Scenario",
    "Turn",
    "Wrong",
    "beside",
    "coverage",
    "policy_beside",
    "read",
    "run",
]
