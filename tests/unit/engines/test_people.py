"""How the catalogue says who can be fetched to the line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.catalogue import Catalogue
from engines.errors import EngineNotConfiguredError
from engines.people import PersonSpec, Target
from policies import DocumentError, shipped

pytestmark = pytest.mark.unit

SHIPPED = shipped("engines.yaml").read_text()
LINES = SHIPPED.count("\n")


def read(entry: str) -> PersonSpec:
    return Catalogue.parse(SHIPPED + f"  human: {{kind: human, {entry}}}\n").people["human"]


def problems(entry: str) -> list[str]:
    with pytest.raises(DocumentError) as raised:
        read(entry)
    return str(raised.value).splitlines()


def test_a_person_is_an_engine_that_a_policy_can_name_and_no_machine() -> None:
    catalogue = Catalogue.parse(SHIPPED + "  human: {kind: human, transfer: callback}\n")
    assert "human" in catalogue.names
    assert "human" not in catalogue.engines
    assert set(catalogue.engines) < set(catalogue.names)


def test_one_way_and_one_place_need_no_list() -> None:
    person = read("transfer: warm, to: 'room:desk-anna'")
    assert (person.ways, person.to) == (("warm",), (Target("room", "desk-anna"),))
    assert (person.wait_s, person.accept, person.returns, person.summary) == (30.0, "voice", True, "")


def test_ways_and_places_are_tried_in_their_order() -> None:
    person = read(
        "transfer: [warm, blind, callback], to: ['room:desk-anna#anna', 'tel:+41445550123', 'env:SUPERVISOR'], "
        "wait_ms: 20000, accept: key, returns: false, summary: standard, words: {nobody: Sorry.}"
    )
    assert person.ways == ("warm", "blind", "callback")
    assert [str(one) for one in person.to] == ["room:desk-anna#anna", "tel:+41445550123", "env:SUPERVISOR"]
    assert (person.to[0].room, person.to[0].identity) == ("desk-anna", "anna")
    assert (person.wait_s, person.accept, person.returns, person.summary) == (20.0, "key", False, "standard")
    assert person.words.nobody == "Sorry."
    assert person.words.fetching  # the others keep their words


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("transfer: wram, to: 'room:a'", "unknown way of transfer 'wram', did you mean 'warm'?"),
        ("transfer: []", "at least one way of transfer is needed"),
        ("transfer: warm", "a warm transfer needs somebody to transfer `to`"),
        (
            "transfer: [warm, blind], to: 'room:a'",
            "a blind transfer needs a telephone or SIP address in `to`",
        ),
        ("transfer: warm, to: 'tel:044 555'", "must be tel:+ and 6 to 15 digits"),
        ("transfer: warm, to: 'anna'", "must begin with room:, sip:, sips:, tel: or env:"),
        ("transfer: warm, to: 'room:a', wait_ms: 5", "must be from 1000 to 600000"),
        ("transfer: warm, to: 'room:a', accept: nod", "unknown way to accept a call 'nod'"),
        ("transfer: warm, to: 'room:a', summary: realtime", "unknown cascade engine 'realtime'"),
        ("transfer: warm, to: 'room:a', words: {nobdy: x}", "unknown key 'nobdy'"),
        ("transfer: callback, words: {confirm: right?}", "must have {number}"),
        ("transfer: callback, model: x", "unknown key 'model'"),
        ("to: 'room:a'", "`transfer` is missing"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(entry: str, said: str) -> None:
    [problem, *_] = [line for line in problems(entry) if said in line] or [""]
    assert problem.startswith(f"<catalogue>:{LINES + 1}:"), problems(entry)


def test_a_place_from_the_environment_is_read_there_and_stays_there() -> None:
    secret = Target.parse("env:SUPERVISOR")
    assert secret.resolved({"SUPERVISOR": "tel:+41445550123"}) == Target("tel", "+41445550123")
    for value in ("", "044 555 01 23", "env:OTHER"):
        with pytest.raises(EngineNotConfiguredError) as raised:
            secret.resolved({"SUPERVISOR": value})
        assert "SUPERVISOR" in str(raised.value)
        assert not value or value not in str(raised.value)


@given(st.text(max_size=40))
def test_any_text_is_a_place_that_reads_back_or_is_refused(text: str) -> None:
    try:
        target = Target.parse(text)
    except ValueError:
        return
    assert Target.parse(str(target)) == target
