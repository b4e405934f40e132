"""How the scripted model reads numbers and addresses that were spoken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.spoken import email, figures, spelled, with_digits

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the order number is four four one seven nine two", ("441792",)),
        ("Order number 8053162, please.", ("8053162",)),
        ("double four one seven nine to", ("441792",)),
        ("four four one seventy nine two", ("441792",)),
        ("oh eight for one", ("0841",)),
        ("three weeks ago on the second", ("3",)),
        ("change it to next thursday for me", ()),
        ("fifty", ("50",)),
        ("five five five-zero one four two", ("5550142",)),
        ("", ()),
    ],
)
def test_figures_are_read_from_words(text: str, expected: tuple[str, ...]) -> None:
    assert figures(text) == expected


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    with_digits(text)
    email(text)


@given(st.text(alphabet="0123456789", min_size=2, max_size=20))
def test_digits_spoken_one_by_one_come_back(number: str) -> None:
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert figures("it is " + " ".join(words[int(d)] for d in number)) == (number,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it is j o h n dot s m i t h at gmail dot com", "john.smith@gmail.com"),
        ("so m a. r k dot s m i t h at gmail dot com", "mark.smith@gmail.com"),
        ("write to Ann.Lee@example.org please", "ann.lee@example.org"),
        ("a underscore b two at example dot co dot uk", "a_b2@example.co.uk"),
        ("look at me", None),
        ("it is s m i t the age at gmail dot com", None),
        ("at home", None),
    ],
)
def test_an_address_is_read_from_its_letters(text: str, expected: str | None) -> None:
    assert email(text) == expected


def test_what_is_read_back_is_spelled() -> None:
    assert spelled("441792") == "4 4 1 7 9 2"
    assert spelled("j.d@example.com") == "j dot d at example dot com"
