"""Invented speech: what is marked is what was said, and no split knows another's names or patterns."""
# ruff: noqa: S311 - seeded choices, no secrets

from itertools import combinations
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("faker", reason="needs the extra `train`")

from compliance.redaction.luhn import passes_luhn
from compliance.redaction.spoken import hear
from compliance.redaction.training.invented import KINDS, invented, patterns
from compliance.redaction.training.people import Split, part_of, people
from compliance.redaction.training.said import Sayer

pytestmark = pytest.mark.unit
SPLITS: tuple[Split, ...] = get_args(Split)
splits = st.sampled_from(SPLITS)


def test_splits_share_no_pattern() -> None:
    for one, other in combinations(SPLITS, 2):
        shared = {p.text for p in patterns(one) if p.slots} & {p.text for p in patterns(other) if p.slots}
        bare = {text for text in shared if not text.startswith("{") or text.count("{") > 1}
        assert not bare, (one, other)


def test_splits_share_no_name() -> None:
    for one, other in combinations(SPLITS, 2):
        assert not set(people(one).first) & set(people(other).first)
        assert not set(people(one).last) & set(people(other).last)
    assert all(part_of(name) == "test" for name in people("test").first)


@pytest.mark.parametrize("split", SPLITS)
def test_every_slot_is_known_and_every_kind_can_be_said(split: Split) -> None:
    sayer = Sayer(Random(1), split)
    assert {slot for pattern in patterns(split) for slot in pattern.slots} <= set(KINDS)
    assert all(sayer.say(kind) for kind in KINDS)


@given(split=splits, seed=st.integers(0, 10_000))
def test_marks_stand_where_the_value_is_said(split: Split, seed: int) -> None:
    for said in invented(split, 12, seed):
        assert all(said.text[m.start : m.end].strip() == said.text[m.start : m.end] != "" for m in said.marks)
        assert all(a.end <= b.start for a, b in zip(said.marks, said.marks[1:], strict=False))


def test_the_same_seed_says_the_same() -> None:
    assert list(invented("dev", 100, 5)) == list(invented("dev", 100, 5))
    assert list(invented("dev", 100, 5)) != list(invented("dev", 100, 6))


@given(st.integers(0, 10_000))
def test_cards_have_their_check_digit(seed: int) -> None:
    digits = Sayer(Random(seed), "train").card_digits()
    assert passes_luhn(digits)
    assert len(digits) in (15, 16)


@given(seed=st.integers(0, 10_000), digits=st.text("0123456789", min_size=3, max_size=16))
def test_digits_said_cleanly_are_heard_again(seed: int, digits: str) -> None:
    said = Sayer(Random(seed), "train").digits(digits, clean=True, style="single")
    heard = hear(f"number {said}")
    assert "".join(piece.digits for piece in heard.pieces) == digits
