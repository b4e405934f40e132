"""A policy that is wrong: every problem, at its line and column, with what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import DocumentError, shipped
from router import Policy

pytestmark = pytest.mark.unit

ENGINES = ("fast", "tool", "standard", "realtime")
HEAD = "policy: {name: t, version: 1}\nengines: {fast: {}, tool: {}, standard: {}, realtime: {}}\n"
LAST = "rules:\n  - {id: otherwise, when: true, route: standard, because: so}\n"


def complaints(text: str) -> list[str]:
    with pytest.raises(DocumentError) as raised:
        Policy.parse(text, file="p.yaml", engines=ENGINES)
    return str(raised.value).splitlines()


def complaints_about(condition: str) -> list[str]:
    """Of a policy whose first rule has ``condition``, with columns counted in the condition from 1."""
    text = f"{HEAD}params: {{x: {{value: 0.5}}}}\nrules:\n  - route: fast\n    because: so\n    id: r\n    when: {condition}\n"
    lines = complaints(f"{text}  - {{id: otherwise, when: true, route: standard, because: so}}\n")
    parts = [line.split(":", 3) for line in lines]
    assert {part[:2] == ["p.yaml", "8"] for part in parts} == {True}
    return [f"{int(part[2]) - len('    when: ')}:{part[3]}" for part in parts]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("turn.cout > 3", "1: unknown signal 'turn.cout', did you mean 'turn.count'?"),
        ("turn.count > 3 && turn.cout > 3", "19: unknown signal 'turn.cout', did you mean 'turn.count'?"),
        ("'turn.count > 3 && turn.cout > 3'", "20: unknown signal 'turn.cout', did you mean 'turn.count'?"),
        ("emotion.upset > p.y", "17: unknown param 'p.y', did you mean 'p.x'?"),
        ("emotion.upset > 1", "15: '>' does not apply to (double, int) (write 1.0)"),
        ("1 < emotion.upset", "3: '<' does not apply to (int, double) (write 1.0)"),
        ("turn.count >= 3.0", "12: '>=' does not apply to (int, double) (write 3)"),
        (
            "turn.count > p.x",
            "12: '>' does not apply to (int, double) (give a param a decimal point, or write double(...))",
        ),
        ("turn.count", "1: must be true or false, is a whole number"),
        ("turn.count > 3 and true", "16: is not a condition: mismatched input 'and' (write &&)"),
        ("not turn.needs_tools", "5: is not a condition: mismatched input 'turn' (write !)"),
        ("turn.count = 3", "12: is not a condition: token recognition error at: '= ' (write ==)"),
        ("turn.count >", "13: is not a condition: mismatched input the end"),
        ("startswith(call.queue)", "1: unknown function 'startswith'"),
        (
            "emotion.label == 'frustated'",
            "18: emotion.label is never 'frustated', did you mean 'frustrated'?",
        ),
        ("emotion.label in ['calm', 'upst']", "27: emotion.label is never 'upst', did you mean 'upset'?"),
        ("\"'fx' != caller.region\"", "2: caller.region is never 'fx'"),
        ("call.queue.matches('[a')", "20: is not a regular expression: missing ]: [a"),
        ("turn.count / 0 > 1", "14: always fails: it divides by zero"),
        ("''", "2: is not a condition: mismatched input the end"),
        ("12", "1: must be text, is a whole number"),
    ],
)
def test_a_wrong_condition_is_explained_at_the_very_character(condition: str, expected: str) -> None:
    assert expected in complaints_about(condition)


def test_several_errors_in_one_condition_are_all_listed() -> None:
    assert len(complaints_about("turn.cout > 3 || emotion.upst > 0.5 || emotion.upset > 1")) == 3


def test_a_condition_over_several_lines_is_pointed_into() -> None:
    text = (
        HEAD
        + "rules:\n  - id: a\n    because: so\n    route: fast\n    when: >-\n      turn.count > 1\n      && turn.chrs < 5\n"
    )
    assert "p.yaml:9:10: unknown signal 'turn.chrs', did you mean 'turn.chars'?" in complaints(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rules: []\n", "p.yaml:1:1: `policy` is missing"),
        (HEAD + "mode: enforce\n" + LAST, "p.yaml:3:1: unknown key 'mode'"),
        (
            HEAD.replace("fast", "fastt") + LAST,
            "p.yaml:2:11: the engine catalogue has no 'fastt', did you mean 'fast'?",
        ),
        (
            HEAD + "rules:\n  - {id: a, when: true, route: fastt, because: so}\n",
            "p.yaml:4:32: unknown engine 'fastt', did you mean 'fast'?",
        ),
        (
            HEAD + "rules:\n  - {id: a, when: turn.count > 1, route: fast, because: so}\n",
            "p.yaml:4:5: the last rule must match every turn",
        ),
        (HEAD + "rules: []\n", "p.yaml:3:8: at least one rule is needed"),
        (HEAD, "p.yaml:1:1: `rules` is missing"),
        (HEAD + "rules:\n  - {id: a, when: true}\n", "p.yaml:4:5: `route` is missing"),
        (HEAD + "rules:\n  - {id: a, route: fast, because: so}\n", "p.yaml:4:5: `when` is missing"),
        (HEAD + "rules:\n  - {id: Loud, when: true, route: fast, because: so}\n", "p.yaml:4:10: 'Loud' cannot be an id"),
        (HEAD + "rules:\n  - {id: dwell, when: true, route: fast, because: so}\n", "p.yaml:4:10: 'dwell' cannot be an id"),
        (
            HEAD + "guards:\n  - {id: otherwise, when: true, deny: [realtime], because: so}\n" + LAST,
            "p.yaml:6:10: 'otherwise' is already the id of line 4",
        ),
        (HEAD + "guards:\n  - {id: g, when: true}\n" + LAST, "p.yaml:4:5: a guard needs `deny` or `force`"),
        (
            HEAD + "guards:\n  - {id: g, when: true, deny: [fast, standard], because: so}\n" + LAST,
            "p.yaml:4:38: 'standard' is the last resort, which no guard may deny",
        ),
        (
            HEAD + "last_resort: fast\nguards:\n  - {id: g, when: true, deny: [fast], because: so}\n" + LAST,
            "p.yaml:5:32: 'fast' is the last resort, which no guard may deny",
        ),
        (HEAD + "params: {a: {value: 5, min: 6}}\n" + LAST, "p.yaml:3:21: 5 is outside its own range of at least 6"),
        (HEAD + "params: {a: {value: 5, max: 4}}\n" + LAST, "p.yaml:3:21: 5 is outside its own range of at most 4"),
        (HEAD + "params: {a: {value: 5, min: 6, max: 4}}\n" + LAST, "p.yaml:3:13: `min` 6 is above `max` 4"),
        (HEAD + "params: {if: {value: 5}}\n" + LAST, "p.yaml:3:10: 'if' cannot be a name"),
        (HEAD + "params: {a: {value: 1e300}}\n" + LAST, "p.yaml:3:21: must be from"),
        (HEAD + "derived: {turn: {from: emotion.upset, ewma: 0.5}}\n" + LAST, "p.yaml:3:11: 'turn' is taken"),
        (
            HEAD + "derived: {a: {from: turn.count, ewma: 0.5}}\n" + LAST,
            "p.yaml:3:21: must be a number with a decimal point",
        ),
        (HEAD + "derived: {a: {from: emotion.upset, ewma: 1.5}}\n" + LAST, "p.yaml:3:42: must be from 0 to 1, is 1.5"),
        (HEAD + "derived: {a: {from: emotion.upset, ewma: 0.0}}\n" + LAST, "p.yaml:3:42: must be above 0"),
        (
            HEAD + "derived: {a: {from: b, ewma: 0.5}, b: {from: 1.0, ewma: 1}}\n" + LAST,
            "p.yaml:3:21: unknown signal 'b'",
        ),
        (HEAD + "stability: {max_switches: -1}\n" + LAST, "p.yaml:3:27: must be at least 0, is -1"),
        (HEAD.replace("fast: {}", "fast: {fallback: [slow]}") + LAST, "p.yaml:2:29: unknown engine 'slow'"),
        (HEAD.replace("fast: {}", "fast: {warm: turn.count}") + LAST, "p.yaml:2:24: must be true or false"),
    ],
)  # fmt: skip
def test_a_wrong_policy_says_what_is_wrong_and_where(text: str, expected: str) -> None:
    assert any(line.startswith(expected) for line in complaints(text)), complaints(text)


def test_everything_that_is_wrong_is_found_in_one_reading() -> None:
    text = (
        "policy: {name: t}\nengines: {fast: {min_turns: few}, standard: {}}\n"
        "params: {a: {value: lots}}\nguards:\n  - {id: g, when: p.a > 1.0 && nope, deny: [slow], because: so}\n"
        "rules:\n  - {id: r, when: emotion.upset > 1, hold: 3, route: tool, because: so}\n"
        "  - {id: r, when: true, route: standard, because: 4}\n"
    )
    places = [line.split(": ", 1)[0] for line in complaints(text)]
    assert places == [f"p.yaml:{place}" for place in (
        "1:9", "2:29", "3:21", "5:32", "5:45", "7:33", "7:44", "7:54", "8:10", "8:51",
    )]  # fmt: skip


def test_a_missing_file_is_a_document_error(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        Policy.load(tmp_path / "none.yaml")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_policy_loads_or_gives_clean_errors_with_positions(data: st.DataObject) -> None:
    text = shipped("default.yaml").read_text(encoding="utf-8")
    begin = data.draw(st.integers(0, len(text)))
    end = min(len(text), begin + data.draw(st.integers(0, 12)))
    damaged = text[:begin] + data.draw(st.text(max_size=6)) + text[end:]
    try:
        Policy.parse(damaged, file="p.yaml", engines=ENGINES)
        problems = None
    except DocumentError as error:
        problems = error.problems
    lines = len(damaged.splitlines()) + 1
    assert problems is None or (
        problems and all(1 <= each.line <= lines and each.column >= 1 for each in problems)
    )
