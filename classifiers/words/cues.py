"""Cues in what a caller says: asks for a person, complains, repeats, corrects; what they consent and object to.

Written phrases (``phrases/*.txt``) rather than a trained model: ``cards/CUES.md`` has what both measured, and
``cards/CONSENT.md`` how well consents are heard. Text of any
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
_ALLOWS = phrases("allows_voice_analysis")
_OBJECTS_TO_RECORDING, _ALLOWS_RECORDING = phrases("objects_to_recording"), phrases("allows_recording")
_OBJECTS_TO_VOICE_AI, _ALLOWS_VOICE_AI = phrases("objects_to_voice_ai"), phrases("allows_voice_ai")
_ASKS_IF_MACHINE, _AGREES, _REFUSES = phrases("asks_if_machine"), phrases("agrees"), phrases("refuses")


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


def allows_voice_analysis(text: str) -> bool:
    """Whether the caller lets their voice be judged, and objects to nothing of the kind."""
    return _ALLOWS.search(plain(text)) is not None and not objects_to_voice_analysis(text)


def objects_to_recording(text: str) -> bool:
    """Whether the caller does not want the call to be recorded, or wants the recording to stop."""
    return _OBJECTS_TO_RECORDING.search(plain(text)) is not None


def allows_recording(text: str) -> bool:
    """Whether the caller lets the call be recorded, and does not object as well."""
    return _ALLOWS_RECORDING.search(plain(text)) is not None and not objects_to_recording(text)


def objects_to_voice_ai(text: str) -> bool:
    """Whether the caller does not want a machine, or its vendor, to hear the voice itself.

    Not wanting to *talk* to a machine is :func:`asks_for_human`.
    """
    return _OBJECTS_TO_VOICE_AI.search(plain(text)) is not None


def allows_voice_ai(text: str) -> bool:
    """Whether the caller lets a machine hear the voice itself, and does not object as well."""
    return _ALLOWS_VOICE_AI.search(plain(text)) is not None and not objects_to_voice_ai(text)


def asks_if_machine(text: str) -> bool:
    """Whether the caller asks if this is a machine or a person."""
    return _ASKS_IF_MACHINE.search(plain(text)) is not None


def agrees(text: str) -> bool:
    """Whether this says yes and nothing else: for the answer to a question, which the text does not hold."""
    return _AGREES.search(plain(text)) is not None


def refuses(text: str) -> bool:
    """Whether this says no and nothing else: for the answer to a question, which the text does not hold."""
    return _REFUSES.search(plain(text)) is not None
