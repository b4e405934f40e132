"""Why a recorded call was routed as it was: by the command, from the record alone and with the archived policy."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from compliance.events import CallStarted, Decided, Event, HandedOff, ProviderFailed, TurnMoved
from compliance.ledger import Ledger
from router import Memory, Policy, Signals
from router.explanation import deciding_values, explain
from service.cli import app
from service.explained import ExplainedTurn, explained_call
from tests.unit.service.recorded_calls import BEGAN, EVERYTHING
from tests.unit.service.sample_call import furious_call

pytestmark = pytest.mark.unit

POLICY = Policy.parse(EVERYTHING)
EVENING_S = int((BEGAN + timedelta(hours=11)).timestamp())  # 19:00 in Berlin
MORNING_S = int((BEGAN + timedelta(hours=2)).timestamp())
CALM: dict[str, Any] = {
    "caller.consent_voice_ai": True, "time.unix_s": MORNING_S, "emotion.label": "calm", "turn.words": 5,
}  # fmt: skip
UPSET = {**CALM, "emotion.label": "upset", "emotion.upset": 0.95}


def record_of(
    *turns: dict[str, Any],
    call_id: str = "call-1",
    policy: Policy = POLICY,
    tenant: str = "",
    moved: str = "",
) -> list[Event]:
    """The record of a call with these signals; ``moved`` takes the last turn over."""
    own, memory = policy.for_tenant(tenant), Memory.start(call_id)
    events: list[Event] = [
        CallStarted(
            call_id=call_id,
            at_ms=0,
            started_at=BEGAN.isoformat(),
            source="lab:x",
            policy=policy.name,
            policy_hash=policy.hash,
            policy_version=policy.version,
            tenant=tenant,
        )
    ]
    for number, given in enumerate(turns, 1):
        decision, memory = own.decide(Signals({"turn.count": number, **given}), memory)
        at = {"call_id": call_id, "at_ms": 1000.0 * number, "turn": number}
        events.append(
            Decided(
                **at,
                engine=decision.engine,
                rule=decision.rule,
                reason=decision.reason,
                policy_hash=decision.policy_hash,
                policy_version=decision.policy_version,
                signals=dict(decision.signals),
                tried=decision.tried,
                denied=dict(decision.denied),
                arms=dict(decision.arms),
                shadow=dict(decision.shadow),
                endpointing_ms=decision.endpointing_ms,
                took_us=90,
            )
        )
    if moved:
        last = events[-1]
        assert isinstance(last, Decided)
        events += [
            ProviderFailed(
                **at, engine=last.engine, provider="openai", error="Timeout", action=f"moved to {moved}"
            ),
            TurnMoved(**at, from_engine=last.engine, to_engine=moved),
            HandedOff(
                **at,
                from_engine=last.engine,
                to_engine=moved,
                warm=False,
                turn_as_audio=False,
                items=3,
                took_ms=6,
            ),
        ]
    return events


def last_turn(*turns: dict[str, Any], **more: Any) -> ExplainedTurn:
    return explained_call(record_of(*turns, **more), more.get("policy", POLICY)).turns[-1]


# -- what an explanation holds -----------------------------------------------------------------------------------
def test_each_guard_and_rule_is_shown_with_the_values_that_decided() -> None:
    explanation = last_turn({**CALM, "turn.tool_p": 0.7}).explanation
    steps = {step.id: step for step in explanation.steps}
    assert [step.kind for step in explanation.steps[:3]] == ["guard"] * 3
    assert steps["no-consent"].outcome == "no"
    assert steps["no-consent"].clauses[0].outcome is False
    tools = steps["tools"]
    assert (tools.kind, tools.because) == ("rule", "the reply needs a tool")
    when, hold = tools.clauses
    assert (when.label, when.source, when.outcome) == ("when", "turn.tool_p >= p.tool_p", True)
    assert dict(when.values) == {"turn.tool_p": 0.7, "p.tool_p": 0.6}
    assert hold.label == "hold"
    assert explanation.not_tried == ("opening", "otherwise")


def test_params_are_the_tenants() -> None:
    explanation = last_turn({**CALM, "turn.tool_p": 0.5}, tenant="acme").explanation
    [tools] = [step for step in explanation.steps if step.id == "tools"]
    assert tools.clauses[0].values["p.tool_p"] == 0.4
    assert "digits" not in {step.id for step in explanation.steps} | set(explanation.not_tried)


def test_what_was_denied_says_by_whom() -> None:
    turn = last_turn({**UPSET, "caller.consent_voice_ai": False}, {**UPSET, "caller.consent_voice_ai": False})
    assert dict(turn.explanation.decision.denied) == {"realtime": "no-consent"}
    assert turn.explanation.decision.engine == "tool"


def test_what_kept_the_engine_is_told() -> None:
    held = last_turn(UPSET, {**CALM, "emotion.upset": 0.36})
    assert held.explanation.kept_by == ("de-escalate: held: realtime",)
    [dwelling] = last_turn(UPSET, {**CALM, "turn.tool_p": 0.9}).explanation.kept_by
    assert dwelling == "dwell: keeps realtime, not tool: it has answered 1 of at least 2 turns"
    [cooling] = last_turn(CALM, {**CALM, "turn.tool_p": 0.9}, CALM).explanation.kept_by
    assert cooling == "stability: keeps tool, not standard: the call was switched at turn 2"
    assert last_turn(CALM).explanation.kept_by == ()


def test_smoothed_signals_are_shown_before_and_after() -> None:
    first = {one.name: one for one in last_turn(UPSET).explanation.smoothed}
    assert first["upset"].before == 0.0
    assert first["upset"].after == pytest.approx(0.57)
    assert first["errand"].before == 0.1
    second = {one.name: one for one in last_turn(UPSET, {**CALM, "turn.words": 1}).explanation.smoothed}
    assert second["upset"].before == second["upset"].after == pytest.approx(0.57)
    assert second["upset"].counted is False
    assert second["errand"].counted is True


def test_gates_say_where_the_call_stands_in_them() -> None:
    steps = {step.id: step for step in last_turn({**CALM, "turn.ends_in_digits": True}).explanation.steps}
    assert steps["evening"].gates == ("schedule in Europe/Berlin: outside its hours",)
    [rollout] = steps["digits"].gates
    assert rollout.startswith("rollout to 50 %: call.id falls at ")
    evening = {step.id: step for step in last_turn({**CALM, "time.unix_s": EVENING_S}).explanation.steps}
    assert evening["evening"].gates == ("schedule in Europe/Berlin: within its hours",)


def test_a_forced_engine_leaves_no_rule_to_ask() -> None:
    explanation = last_turn({**CALM, "call.asked_human": True}).explanation
    assert explanation.decision.rule == "wants-a-person"
    assert explanation.not_tried == ()


def test_experiments_shadows_and_endpointing_are_told() -> None:
    turn = last_turn({**CALM, "turn.tool_p": 0.9}, call_id="call-7")
    assert set(turn.explanation.decision.arms) == {"tool-or-standard"}
    assert set(turn.explanation.decision.shadow) == {"try-lower"}
    inside = next(
        f"call-{n}"
        for n in range(50)
        if POLICY.content.rules[2].rollout.includes("2026-q4", "digits", f"call-{n}")
    )  # type: ignore[union-attr]
    waits = last_turn({**CALM, "turn.ends_in_digits": True}, call_id=inside)
    assert waits.explanation.decision.endpointing_ms == 900


def test_a_condition_that_failed_is_shown_as_it_counted() -> None:
    policy = Policy.parse(
        """
