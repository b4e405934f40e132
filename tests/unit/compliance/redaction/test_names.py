"""The model of names that a policy chose, and what stands in when it fails."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from compliance.redaction import RedactionEngine, RedactionPolicy, Redactor
from compliance.redaction.names import NoNames, WithFailover, names_of
from compliance.redaction.ner import NameFinderError
from compliance.redaction.pieces import Found

pytestmark = pytest.mark.unit

SAID = "please ask for zorblax"


class Knows:
    """Finds one name, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find(self, text: str, *, asked: str = "") -> list[Found]:
        self.asked.append(asked)
        start = text.find("zorblax")
        return [Found("PERSON", start, start + 7, 0.9), Found("DATE_TIME", 0, 6, 0.9)] if start >= 0 else []


class Fails:
    def find(self, text: str, *, asked: str = "") -> list[Found]:
        raise RuntimeError(text)


def test_the_model_hears_the_agents_last_words_and_what_it_finds_is_masked() -> None:
    names = Knows()
    redactor = Redactor(RedactionEngine(names=names))
    redactor.redact_spoken("Whom shall I ask for?", speaker="agent")

    assert redactor.redact_spoken(SAID, speaker="caller").text == "please ask for <PERSON>"
    assert names.asked == ["", "Whom shall I ask for?"]


def test_what_a_model_finds_and_no_policy_names_is_kept() -> None:
    result = Redactor(RedactionEngine(names=Knows())).redact_spoken(SAID, speaker="caller")

    assert result.entities == ("PERSON",)


def test_a_model_that_fails_withholds_the_text() -> None:
    redactor = Redactor(RedactionEngine(names=Fails()))

    assert redactor.redact_spoken(SAID, speaker="caller").failed
    assert redactor.last_failure == "RuntimeError"


def test_a_model_that_fails_is_replaced_where_the_policy_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        result = Redactor(RedactionEngine(names=WithFailover(Fails(), Knows()))).redact_spoken(
            SAID, speaker="caller"
        )

    assert result.text == "please ask for <PERSON>"
    assert "zorblax" not in caplog.text


def policy(folder: Path, failover: str) -> RedactionPolicy:
    return RedactionPolicy.parse(
        "redaction: {name: mine, version: 1}\nentities: {PERSON: {action: mask}}\n"
        f"ner: {{spacy: '{folder}'}}\nfailover: {failover}\n"
    )


def test_a_model_that_is_not_there_stops_the_start_unless_ours_may_stand_in(tmp_path: Path) -> None:
    with pytest.raises(NameFinderError):
        names_of(policy(tmp_path, "withhold"))

    assert not isinstance(names_of(policy(tmp_path, "ours")), NoNames | WithFailover)
