"""A caller's words without what recognisers and hesitation add: the text that the cues are looked for in."""

from __future__ import annotations

import re

MAX_CHARACTERS = 2_000
"""The end of a longer text is looked at: whatever it is, no utterance may cost more than this."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_INSIDE_NUMBER = re.compile(r"(?<=\d)[.,](?=\d)")
_APOSTROPHES = str.maketrans("", "", "'’")
_HESITATION = frozenset("ah eh er erm hm hmm mm uh uhm uhh um umm".split())  # noqa: SIM905 - words read as words


def words(text: str) -> list[str]:
    """The last ``MAX_CHARACTERS`` of ``text`` as lower-case words and figures; apostrophes and hesitation go.

    >>> words("No, um, I don't -- don't want 1,000!")
    ['no', 'i', 'dont', 'dont', 'want', '1000']
    """
    text = _INSIDE_NUMBER.sub("", text[-MAX_CHARACTERS:].lower())
    found = _WORD.findall(text.translate(_APOSTROPHES))
    return [word for word in found if word not in _HESITATION]


def plain(text: str) -> str:
    """:func:`words` with single spaces, a word said twice in a row written once.

    >>> plain("I, I told you: it's... it's broken")
    'i told you its broken'
    """
    kept: list[str] = []
    for word in words(text):
        if not kept or word != kept[-1]:
            kept.append(word)
    return " ".join(kept)
