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
    first = f"  - route: fast\n    because: so\n    id: r\n    when: {condition}\n"
    text = f"{HEAD}params: {{x: {{value: 0.5}}}}\nrules:\n{first}"
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
        + "rules:\n  - id: a\n    because: so\n    route: fast\n"
        + "    when: >-\n      turn.count > 1\n      && turn.chrs < 5\n"
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
        (HEAD + "rules:\n  - {id: Loud, when: true, route: fast}\n", "p.yaml:4:10: 'Loud' cannot be an id"),
        (HEAD + "rules:\n  - {id: dwell, when: true, route: fast}\n", "p.yaml:4:10: 'dwell' cannot be an id"),
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
        (HEAD + "answer_within_ms: 4\n" + LAST, "p.yaml:3:19: must be from 1000 to 60000, is 4"),
        (HEAD.replace("fast: {}", "fast: {fallback: [slow]}") + LAST, "p.yaml:2:29: unknown engine 'slow'"),
        (HEAD.replace("fast: {}", "fast: {warm: turn.count}") + LAST, "p.yaml:2:24: must be true or false"),
    ],
)  # fmt: skip
def test_a_wrong_policy_says_what_is_wrong_and_where(text: str, expected: str) -> None:
    assert any(line.startswith(expected) for line in complaints(text)), complaints(text)


def rule(more: str) -> str:
    """A policy whose first rule has ``more``, which begins in line 4 at column 54."""
    first = f"  - {{id: r, when: turn.count > 1, route: fast, because: so, {more}}}\n"
    return HEAD + LAST.replace("rules:\n", f"rules:\n{first}")


def section(name: str, entry: str) -> str:
    """A policy with one entry, which begins in line 6 at column 6, in the list ``name``."""
    return f"{HEAD}{LAST}{name}:\n  - {{{entry}}}\n"


