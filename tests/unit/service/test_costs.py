"""What calls cost, added up from their records, and break-even volumes."""

import pytest

from compliance.events import Event, UsageIncurred
from engines.prices import Prices
from policies import shipped
from service.costs import Position, bill, break_even_minutes, total
from tests.unit.service.sample_call import furious_call, quick_call

pytestmark = pytest.mark.unit


def other(events: tuple[Event, ...], call_id: str) -> list[Event]:
    return [event.model_copy(update={"call_id": call_id}) for event in events]


CALLS = [list(quick_call()), other(furious_call(), "another")]
USES = [event for events in CALLS for event in events if isinstance(event, UsageIncurred)]


@pytest.mark.parametrize("by", ["call", "day", "engine", "provider", "model"])
def test_every_bill_of_the_same_calls_has_the_same_sum(by: str) -> None:
    lines = bill(CALLS, by)  # type: ignore[arg-type]
    whole = total(lines, len(CALLS))
    assert whole.cost_usd == pytest.approx(sum(use.cost_usd for use in USES))
    assert (whole.uses, whole.calls) == (len(USES), 2)


def test_the_dearest_comes_first() -> None:
    costs = [line.cost_usd for line in bill(CALLS, "model")]
    assert costs == sorted(costs, reverse=True)


def test_a_line_tells_what_was_sent_again_and_what_had_no_price() -> None:
    first, *rest = [event for event in CALLS[0] if isinstance(event, UsageIncurred)]
    again = first.model_copy(update={"again_usd": first.cost_usd / 2})
    free = first.model_copy(update={"cost_usd": 0.0, "provider": "google", "model": "gemini"})
    lines = {line.name: line for line in bill([[CALLS[0][0], again, free]], "model")}
    assert lines[f"{first.provider}/{first.model}"].again_usd == pytest.approx(first.cost_usd / 2)
    assert lines["google/gemini"].unpriced == 1
    assert rest


def test_a_bill_of_the_lab_says_that_nothing_was_paid() -> None:
    started, *events = CALLS[0]
    real = started.model_copy(update={"simulated": ()})
    assert not any(line.simulated for line in bill([[real, *events]], "provider"))
    simulated = started.model_copy(update={"simulated": (USES[0].provider,)})
    marked = {line.name: line.simulated for line in bill([[simulated, *events]], "provider")}
    assert marked[USES[0].provider]


def test_no_calls_are_an_empty_bill() -> None:
    assert bill([], "day") == ()
    assert total((), 0) == Position("total", 0, 0, 0, 0, 0, False)


@pytest.mark.parametrize(
    ("platform", "minutes"), [("bland", 143_000), ("retell", 77_000), ("openai-realtime", 36_000)]
)
def test_break_even_volumes_are_those_of_the_articles(platform: str, minutes: int) -> None:
    """$10,000 a month for the line and 2 cents a minute on top, as they assume."""
    prices = Prices.load(shipped("prices.yaml")).sets["articles"]
    against_usd = prices.cost_usd(platform, "", {"call_minutes": 1.0})
    found = break_even_minutes(fixed_usd=10_000, own_usd=0.02, against_usd=against_usd)
    assert found is not None
    assert round(found, -3) == minutes


def test_what_costs_less_a_minute_than_ones_own_line_is_never_beaten() -> None:
    assert break_even_minutes(fixed_usd=10_000, own_usd=0.02, against_usd=0.02) is None
