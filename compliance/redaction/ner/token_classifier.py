"""A transformers token classifier by its folder: ``config.json``, ``tokenizer.json`` and ``model.onnx``.

``optimum-cli export onnx --task token-classification`` writes such a folder. It runs on ONNX Runtime, so a deployment
needs no torch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from compliance.redaction.ner.errors import NameFinderError
from compliance.redaction.ner.labels import entity_of
from compliance.redaction.pieces import Found

_THRESHOLD = 0.4
_OUTSIDE = "O"
_MOST_TOKENS = 512
_OVERLAP = 32


class TokenClassifierNames:
    """Tokens whose likeliest label is not ``O``, joined to entities."""

    def __init__(self, folder: str) -> None:
        """Loads the export.

        Raises:
            NameFinderError: the folder lacks a file, or one of them cannot be used.
        """
        import onnxruntime
        from tokenizers import Tokenizer

        path = Path(folder)
        for name in ("config.json", "tokenizer.json", "model.onnx"):
            if not (path / name).is_file():
                raise NameFinderError(
                    f"transformers: {path / name}: is not there; export the model with "
                    "`optimum-cli export onnx --task token-classification` and name that folder"
                )
        try:
            labels = json.loads((path / "config.json").read_text(encoding="utf-8"))["id2label"]
            self._labels = [str(labels[str(i)]) for i in range(len(labels))]
            self._tokenizer: Any = Tokenizer.from_file(str(path / "tokenizer.json"))
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(_MOST_TOKENS, stride=_OVERLAP)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            self._session: Any = onnxruntime.InferenceSession(path / "model.onnx", options)
            self._inputs = [one.name for one in self._session.get_inputs()]
        except Exception as error:  # JSON, the tokenizer's and the runtime's errors have no common ground
            raise NameFinderError(f"transformers: {path}: cannot be loaded: {error}") from error
        self.find("hello my name is")

    def find(self, text: str, *, asked: str = "") -> list[Found]:
        """The entities of ``text``; a general classifier makes nothing of the question."""
        first = self._tokenizer.encode(text)
        found: list[Found] = []
        for encoding in (first, *first.overflowing):
            for found_here in self._entities(encoding, text):
                if (
                    found
                    and found[-1].entity == found_here.entity
                    and found_here.start <= _next_word(text, found[-1].end)
                ):
                    found[-1] = Found(
                        found_here.entity,
                        found[-1].start,
                        max(found[-1].end, found_here.end),
                        max(found[-1].score, found_here.score),
                    )
                else:
                    found.append(found_here)
        return found

    def _entities(self, encoding: Any, text: str) -> list[Found]:
        rows = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        feed = {name: np.array([rows[name]], dtype=np.int64) for name in self._inputs}
        logits = self._session.run(None, feed)[0][0]
        odds = np.exp(logits - logits.max(-1, keepdims=True))
        odds /= odds.sum(-1, keepdims=True)
        told: list[Found] = []
        outside = self._labels.index(_OUTSIDE) if _OUTSIDE in self._labels else -1
        for (start, end), row, special in zip(
            encoding.offsets, odds, encoding.special_tokens_mask, strict=True
        ):
            likeliest = max((i for i in range(len(row)) if i != outside), key=row.__getitem__)
            score = 1.0 - float(row[outside]) if outside >= 0 else float(row[likeliest])
            if not special and start < end and score >= _THRESHOLD:
                told.append(Found(entity_of(self._labels[likeliest]), start, end, score))
        return told


def _next_word(text: str, end: int) -> int:
    """Where the next word after ``end`` begins: pieces of one word and neighbouring words are one entity."""
    while end < len(text) and text[end].isspace():
        end += 1
    return end