SCHEDULE = "schedule: {tz: UTC, "  # what follows is at column 79


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # because
        (HEAD + LAST.replace(", because: so", ""), "4:5: `because` is missing"),
        (HEAD + LAST.replace("because: so", "because: ''"), "4:59: is empty: say in words why"),
        (HEAD + LAST.replace("because: so", "because: ' '"), "4:59: is empty: say in words why"),
        (HEAD + LAST.replace("because: so", "because: [a]"), "4:59: must be text, is a list"),
        (HEAD + LAST.replace("because: so", "becuase: so"), "4:50: unknown key 'becuase', did you mean 'because'?"),
        (section("guards", "id: g, when: true, deny: [fast]"), "6:5: `because` is missing"),
        (section("shadow", "id: s, when: true, route: fast"), "6:5: `because` is missing"),
        (section("never", "id: n, when: true, route: fast"), "6:5: `because` is missing"),
        (section("experiments", "id: e, rule: otherwise, arms: {a: 1, b: 1}"), "6:5: `because` is missing"),
        # schedule
        (rule("schedule: evenings"), "4:71: must be a mapping such as {days: mon-fri"),
        (rule("schedule: {days: mon}"), "4:71: `tz` is missing"),
        (rule("schedule: {tz: Europe/Berln}"), "4:76: unknown time zone 'Europe/Berln', did you mean 'Europe/Berlin'?"),
        (rule("schedule: {tz: ../../etc/passwd}"), "4:76: unknown time zone '../../etc/passwd'"),
        (rule("schedule: {tz: ''}"), "4:76: unknown time zone ''"),
        (rule("schedule: {tz: 1}"), "4:76: must be text, is a whole number"),
        (rule(SCHEDULE + "day: mon}"), "4:81: unknown key 'day', did you mean 'days'?"),
        (rule(SCHEDULE + "days: mon-fry}"), "4:87: 'mon-fry' is no day or span of days such as mon-fri"),
        (rule(SCHEDULE + "days: [mon, 3]}"), "4:93: must be text, is a whole number"),
        (rule(SCHEDULE + "days: ''}"), "4:87: '' is no day"),
        (rule(SCHEDULE + "days: 'mon,,tue'}"), "4:87: '' is no day"),
        (rule(SCHEDULE + "days: mon-wed-fri}"), "4:87: 'mon-wed-fri' is no day"),
        (rule(SCHEDULE + "days: []}"), "4:87: names no day: leave it out for every day"),
        (rule(SCHEDULE + "days: {mon: 1}}"), "4:87: must be text, is a mapping"),
        (rule(SCHEDULE + "from: 1800}"), '4:87: must be a time of day in quotes, such as "18:00"'),
        (rule(SCHEDULE + 'from: "25:00"}'), "4:87: must be a time of day in quotes"),
        (rule(SCHEDULE + 'to: "24:01"}'), "4:85: must be a time of day in quotes"),
        (rule(SCHEDULE + 'to: "6 pm"}'), "4:85: must be a time of day in quotes"),
        (rule(SCHEDULE + 'from: "18:00", to: "18:00"}'), "4:100: is when it begins: such a schedule is empty"),
        (rule(SCHEDULE + "since: tomorrow}"), "4:88: must be a date such as 2026-12-31"),
        (rule(SCHEDULE + "since: 20261231}"), "4:88: must be a date such as 2026-12-31"),
        (rule(SCHEDULE + "until: 2026-12-31T12:00:00}"), "4:88: must be a date such as 2026-12-31"),
        (rule(SCHEDULE + "until: '2026-02-30'}"), "4:88: must be a date such as 2026-12-31"),
        (
            rule(SCHEDULE + "since: 2026-12-31, until: 2026-12-01}"),
            "4:107: is before `since`, 2026-12-31: such a schedule is empty",
        ),
        # rollout
        (rule("rollout: 20"), "4:70: must be a mapping such as {percent: 10, by: call.id}"),
        (rule("rollout: {by: call.id}"), "4:70: `percent` is missing"),
        (rule("rollout: {percent: 101}"), "4:80: must be from 0 to 100, is 101"),
        (rule("rollout: {percent: -0.1}"), "4:80: must be from 0 to 100, is -0.1"),
        (rule("rollout: {percent: .nan}"), "4:80: must be a finite number"),
        (rule("rollout: {percent: 20 %}"), "4:80: must be a number, is text"),
        (rule("rollout: {percent: true}"), "4:80: must be a number, is true or false"),
        (rule("rollout: {percent: 5, by: call.ide}"), "4:87: calls cannot be sorted by 'call.ide', only by call.id"),
        (rule("rollout: {percent: 5, by: emotion.label}"), "4:87: calls cannot be sorted by 'emotion.label'"),
        (rule("rollout: {percent: 5, by: turn.count}"), "4:87: calls cannot be sorted by 'turn.count'"),
        (rule("rollout: {percent: 5, by: [call.id]}"), "4:87: must be text, is a list"),
        (rule("rollout: {percent: 5, seed: 1}"), "4:83: unknown key 'seed'"),
        # endpointing_ms
        (rule("endpointing_ms: 99"), "4:77: must be from 100 to 5000, is 99"),
        (rule("endpointing_ms: 5001"), "4:77: must be from 100 to 5000, is 5001"),
        (rule("endpointing_ms: 900.0"), "4:77: must be a whole number, is a number"),
        (rule("endpointing: 900"), "4:61: unknown key 'endpointing', did you mean 'endpointing_ms'?"),
        # the last rule
        (HEAD + LAST.replace("because", "rollout: {percent: 100}, because"), "4:5: the last rule must match"),
        (HEAD + LAST.replace("because", "schedule: {tz: UTC}, because"), "4:5: the last rule must match every turn"),
        # shadow
        (section("shadow", "id: s, replaces: oterwise, when: true, route: fast, because: so"),
         "6:23: unknown rule 'oterwise', did you mean 'otherwise'?"),
        (section("shadow", "id: otherwise, when: true, route: fast, because: so"),
         "6:10: 'otherwise' is already the id of line 4"),
        (section("shadow", "id: s, when: turn.cout > 1, route: fast, because: so"), "6:19: unknown signal 'turn.cout'"),
        (section("shadow", "id: s, when: true, route: fast, endpointing_ms: 900, because: so"),
         "6:38: unknown key 'endpointing_ms'"),
        (section("shadow", "id: s, replaces: otherwise, when: turn.count > 1, route: fast, because: so"),
         "6:5: 'otherwise' must match every turn, and so must what replaces it"),
        (HEAD + LAST + "shadow: 3\n", "5:9: must be a list, is a whole number"),
        # experiments
        (section("experiments", "id: e, rule: other, arms: {a: 1, b: 1}, because: so"),
         "6:19: unknown rule 'other', did you mean 'otherwise'?"),
        (section("experiments", "id: e, rule: otherwise, arms: {a: 1}, because: so"),
         "6:36: an experiment needs at least two arms"),
        (section("experiments", "id: e, rule: otherwise, arms: {a: 0, b: 0.0}, because: so"),
         "6:36: an experiment needs at least two arms, and a weight above 0 among them"),
        (section("experiments", "id: e, rule: otherwise, arms: [a, b], because: so"), "6:36: must be a mapping"),
        (section("experiments", "id: e, rule: otherwise, arms: {a: -1, b: 1}, because: so"), "6:40: must be from 0 to"),
        (section("experiments", "id: e, rule: otherwise, arms: {a: half, b: 1}, because: so"),
         "6:40: must be a number, is text"),
        (section("experiments", "id: e, rule: otherwise, arms: {a: {route: slow, weight: 1}, b: 1}, because: so"),
         "6:48: unknown engine 'slow'"),
        (section("experiments", "id: e, rule: otherwise, arms: {a: {route: fast}, b: 1}, because: so"),
         "6:40: `weight` is missing"),
        (section("experiments", "id: e, rule: otherwise, arms: {a: {wieght: 1}, b: 1}, because: so"),
         "6:41: unknown key 'wieght', did you mean 'weight'?"),
        (section("experiments", "id: e, rule: otherwise, arms: {1: 1, '1': 1}, because: so"),
         "6:37: a key must be text, is a whole number: put it in quotes"),
        (section("experiments", "id: e, rule: otherwise, arms: {'a b': 1, c: 1}, because: so"),
         "6:37: 'a b' cannot be an arm"),
        (section("experiments", "id: e, rule: otherwise, arms: {a: 1, b: 1}, until: soon, because: so"),
         "6:57: must be a date such as 2026-12-31"),
        (section("experiments", "id: e, rule: otherwise, arms: {a: 1, b: 1}, by: call.language, because: so"),
         "6:54: calls cannot be sorted by 'call.language'"),
        (section("experiments", "id: e, rule: otherwise, arms: {a: 1, b: 1}, because: so}\n"
                 "  - {id: f, rule: otherwise, arms: {a: 1, b: 1}, because: so"),
         "7:19: 'otherwise' is in the experiment 'e' already"),
        # never
        (section("never", "id: n, when: true, route: slow, because: so"), "6:32: unknown engine 'slow'"),
        (section("never", "id: n, when: true, route: standard, because: so"), "6:32: 'standard' is the last resort"),
        (section("never", "id: n, when: true, route: [fast, standard], because: so"), "6:39: 'standard' is the last"),
        (section("never", "id: n, when: true, route: [], because: so"), "6:32: names no engine"),
        (section("never", "id: n, when: true, because: so"), "6:5: `route` is missing"),
        (section("never", "id: n, route: fast, because: so"), "6:5: `when` is missing"),
        (section("never", "id: n, when: true, deny: [fast], because: so"), "6:25: unknown key 'deny'"),
        # what takes an engine away must say which
        (section("guards", "id: g, when: true, deny: [], because: so"), "6:31: names no engine"),
        (section("guards", "id: g, when: true, deny: fast, because: so"), "6:31: must be a list, is text"),
        (section("guards", "id: g, when: true, force: [fast], because: so"), "6:32: must be text, is a list"),
        # sections and entries of the wrong kind are not passed over
        (HEAD + LAST + "stability: 3\n", "5:12: must be a mapping, is a whole number"),
        (HEAD + LAST + "overlays: []\n", "5:11: must be a mapping, is a list"),
        (HEAD + LAST + "overlays: {acme: [guards]}\n", "5:18: must be a mapping, is a list"),
        (HEAD + LAST + "guards: {id: g}\n", "5:9: must be a list, is a mapping"),
        (HEAD.replace("fast: {}", "fast: [tool]") + LAST, "2:17: must be a mapping, is a list"),
        (HEAD.replace("engines:", "5: x\nengines:") + LAST, "2:1: a key must be text, is a whole number"),
        # names, versions and numbers
        (HEAD.replace("name: t", "name: ''") + LAST, "1:16: is empty"),
        (HEAD.replace("name: t", "name: 1") + LAST, "1:16: must be text, is a whole number"),
        (HEAD.replace("name: t", "name: t, salt: 4") + LAST, "1:25: must be text, is a whole number"),
        (HEAD.replace("version: 1", "version: 0") + LAST, "1:28: must be at least 1, is 0"),
        (HEAD.replace("version: 1", "version: 1.0") + LAST, "1:28: must be a whole number, is a number"),
        (HEAD.replace("version: 1", "version: &v true") + LAST, "1:28: must be a whole number, is true or false"),
        (HEAD.replace("version: 1", f"version: 0x{'f' * 5000}") + LAST, "1:28: is too large a number"),
        (HEAD + LAST + "derived: {double: {from: emotion.upset, ewma: 1}}\n", "5:11: 'double' cannot be a name"),
        (HEAD + LAST + "? 0x" + "f" * 5000 + "\n: 1\n", "5:3: a key must be text, is a whole number"),
    ],
)  # fmt: skip
def test_every_key_with_a_wrong_value_says_so_at_the_value(text: str, expected: str) -> None:
    found = complaints(text)
    assert any(line.startswith(f"p.yaml:{expected}") for line in found), found


