"""Conditions of every kind that CEL takes, and many that it does not, for policies that declare what they name:

params ``words`` (whole) and ``share``, and the derived signals ``mood``, ``pace`` and ``late``.
"""

from __future__ import annotations

from hypothesis import strategies as st

DECLARED = """
params:
  words: {value: 5, min: 0, max: 90}
  share: {value: 0.3, min: 0.0, max: 1.0}
derived:
  mood: {from: emotion.upset, only_if: turn.words >= 2, ewma: 0.6, noise: 0.1}
  pace: {from: double(turn.chars) / double(turn.words), ewma: 0.5, noise: 3.0}
  late: {from: double(turn.count) * 0.1 - 1.0, ewma: 1.0, unknown: -0.7, noise: 0.1}
"""
INT = ("turn.count", "turn.words", "turn.chars", "p.words", "-3", "0", "1", "2", "7", "9223372036854775807")
DOUBLE = (
    "emotion.upset",
    "turn.tool_p",
    "p.share",
    "mood",
    "pace",
    "late",
    "0.0",
    "0.1",
    "0.3",
    "0.6",
    "1.0",
)
TEXT = ("call.queue", "call.language", "emotion.label", "caller.region", '"vip"', '"en-GB"', '"calm"', '""')
BOOL = ("turn.needs_tools", "caller.consent_voice_ai", "true", "false")
COMPARED = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


def _joined(parts: st.SearchStrategy[str], operators: str) -> st.SearchStrategy[str]:
    return st.builds("({} {} {})".format, parts, st.sampled_from(operators.split()), parts)


_ints = st.recursive(
    st.sampled_from(INT) | st.sampled_from(TEXT).map("size({})".format),
    lambda inner: _joined(inner, "+ - * / %") | inner.map("(-{})".format),
    max_leaves=4,
)
_doubles = st.recursive(
    st.sampled_from(DOUBLE) | _ints.map("double({})".format),
    lambda inner: _joined(inner, "+ - * /") | inner.map("(-{})".format),
    max_leaves=4,
)
_numbers = st.one_of(_ints, _doubles.map("int({})".format))
_text = st.sampled_from(TEXT)
_literal = st.sampled_from(['"v"', '"en"', '"ip"', '"^c"', '"."', '"x*"', '""'])
_function = st.sampled_from(["startsWith", "endsWith", "contains", "matches"])
_simple = st.one_of(
    st.sampled_from(BOOL),
    st.builds("{} {} {}".format, _numbers, COMPARED, _numbers),
    st.builds("{} {} {}".format, _doubles, COMPARED, _doubles),
    st.builds("{} {} {}".format, _text, COMPARED, _text),
    st.builds("{} in [{}, {}]".format, _numbers, _numbers, _numbers),
    st.builds("{} in [{}, {}]".format, _text, _text, _text),
    st.builds("{}.{}({})".format, _text, _function, _literal),
    st.builds("[1, 2].exists(x, x < {})".format, _ints),
    st.builds('string({}) == "7"'.format, _ints),
    st.builds("int({}) > 0".format, _text),
)
CONDITIONS = st.recursive(
    _simple,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("(({}) == ({}))".format, inner, inner),
        inner.map("!({})".format),
    ),
    max_leaves=4,
)
