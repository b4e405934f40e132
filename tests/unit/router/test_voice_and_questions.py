"""What a policy says about listening: when the voice is not judged, and what a decision model is asked."""

from __future__ import annotations

import pytest

from policies import DocumentError
from router import Memory, Policy, Signals
from router.difference import difference
from router.lint import lint
from tests.random_policies import EVERYTHING

BASE = """\
policy: {name: p, version: 1}
engines: {fast: {}, standard: {}}
rules:
  - {id: otherwise, when: true, route: standard, because: nothing else applies}
"""


def _judges(text: str, **signals: object) -> bool:
    return Policy.parse(text).judges_voice(
        Signals({name.replace("__", "."): value for name, value in signals.items()})
    )  # type: ignore[misc]


def _problems(text: str) -> list[str]:
    with pytest.raises(DocumentError) as refused:
        Policy.parse(text, file="p.yaml")
    return str(refused.value).splitlines()


def test_the_voice_of_a_caller_who_consents_is_judged() -> None:
    assert _judges(BASE, caller__consent_emotion=True)


def test_without_consent_no_voice_is_judged_whatever_the_policy_says() -> None:
    assert not _judges(BASE, caller__consent_emotion=False)
    assert not _judges(BASE + "emotion: {unless: false, because: so}\n", caller__consent_emotion=False)


def test_where_consent_is_not_known_no_voice_is_judged() -> None:
    assert not _judges(BASE)


def test_a_policy_can_keep_a_region_from_being_judged() -> None:
    text = BASE + 'emotion: {unless: \'caller.region in ["eu", "ch"]\', because: the contract}\n'
    assert not _judges(text, caller__consent_emotion=True, caller__region="eu")
    assert _judges(text, caller__consent_emotion=True, caller__region="us")


def test_a_condition_that_cannot_be_evaluated_closes_the_ear() -> None:
    text = BASE + "emotion: {unless: 10 / turn.words > 2, because: so}\n"
    assert not _judges(text, caller__consent_emotion=True, turn__words=0)
    assert _judges(text, caller__consent_emotion=True, turn__words=9)


def test_it_reads_params_as_the_tenant_has_them() -> None:
    text = (
        BASE
        + "params: {words: {value: 3}}\n"
        + "emotion: {unless: turn.words < p.words, because: so}\n"
        + "overlays: {acme: {params: {words: 5}}}\n"
    )
    policy, signals = Policy.parse(text), Signals({"caller.consent_emotion": True, "turn.words": 4})
    assert policy.judges_voice(signals)
    assert not policy.for_tenant("acme").judges_voice(signals)


@pytest.mark.parametrize("reads", ["emotion.upset > 0.5", "mood > 0.5"])
def test_what_was_heard_cannot_decide_whether_to_listen(reads: str) -> None:
    text = (
        BASE
        + "derived: {mood: {from: emotion.upset, ewma: 0.5}}\n"
        + f"emotion: {{unless: {reads}, because: so}}\n"
    )
    [problem] = _problems(text)
    assert problem.startswith("p.yaml:6:19: unknown signal")


def test_the_voice_needs_a_reason_to_be_left_alone() -> None:
    assert _problems(BASE + "emotion: {unless: true}\n") == ["p.yaml:5:10: `because` is missing"]


def test_a_rule_reads_the_answer_to_a_question() -> None:
    text = BASE.replace(
        "rules:\n", "rules:\n  - {id: stay, when: question.churn > 0.5, route: fast, because: keep}\n"
    )
    policy = Policy.parse(text + "questions: {churn: {ask: The caller threatens to leave.}}\n")
    decided = [
        policy.decide(Signals({"question.churn": value}), Memory.start("c"))[0].engine for value in (0.9, 0.1)
    ]
    assert decided == ["fast", "standard"]


def test_until_an_answer_comes_a_question_has_its_unknown_value() -> None:
    text = BASE.replace(
        "rules:\n", "rules:\n  - {id: stay, when: question.churn > 0.5, route: fast, because: keep}\n"
    )
    ask = "questions: {{churn: {{ask: The caller threatens to leave., unknown: {}}}}}\n"
    engines = [
        Policy.parse(text + ask.format(unknown)).decide(Signals({}), Memory.start("c"))[0].engine
        for unknown in (0.0, 0.6)
    ]
    assert engines == ["standard", "fast"]


def test_a_condition_cannot_read_a_question_that_is_not_asked() -> None:
    text = BASE.replace("when: true", "when: question.chrun > 0.5") + "questions: {churn: {ask: Is it so?}}\n"
    assert any(
        "unknown signal 'question.chrun', did you mean 'question.churn'" in one for one in _problems(text)
    )


def test_a_question_asks_something_and_its_unknown_value_is_a_probability() -> None:
    found = _problems(BASE + "questions: {churn: {ask: ' ', unknown: 2}}\n")
    assert found[0].startswith("p.yaml:5:26: is empty")
    assert found[1] == "p.yaml:5:40: must be from 0 to 1, is 2"


def test_lint_tells_of_a_question_that_nothing_reads() -> None:
    policy = Policy.parse(BASE + "questions: {churn: {ask: The caller threatens to leave.}}\n")
    assert "question-unused" in {finding.code for finding in lint(policy.content, prove=False).findings}


def test_difference_shows_what_changed_about_listening() -> None:
    before = Policy.parse(EVERYTHING)
    after = Policy.parse(
        EVERYTHING.replace('== "eu"', '== "ch"').replace("threatens to leave", "wants to leave")
    )
    changed = {(change.section, change.field) for change in difference(before, after).changes}
    assert changed == {("emotion", "unless"), ("question", "ask")}
