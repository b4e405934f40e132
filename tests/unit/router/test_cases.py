"""Tests of policies: how their files are read, what they check, and what they reach."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import Document, DocumentError, shipped
from router import Policy, cases
from router.cases import Item, Result, Scenario
from tests.random_policies import THOROUGH

pytestmark = pytest.mark.unit

POLICY = Policy.parse(
    """
policy: {name: t, version: 1}
params:
  high: {value: 0.6, min: 0.1, max: 0.9}
  chars: {value: 50}
derived: {mood: {from: emotion.upset, ewma: 1.0}}
engines:
  fast: {fallback: [standard]}
  tool: {fallback: [fast]}
  standard: {fallback: [fast]}
  realtime: {fallback: [tool, standard]}
stability: {cooldown_turns: 0}
guards:
  - {id: consent, when: '!caller.consent_voice_ai', deny: [realtime], because: no consent}
  - {id: person, when: call.asked_human, force: standard, because: asked for a person}
rules:
  - id: night
    when: turn.chars > 0
    route: fast
    schedule: {from: "22:00", to: "06:00", tz: Europe/Berlin}
    because: nobody else is there
  - id: upset
    when: mood >= p.high
    hold: mood >= 0.3
    route: realtime
    else_route: tool
    endpointing_ms: 900
    because: the caller sounds upset
  - {id: short, when: turn.chars < p.chars, route: fast, because: short}
  - {id: otherwise, when: true, route: standard, because: nothing else}
shadow:
  - {id: tools-first, when: turn.needs_tools, route: tool, because: would it help}
experiments:
  - {id: which, rule: short, arms: {control: 1, other: {weight: 1, route: tool}}, because: which is better}
overlays:
  acme:
    disable: [upset]
    params: {chars: 80}
    insert: [{id: vip, before: short, when: call.queue == "vip", route: tool, because: they pay}]
    guards: [{id: own, when: time.hour < 6, deny: [tool], because: nobody is there}]
  beta: {guards: [{id: own, when: time.hour > 20, deny: [tool], because: nobody is there}]}
