import io
import math
from pathlib import Path

import numpy as np
import pytest

from lab.hearing.base_model import BaseModel, read_base_model
from lab.hearing.build_language_model import caller_sentences, inputs_digest
from lab.hearing.heard import HearingError
from lab.hearing.language_model import Trigrams, estimated, mixed, pruned, write_arpa
from lab.hearing.models import INPUTS
from lab.hearing.support_text import support_sentences

pytestmark = pytest.mark.unit

TEXT = [("where", "is", "my", "order"), ("where", "is", "it"), ("my", "order", "is", "late")]


def total(model: Trigrams, history: tuple[str, ...]) -> float:
    return sum(model.probability(history, word) for word in model.p[()])


def test_the_shipped_models_were_built_from_these_texts_and_settings() -> None:
    assert INPUTS.read_text().strip() == inputs_digest(), "run: python -m lab.hearing.build_language_model"


def test_the_templates_do_not_repeat_what_the_callers_say() -> None:
    # "are you still there" is what anybody says
    lines = {line for line in caller_sentences() if len(line) > 4}
    assert lines.isdisjoint(support_sentences())


def test_an_estimated_model_is_a_distribution_after_every_history() -> None:
    model = estimated(TEXT)
    for history in [(), ("where",), ("where", "is"), ("never", "seen")]:
        assert total(model, history) == pytest.approx(1.0, abs=1e-9)
    assert model.probability(("where", "is"), "my") > model.probability((), "my")


def test_a_mixed_model_is_a_distribution_and_leans_to_the_domain() -> None:
    general, domain = estimated(TEXT), estimated([("my", "refund", "is", "late")])
    model = mixed(general, domain, domain_share=0.8)
    for history in [(), ("my",), ("is",), ("<s>", "my")]:
        assert total(model, history) == pytest.approx(1.0, abs=1e-6)
    assert model.probability(("my",), "refund") > model.probability(("my",), "order") > 0


def test_pruning_drops_what_backing_off_says_as_well() -> None:
    words = ("<s>", "</s>", "a", "b")
    log_p = np.log10([1e-9, 0.2, 0.4, 0.4])
    telling, useless = np.log10([0.9, 0.4])
    base = BaseModel(
        words=words,
        log_p=log_p,
        log_backoff=np.zeros(4),
        bigram_history=np.array([2, 3]),
        bigram_word=np.array([3, 3]),
        bigram_log_p=np.array([telling, useless]),
        bigram_log_backoff=np.zeros(2),
        trigram_older=np.array([], np.int64),
        trigram_history=np.array([], np.int64),
        trigram_word=np.array([], np.int64),
        trigram_lower=np.array([], np.int64),
        trigram_log_p=np.array([]),
    )
    model = pruned(base, vocabulary=4, keep=(), threshold=1e-3)
    assert model.p[("a",)] == {"b": pytest.approx(0.9)}
    assert ("b",) not in model.p


def test_the_text_form_counts_its_ngrams_and_gives_log10_probabilities() -> None:
    model = estimated([("yes",)])
    out = io.StringIO()
    write_arpa(model, out)
    lines = out.getvalue().splitlines()
    assert lines[:4] == ["\\data\\", "ngram 1=3", "ngram 2=2", "ngram 3=1"]
    assert lines[-1] == "\\end\\"
    unigram = next(line for line in lines if "\tyes\t" in line)
    assert float(unigram.split("\t")[0]) == pytest.approx(math.log10(0.5), abs=1e-3)


def test_a_file_that_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "nonsense.lm.bin"
    path.write_bytes(b"nonsense")
    with pytest.raises(HearingError, match=r"nonsense\.lm\.bin is not a trigram model"):
        read_base_model(path)