policy: {name: t, version: 1}
engines: {fast: , standard: }
last_resort: standard
guards: [{id: odd, when: 100 / turn.chars > 3, deny: [fast], because: nobody knows}]
rules: [{id: otherwise, when: true, route: fast, because: nothing else applies}]
"""
    )
    turn = last_turn({}, policy=policy)
    failed, denies = turn.explanation.steps[:2]
    assert failed.outcome.startswith("failed, counts as true")
    assert denies.outcome == "denies fast"
    assert turn.reproduced is True


def test_the_values_that_decided_are_those_that_the_named_rules_read() -> None:
    decision, _ = POLICY.decide(Signals({**CALM, "turn.tool_p": 0.7}), Memory.start("c"))
    assert deciding_values(POLICY, decision, ["tools"]) == {
        "turn.tool_p": 0.7,
        "p.tool_p": 0.6,
        "errand": pytest.approx(0.4),
    }
    assert deciding_values(POLICY, decision, ["no-such-rule"]) == {}


def test_without_the_policy_the_trace_is_what_the_record_says() -> None:
    decision, _ = POLICY.decide(Signals({**CALM, "turn.tool_p": 0.7}), Memory.start("c"))
    explanation = explain(decision, None, call_id="c", before=None)
    assert [(step.id, step.outcome) for step in explanation.steps] == list(decision.tried)
    assert {step.kind for step in explanation.steps} == {"unknown"}
    assert {one.name for one in explanation.smoothed} == {"upset", "errand"}
    assert all(one.before is None for one in explanation.smoothed)


def test_a_decision_that_the_policy_would_not_take_is_marked() -> None:
    events = record_of(CALM, CALM)
    forged = [
        event.model_copy(update={"engine": "realtime"})
        if isinstance(event, Decided) and event.turn == 2
        else event
        for event in events
    ]
    assert [turn.reproduced for turn in explained_call(forged, POLICY).turns] == [True, False]


def test_a_turn_that_routing_failed_on_is_explained_as_that() -> None:
    events = record_of(CALM, CALM)
    broken = Decided(
        call_id="call-1",
        at_ms=3000,
        turn=3,
        engine="standard",
        rule="default-engine",
        reason="The router failed, so the policy's default engine answers.",
        policy_hash=POLICY.hash,
        signals={},
    )
    turn = explained_call([*events, broken], POLICY).turns[-1]
    assert (turn.routed, turn.reproduced, turn.explanation.steps) == (False, None, ())


def test_a_record_with_signals_that_cannot_be_replayed_is_explained_all_the_same() -> None:
    call = explained_call(furious_call(), None)
    assert [turn.explanation.decision.turn for turn in call.turns] == [1, 2, 3, 4, 5, 6, 7]
    assert all(turn.reproduced is None for turn in call.turns)


# -- the command -------------------------------------------------------------------------------------------------
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs ``patchbay policy explain`` on a ledger with two calls, the second without an archived policy."""
    path = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(path)) as ledger:
        ledger.keep_policy(POLICY.hash, POLICY.name, POLICY.version, EVERYTHING)
        ledger.append_many(
            record_of(CALM, UPSET, {**CALM, "turn.tool_p": 0.9}, tenant="acme", moved="standard")
        )
        ledger.append_many(furious_call())

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(
            app,
            ["policy", "explain", *arguments, "--ledger", str(path)],
            env={"COLUMNS": "160", "NO_COLOR": "1"},
        )

    return run