def test_a_condition_beyond_the_limits_of_cel_is_told_so_in_plain_words() -> None:
    assert complaints_about("(" * 40 + "true" + ")" * 40) == ["1: is too deep for CEL, which follows 32 operators or "
        "brackets inside each other: split it up"]  # fmt: skip
    (said,) = complaints_about("turn.needs_tools ||" * 6000 + "true")
    assert said == "1: is too long for CEL, which reads 100,000 characters: split it up"


def test_what_a_document_holds_cannot_break_a_message_into_lines_without_a_place() -> None:
    text = HEAD + LAST.replace("route: standard", 'route: "st\\nand\\e[31mard\\u2028"')
    assert complaints(text) == [
        r"p.yaml:4:40: unknown engine 'st\nand\x1b[31mard\u2028', did you mean 'standard'?"
    ]


def test_aliases_of_aliases_do_not_blow_a_small_file_up() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 30))
    (said,) = complaints(f"{HEAD}{LAST}l0: &l0 [x]\n{levels}")
    assert said == "p.yaml:1:1: holds more than 100,000 values once its aliases are followed"


def test_what_is_shared_by_anchors_and_merges_is_read_as_if_it_stood_there() -> None:
    shared = """rules:
  - &first {id: a, when: turn.count > 1, route: fast, because: so, schedule: &hours {tz: UTC, days: mon-fri}}
  - {<<: *first, id: b, route: tool}
  - {id: c, when: turn.count > 2, route: fast, because: so, schedule: *hours}
"""
    policy = Policy.parse(HEAD + LAST.replace("rules:\n", shared))
    assert [(rule.id, rule.route, rule.schedule is not None) for rule in policy.content.rules] == [
        ("a", "fast", True),
        ("b", "tool", True),
        ("c", "fast", True),
        ("otherwise", "standard", False),
    ]
    wrong = shared.replace("tz: UTC", "tz: Mars").replace("route: tool", "route: toll")
    assert complaints(HEAD + LAST.replace("rules:\n", wrong)) == [
        "p.yaml:4:90: unknown time zone 'Mars'",
        "p.yaml:5:32: unknown engine 'toll', did you mean 'tool'?",
    ]


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
