"""Our own arithmetic against the layers of spaCy that were trained."""

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.redaction.ner.network import Network
from compliance.redaction.ner.reading import ATTRIBUTES, Question, attributes, document, words_of
from compliance.redaction.ner.spoken_names import PIPE, SHIPPED, WORDS

pytestmark = pytest.mark.unit

NLP = spacy.load(SHIPPED)
TAGGER = NLP.get_pipe(PIPE)
EVERYDAY = frozenset((SHIPPED / WORDS).read_text(encoding="utf-8").split())
SAID = st.lists(
    st.sampled_from(["my", "name", "is", "Marta", "O'Brien's", "4111", "DET", "it’s", "ORTH", "é", "as"])
    | st.text(min_size=1, max_size=12),
    min_size=1,
    max_size=60,
).map(" ".join)
ASKED = st.sampled_from(["", "What is your name?", "Which one do you mean?"])


@settings(max_examples=60, deadline=None)
@given(text=SAID, asked=ASKED)
def test_a_token_is_read_as_spacy_reads_it(text: str, asked: str) -> None:
    words, question = words_of(text), Question.of(asked)
    told = document(NLP.vocab, words, question, EVERYDAY).to_array(list(ATTRIBUTES))
    assert np.array_equal(attributes(NLP.vocab, words, question, EVERYDAY), told)


@settings(max_examples=60, deadline=None)
@given(text=SAID, asked=ASKED)
def test_the_network_predicts_what_spacy_predicts(text: str, asked: str) -> None:
    words, question = words_of(text), Question.of(asked)
    [expected] = TAGGER.model.predict([document(NLP.vocab, words, question, EVERYDAY)])
    ours = Network(TAGGER.model).probabilities(attributes(NLP.vocab, words, question, EVERYDAY))
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_reading_leaves_no_trace_in_the_vocabulary() -> None:
    before = len(NLP.vocab.strings), len(NLP.vocab)
    attributes(NLP.vocab, words_of("my name is zbigniew quackenbush"), Question(), EVERYDAY)
    assert (len(NLP.vocab.strings), len(NLP.vocab)) == before
