"""The consents of a call: when they are given, and that an objection ends them whatever the rule."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.consent import Basis, Change, Consents, Meaning, Rule, Rules, Standing
from compliance.consent.rules import TOPICS
from compliance.events import Disclosure, Topic

pytestmark = pytest.mark.unit

SILENCE, WORDS = Meaning(silent=True), Meaning()
YES, NO = Meaning(agrees=True), Meaning(refuses=True)
STOP = Meaning(objects=frozenset({"recording"}))
GO_AHEAD = Meaning(allows=frozenset({"recording"}))


def rules(basis: Basis = Basis.SETTING, **others: Basis) -> Rules:
    """Rules by which recording is consented to on ``basis``, the rest from the settings unless said otherwise."""
    bases: dict[Disclosure, Basis] = {"recording": basis}
    for what in ("ai", "emotion", "voice_ai"):
        bases[what] = others.get(what, Basis.SETTING)  # type: ignore[index, literal-required]
    of = {what: Rule(what, one, "words", None, "a test", False) for what, one in bases.items()}
    return Rules("here", MappingProxyType(of), {}, "en")


def call(basis: Basis, wanted: Sequence[Topic] = ("recording",), **others: Basis) -> Consents:
    return Consents.start(rules(basis, **others), wanted)[0]


def after(consents: Consents, *steps: object) -> tuple[Consents, list[Change]]:
    """``consents`` after what happened: a disclosure heard, or words said in a turn."""
    all_changes: list[Change] = []
    for step in steps:
        consents, changes = (
            consents.turn_ended(step) if isinstance(step, Meaning) else consents.disclosed(step)  # type: ignore[arg-type]
        )
        all_changes += changes
    return consents, all_changes


def test_what_the_line_has_from_elsewhere_is_given_from_the_start() -> None:
    consents, changes = Consents.start(rules(Basis.STATED), ["recording", "emotion"])
    assert changes == (Change("emotion", True, "setting"),)
    assert [consents.given(topic) for topic in TOPICS] == [False, True, False]


@pytest.mark.parametrize(
    ("basis", "steps", "change"),
    [
        (Basis.NOTICE, ("recording",), ("recording", True, "notice")),
        (Basis.STAYING, ("recording", WORDS), ("recording", True, "by staying")),
        (Basis.STATED, ("recording", YES), ("recording", True, "stated")),
        (Basis.STATED, ("recording", NO), ("recording", False, "stated")),
        (Basis.STATED, ("recording", SILENCE, YES), ("recording", True, "stated")),
        (Basis.STATED, (GO_AHEAD,), ("recording", True, "stated")),
        (Basis.STAYING, ("recording", STOP), ("recording", False, "stated")),
        (Basis.STATED, ("recording", STOP), ("recording", False, "stated")),
    ],
)
def test_consent_is_given_when_its_rule_says(
    basis: Basis, steps: tuple[object, ...], change: tuple[Topic, bool, str]
) -> None:
    consents, changes = after(call(basis), *steps)
    assert [(one.what, one.given, one.how) for one in changes] == [change]
    assert consents.given("recording") is change[1]


@pytest.mark.parametrize(
    ("basis", "steps"),
    [
        (Basis.NOTICE, (WORDS, YES)),
        (Basis.STAYING, (WORDS, WORDS)),
        (Basis.STAYING, ("recording", SILENCE)),
        (Basis.STATED, ("recording",)),
        (Basis.STATED, (YES,)),
        (Basis.STATED, ("recording", WORDS, YES)),
        (Basis.STATED, ("ai", YES)),
        (Basis.STATED, ("recording", Meaning(agrees=True, refuses=True, objects=frozenset({"recording"})))),
    ],
)
def test_otherwise_it_is_not(basis: Basis, steps: tuple[object, ...]) -> None:
    consents, changes = after(call(basis), *steps)
    assert not consents.given("recording")
    assert not any(change.given for change in changes)


@pytest.mark.parametrize("basis", Basis)
def test_what_the_line_does_not_want_is_never_given(basis: Basis) -> None:
    consents, changes = after(call(basis, wanted=[]), "recording", YES, GO_AHEAD, WORDS)
    assert (consents.given("recording"), changes) == (False, [])


def test_an_objection_counts_while_the_caller_still_speaks_and_is_told_once() -> None:
    consents, changes = call(Basis.SETTING).speaking(STOP)
    assert changes == (Change("recording", False, "revoked"),)
    consents, changes = consents.turn_ended(STOP)
    assert (consents.given("recording"), changes) == (False, ())


def test_a_yes_is_no_answer_before_the_turn_has_ended() -> None:
    consents, _ = call(Basis.STATED).disclosed("recording")
    assert consents.speaking(Meaning(agrees=True, allows=frozenset({"recording"}))) == (consents, ())


def test_what_was_taken_back_can_be_given_again_but_not_by_staying() -> None:
    consents, _ = after(call(Basis.STAYING), "recording", WORDS, STOP)
    consents, changes = after(consents, "recording", WORDS)
    assert (consents.standing["recording"], changes) == (Standing.REFUSED, [])
    consents, changes = after(consents, GO_AHEAD)
    assert changes == [Change("recording", True, "stated")]


def test_one_objection_leaves_other_consents_alone() -> None:
    consents, _ = after(call(Basis.SETTING, wanted=TOPICS), Meaning(objects=frozenset({"emotion"})))
    assert [consents.given(topic) for topic in TOPICS] == [True, False, True]


TOPIC_SETS = st.frozensets(st.sampled_from(TOPICS))
MEANINGS = st.builds(Meaning, objects=TOPIC_SETS, allows=TOPIC_SETS, agrees=st.booleans(), refuses=st.booleans(),
                     silent=st.booleans())  # fmt: skip
STEPS = st.lists(MEANINGS | st.sampled_from(["ai", *TOPICS]), max_size=8)
BASES = st.sampled_from(list(Basis))


@given(BASES, BASES, BASES, TOPIC_SETS, STEPS)
def test_whatever_happens_only_what_is_wanted_is_given_and_every_change_is_one(
    recording: Basis, emotion: Basis, voice_ai: Basis, wanted: frozenset[Topic], steps: list[object]
) -> None:
    consents, first = Consents.start(rules(recording, emotion=emotion, voice_ai=voice_ai), wanted)
    now = {change.what: change.given for change in first}
    for step in steps:
        before = dict(now)
        consents, changes = after(consents, step)
        for change in changes:
            assert change.given != before.get(change.what, not change.given)
            now[change.what] = change.given
        for topic in TOPICS:
            assert consents.given(topic) == now.get(topic, False)
            assert not consents.given(topic) or topic in wanted
            if isinstance(step, Meaning) and topic in step.objects:
                assert not consents.given(topic)
