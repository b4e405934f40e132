"""The page on choosing engines: every snippet is read and built, and none gives a voice away without consent.

That a snippet is right where a reader writes it is a test of all pages, in tests/unit/test_docs.py.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from ruamel.yaml import YAML

from engines.catalogue import KINDS, Catalogue
from engines.needs import VOICE_AI
from engines.trial import try_out
from router import Policy
from router.lint import Severity, lint
from tests.pages import HOW_TO, snippets, text_of, with_written_in

pytestmark = pytest.mark.unit

PAGE = text_of("choose-engines.md")
_FENCE = re.compile(r"^```(?:yaml|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WHOLE = [code for code in _FENCE.findall(PAGE) if code.startswith("version: 1\n")]


def engines(value: Any) -> Iterator[dict[str, Any]]:
    """All that looks like an engine, however deep."""
    match value:
        case {"kind": kind} if kind in KINDS:
            yield value
        case dict():
            for inner in value.values():
                yield from engines(inner)
        case list():
            for inner in value:
                yield from engines(inner)
        case _:
            pass


HEARING = [
    pytest.param(engine, id=f"{page.name} {engine['kind']} {engine['model']['model']}")
    for page in sorted(HOW_TO.glob("*.md"))
    for code in _FENCE.findall(page.read_text(encoding="utf-8"))
    if re.search(r"\bkind: (?:realtime|half_cascade|duplex)\b", code)
    for engine in engines(YAML(typ="safe").load(code))
    if engine["kind"] not in ("cascade", "human")
]


@pytest.mark.parametrize("engine", HEARING)
def test_an_engine_that_hears_callers_is_shown_with_the_consent_that_it_needs(engine: dict[str, Any]) -> None:
    assert VOICE_AI in engine["model"]["needs"]


def test_all_engines_that_hear_callers_are_looked_at() -> None:
    shown = sum(
        len(re.findall(r"\bkind: (?:realtime|half_cascade|duplex)\b", page.read_text(encoding="utf-8")))
        for page in HOW_TO.glob("*.md")
    )
    assert len(HEARING) == shown > 5


@pytest.mark.parametrize("text", WHOLE)
def test_a_whole_catalogue_is_read_and_built(text: str) -> None:
    try_out(Catalogue.parse(text))


def test_every_snippet_says_where_it_goes_or_is_a_whole_catalogue() -> None:
    assert len(snippets(PAGE)) + len(WHOLE) == PAGE.count("\n```yaml\n")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_engine_is_shown(kind: str) -> None:
    assert f"kind: {kind}\n" in PAGE


def test_the_policy_that_uses_a_new_engine_keeps_it_from_callers_who_did_not_consent() -> None:
    added = snippets(PAGE)
    names = Catalogue.parse(with_written_in("engines", added)).names
    policy = Policy.parse(with_written_in("default", added), engines=names)
    report = lint(policy.content)
    assert [one for one in report.findings if one.severity is Severity.ERROR] == []
    proved = [one.message for one in report.findings if one.code == "never-proved"]
    assert any("no-voice-without-consent" in message and "gemini_live" in message for message in proved)
