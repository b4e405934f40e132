"""The arithmetic of our tagger for one utterance: what spaCy's layers compute, without what they need for training.

spaCy trains and stores the model; its layers spend four fifths of a short utterance's time on batches, gradients and
copies. Here are the same numbers (a test compares the two) from the same weights: hashed embeddings (Svenstrup et al.
2017), maxout (Goodfellow et al. 2013), layer normalisation (Ba et al. 2016), a window of one word to each side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from thinc.model import Model

    Floats = NDArray[np.float32]

_EPSILON = 1e-8
"""thinc's, in ``layernorm``."""
_ON_ONE_THREAD = 1 << 18
"""Multiplications up to which OpenBLAS stays on one thread (``SMP_THRESHOLD_MIN * GEMM_MULTITHREAD_THRESHOLD``)."""


class Network:
    """Computes what a trained ``spacy.Tagger.v2`` over ``MultiHashEmbed`` and ``MaxoutWindowEncoder`` predicts.

    Args:
        model: the tagger's, whose weights are copied; its encoder has a window of one word.
    """

    def __init__(self, model: Model[Any, Any]) -> None:
        layers = {
            name: [layer for layer in model.walk() if layer.name == name]
            for name in ("hashembed", "maxout", "layernorm", "softmax")
        }
        self._hash: Any = model.ops.hash
        self._embeddings = [(_weights(layer, "E"), layer.attrs["seed"]) for layer in layers["hashembed"]]
        first, *rest = [
            _Maxout(maxout, norm) for maxout, norm in zip(layers["maxout"], layers["layernorm"], strict=True)
        ]
        self._mix, self._encoder = first, rest
        [last] = layers["softmax"]
        self._out, self._bias = _weights(last, "W").T, _weights(last, "b")

    def probabilities(self, attributes: NDArray[np.uint64]) -> Floats:
        """``[tokens, labels]``, for ``[tokens, attributes]`` as :func:`compliance.redaction.ner.reading.attributes`."""
        mixed = self._mix(self._embedded(attributes))
        # As many empty words around as there are layers: what they become is a part of what was learnt.
        edge = len(self._encoder)
        told = np.zeros((len(mixed) + 2 * edge, mixed.shape[1]), dtype=mixed.dtype)
        told[edge:-edge] = mixed
        for layer in self._encoder:
            told = told + layer(_windows(told))
        scores = told[edge:-edge] @ self._out + self._bias
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        probable: Floats = scores / scores.sum(axis=1, keepdims=True)
        return probable

    def _embedded(self, attributes: NDArray[np.uint64]) -> Floats:
        """Of each attribute the sum of the four rows of its table that its hashes choose."""
        found = []
        for column, (table, seed) in zip(attributes.T, self._embeddings, strict=True):
            rows = self._hash(np.ascontiguousarray(column), seed) % len(table)
            found.append(table[rows].sum(axis=1))
        return np.concatenate(found, axis=1)


class _Maxout:
    """The largest of three affine maps, normalised."""

    def __init__(self, maxout: Model[Any, Any], norm: Model[Any, Any]) -> None:
        weights = _weights(maxout, "W")  # [width, pieces, inputs]
        self._width, self._pieces, inputs = weights.shape
        # A piece's columns lie together, so that the largest is found without a stride.
        self._weights = np.ascontiguousarray(weights.transpose(2, 1, 0).reshape(inputs, -1))
        self._bias = np.ascontiguousarray(_weights(maxout, "b").T.reshape(-1))
        self._gain, self._shift = _weights(norm, "G"), _weights(norm, "b")

    def __call__(self, told: Floats) -> Floats:
        mapped = _product(told, self._weights) + self._bias
        width = self._width
        most = mapped[:, :width]
        for piece in range(1, self._pieces):
            most = np.maximum(most, mapped[:, piece * width : (piece + 1) * width])
        most = most - most.sum(axis=1, keepdims=True) / width
        variance = (most * most).sum(axis=1, keepdims=True) / width + _EPSILON
        normalised: Floats = most / np.sqrt(variance) * self._gain + self._shift
        return normalised


def _weights(layer: Model[Any, Any], name: str) -> Floats:
    return np.array(layer.get_param(name), dtype=np.float32)


def _product(rows: Floats, weights: Floats) -> Floats:
    """``rows @ weights``, so few rows at a time that OpenBLAS needs no second thread: it would spin beside a call."""
    few = max(1, _ON_ONE_THREAD // weights.size)
    count, inputs = rows.shape
    filled = np.zeros((count + -count % few, inputs), dtype=rows.dtype)
    filled[:count] = rows
    product: Floats = (filled.reshape(-1, few, inputs) @ weights).reshape(len(filled), -1)
    return product[:count]


def _windows(told: Floats) -> Floats:
    """Each word between the word before it and the word after it."""
    words, width = told.shape
    windows = np.zeros((words, 3 * width), dtype=told.dtype)
    windows[1:, :width] = told[:-1]
    windows[:, width : 2 * width] = told
    windows[:-1, 2 * width :] = told[1:]
    return windows
