"""Spoken digits, letters and addresses are heard, and every character knows where it was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.redaction.pieces import Kind
from compliance.redaction.spoken import hear

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("four one one one two two three four", "41112234"),
        ("double five triple zero oh seven", "5500007"),
        ("nineteen forty two", "1942"),
        ("forty-two", "42"),
        ("five five five uh double two oh nineteen forty", "5552201940"),
        ("4111-1122 (3349) 8765", "4111112233498765"),
        ("four one one to two tree for", "4112234"),
        ("four one and then double five", "4155"),
        ("two hundred and fifty pounds", "250 pounds"),
        ("twelve thousand five hundred dollars", "12500 dollars"),
        ("one eight hundred five five five one two one two", "18005551212"),
        ("٤ ４ 4", "444"),
        ("i need two tickets for four people", "i need 2 tickets for 4 people"),
        ("that's s as in sam m i t h", "that's smith"),
        ("m for mike i double l e r", "miller"),
        ("m as in mike h as in alpha e r as in romeo k as in kilo", "mherk"),
        ("mike alpha romeo kilo", "mark"),
        ("a. b. c as in charlie", "abc"),
        ("g 2 6 5 w b", "g265wb"),
        ("j o h n dot s m i t h at gmail dot com", "john.smith@gmail.com"),
        ("j o h m dot s m i t the age at gmail dot com", "johm.smittheage@gmail.com"),
        (
            "send it to j smith forty two at yahoo dot co dot uk please",
            "send it to jsmith42@yahoo.co.uk please",
        ),
        ("bob underscore jones at hotmail dotcom", "bob_jones@hotmail.com"),
        ("j o h n s m i t h gmail dot com", "johnsmith@gmail.com"),
        ("John.Smith+x@Gmail.com!", "john.smith+x@gmail.com!"),
        ("at this point in time i have to go at seven", "at this point in time i have to go at 7"),
        ("you can reach me at gmail dot com", "you can reach me @gmail.com"),
        ("what are your opening hours", "what are your opening hours"),
    ],
)
def test_speech_is_heard_as_what_it_stands_for(said: str, meant: str) -> None:
    assert hear(said).text == meant


def test_every_written_character_points_at_the_words_that_said_it() -> None:
    said = "it is four double one, okay"
    heard = hear(said)
    start = heard.text.index("411")

    assert said[slice(*heard.said_at(start, start + 3))] == "four double one"
    assert said[slice(*heard.said_at(start + 1, start + 3))] == "double one"


def test_a_long_number_among_letters_stays_a_number() -> None:
    kinds = [p.kind for p in hear("so m q four one one one two").words]

    assert kinds[-1] is Kind.NUMBER


@given(st.text(max_size=80))
def test_the_alignment_covers_any_text(text: str) -> None:
    heard = hear(text)

    assert len(heard.text) == len(heard.offsets)
    assert all(0 <= start <= end <= len(text) for start, end in heard.offsets)
    assert [p.start for p in heard.pieces] == sorted(p.start for p in heard.pieces)