emotion: {unless: caller.region == "eu", because: the contract}
""",
    file="p.yaml",
)


def read(text: str) -> tuple[Scenario, ...]:
    return cases.read(Document.parse(text, file="p.test.yaml"), POLICY)


def complaints(text: str) -> list[str]:
    with pytest.raises(DocumentError) as raised:
        read(text)
    return str(raised.value).removeprefix("p.test.yaml:").split("\np.test.yaml:")


def results(text: str) -> list[Result]:
    return [cases.run(POLICY, scenario) for scenario in read(text)]


def case(rest: str, name: str = "c") -> Result:
    (result,) = results(f"cases:\n  - {{name: {name}, {rest}}}\n")
    return result


def wrong(result: Result) -> list[tuple[str, str, str]]:
    return [(one.what, one.expected, one.got) for played in result.turns for one in played.wrong]


# -- one turn -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "expected",
    [
        "engine: standard, rule: otherwise",
        "engine: standard, switched: false, endpointing_ms: ",
        "signals: {caller.consent_emotion: true, caller.region: us}, engine: standard, voice_judged: true",
        "signals: {caller.consent_emotion: true, caller.region: eu}, engine: standard, voice_judged: false",
        "signals: {emotion.upset: 0.9}, engine: tool, denied: {realtime: consent}",
        "signals: {emotion.upset: 0.9}, engine: tool, denied: [realtime], endpointing_ms: 900",
        "signals: {emotion.upset: 0.9, caller.consent_voice_ai: true}, engine: realtime, denied: {}",
        "signals: {emotion.upset: 0.9, caller.consent_voice_ai: true}, engine: realtime, denied: []",
        "signals: {call.asked_human: true}, engine: standard, rule: person",
        "signals: {turn.needs_tools: true}, engine: standard, shadow: {tools-first: tool}",
        "params: {high: 0.1}, signals: {emotion.upset: 0.2}, engine: tool, rule: upset",
        "tenant: acme, signals: {turn.chars: 90, emotion.upset: 0.9}, engine: standard, rule: otherwise",
        "tenant: acme, signals: {turn.chars: 70}, engine: tool, rule: short, arm: {which: other}",
        "tenant: acme, params: {chars: 60}, signals: {turn.chars: 70}, engine: standard",
        "tenant: acme, signals: {turn.chars: 90, call.queue: vip, time.hour: 3}, engine: standard, rule: otherwise",
        "signals: {turn.chars: 90}, at: 2026-12-24T23:00:00+01:00, engine: fast, rule: night",
        "signals: {turn.chars: 90}, at: 2026-12-24T23:00:00Z, engine: fast, rule: night",
        "signals: {turn.chars: 90}, at: '2026-12-24T23:00:00-05:00', engine: fast, rule: night",
        "signals: {turn.chars: 90}, at: 2026-12-24T21:00:00+00:00, engine: fast, rule: night",
        "signals: {turn.chars: 90}, at: 2026-12-24T12:00:00+01:00, engine: standard",
        "signals: {turn.chars: 90}, at: 2026-12-24T23:00:00-12:00, engine: standard",
    ],
)
def test_a_case_that_says_what_the_policy_does_passes(expected: str) -> None:
    text = (
        expected.replace("signals: {", "signals: {turn.chars: 60, ")
        if "turn.chars" not in expected
        else expected
    )
    if "signals" not in text:
        text = f"signals: {{turn.chars: 60}}, {text}"
    assert wrong(case(text)) == []


@pytest.mark.parametrize(
    ("expected", "complaint"),
    [
        ("engine: fast", ("engine", "fast", "standard")),
        ("engine: standard, rule: short", ("rule", "short", "otherwise")),
        ("engine: standard, switched: true", ("switched", "true", "false")),
        ("engine: standard, voice_judged: true", ("voice_judged", "true", "false")),
        ("engine: standard, denied: {}", ("denied", "{}", "{realtime: consent}")),
        ("engine: standard, denied: []", ("denied", "[]", "[realtime]")),
        ("engine: standard, denied: [tool, realtime]", ("denied", "[realtime, tool]", "[realtime]")),
        ("engine: standard, endpointing_ms: 500", ("endpointing_ms", "500", "none")),
        (
            "engine: standard, shadow: {tools-first: tool}",
            ("shadow", "{tools-first: tool}", "{tools-first: standard}"),
        ),
        ("engine: standard, arm: {which: other}", ("arm", "{which: other}", "{which: none}")),
        ("engine: standard, moved_to: fast", ("moved_to", "fast", "standard")),
    ],
)
def test_a_case_that_does_not_says_what_was_expected_and_what_came(
    expected: str, complaint: tuple[str, str, str]
) -> None:
    result = case(f"signals: {{turn.chars: 60}}, {expected}")
    assert wrong(result) == [complaint]
    assert not result.passed


def test_everything_that_is_wrong_with_a_turn_is_said() -> None:
    result = case("signals: {turn.chars: 60}, engine: fast, rule: short, denied: {}")
    assert [what for what, _, _ in wrong(result)] == ["engine", "rule", "denied"]


def test_a_call_is_sorted_into_arms_by_its_id_which_is_the_tests_name_unless_it_is_given() -> None:
    arms = {
        arm: next(
            name
            for name in map(str, range(100))
            if case("signals: {turn.chars: 1}, engine: fast", name=f"'{name}'")
            .turns[0]
            .decision.arms["which"]
            == arm
        )
        for arm in ("control", "other")
    }
    engines = {"control": "fast", "other": "tool"}
    for arm, call_id in arms.items():
        text = f"signals: {{turn.chars: 1}}, engine: {engines[arm]}, arm: {{which: {arm}}}"
        assert case(text, name=f"'{call_id}'").passed
        assert case(f"call_id: '{call_id}', {text}", name="another").passed


# -- several turns ------------------------------------------------------------------------------------------
def test_signals_are_carried_from_turn_to_turn_and_turns_are_counted() -> None:
    (result,) = results("""
given: {caller.consent_voice_ai: true, turn.chars: 60}
scenarios:
  - name: s
    signals: {call.queue: vip, turn.chars: 70}
    turns:
      - {signals: {emotion.upset: 0.9}, engine: realtime, rule: upset}
      - {signals: {emotion.upset: 0.4}, engine: realtime, rule: upset, switched: false}
      - {signals: {emotion.upset: 0.1, turn.count: 7}, engine: standard, switched: true}
      - {}
