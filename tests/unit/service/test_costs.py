"""What calls cost, added up from their records, and break-even volumes."""

import pytest

from compliance.events import Event, PreviewSettled, UsageIncurred
from engines.prices import Prices
from policies import shipped
from service.costs import Position, bill, break_even_minutes, total
from service.summary import summarise
from service.summary_json import summary_json
from tests.unit.service.sample_call import furious_call, quick_call

pytestmark = pytest.mark.unit


def other(events: tuple[Event, ...], call_id: str) -> list[Event]:
    return [event.model_copy(update={"call_id": call_id}) for event in events]


CALLS = [list(quick_call()), other(furious_call(), "another")]
USES = [event for events in CALLS for event in events if isinstance(event, UsageIncurred)]


@pytest.mark.parametrize("by", ["call", "day", "engine", "part", "provider", "model"])
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
    unpriced = {"cost_usd": 0.0, "provider": "google", "model": "gemini", "unpriced": ("input_text_tokens",)}
    free = first.model_copy(update=unpriced)
    lines = {line.name: line for line in bill([[CALLS[0][0], again, free]], "model")}
    assert lines[f"{first.provider}/{first.model}"].again_usd == pytest.approx(first.cost_usd / 2)
    assert lines["google/gemini"].unpriced == 1
    assert rest


def test_a_use_that_costs_nothing_at_a_price_of_nothing_is_priced() -> None:
    started, *_ = CALLS[0]
    own = USES[0].model_copy(update={"cost_usd": 0.0, "provider": "self-hosted"})
    [line] = bill([[started, own]], "provider")
    assert (line.cost_usd, line.unpriced) == (0, 0)


def test_what_wrong_previews_cost_is_told_of_replies_that_nobody_wanted_only() -> None:
    started, use = CALLS[0][0], USES[0]
    events = [
        started,
        use.model_copy(update={"generation": 2, "cost_usd": 0.25}),  # told before it is known to be wrong
        settled(2, used=False),
        settled(3, used=True),
        use.model_copy(update={"generation": 3, "cost_usd": 0.5}),
        use.model_copy(update={"cost_usd": 1.0}),  # of no known reply
    ]
    [line] = bill([events], "engine")
    assert (line.unwanted_usd, line.cost_usd) == (0.25, 1.75)
    summary = summarise(events)
    assert summary.unwanted_usd == 0.25
    assert summary_json(summary)["totals"]["unwanted_usd"] == 0.25


def settled(generation: int, *, used: bool) -> PreviewSettled:
    call_id = CALLS[0][0].call_id
    return PreviewSettled(
        call_id=call_id, at_ms=1, turn=1, engine="realtime", used=used, generation=generation
    )


def test_engines_are_billed_with_their_voices_and_what_they_share_by_itself() -> None:
    started, use = CALLS[0][0], USES[0].model_copy(update={"engine": "fast", "cost_usd": 1.0})
    voice = use.model_copy(update={"part": "voice"})
    ears = use.model_copy(update={"engine": "transcriber"})
    events = [started, use, voice, ears]
    assert {line.name: line.cost_usd for line in bill([events], "engine")} == {
        "fast": 2.0,
        "transcriber": 1.0,
    }
    assert {line.name for line in bill([events], "part")} == {"model", "voice", "transcriber"}


def test_a_bill_of_the_lab_says_that_nothing_was_paid() -> None:
    started, *events = CALLS[0]
    real = started.model_copy(update={"simulated": ()})
    assert not any(line.simulated for line in bill([[real, *events]], "provider"))
    simulated = started.model_copy(update={"simulated": (USES[0].provider,)})
    marked = {line.name: line.simulated for line in bill([[simulated, *events]], "provider")}
    assert marked[USES[0].provider]


def test_no_calls_are_an_empty_bill() -> None:
    assert bill([], "day") == ()
    assert total((), 0) == Position("total", 0, 0, 0, 0, 0, 0, False)


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


@pytest.mark.parametrize(("against_usd", "minutes"), [(0.09, 111_000), (0.15, 67_000), (0.30, 33_000)])
def test_charged_once_their_fixed_costs_give_smaller_volumes(against_usd: float, minutes: int) -> None:
    """Their 2 cents a minute are the same $10,000, spread over their 500,000 minutes."""
    assert 10_000 / 500_000 == 0.02
    found = break_even_minutes(fixed_usd=10_000, own_usd=0.0, against_usd=against_usd)
    assert found is not None
    assert round(found, -3) == minutes


def test_what_costs_less_a_minute_than_ones_own_line_is_never_beaten() -> None:
    assert break_even_minutes(fixed_usd=10_000, own_usd=0.02, against_usd=0.02) is None
