"""Calls as Prometheus metrics."""

import inspect
import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from compliance.events import EngineHeard, HeardAlike, UsageIncurred
from engines.circuits import State
from service.telemetry import CallMetrics
from tests.unit.service.sample_call import furious_call, quick_call

pytestmark = pytest.mark.unit


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry)
    for event in (*quick_call(), *furious_call()):
        metrics.take(event)
    return registry


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    found = registry.get_sample_value(f"patchbay_{name}", labels)
    assert found is not None, name
    return found


def test_calls_and_turns_are_counted(registry: CollectorRegistry) -> None:
    assert value(registry, "calls_total") == 2
    assert value(registry, "calls_active") == 0
    turns = sum(event.kind == "turn_ended" for event in (*quick_call(), *furious_call()))
    assert value(registry, "turns_total") == turns


def test_what_a_caller_waited_for_is_told_by_engine_and_by_wait(registry: CollectorRegistry) -> None:
    answered = [
        event for event in furious_call() if event.kind == "turn_answered" and event.engine == "realtime"
    ]
    heard = value(registry, "turn_heard_seconds_sum", engine="realtime")
    assert heard == pytest.approx(sum(event.heard_ms for event in answered) / 1000)
    waits = [
        sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "patchbay_turn_wait_seconds_sum" and sample.labels["engine"] == "realtime"
    ]
    assert sum(waits) == pytest.approx(heard)


def test_the_cost_is_that_of_the_record(registry: CollectorRegistry) -> None:
    spent = [event for event in (*quick_call(), *furious_call()) if isinstance(event, UsageIncurred)]
    told = sum(
        sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "patchbay_cost_usd_total"
    )
    assert told == pytest.approx(sum(event.cost_usd for event in spent))


def test_uses_that_lack_a_price_are_counted() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry)
    priced = next(event for event in quick_call() if isinstance(event, UsageIncurred))
    for event in (priced, priced.model_copy(update={"unpriced": ("characters",)})):
        metrics.take(event)
    labels = {"provider": priced.provider, "model": priced.model}
    assert value(registry, "unpriced_uses_total", **labels) == 1


def test_the_share_of_turns_that_an_engine_heard_otherwise_has_a_denominator() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry)
    alike = HeardAlike(call_id="c", at_ms=1, turn=1, engine="realtime", words=4)
    other = EngineHeard.model_construct(call_id="c", at_ms=2, turn=2, engine="realtime")
    for event in (alike, alike, other):
        metrics.take(event)
    assert value(registry, "own_transcripts_total", engine="realtime", differs="false") == 2
    assert value(registry, "own_transcripts_total", engine="realtime", differs="true") == 1


def test_a_provider_that_is_left_alone_is_told_until_it_works_again() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry)
    labels = {"role": "llm", "provider": "groq", "model": "llama-3.1-8b-instant"}
    for state, told in ((State.OPEN, 1), (State.HALF_OPEN, 1), (State.CLOSED, 0)):
        metrics.circuit("llm groq llama-3.1-8b-instant", state)
        assert value(registry, "provider_left_alone", **labels) == told


def test_no_word_of_a_call_is_a_label(registry: CollectorRegistry) -> None:
    page = generate_latest(registry).decode()
    for event in (*quick_call(), *furious_call()):
        text = getattr(event, "text", "")
        assert not text or text not in page


def test_labels_are_made_of_names_and_numbers_only() -> None:
    """A label that is not on this list must be looked at: may it hold what a caller said, or take many values?"""
    known = {
        *(
            "event.engine",
            "event.winner",
            "event.used_by",
            "event.rule",
            "wait",
            "*pair",
            "_flag(event.warm)",
            "_flag(event.used)",
            "event.name",
        ),
        *(
            "_flag(event.failed)",
            "_flag(differs)",
            "event.provider",
            "event.error",
            "event.part",
            "event.model",
        ),
    }
    source = inspect.getsource(CallMetrics.take)
    used = {
        label.strip() for given in re.findall(r"\.labels\((.*?)\)\.", source) for label in given.split(", ")
    }
    assert used == known