""")
    assert result.passed
    turns = [played.decision.signals for played in result.turns]
    assert [signals["turn.count"] for signals in turns] == [1, 2, 7, 8]
    assert [signals["emotion.upset"] for signals in turns] == [0.9, 0.4, 0.1, 0.1]
    assert {signals["call.queue"] for signals in turns} == {"vip"}
    assert {signals["turn.chars"] for signals in turns} == {70}
    assert [played.before for played in result.turns] == [None, *turns[:3]]


def test_a_moment_is_carried_too() -> None:
    (result,) = results("""
scenarios:
  - name: s
    turns:
      - {at: 2026-12-27T23:30:00+01:00, signals: {turn.chars: 60}, engine: fast}
      - {engine: fast, rule: night}
      - {at: 2026-12-28T08:00:00+01:00, engine: standard}
""")
    assert result.passed
    last = result.turns[-1].decision.signals
    assert (last["time.weekday"], last["time.hour"]) == (1, 8)
    assert result.turns[0].decision.signals["time.weekday"] == 7


def test_an_engine_that_fails_hands_the_turn_on_and_what_sticks_counts_from_there() -> None:
    (result,) = results("""
given: {caller.consent_voice_ai: true, turn.chars: 60}
scenarios:
  - name: s
    turns:
      - {signals: {emotion.upset: 0.9}, fails: realtime, engine: realtime, moved_to: tool}
      - {signals: {emotion.upset: 0.4}, engine: standard, switched: true, moved_to: standard}
      - {signals: {emotion.upset: 0.9}, fails: [realtime, tool], engine: realtime, moved_to: fast}
