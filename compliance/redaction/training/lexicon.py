"""Words that are no names: the model is told of each word whether it is one of these.

From the frequency list of SymSpell (MIT; Google Books counts, CC BY 3.0, of words in SCOWL) without every name that the
lists of Faker hold, unless people say it so often that it is a word all the same (``will``, ``mark``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib import resources

from compliance.redaction.training.people import SPLITS, people
from compliance.redaction.training.utterance import Utterance

_LIST = "frequency_dictionary_en_82_765.txt"
_MOST_FREQUENT = 60_000
_SAID_OFTEN = 40


def everyday_words(requests: Iterable[Utterance]) -> frozenset[str]:
    """The words; ``requests`` name nobody and tell which names are words too. Needs Faker and symspellpy."""
    said = Counter(word for request in requests for word in set(request.text.lower().split()))
    names = {name for split in SPLITS for name in (*people(split).first, *people(split).last)}
    listed = resources.files("symspellpy").joinpath(_LIST).read_text(encoding="utf-8-sig").splitlines()
    frequent = {line.split()[0] for line in listed[:_MOST_FREQUENT]}
    often = {word for word, count in said.items() if count >= _SAID_OFTEN and word.isalpha()}
    return frozenset(word for word in (frequent - names) | often if len(word) > 1)
