"""What a policy's latency budget means for time-outs."""

from __future__ import annotations

import pytest

from engines.catalogue import Catalogue
from engines.desk import SILENCE_LIMIT_S
from policies import shipped
from router import Policy
from service.patience import silence_limit_s, within

pytestmark = pytest.mark.unit

CATALOGUE = Catalogue.load(shipped("engines.yaml"))
POLICY = """
policy: {name: p, version: 1}
engines: {fast: {}}
rules: [{id: otherwise, when: 'true', route: fast, because: so}]
"""


def limits(answer_within_ms: int | None) -> dict[str, float]:
    return {name: one.first_reply_s for name, one in within(CATALOGUE, answer_within_ms).engines.items()}


def test_a_policy_without_a_budget_leaves_the_time_outs_to_the_catalogue() -> None:
    assert Policy.parse(POLICY).answer_within_ms is None
    assert within(CATALOGUE, None) is CATALOGUE
    assert silence_limit_s(None) == SILENCE_LIMIT_S


def test_an_engine_has_half_of_the_budget_so_that_the_next_still_answers_within_it() -> None:
    assert Policy.parse(f"answer_within_ms: 5000{POLICY}").answer_within_ms == 5000
    assert limits(5000) == {"fast": 2.5, "standard": 2.5, "tool": 2.5, "realtime": 2.5}
    assert silence_limit_s(5000) == 5.0


def test_voices_have_a_share_of_their_usual_time_under_a_smaller_budget() -> None:
    shares = {budget: within(CATALOGUE, budget).patience for budget in (1000, 4000, 8000, 60_000)}
    assert shares == {1000: 0.125, 4000: 0.5, 8000: 1.0, 60_000: 1.0}
    assert CATALOGUE.patience == 1.0


def test_a_stricter_catalogue_holds() -> None:
    assert limits(10_000) == {"fast": 4.0, "standard": 4.0, "tool": 5.0, "realtime": 4.0}
    assert silence_limit_s(60_000) == SILENCE_LIMIT_S
