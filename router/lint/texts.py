"""What CEL's text functions say of a text, asked of CEL itself."""

from __future__ import annotations

from functools import lru_cache

from cel_expr_python import cel  # type: ignore[import-untyped]  # stubs without a py.typed marker

PREDICATES = ("contains", "endsWith", "matches", "startsWith")
"""Functions of a text and a literal that are true or false."""

_LANGUAGE = cel.NewEnv(variables={"text": cel.Type.STRING, "literal": cel.Type.STRING})
_PROGRAMS = {name: _LANGUAGE.compile(f"text.{name}(literal)") for name in PREDICATES}
_VARIED = ("", "a", "Zoë", "0", "7" * 64, " ", "-", "_", ".", "en-GB", "vip", "\n", "日本")


@lru_cache(maxsize=4096)
def holds(function: str, text: str, literal: str) -> bool:
    """``text.function(literal)`` for one of :data:`PREDICATES`; false when it cannot be evaluated."""
    result = _PROGRAMS[function].eval(data={"text": text, "literal": literal})
    return result.type() == cel.Type.BOOL and bool(result.value())


def matches_all(pattern: str) -> bool:
    """Whether ``pattern`` is found in every one of a dozen texts that have nothing in common."""
    return all(holds("matches", text, pattern) for text in _VARIED)
