"""The public texts: how they are read, and that no part knows another's people."""

from pathlib import Path

import pytest

from compliance.redaction.entities import Entity
from compliance.redaction.training import corpora
from compliance.redaction.training.corpora import CorpusError, read, split_of
from compliance.redaction.training.utterance import Mark
from tests.unit.compliance.redaction.corpora_for_tests import write_corpora

pytestmark = [pytest.mark.unit]
faker = pytest.importorskip("faker", reason="needs the extra `train`")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpora(tmp_path_factory.mktemp("data"))


def row(tmp_path: Path, source: str, text: str) -> list[corpora.Utterance]:
    (tmp_path / f"{source}_more.jsonl").write_text(text, encoding="utf-8")
    return list(read(tmp_path, source))


def test_a_first_and_a_last_name_are_one_entity(tmp_path: Path) -> None:
    spans = '[{"label": "last_name", "start": 3, "end": 8}, {"label": "first_name", "start": 0, "end": 2}]'
    [said] = row(
        tmp_path, "restaurant8k", f'{{"text": "jo stone", "requested": ["first_name"], "spans": {spans}}}'
    )
    assert said.marks == (Mark(0, 8, Entity.PERSON),)
    assert "name" in said.asked


def test_a_possessive_is_no_part_of_a_name(tmp_path: Path) -> None:
    spans = '[{"label": "person", "start": 0, "end": 6}]'
    [said] = row(tmp_path, "slurp", f'{{"text": "paul\'s party", "spans": {spans}}}')
    assert [said.text[mark.start : mark.end] for mark in said.marks] == ["paul"]


def test_an_answer_is_personal_but_for_the_words_around_it(data: Path) -> None:
    birth = next(said for said in read(data, corpora.EVI) if "birth" in said.asked)
    assert [birth.text[mark.start : mark.end] for mark in birth.marks] == ["4th", "april", "1996"]


@pytest.mark.parametrize("source", [corpora.RESTAURANT, corpora.NLUPP, corpora.SLURP, corpora.EVI])
def test_nobody_is_in_two_parts(data: Path, source: str) -> None:
    parts: dict[str, set[str]] = {}
    for said in read(data, source):
        parts.setdefault(said.group, set()).add(split_of(said))
    assert len(parts) >= 20
    assert all(len(found) == 1 for found in parts.values())


def test_a_domain_is_kept_that_nothing_is_trained_on(data: Path) -> None:
    assert "train" not in {split_of(said) for said in read(data, corpora.NLUPP)}


def test_requests_that_seem_to_name_somebody_are_left_out(tmp_path: Path) -> None:
    import gzip
    import json

    (tmp_path / "tool_need").mkdir()
    with gzip.open(tmp_path / "tool_need" / "clinc150.jsonl.gz", "wt", encoding="utf-8") as file:
        for text in ["will it rain"] * 50 + ["call christopher"]:
            file.write(json.dumps({"u": text}) + "\n")
    texts = {said.text for said in read(tmp_path / "redaction", corpora.CLINC)}
    assert texts == {"will it rain"}, "Will is a name, but an everyday word here"


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no file slurp\*\.jsonl"):
        list(read(tmp_path, corpora.SLURP))


@pytest.mark.parametrize("broken", ["{}", "[1]", '{"text": "a", "spans": [{"label": "person"}]}', "not json"])
def test_a_broken_row_is_an_error_that_names_the_file(tmp_path: Path, broken: str) -> None:
    with pytest.raises(CorpusError, match=r"slurp_more\.jsonl"):
        row(tmp_path, "slurp", broken)
