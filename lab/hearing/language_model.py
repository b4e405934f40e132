"""A trigram model for support calls: a general model, pruned, mixed with text of the domain.

Two texts are mixed in, one after the other: sentences from templates of what callers of a help line say, and
the very lines of the shipped callers. The second makes recognition of those callers an **oracle**: error rates
measured with it say how well the lab plays its part, nothing about speech recognition. ``SUPPORT`` leaves the
lines out.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np

from lab.hearing.base_model import BaseModel

_START, _END = "<s>", "</s>"
_NEVER_LOG10 = -20.0

Words = tuple[str, ...]


@dataclass(slots=True)
class Trigrams:
    """Conditional probabilities: ``p[()][w]``, ``p[(h,)][w]``, ``p[(g, h)][w]``, with a backoff weight per history."""

    p: dict[Words, dict[str, float]]
    backoff: dict[Words, float]

    def probability(self, history: Words, word: str) -> float:
        """p(word | history), backing off to shorter histories."""
        explicit = self.p.get(history)
        if explicit is not None and word in explicit:
            return explicit[word]
        if not history:
            return 0.0
        return self.backoff.get(history, 1.0) * self.probability(history[1:], word)


def pruned(base: BaseModel, *, vocabulary: int, keep: Iterable[str], threshold: float) -> Trigrams:
    """The ``vocabulary`` likeliest words of ``base`` and those in ``keep``, without the n-grams that say little.

    An n-gram stays if leaving it out (backing off instead) would change the model's log-likelihood by more than
    ``threshold`` per word of running text: relative entropy pruning without the change of the backoff weight
    (Stolcke 1998, DARPA Broadcast News Workshop).
    """
    likely = np.argsort(-base.log_p)[:vocabulary]
    kept = np.zeros(len(base.words), bool)
    kept[likely] = True
    wanted = {_START, _END, *keep}
    for index, word in enumerate(base.words):
        kept[index] |= word in wanted
    p_history = 10**base.log_p
    p_history[base.words.index(_START)] = p_history[base.words.index(_END)]

    backed_off = base.log_backoff[base.bigram_history] + base.log_p[base.bigram_word]
    joint = p_history[base.bigram_history] * 10**base.bigram_log_p
    keep_bigram = kept[base.bigram_history] & kept[base.bigram_word]
    keep_bigram &= joint * np.abs(base.bigram_log_p - backed_off) > threshold

    size = len(base.words)
    key = base.bigram_history * size + base.bigram_word
    order = np.argsort(key)
    context = order[
        np.searchsorted(key, base.trigram_older * size + base.trigram_history, sorter=order).clip(
            max=len(key) - 1
        )
    ]
    backed_off = base.bigram_log_backoff[context] + base.bigram_log_p[base.trigram_lower]
    joint_3 = joint[context] * 10**base.trigram_log_p
    keep_trigram = kept[base.trigram_older] & kept[base.trigram_history] & kept[base.trigram_word]
    keep_trigram &= joint_3 * np.abs(base.trigram_log_p - backed_off) > threshold

    words = base.words
    p: dict[Words, dict[str, float]] = defaultdict(dict)
    p[()] = {words[i]: float(10 ** base.log_p[i]) for i in np.flatnonzero(kept)}
    for i in np.flatnonzero(keep_bigram):
        p[words[base.bigram_history[i]],][words[base.bigram_word[i]]] = float(10 ** base.bigram_log_p[i])
    for i in np.flatnonzero(keep_trigram):
        history = words[base.trigram_older[i]], words[base.trigram_history[i]]
        p[history][words[base.trigram_word[i]]] = float(10 ** base.trigram_log_p[i])
    return _normalised(p)


def estimated(sentences: Iterable[Sequence[str]]) -> Trigrams:
    """A trigram model of ``sentences``, with interpolated Witten-Bell smoothing."""
    counts: dict[Words, Counter[str]] = defaultdict(Counter)
    for sentence in sentences:
        line = (_START, *sentence, _END)
        for i in range(1, len(line)):
            for length in range(3):
                if i >= length:
                    counts[line[i - length : i]][line[i]] += 1
    p: dict[Words, dict[str, float]] = {}
    for history in sorted(counts, key=len):
        seen = counts[history]
        total, kinds = seen.total(), len(seen)
        if not history:
            p[history] = {word: count / total for word, count in seen.items()}
        else:
            lower = p[history[1:]]
            p[history] = {
                word: (count + kinds * lower[word]) / (total + kinds) for word, count in seen.items()
            }
    return _normalised(p)


def mixed(general: Trigrams, domain: Trigrams, *, domain_share: float) -> Trigrams:
    """``domain_share`` of one, the rest of the other, for every history that the domain has seen.

    Other histories keep the general model: what the domain never said is judged as before.
    """
    p = {history: dict(words) for history, words in general.p.items()}
    for history, domain_words in domain.p.items():
        both = {**general.p.get(history, {}), **domain_words}
        p[history] = {
            word: (1 - domain_share) * general.probability(history, word)
            + domain_share * domain.probability(history, word)
            for word in both
        }
    general_only = set(general.p[()]) - set(domain.p[()])
    p[()].update({word: (1 - domain_share) * general.p[()][word] for word in general_only})
    return _normalised(p)


def write_arpa(model: Trigrams, out: TextIO) -> None:
    """Write the text form that pocketsphinx reads (Doug Paul's ARPA format)."""
    histories = sorted(model.p, key=lambda history: (len(history), history))
    by_length = [[history for history in histories if len(history) == length] for length in range(3)]
    out.write("\\data\\\n")
    for length, some in enumerate(by_length):
        out.write(f"ngram {length + 1}={sum(len(model.p[history]) for history in some)}\n")
    for length, some in enumerate(by_length):
        out.write(f"\n\\{length + 1}-grams:\n")
        for history in some:
            for word in sorted(model.p[history]):
                ngram = (*history, word)
                log_p = _NEVER_LOG10 if word == _START else math.log10(max(model.p[history][word], 1e-20))
                weight = f"\t{math.log10(model.backoff.get(ngram, 1.0)):.3f}" if length < 2 else ""
                out.write(f"{log_p:.3f}\t{' '.join(ngram)}{weight}\n")
    out.write("\n\\end\\\n")


def _normalised(p: Mapping[Words, dict[str, float]]) -> Trigrams:
    """Give every history the backoff weight that makes its distribution sum to one."""
    result = Trigrams(dict(p), {})
    result.p[()].setdefault(_START, 0.0)
    for history in sorted((h for h in p if h), key=len):
        words = result.p[history]
        # the format wants every history to be an n-gram itself
        parent = result.p.setdefault(history[:-1], {})
        if history[-1] not in parent:
            parent[history[-1]] = result.probability(history[:-1], history[-1])
        left = 1 - sum(words.values())
        left_lower = 1 - sum(result.probability(history[1:], word) for word in words)
        result.backoff[history] = max(left, 1e-4) / max(left_lower, 1e-4)
    return result
