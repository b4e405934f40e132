"""A policy's text with other values: those change, and nothing else."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import DocumentError, shipped
from router import Policy
from router.whatif.rewriting import rewritten, written

pytestmark = pytest.mark.unit

DEFAULT = Policy.load(shipped("default.yaml"))
SMALL = Policy.parse(
    """\
# Ours.
policy: {name: small, version: 3}

params:
  tool_p: {value: 0.60, min: 0.30, max: 0.95}  # above it a tool is needed
  chars:  {value: 50,   min: 10,   max: 200}

engines:
  standard: {}
  tool: {fallback: [standard]}

rules:
  - id: tools
    when: turn.tool_p >= p.tool_p && turn.chars >= p.chars
    route: tool
    because: the reply needs a tool
  - id: rest
    when: true
    route: standard
    because: nothing else applies
"""
)


def changed_lines(before: str, after: str) -> list[str]:
    return [
        line[2:] for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line.startswith("+ ")
    ]


def test_only_the_values_and_the_version_change_and_comments_and_columns_stay() -> None:
    text = rewritten(SMALL.content, {"p.tool_p": 0.5, "p.chars": 120})
    assert changed_lines(SMALL.content.source, text) == [
        "policy: {name: small, version: 4}",
        "  tool_p: {value: 0.50, min: 0.30, max: 0.95}  # above it a tool is needed",
        "  chars:  {value: 120,  min: 10,   max: 200}",
    ]


PARAMS = {name: param for name, param in DEFAULT.content.params.items() if param.high > param.low}


@settings(deadline=None, max_examples=30)
@given(st.fixed_dictionaries({}, optional={name: st.floats(0, 1) for name in PARAMS}))
def test_what_is_written_reads_back_as_it_was_meant(shares: dict[str, float]) -> None:
    values = {}
    for name, share in shares.items():
        param = PARAMS[name]
        value = param.low + share * (param.high - param.low)
        values[name] = int(value) if isinstance(param.value, int) else value
    read = Policy.parse(rewritten(DEFAULT.content, values))
    assert read.version == DEFAULT.version + 1
    for name, param in DEFAULT.content.params.items():
        assert read.content.params[name].value == values.get(name, param.value)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_block_style_tags_and_line_ends_are_kept(end: str) -> None:
    text = end.join(
        [
            "policy:",
            "  name: block   # its name",
            "  version: 7",
            "params:",
            "  a:",
            "    value: !!float 0.5   # half",
            "    min: 0.0",
            "    max: 1.0",
            "engines: {standard: {}}",
            "rules:",
            "  - {id: all, when: turn.tool_p >= p.a, route: standard, because: x}",
            "  - {id: rest, when: true, route: standard, because: y}",
            "",
        ]
    )
    found = rewritten(Policy.parse(text).content, {"p.a": 0.25})
    assert found == text.replace("0.5 ", "0.25 ").replace("version: 7", "version: 8")


def test_a_value_that_is_shared_is_refused_with_its_place() -> None:
    text = SMALL.content.source.replace(
        "tool_p: {value: 0.60", "half: {value: &half 0.60, min: 0.0, max: 1.0}\n  tool_p: {value: *half"
    )
    content = Policy.parse(text, file="p.yaml").content
    with pytest.raises(
        DocumentError, match=r"p\.yaml:5:\d+: `half` shares its value with another: write it out"
    ):
        rewritten(content, {"p.tool_p": 0.5})


def test_numbers_are_written_as_policies_write_them() -> None:
    assert [written(value) for value in (0.5, 1.0, 0.125, 50)] == ["0.50", "1.00", "0.125", "50"]
