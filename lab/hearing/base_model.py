"""Reads the general language model that comes in pocketsphinx's wheel.

Its own writer of text models crashes on the trigrams of this file (pocketsphinx 5.1.1), so the binary trie is
read here. Format: ``src/lm/ngram_model_trie.c`` and ``lm_trie.c`` of pocketsphinx; the trie runs from the
predicted word back to its history.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.hearing.heard import HearingError

_MAGIC = b"Trie Language Model"
_LOG10_OF_UNIT = math.log10(1.0001)
_BINS = 1 << 16
_FLOATS = NDArray[np.float64]
_INTS = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A trigram model as arrays; log10 probabilities. Words are indices into ``words``.

    ``bigram_*`` are parallel: (history, word), and so are ``trigram_*``: (older, history, word).
    ``trigram_lower`` is the index of each trigram's bigram (history, word).
    """

    words: tuple[str, ...]
    log_p: _FLOATS
    log_backoff: _FLOATS
    bigram_history: _INTS
    bigram_word: _INTS
    bigram_log_p: _FLOATS
    bigram_log_backoff: _FLOATS
    trigram_older: _INTS
    trigram_history: _INTS
    trigram_word: _INTS
    trigram_lower: _INTS
    trigram_log_p: _FLOATS


def read_base_model(path: Path) -> BaseModel:
    """Read a trigram ``.lm.bin``. Raises :class:`HearingError` for any other file."""
    data = path.read_bytes()
    at = len(_MAGIC)
    if not data.startswith(_MAGIC + b"\x03"):
        raise HearingError(f"{path} is not a trigram model of pocketsphinx")
    at += 1
    n_words, n_bigrams, n_trigrams = struct.unpack_from("<3I", data, at)
    at += 12 + 4  # the counts, then the kind of quantisation (always 16 bit)
    bigram_bins, backoff_bins, trigram_bins = np.frombuffer(data, "<f4", 3 * _BINS, at).reshape(3, _BINS)
    at += 3 * _BINS * 4
    unigram = np.dtype([("p", "<f4"), ("backoff", "<f4"), ("next", "<u4")])
    unigrams = np.frombuffer(data, unigram, n_words + 1, at)
    at += unigrams.nbytes
    word_bits, next_bits = n_words.bit_length(), n_trigrams.bit_length()
    middle_bits, longest_bits = word_bits + 32 + next_bits, word_bits + 16
    middle_bytes = ((1 + n_bigrams) * middle_bits + 7) // 8 + 8
    longest_bytes = ((1 + n_trigrams) * longest_bits + 7) // 8 + 8
    middle = np.frombuffer(data, np.uint8, middle_bytes, at)
    at += middle_bytes
    longest = np.frombuffer(data, np.uint8, longest_bytes, at)
    at += longest_bytes
    (text_bytes,) = struct.unpack_from("<I", data, at)
    words = tuple(word.decode() for word in data[at + 4 : at + 4 + text_bytes].split(b"\0")[:-1])

    word_of = np.repeat(np.arange(n_words), _diff(unigrams["next"].astype(np.int64)))
    bigrams = len(word_of)
    history = _bits(middle, bigrams, middle_bits, 0, word_bits)
    backoff_bin = _bits(middle, bigrams, middle_bits, word_bits, 16)
    p_bin = _bits(middle, bigrams, middle_bits, word_bits + 16, 16)
    following = _bits(middle, bigrams + 1, middle_bits, word_bits + 32, next_bits)
    lower = np.repeat(np.arange(bigrams), _diff(following))
    older = _bits(longest, len(lower), longest_bits, 0, word_bits)
    trigram_bin = _bits(longest, len(lower), longest_bits, word_bits, 16)

    def log10(values: NDArray[np.float32]) -> _FLOATS:
        return values.astype(np.float64) * _LOG10_OF_UNIT

    return BaseModel(
        words=words,
        log_p=log10(unigrams["p"][:-1]),
        log_backoff=log10(unigrams["backoff"][:-1]),
        bigram_history=history,
        bigram_word=word_of,
        bigram_log_p=log10(bigram_bins[p_bin]),
        bigram_log_backoff=log10(backoff_bins[backoff_bin]),
        trigram_older=older,
        trigram_history=history[lower],
        trigram_word=word_of[lower],
        trigram_lower=lower,
        trigram_log_p=log10(trigram_bins[trigram_bin]),
    )


def _diff(boundaries: _INTS) -> _INTS:
    return boundaries[1:] - boundaries[:-1]


def _bits(packed: NDArray[np.uint8], count: int, stride: int, offset: int, width: int) -> _INTS:
    """``count`` unsigned fields of ``width`` bits, ``stride`` bits apart, least significant bit first."""
    bit = np.arange(count, dtype=np.int64) * stride + offset
    byte, shift = bit >> 3, (bit & 7).astype(np.uint64)
    padded = np.concatenate([packed, np.zeros(8, np.uint8)])
    value = np.zeros(count, np.uint64)
    for i in range(5):
        value |= padded[byte + i].astype(np.uint64) << np.uint64(8 * i)
    return ((value >> shift) & np.uint64((1 << width) - 1)).astype(np.int64)
