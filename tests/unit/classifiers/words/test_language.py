"""Which language a caller speaks: unknown rather than wrong."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import ClassifierError
from classifiers.words import CallLanguage, LanguageGuess, language
from classifiers.words.language import LANGUAGES, MAX_CHARACTERS, SURE_ENOUGH, UNKNOWN, _identifier, load
from classifiers.words.training.languages import sentences

pytestmark = pytest.mark.unit

HELD_OUT = sentences(Path(__file__).with_name("languages.jsonl"))


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("hello i'd like to know where my order is", "en"),
        ("guten tag ich möchte gerne wissen wo mein paket bleibt", "de"),
        ("bonjour je voudrais savoir où se trouve mon colis", "fr"),
        ("я хотел бы узнать где мой заказ", "ru"),
        ("注文した商品がまだ届いていません", "ja"),
    ],
)
def test_a_sentence_tells_its_language(text: str, tag: str) -> None:
    assert language(text).tag == tag


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yes",
        "okay",
        "ja",
        "no",
        "4 4 1 7 9 2",
        "0171 2345678",
        "j o h n",
        "m e y e r",
        "john miller",
        "???",
        "😀😀",
        "\x00",
    ],
)
def test_what_says_little_is_unknown(text: str) -> None:
    assert language(text) == UNKNOWN


def test_sentences_that_nothing_was_fitted_on_are_answered_and_rarely_wrong() -> None:
    guesses = [(tag, language(text).tag) for tag, text in HELD_OUT if tag != "und"]
    answered = [(tag, guess) for tag, guess in guesses if guess != "und"]
    assert len(answered) >= 0.9 * len(guesses)
    assert sum(tag != guess for tag, guess in answered) <= 2


def test_beginnings_of_sentences_are_unknown_rather_than_wrong() -> None:
    for words in (1, 2, 3):
        cut = [(tag, language(" ".join(text.split()[:words])).tag) for tag, text in HELD_OUT if tag != "und"]
        assert sum(guess not in (tag, "und") for tag, guess in cut) <= 2


def test_names_numbers_and_single_words_are_mostly_unknown() -> None:
    cut = [language(text).tag for tag, text in HELD_OUT if tag == "und"]
    assert cut.count("und") >= 0.9 * len(cut)


def test_a_call_tells_more_than_a_turn() -> None:
    call = CallLanguage()
    assert call.turn_ended("kunt u") == UNKNOWN
    assert call.turn_ended("mijn pakket") != LanguageGuess("en", 1.0)
    assert call.turn_ended("wanneer komt de levering").tag == "nl"
    assert call.turn_ended("ja").tag == "nl", "a word that says nothing changes nothing"


def test_a_caller_may_change_the_language() -> None:
    call = CallLanguage()
    call.turn_ended("hello i would like to know where my order is")
    for _ in range(3):
        guess = call.turn_ended("entschuldigung können wir bitte deutsch sprechen")
    assert guess.tag == "de"


def test_a_preview_changes_nothing() -> None:
    call = CallLanguage()
    call.turn_ended("quiero hablar con una persona por favor")
    before = call.guess("")
    call.guess("i would like to know where my order is please")
    assert call.guess("") == before


@given(st.text())
def test_whatever_the_text_the_guess_is_well_formed(text: str) -> None:
    guess = language(text)
    assert (guess.tag in LANGUAGES and SURE_ENOUGH <= guess.confidence <= 1) or guess == UNKNOWN


def test_a_megabyte_costs_no_more_than_its_end() -> None:
    end = "i would like to know where my order is " * 20
    assert language("я " * 500_000 + end) == language(end[-MAX_CHARACTERS:])


def test_without_the_library_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    _identifier.cache_clear()
    try:
        with pytest.raises(ClassifierError, match="py3langid: cannot be imported"):
            load()
    finally:
        _identifier.cache_clear()