""")
    assert wrong(result) == []


def test_no_engine_that_is_denied_takes_a_turn_over() -> None:
    result = case("signals: {emotion.upset: 0.9}, fails: [tool, fast, standard], engine: tool")
    (played,) = result.turns
    assert played.answered_by is None
    assert case("signals: {emotion.upset: 0.9}, fails: [tool, fast], engine: tool, moved_to: standard").passed
    assert wrong(
        case("signals: {emotion.upset: 0.9}, fails: [tool, fast, standard], engine: tool, moved_to: fast")
    ) == [("moved_to", "fast", "none")]


def test_a_failure_that_could_not_happen_fails_the_test() -> None:
    assert wrong(case("signals: {turn.chars: 60}, fails: realtime, engine: standard")) == [
        ("fails", "realtime is asked to answer, and fails", "realtime is not asked")
    ]


# -- reading ------------------------------------------------------------------------------------------------
CASE = "cases:\n  - {{name: c, engine: fast, {}}}\n"
TURN = "scenarios:\n  - {{name: s, turns: [{{engine: fast, {}}}]}}\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("given: {}\n", "1:1: holds no tests: write `cases`, `scenarios` or both"),
        ("case: []\n", "1:1: unknown key 'case', did you mean 'cases'?"),
        ("cases: {}\n", "1:8: must be a list, is a mapping"),
        ("cases: [x]\n", "1:9: must be a mapping, is text"),
        ("cases:\n  - {engine: fast}\n", "2:5: `name` is missing"),
        ("cases:\n  - {name: c}\n", "2:5: `engine` is missing"),
        ("cases:\n  - {name: c, engine: fst}\n", "2:23: unknown engine 'fst', did you mean 'fast'?"),
        (CASE.format("turns: []"), "2:29: unknown key 'turns'"),
        (CASE.format("rule: shrt"), "2:35: unknown rule 'shrt', did you mean 'short'?"),
        (CASE.format("rule: consent"), "2:35: unknown rule 'consent'"),
        (CASE.format("tenant: acm"), "2:37: unknown tenant 'acm', did you mean 'acme'?"),
        (CASE.format("tenant: acme, rule: upset"), "2:49: unknown rule 'upset'"),
        (CASE.format("signals: {turn.cout: 3}"), "2:39: unknown signal 'turn.cout', did you mean 'turn.count'?"),
        (CASE.format("signals: {provider.half_healthy: true}"), "2:39: unknown signal 'provider.half_healthy'"),
        (CASE.format("signals: {mood: 0.5}"), "2:39: 'mood' is smoothed over turns and cannot be set"),
        (CASE.format("signals: {p.high: 0.5}"), "2:39: unknown signal 'p.high'"),
        (CASE.format("signals: {turn.tool_p: 2}"), "2:52: must be from 0 to 1, is 2.0"),
        (CASE.format("signals: {turn.count: 1.5}"), "2:51: must be a whole number, is 1.5"),
        (CASE.format("signals: {emotion.label: calmm}"), "2:54: must be one of calm, upset, frustrated, unknown"),
        (CASE.format("signals: {call.queue: [a]}"), "2:51: must be a value: leave the signal out"),
        (CASE.format("signals: {call.queue: }"), "2:39: must be a value: leave the signal out"),
        (CASE.format("params: {hig: 0.5}"), "2:43: no such param, did you mean 'p.high'?"),
        (CASE.format("params: {high: 0.95}"), "2:44: 0.95 cannot be, it must be 0.1 to 0.9"),
        (CASE.format("params: {chars: 1.5}"), "2:45: 1.5 cannot be, it must be a whole number, any number"),
        (CASE.format("params: {high: x}"), "2:44: must be a number, is text"),
        (CASE.format("at: 2026-12-24"), "2:33: must be a moment with its offset, such as 2026-12-24T19:00:00+01:00"),
        (CASE.format("at: 2026-12-24T19:00:00"), "2:33: must be a moment with its offset"),
        (CASE.format("at: noon"), "2:33: must be a moment with its offset"),
        (CASE.format("denied: {realtme: consent}"), "2:38: unknown engine 'realtme', did you mean 'realtime'?"),
        (CASE.format("denied: {realtime: consnt}"), "2:48: unknown guard 'consnt', did you mean 'consent'?"),
        (CASE.format("denied: realtime"), "2:37: must be a mapping, is text"),
        (CASE.format("switched: 1"), "2:39: must be true or false, is a whole number"),
        (CASE.format("voice_judged: 1"), "2:43: must be true or false, is a whole number"),
        (CASE.format("endpointing_ms: soon"), "2:45: must be a whole number, is text"),
        (CASE.format("arm: {whih: other}"), "2:35: unknown experiment 'whih', did you mean 'which'?"),
        (CASE.format("arm: {which: othr}"), "2:42: unknown arm 'othr', did you mean 'other'?"),
        (CASE.format("shadow: {tools: tool}"), "2:38: unknown shadow rule 'tools'"),
        (CASE.format("fails: [fst]"), "2:37: unknown engine 'fst', did you mean 'fast'?"),
        (CASE.format("call_id: 4711"), "2:38: must be text, is a whole number"),
        ("scenarios:\n  - {name: s}\n", "2:5: `turns` is missing"),
        ("scenarios:\n  - {name: s, turns: []}\n", "2:22: needs at least one turn"),
        ("scenarios:\n  - {name: s, turns: [{signals: {turn.chars: 3}}]}\n", "2:5: expects nothing"),
        (TURN.format("name: x"), "2:38: unknown key 'name'"),
        (
            "cases:\n  - {name: c, engine: fast}\nscenarios:\n  - {name: c, turns: [{engine: fast}]}\n",
            "4:12: 'c' is already the name of the test on line 2",
        ),
    ],
)  # fmt: skip
def test_a_wrong_file_says_what_is_wrong_and_where(text: str, complaint: str) -> None:
    assert any(line.startswith(complaint) for line in complaints(text)), complaints(text)


def test_everything_that_is_wrong_is_found_in_one_reading() -> None:
    text = "given: {x: 1}\ncases:\n  - {name: c, engine: fst, rule: y}\nscenarios:\n  - {turns: [{at: z}]}\n"
    assert [line.split(": ")[0] for line in complaints(text)] == ["1:9", "3:23", "3:34", "5:5", "5:5", "5:19"]


@given(st.data())
@settings(max_examples=40 * THOROUGH, deadline=None)
def test_a_damaged_file_is_read_or_gives_clean_errors_with_positions(data: st.DataObject) -> None:
    text = shipped("reference.test.yaml").read_text(encoding="utf-8")
    begin = data.draw(st.integers(0, len(text)))
    end = min(len(text), begin + data.draw(st.integers(0, 12)))
    damaged = text[:begin] + data.draw(st.text(max_size=6)) + text[end:]
    policy = Policy.load(shipped("reference.yaml"))
    try:
        read = cases.read(Document.parse(damaged), policy)
        problems = None
    except DocumentError as error:
        read, problems = (), error.problems
    for scenario in read:
        cases.run(policy, scenario)
    assert problems is None or (problems and all(one.line >= 1 and one.column >= 1 for one in problems))


# -- coverage -----------------------------------------------------------------------------------------------
def missed(text: str) -> list[str]:
    return [_name(item) for item in cases.coverage(POLICY, results(text)).missed]


def _name(item: Item) -> str:
    return " ".join(filter(None, (item.kind, item.id, item.tenant)))


EVERYTHING = [
    "guard consent", "guard person", "rule night", "rule upset", "hold upset", "else_route upset", "rule short",
    "rule otherwise", "tenant acme acme", "guard own acme", "rule vip acme", "tenant beta beta", "guard own beta",
]  # fmt: skip


def test_what_no_test_reaches_is_listed_with_its_place() -> None:
    coverage = cases.coverage(POLICY, [])
    assert [_name(item) for item in coverage.missed] == EVERYTHING
    assert coverage.percent == 0
    places = {_name(item): (item.line, item.column) for item in coverage.items}
    assert places["guard person"] == (15, 5)
    assert places["hold upset"] == (24, 11)
    assert places["tenant acme acme"] == (36, 3)


@pytest.mark.parametrize(
    ("rest", "reached"),
    [
        ("signals: {turn.chars: 60, caller.consent_voice_ai: true}, engine: standard", "rule otherwise"),
        ("signals: {turn.chars: 60}, engine: standard", "guard consent, rule otherwise"),
        (
            "signals: {call.asked_human: true, caller.consent_voice_ai: true}, engine: standard",
            "guard person",
        ),
        (
            "signals: {emotion.upset: 0.9}, engine: tool",
            "guard consent, rule upset, else_route upset",
        ),
        (
            "tenant: acme, signals: {call.queue: vip, caller.consent_voice_ai: true, time.hour: 12}, engine: tool",
            "tenant acme acme, rule vip acme",
        ),
        (
            "tenant: beta, signals: {time.hour: 23, turn.chars: 60, caller.consent_voice_ai: true}, engine: standard",
            "rule otherwise, tenant beta beta, guard own beta",
        ),
    ],
)
def test_a_test_reaches_what_came_into_play(rest: str, reached: str) -> None:
    found = missed(f"cases:\n  - {{name: c, {rest}}}\n")
    assert [name for name in EVERYTHING if name not in found] == reached.split(", ")


def test_a_hold_is_reached_when_it_keeps_a_rule() -> None:
    turn = "{signals: {emotion.upset: %s, caller.consent_voice_ai: true}, engine: realtime}"
    before, after = (
        f"scenarios:\n  - {{name: s, turns: [{turn % 0.9}, {turn % now}]}}\n" for now in (0.9, 0.4)
    )
    assert "hold upset" in missed(before)
    assert "hold upset" not in missed(after)


def test_a_test_that_fails_reaches_as_much_as_one_that_passes() -> None:
    rest = "signals: {turn.chars: 60}, engine: "
    assert missed(f"cases:\n  - {{name: c, {rest}fast}}\n") == missed(
        f"cases:\n  - {{name: c, {rest}standard}}\n"
    )


# -- those that ship ----------------------------------------------------------------------------------------
def run_shipped(name: str, policy: Policy | None = None) -> tuple[Policy, list[Result]]:
    policy = policy or Policy.load(shipped(f"{name}.yaml"))
    scenarios = cases.read(Document.load(shipped(f"{name}.test.yaml")), policy)
    return policy, [cases.run(policy, scenario) for scenario in scenarios]


@pytest.mark.parametrize("name", ["default", "reference"])
def test_the_shipped_tests_pass_and_reach_everything(name: str) -> None:
    policy, found = run_shipped(name)
    assert [(result.scenario.name, wrong(result)) for result in found if not result.passed] == []
    assert [_name(item) for item in cases.coverage(policy, found).missed] == []


def test_the_shipped_tests_hold_wherever_params_may_be_moved() -> None:
    policy, chance = Policy.load(shipped("default.yaml")), random.Random(4)  # noqa: S311 - no secrets
    for _ in range(20):
        moved: dict[str, Any] = {
            name: type(param.value)(
                chance.choice([param.low, param.high, chance.uniform(param.low, param.high)])
            )
            for name, param in policy.content.params.items()
        }
        _, found = run_shipped("default", policy.with_params(moved))
        assert [(result.scenario.name, wrong(result)) for result in found if not result.passed] == [], moved
