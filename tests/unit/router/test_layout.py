"""The canonical layout of policies: what it looks like, and that it keeps what they say and every comment."""

from __future__ import annotations

import io
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from policies import Document, DocumentError, shipped
from router import Policy
from router.layout import laid_out
from tests.random_policies import THOROUGH, documents

pytestmark = pytest.mark.unit

MESSY = """
# yaml-language-server: $schema=policy.schema.json
# Written in haste.

# The rules come first here,
# and go where they belong.
rules:
- route: realtime   # the engine that hears tone
  # Angry callers.
  id:   upset
  when: "emotion.upset >= p.high"
  because: 'the caller''s tone'

- {id: otherwise, when: true, route: "standard", because: "nothing: else"}
# - {id: never-was, when: true, route: fast, because: it was not}
policy: {version: 1,
   name: "messy"}
params: {high: {min: 0.10, value: 0.7}}   # one
engines:
     realtime: {min_turns: 2, fallback: [standard]}
     standard:
     fast: {fallback: [ 'standard' ]} # cheap
"""
NEAT = """\
# yaml-language-server: $schema=policy.schema.json
# Written in haste.

policy: {name: messy, version: 1}

params: {high: {value: 0.7, min: 0.10}}  # one

engines:
  realtime: {fallback: [standard], min_turns: 2}
  standard:
  fast: {fallback: [standard]}  # cheap

# The rules come first here,
# and go where they belong.
rules:
  # Angry callers.
  - id: upset
    when: emotion.upset >= p.high
    route: realtime  # the engine that hears tone
    because: the caller's tone

  - {id: otherwise, when: true, route: standard, because: "nothing: else"}
"""


def comments(text: str) -> Counter[str]:
    """The comments of a text in whose scalars no # follows a space."""
    return Counter(found.rstrip() for found in re.findall(r"(?:^|\s)(#.*)", text, re.MULTILINE))


def section(text: str, name: str = "rules") -> str:
    """What stands below a section once it is laid out, without the indentation of the section."""
    lines = laid_out(text).partition(f"{name}:\n")[2].splitlines()
    return "\n".join(line[2:] for line in lines)


# -- what it looks like -------------------------------------------------------------------------------------
def test_sections_and_keys_stand_in_their_order_and_comments_go_with_them() -> None:
    text = MESSY.replace("# - {id: never-was, when: true, route: fast, because: it was not}\n", "")
    assert laid_out(text) == NEAT
    assert laid_out(NEAT) == NEAT


def test_a_comment_at_the_end_of_a_list_stays_with_the_list_it_is_indented_like() -> None:
    text = """
policy: {name: x, version: 1}
guards:
  - id: a
    when: true
    # of a
  # - {id: b, when: true}
# of the rules
rules:
  - {id: c, when: true}
# of the document
"""
    assert laid_out(text) == text[1:].replace("\nguards", "\n\nguards").replace(
        "\n# of the r", "\n\n# of the r"
    )


def test_mappings_in_braces_stand_in_columns_up_to_where_they_differ() -> None:
    text = """
params:
  a: {value: 1, min: 0, max: 10} # one
  longer: {value: 0.25, max: 3.5, min: 0} # two
  # apart
  b: {value: 100, min: 5}
  c: {min: 5, value: 1, max: 1000}
policy: {name: x, version: 1}
"""
    assert section(text, "params") == (
        "a:      {value: 1,    min: 0, max: 10}   # one\n"
        "longer: {value: 0.25, min: 0, max: 3.5}  # two\n"
        "# apart\n"
        "b: {value: 100, min: 5}\n"
        "c: {value: 1,   min: 5, max: 1000}"
    )


