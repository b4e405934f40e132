"""Which words are no names: those of a frequency list, less all names, but for names that everybody says as words."""

import pytest

pytest.importorskip("faker", reason="needs the extra `train`")
pytest.importorskip("symspellpy", reason="needs the extra `train`")

from compliance.redaction.training.lexicon import everyday_words
from compliance.redaction.training.utterance import Utterance

pytestmark = pytest.mark.unit


def test_names_are_left_out_unless_people_say_them_as_words() -> None:
    said = [Utterance("will it rain")] * 50 + [Utterance("ask hannah")]
    words = everyday_words(said)
    assert {"paprika", "mortgage", "the", "will", "rain"} <= words
    assert not {"hannah", "susan", "kowalczyk"} & words
