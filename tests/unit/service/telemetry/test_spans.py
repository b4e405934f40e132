"""Calls as OpenTelemetry spans."""

import ast
import inspect
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from compliance.events import CallStarted, Event, TurnAnswered
from service.telemetry import Spans, tracing
from service.telemetry import spans as module
from tests.unit.service.sample_call import furious_call, quick_call

pytestmark = pytest.mark.unit

KNOWN = {
    "error.type",
    "gen_ai.conversation.id",
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.tool.name",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "patchbay.answered",
    "patchbay.cost_again_usd",
    "patchbay.cost_usd",
    "patchbay.decision_us",
    "patchbay.engine",
    "patchbay.failed",
    "patchbay.hand_off.from",
    "patchbay.hand_off.warm",
    "patchbay.hand_off_ms",
    "patchbay.heard_ms",
    "patchbay.policy",
    "patchbay.policy_version",
    "patchbay.route",
    "patchbay.rule",
    "patchbay.simulated",
    "patchbay.tenant",
    "patchbay.turn",
    "patchbay.turns",
}
"""Every attribute: none may hold what was said. One that is not here must be looked at before it is exported."""


def spans(events: Sequence[Event]) -> tuple[ReadableSpan, ...]:
    exporter = InMemorySpanExporter()
    follow = Spans(tracing(SimpleSpanProcessor(exporter)))
    for event in events:
        follow.take(event)
    return exporter.get_finished_spans()


def named(found: Sequence[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in found if span.name == name]


def length_ms(span: ReadableSpan) -> float:
    assert span.end_time is not None
    assert span.start_time is not None
    return (span.end_time - span.start_time) / 1e6


def test_a_call_is_a_trace_with_a_span_for_every_turn() -> None:
    events = furious_call()
    found = spans(events)
    [call] = named(found, "call")
    turns = named(found, "turn")
    assert len(turns) == sum(event.kind == "turn_ended" for event in events)
    assert {turn.parent.span_id for turn in turns if turn.parent} == {call.context.span_id}
    assert length_ms(call) == pytest.approx(events[-1].at_ms, abs=1)


def test_the_waits_of_a_turn_follow_one_another_and_sum_to_what_was_heard() -> None:
    events = furious_call()
    found = spans(events)
    for answered in (event for event in events if isinstance(event, TurnAnswered)):
        [turn] = [
            one for one in named(found, "turn") if (one.attributes or {})["patchbay.turn"] == answered.turn
        ]
        inside = [one for one in found if one.parent and one.parent.span_id == turn.context.span_id]
        waits = [one for one in inside if one.name.startswith("wait ")]
        assert sum(map(length_ms, waits)) == pytest.approx(answered.heard_ms, abs=0.01)
        assert [one.start_time for one in waits[1:]] == [one.end_time for one in waits[:-1]]


def test_tools_stand_in_the_turn_that_used_them() -> None:
    tools = [one for one in spans(furious_call()) if one.name.startswith("execute_tool ")]
    assert tools
    assert all((one.attributes or {})["gen_ai.operation.name"] == "execute_tool" for one in tools)


def test_a_failure_is_an_event_of_its_turn_without_the_words_of_the_error() -> None:
    failures = [one for turn in named(spans(furious_call()), "turn") for one in turn.events]
    assert {name for one in failures for name in one.attributes or {}} <= KNOWN


def test_every_attribute_is_one_that_was_looked_at() -> None:
    found = spans((*quick_call(), *furious_call()))
    keys = {key for span in found for key in span.attributes or {}}
    keys |= {key for span in found for event in span.events for key in event.attributes or {}}
    assert keys <= KNOWN


def test_every_attribute_that_can_be_written_is_one_that_was_looked_at() -> None:
    """Also those that no call of this module has: all keys of mappings, all that is yielded or set by a name."""
    keys: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        match node:
            case ast.Dict(keys=[*named]):
                keys |= {_text(key) for key in named}
            case ast.Yield(value=ast.Tuple(elts=[key, _])):
                keys.add(_text(key))
            case ast.Call(func=ast.Attribute(attr="set_attribute"), args=[key, *_]):
                keys.add(_text(key))
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id="attributes"), slice=key)]):
                assert ast.unparse(key) == "name"  # of those that the module counts tokens by
    assert keys == KNOWN | {"service.name"}  # of the process, not of a call


def _text(key: ast.expr | None) -> str:
    assert isinstance(key, ast.Constant), "a key that is not written out cannot be looked at"
    return str(key.value)


def test_no_word_of_a_call_is_in_any_span() -> None:
    events = furious_call()
    told = " ".join(span.to_json() for span in spans(events))
    for event in events:
        text = getattr(event, "text", "")
        assert not text or text not in told


def test_a_record_that_stops_leaves_its_call_untold_and_disturbs_no_other() -> None:
    events = furious_call()[:-1]
    assert named(spans((*events, *quick_call())), "call")
    assert spans([event for event in events if not isinstance(event, CallStarted)]) == ()