@pytest.mark.parametrize(
    ("written", "laid"),
    [
        ("when: true", "when: true"),
        ("when: 'true'", "when: 'true'"),
        ("when: True", "when: true"),
        ('when: "!caller.consent_voice_ai"', "when: '!caller.consent_voice_ai'"),
        ("when: 'call.queue == \"vip\"'", 'when: call.queue == "vip"'),
        ("when: \"a == 'it''s' && !b # c\"", "when: 'a == ''it''''s'' && !b # c'"),
        ("because: yes", 'because: "yes"'),
        ("because: 18:00", 'because: "18:00"'),
        ("because: '2026-12-31'", 'because: "2026-12-31"'),
        ("because: '\"so\" he said'", "because: '\"so\" he said'"),
        ("because: \"a\\ttab\"", 'because: "a\\x09tab"'),
        ("because: 'ends in a space '", 'because: "ends in a space "'),
        ("because: >-\n      short", "because: short"),
        ("because: >-\n      kept\n      in two", "because: >-\n    kept\n    in two"),
        ("because: kept\n      in two", "because: >-\n    kept\n    in two"),
        ("because: 'it''s\n      in two'", "because: >-\n    it's\n    in two"),
        ("because: |\n      a\n\n        b\n", "because: |\n    a\n\n      b"),
        ("because: \"a\\nb\"", "because: |-\n    a\n    b"),
        ("endpointing_ms: 9_00", "endpointing_ms: 9_00"),
        ("schedule: {until: 2026-12-31, tz: UTC}", "schedule: {tz: UTC, until: 2026-12-31}"),
        ("zz: 1\n    route: fast\n    aa:", "route: fast\n  zz: 1\n  aa:"),
        ("hold: # why\n      a", "hold: a  # why"),
        ("hold: >- # why\n      a\n      b", "hold: >-  # why\n    a\n    b"),
    ],
)  # fmt: skip
def test_values_are_written_in_one_way(written: str, laid: str) -> None:
    text = f"rules:\n  - id: r\n    {written}\n"
    assert section(text) == f"- id: r\n  {laid}"


def test_a_long_condition_is_broken_before_operators_and_a_long_reason_between_words() -> None:
    condition = " && ".join(f'call.queue != "queue number {number}"' for number in range(5))
    because = "why " * 40
    text = f"rules:\n  - {{id: r, when: '{condition}', because: {because}}}\n"
    lines = section(text).splitlines()
    assert lines[:4] == [
        "- id: r",
        "  when: >-",
        '    call.queue != "queue number 0" && call.queue != "queue number 1" && call.queue != "queue number 2"',
        '    && call.queue != "queue number 3" && call.queue != "queue number 4"',
    ]
    assert lines[4] == "  because: >-"
    assert all(len(line) <= 108 for line in lines)
    assert laid_out(laid_out(text)) == laid_out(text)


def test_braces_stay_braces_while_they_fit_and_hold_no_comment() -> None:
    short = "rules:\n  - {id: r, when: true, route: fast,\n     because: so}\n"
    assert section(short) == "- {id: r, when: true, route: fast, because: so}"
    assert section(short.replace("fast,", "fast, # cheap")) == (
        "- id: r\n  when: true\n  route: fast  # cheap\n  because: so"
    )
    assert section(short.replace("so}", f"{'so ' * 30}so}}")).startswith("- id: r\n  when: true\n")


def test_an_anchor_is_written_where_it_is_met_first() -> None:
    text = """
rules:
  - &first {id: a, because: &why "so: it is", when: true}
  - {<<: *first, id: b}
policy: {version: 1, name: *why}
"""
    with pytest.raises(DocumentError):  # an alias before its anchor
        laid_out("policy: {name: *why}\nrules: [{because: &why so}]\n")
    assert laid_out(text) == (
        'policy: {name: &why "so: it is", version: 1}\n\n'
        "rules:\n  - &first {id: a, when: true, because: *why}\n  - {<<: *first, id: b}\n"
    )


def test_tests_of_a_policy_are_laid_out_too() -> None:
    text = "cases:\n- {engine: fast, name: x, signals: {turn.count: 1}}\ngiven: {turn.words: 3}\n"
    assert laid_out(text) == (
        "given: {turn.words: 3}\n\ncases:\n  - {name: x, signals: {turn.count: 1}, engine: fast}\n"
    )


