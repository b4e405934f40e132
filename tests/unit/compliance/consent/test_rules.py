"""The disclosures document: what each jurisdiction wants, and what is wrong with a document that cannot be used."""

from __future__ import annotations

import pytest

from compliance.consent import Basis, Disclosures, UnknownJurisdictionError, Wording
from compliance.errors import ComplianceError
from policies import DocumentError, shipped

pytestmark = pytest.mark.unit

TEXT = """\
version: 1
language: en
wordings:
  machine:
    en: {say: I am a machine., again: 'Again: I am a machine.'}
    de: {say: Ich bin eine Maschine.}
  ask: {en: {say: May we record?}}
rules:
  other:
    ai: {say: machine, source: ours, counsel: confirm}
    recording: {consent: stated, say: ask, source: ours, counsel: confirm}
    emotion: {consent: setting, source: ours, counsel: confirm}
    voice_ai: {consent: setting, source: ours, counsel: confirm}
  us:
    recording: {consent: staying, say: ask, source: ours, counsel: confirmed}
  us-ny:
    emotion: {consent: notice, say: ask, source: ours, counsel: confirm}
"""
SHIPPED = Disclosures.load(shipped("disclosures.yaml"))


def test_a_place_has_what_it_does_not_say_from_its_region_and_that_from_everywhere() -> None:
    rules = Disclosures.parse(TEXT).of("us-ny")
    assert rules.of["emotion"].basis is Basis.NOTICE
    assert (rules.of["recording"].basis, rules.of["recording"].confirmed) == (Basis.STAYING, True)
    assert rules.of["ai"].say == "machine"


def test_a_region_without_rules_has_those_of_everywhere_and_an_unknown_place_is_an_error() -> None:
    disclosures = Disclosures.parse(TEXT)
    assert disclosures.of("eu").of["recording"].basis is Basis.STATED
    with pytest.raises(UnknownJurisdictionError, match=r"no rules for 'us-zz'.*other, us, us-ny") as raised:
        disclosures.of("us-zz")
    assert isinstance(raised.value, ComplianceError)


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("de", "Ich bin eine Maschine."),
        ("de-CH", "Ich bin eine Maschine."),
        ("en-US", "I am a machine."),
        ("it", "I am a machine."),
    ],
)
def test_words_are_in_the_lines_language_or_in_the_documents(tag: str, words: str) -> None:
    assert Disclosures.parse(TEXT).of("us").wording("machine", tag).say == words


def test_without_words_for_the_second_time_the_same_are_said() -> None:
    rules = Disclosures.parse(TEXT).of("us")
    assert rules.wording("machine", "de").again == "Ich bin eine Maschine."
    assert rules.wording("machine", "en").again == "Again: I am a machine."


def test_the_version_of_words_changes_with_them() -> None:
    assert Wording.version("I am a machine.") != Wording.version("I am a machine")
    assert len(Wording.version("I am a machine.")) == 12


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("version: 1", "version: 2", "1:10: this Patchbay reads disclosures version 1, not 2"),
        ("say: machine,", "say: machin,", "10:15: unknown wording 'machin', did you mean 'machine'?"),
        ("consent: stated", "consent: state", "11:26: unknown consent 'state', did you mean 'stated'?"),
        ("consent: staying, say: ask, ", "consent: staying, ", "15:16: `say` is missing"),
        (
            "    emotion: {consent: setting, source: ours, counsel: confirm}\n",
            "",
            "10:5: `emotion` is missing",
        ),
        (
            "ai: {say: machine, source: ours",
            "ai: {say: machine, consent: stated, source: ours",
            "10:24: unknown key 'consent', did you mean 'counsel'?",
        ),
        ("source: ours, counsel: confirmed", "counsel: confirmed", "15:16: `source` is missing"),
        (
            "counsel: confirmed",
            "counsel: perhaps",
            "15:68: unknown state of counsel 'perhaps'",
        ),
        ("  ask: {en:", "  ask: {fr:", "7:8: `en` is missing"),
        ("say: I am a machine.", "say: ' '", "5:15: must not be empty: it is said to callers"),
        (
            "  us:\n    recording",
            "  us:\n    recordin",
            "15:5: unknown key 'recordin', did you mean 'recording'?",
        ),
    ],
)
def test_every_mistake_is_named_with_its_place(old: str, new: str, problem: str) -> None:
    assert TEXT.count(old) == 1
    with pytest.raises(DocumentError) as raised:
        Disclosures.parse(TEXT.replace(old, new), file="disclosures.yaml")
    assert f"disclosures.yaml:{problem}" in str(raised.value).splitlines()


def test_every_shipped_rule_names_its_source_and_none_claims_to_be_confirmed() -> None:
    rules = [rule for own in SHIPPED.rules.values() for rule in own.values()]
    assert all(rule.source for rule in rules)
    assert not any(rule.confirmed for rule in rules)


def test_every_shipped_wording_is_there_in_all_languages_and_is_used() -> None:
    languages = {frozenset(known) for known in SHIPPED.wordings.values()}
    assert languages == {frozenset({"en", "de", "fr"})}
    used = {
        name for own in SHIPPED.rules.values() for rule in own.values() for name in (rule.say, rule.stopped)
    }
    assert used - {None} == set(SHIPPED.wordings)


@pytest.mark.parametrize("jurisdiction", SHIPPED.rules)
def test_everywhere_the_caller_is_told_of_the_machine_and_of_the_recording(jurisdiction: str) -> None:
    rules = SHIPPED.of(jurisdiction)
    assert rules.of["ai"].say is not None
    assert rules.of["recording"].say is not None
    for rule in rules.of.values():
        question = rule.say is not None and "?" in rules.wording(rule.say, "en").say
        assert question == (rule.basis is Basis.STATED)


@pytest.mark.parametrize(
    ("jurisdiction", "basis"),
    [
        ("eu", "stated"),
        ("eu-de", "stated"),
        ("ch", "staying"),
        ("us-ca", "staying"),
        ("us-ny", "notice"),
        ("uk", "notice"),
    ],
)
def test_recording_is_consented_to_as_the_place_wants_it(jurisdiction: str, basis: str) -> None:
    assert SHIPPED.of(jurisdiction).of["recording"].basis == basis
