"""Cues in what a caller says: asks for a person, complains, repeats, corrects, objects to voice analysis.

Written phrases (``phrases/*.txt``) rather than a trained model: ``cards/CUES.md`` has what both measured. Text of any
length costs at most what :data:`~classifiers.words.plain.MAX_CHARACTERS` do. English; in another language every cue is
false.
"""

from __future__ import annotations

from classifiers.words.phrasebook import phrases
from classifiers.words.plain import plain

_ASKS, _SURELY_ASKS = phrases("asks_for_human"), phrases("surely_asks_for_human")
_ROLE, _NOT_ASKING = phrases("nothing_but_a_role"), phrases("not_asking")
_COMPLAINS, _REPEATS = phrases("complains"), phrases("repeats_themselves")
_CORRECTS, _OBJECTS = phrases("corrects"), phrases("objects_to_voice_analysis")


def asks_for_human(text: str) -> bool:
    """Whether the caller asks to be passed on to a person, or called by one."""
    said = plain(text)
    if _SURELY_ASKS.search(said) or _ROLE.search(said):
        return True
    return any(not _NOT_ASKING.search(said, 0, asks.start()) for asks in _ASKS.finditer(said))


def complains(text: str) -> bool:
    """Whether the caller is dissatisfied with how they are served, beyond reporting what is wrong."""
    return _COMPLAINS.search(plain(text)) is not None


def repeats_themselves(text: str) -> bool:
    """Whether the caller says that they had to say, do or go through this before."""
    return _REPEATS.search(plain(text)) is not None


def corrects(text: str) -> bool:
    """Whether the caller says that the agent got something wrong."""
    return _CORRECTS.search(plain(text)) is not None


def objects_to_voice_analysis(text: str) -> bool:
    """Whether the caller asks not to be judged by their voice, tone or feelings. Recording is another matter."""
    return _OBJECTS.search(plain(text)) is not None