@pytest.mark.parametrize(
    "name", ["default.yaml", "reference.yaml", "default.test.yaml", "reference.test.yaml"]
)
def test_the_shipped_policies_are_laid_out(name: str) -> None:
    text = shipped(name).read_text(encoding="utf-8")
    assert laid_out(text) == text, f"run `patchbay policy fmt policies/{name}`"


# -- what it refuses ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1: must be a mapping of keys to values"),
        ("- policy\n", "1:1: must be a mapping of keys to values"),
        (
            "engines: {fast: {kind: cascade}}\n",
            "1:1: is neither a policy nor tests of one: it has no `policy`",
        ),
        ("policy: {name: !!str 5}\n", "1:16: a tag has no place in a policy: write the value without it"),
        ("%YAML 1.1\n---\npolicy: {}\n", "1:1: a directive has no place in a policy: take it out"),
        ("policy: &p {name: *p}\n", "1:19: a value that holds itself has no place in a policy"),
        ("policy: {}\n? [a]\n: b\n", "2:3: a key must be written out, as text or a number"),
        ("policy:\n  name: 'a\u2028b'\n", "2:11: holds the line separator U+2028: take it out"),
        ("policy: {\n", "2:1: expected the node content"),
    ],
)
def test_what_has_no_layout_is_left_alone_and_the_place_is_named(text: str, problem: str) -> None:
    with pytest.raises(DocumentError) as raised:
        laid_out(text, file="p.yaml")
    assert str(raised.value).startswith(f"p.yaml:{problem}")


@given(st.data())
@settings(max_examples=20 * THOROUGH, deadline=None)
def test_a_damaged_policy_is_laid_out_or_refused_with_places(data: st.DataObject) -> None:
    text = shipped("default.yaml").read_text(encoding="utf-8")
    begin = data.draw(st.integers(0, len(text)))
    end = min(len(text), begin + data.draw(st.integers(0, 12)))
    damaged = text[:begin] + data.draw(st.text(max_size=6)) + text[end:]
    try:
        once = laid_out(damaged)
        refused = ()
    except DocumentError as error:
        once, refused = "", error.problems
    assert not [problem for problem in refused if "without changing it" in problem.message]
    assert refused or laid_out(once) == once


# -- what it keeps ------------------------------------------------------------------------------------------
@st.composite
def commented(draw: st.DrawFn) -> str:
    """A policy in some style of YAML, with comments and blank lines here and there."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = draw(st.sampled_from([None, False]))
    yaml.width = draw(st.sampled_from([40, 80, 4000]))
    yaml.sort_base_mapping_type_on_output = False
    written = io.StringIO()
    yaml.dump(draw(documents()), written)
    lines: list[str] = []
    for number, line in enumerate(written.getvalue().splitlines()):
        match draw(st.integers(0, 9)):
            case 0:
                lines += [" " * draw(st.integers(0, 6)) + f"# above {number}", line]
            case 1:
                lines.append(f"{line}  # beside {number}")
            case 2:
                lines += ["", line]
            case 3:
                lines += [line, "", f"# apart {number}", ""]
            case _:
                lines.append(line)
    return "\n".join(lines) + "\n"


def says(text: str) -> dict[str, Any] | None:
    try:
        return Document.parse(text).root.value
    except DocumentError:
        return None


@given(commented())
@settings(max_examples=25 * THOROUGH, deadline=None)
def test_laying_out_changes_nothing_but_the_layout_and_is_done_once(text: str) -> None:
    try:
        policy = Policy.parse(text)
    except DocumentError:  # a comment fell into the middle of a text
        return
    once = laid_out(text)
    again = Policy.parse(once)
    assert again.hash == policy.hash
    assert again.engines == policy.engines
    assert list(again.content.params) == list(policy.content.params)
    assert [rule.id for rule in again.content.rules] == [rule.id for rule in policy.content.rules]
    assert comments(once) == comments(text)
    assert laid_out(once) == once
