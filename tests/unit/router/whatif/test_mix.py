"""Mixes of calls: what a file may say, and what it is told when it does not make sense."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import DocumentError, shipped
from router.whatif.drawing import draw
from router.whatif.mix import Mix

pytestmark = pytest.mark.unit

TEXT = shipped("mix.yaml").read_text(encoding="utf-8")


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


def test_the_shipped_mix_has_every_kind_of_caller_that_policies_are_written_for() -> None:
    mix = Mix.load(shipped("mix.yaml"))
    assert {caller.name for caller in mix.callers} == {
        "quick-question",
        "order-status",
        "calm-then-furious",
        "furious",
        "asks-for-a-person",
        "confused",
        "long-complaint",
        "silence",
    }
    assert sum(caller.share for caller in mix.callers) == pytest.approx(1.0)
    assert {stated.block for stated in mix.stated} == {"callers", "tool_need", "emotion", "providers", "line"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (changed("    share: 0.24\n", ""), "`share` is missing"),
        (
            changed("{least: 1, mean: 3, most: 8}", "{least: 9, mean: 3, most: 8}"),
            "must be from 9 to 200, is 8",
        ),
        (changed("{p50: 8, p99: 25}", "{p50: 8, p99: 2}"), "must be from 8 to 2000, is 2"),
        (changed("begins: 0.08", "begin: 0.08"), "unknown key 'begin', did you mean 'begins'?"),
        (changed("auroc: 0.88", "auroc: 1.0"), "must be from 0.5 to 0.9999, is 1.0"),
        (changed("recall: 0.74", "recall: 3"), "must be at most 0.9999, is 3"),
        (changed("  fast: {p95_ms", "  Fast: {p95_ms"), "'Fast' cannot be an engine"),
        (
            changed("eu: 0.45", "eux: 0.45"),
            "must be one of eu, ch, us, uk, other, is 'eux', did you mean 'eu'?",
        ),
        (changed("support: 0.85", f"{'x' * 65}: 0.85"), "must be text of at most 64 characters"),
        (changed('"1.00": 0.85', "lots: 0.85"), "'lots' is not an amount from 0 to 10,000 US dollars"),
        (changed("since: 2026-10-05", "since: soon"), "must be a day from 2000 to 2199, such as 2026-10-05"),
        (changed("since: 2026-10-05", "since: 1066-10-14"), "must be a day from 2000 to 2199"),
        (changed("hours: [0, 0,", "hours: [0,"), "needs 24 shares, one for each hour from midnight"),
        (changed("  assumed: a European", "  assume: a European"), "unknown key 'assume'"),
        (
            changed("queues: {support: 0.85, vip: 0.15}", "queues: {support: 0}"),
            "needs at least one share above 0",
        ),
        ("callers: {}", "needs at least one kind of caller with a share above 0"),
        ("callers: 3\nline: []", "must be a mapping, is a list"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(DocumentError) as raised:
        Mix.parse(text, file="mix.yaml")
    assert complaint in str(raised.value)
    assert all(line.startswith("mix.yaml:") for line in str(raised.value).splitlines())


NUMBER = st.one_of(
    st.floats(0, 1), st.integers(0, 200), st.floats(0, 1e6), st.sampled_from([1e-9, 0.5, 0.9999, 2000, 1e308])
)


@settings(max_examples=40)
@given(
    st.sampled_from([line for line in TEXT.splitlines() if ": 0." in line or "p99" in line]),
    NUMBER,
    st.data(),
)
def test_a_mix_that_is_accepted_can_be_drawn_from(line: str, number: float, data: st.DataObject) -> None:
    figures = [part for part in line.replace("}", " ").replace(",", " ").split() if part[0].isdigit()]
    figure = data.draw(st.sampled_from(figures))
    try:
        mix = Mix.parse(TEXT.replace(line, line.replace(figure, repr(number), 1), 1))
    except DocumentError:
        return
    assert len(draw(mix, 3)) == 3
