"""Which finder a deployment names: real pipelines, made here, small and untrained."""

import importlib.util
import json
from pathlib import Path

import pytest

from compliance.redaction.ner import NameFinderError, name_finder
from compliance.redaction.ner.labels import entity_of

pytestmark = pytest.mark.unit


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(NameFinderError, match="word2vec: no such kind of name finder"):
        name_finder({"word2vec": "somewhere"})


@pytest.mark.parametrize(
    ("label", "entity"),
    [
        ("PERSON", "PERSON"),
        ("B-PER", "PERSON"),
        ("I-LOC", "LOCATION"),
        ("GPE", "LOCATION"),
        ("date of birth", "DATE_OF_BIRTH"),
        ("email", "EMAIL_ADDRESS"),
        ("IBAN_CODE", "IBAN_CODE"),
    ],
)
def test_labels_of_other_models_have_our_names(label: str, entity: str) -> None:
    assert entity_of(label) == entity


# -- spaCy ----------------------------------------------------------------------------------------------------------
def test_a_spacy_pipeline_is_used_by_its_folder(tmp_path: Path) -> None:
    import spacy

    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": [{"LOWER": "marta"}]}])  # type: ignore[attr-defined]
    nlp.to_disk(tmp_path / "pipeline")

    [found] = name_finder({"spacy": str(tmp_path / "pipeline")}).find("is marta there", asked="Hello?")
    assert (found.entity, found.start, found.end) == ("PERSON", 3, 8)


def test_a_spacy_pipeline_that_is_not_installed_says_so() -> None:
    with pytest.raises(NameFinderError, match=r"spacy: no_such_model: .*install the model's package"):
        name_finder({"spacy": "no_such_model"})


def test_a_spacy_pipeline_that_finds_nothing_is_refused(tmp_path: Path) -> None:
    import spacy

    spacy.blank("en").to_disk(tmp_path)
    with pytest.raises(NameFinderError, match="finds no entities"):
        name_finder({"spacy": str(tmp_path)})


# -- transformers ---------------------------------------------------------------------------------------------------
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "is", "marta", "kowal", "##czyk", "there"]
NAMES = {"marta", "kowal", "##czyk"}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A token classifier in ONNX: a table of logits by token, so what it answers is known."""
    onnx = pytest.importorskip("onnx", reason="needs the extra `train`")
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordPiece

    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    config = {"model_type": "bert", "id2label": {"0": "O", "1": "B-PER"}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    logits = np.array([[-4.0, 4.0] if word in NAMES else [4.0, -4.0] for word in WORDS], dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["logits"])],
        "classifier",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "tokens", 2])],
        [numpy_helper.from_array(logits, "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, tmp_path / "model.onnx")
    return tmp_path


def test_a_transformers_export_is_used_by_its_folder(export: Path) -> None:
    [found] = name_finder({"transformers": str(export)}).find("Is Marta Kowalczyk there")
    assert (found.entity, found.start, found.end) == ("PERSON", 3, 18)
    assert found.score > 0.99


def test_a_name_far_into_a_long_text_is_found_by_a_transformer(export: Path) -> None:
    text = "there " * 2000 + "marta " + "there " * 2000
    [found] = name_finder({"transformers": str(export)}).find(text)
    assert text[found.start : found.end] == "marta"


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.onnx"])
def test_an_incomplete_export_names_what_is_missing(export: Path, name: str) -> None:
    (export / name).unlink()
    with pytest.raises(NameFinderError, match=f"{name}: is not there; export the model"):
        name_finder({"transformers": str(export)})


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.onnx"])
def test_a_broken_export_is_refused(export: Path, name: str) -> None:
    (export / name).write_text("[]", encoding="utf-8")
    with pytest.raises(NameFinderError, match="cannot be loaded"):
        name_finder({"transformers": str(export)})


# -- GLiNER ---------------------------------------------------------------------------------------------------------
@pytest.mark.skipif(importlib.util.find_spec("gliner") is not None, reason="gliner is installed")
def test_gliner_without_its_package_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NameFinderError, match="pip install gliner"):
        name_finder({"gliner": str(tmp_path)})