def test_a_call_is_one_line_a_turn(run: Run) -> None:
    found = run("call-1")
    assert found.exit_code == 0, found.output
    assert "call-1 · 3 turns" in found.output
    assert "tenant acme" in found.output
    assert "the caller sounds upset" in found.output
    assert "openai failed (Timeout)" in found.output
    assert "the archived policy reproduces all 3 decisions" in found.output


def test_a_turn_is_told_in_full(run: Run) -> None:
    found = run("call-1", "3")
    assert found.exit_code == 0, found.output
    for told in (
        "Turn 3 of call-1",
        "caller.consent_voice_ai true",
        "upset >= p.enter",
        "p.enter 0.55",
        "smoothed",
        "shadow",
        "moved",
        "to standard, at 0:03.0",
        "3 items carried over",
    ):
        assert told in found.output


def test_the_newest_call_without_its_policy_is_explained_from_the_record(run: Run) -> None:
    found = run("last", "4")
    assert found.exit_code == 0, found.output
    assert "Turn 4 of call-0004: realtime by upset caller" in found.output
    assert "From the record alone" in found.output
    assert "not in the ledger's archive" in found.output
    assert "emotion.upset 0.83" in found.output


def test_json_holds_all_of_it(run: Run) -> None:
    value = json.loads(run("call-1", "--json").stdout)
    assert value["schema"] == "patchbay.explanation/1"
    assert (value["call"], value["tenant"], value["policy"]["hash"]) == ("call-1", "acme", POLICY.hash)
    assert [turn["turn"] for turn in value["turns"]] == [1, 2, 3]
    last = value["turns"][-1]
    assert last["reproduced"] is True
    assert last["moves"][0]["to_engine"] == "standard"
    [consent] = [step for step in last["tried"] if step["id"] == "no-consent"]
    assert consent["conditions"][0]["values"] == {"caller.consent_voice_ai": True}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nobody",), "no call 'nobody'"),
        (("call-",), "2 calls begin with 'call-'"),
        (("call-1", "9"), "call call-1 has no turn 9: its turns are 1 to 3"),
    ],
)
def test_what_is_not_on_record_says_what_is(run: Run, arguments: tuple[str, ...], told: str) -> None:
    found = run(*arguments)
    assert found.exit_code == 2
    assert told in found.stderr


def test_a_ledger_that_is_not_there_is_said(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["policy", "explain", "last", "--ledger", str(tmp_path / "none.sqlite")])
    assert found.exit_code == 2
    assert "there is no ledger at" in found.stderr
