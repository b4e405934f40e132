"""What moved the score, in words: counts only, and never a word that the caller said."""

from __future__ import annotations

from collections.abc import Mapping

from classifiers.caller_state.memory import Memory
from classifiers.caller_state.turn import Turn

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_NOW = {"complains": "complaint", "repeats": "repeat of a question", "corrects": "correction of the agent"}
_EARLIER = {
    "complains": ("complaint", "complaints"),
    "repeats": ("repeat", "repeats"),
    "corrects": ("correction", "corrections"),
    "asks_for_human": ("request for a person", "requests for a person"),
}


def evidence(moved: Mapping[str, float], memory: Memory, turn: Turn, material: float) -> tuple[str, ...]:
    """What moved the log-odds by ``material`` or more, strongest first.

    Args:
        moved: what each of the turn's terms added.
        memory: what earlier turns left; what their voice and their words add counts with this turn's.
        turn: the turn itself, for the counts.
        material: in log-odds.
    """
    by = {term: moved[term] for term in ("raised_voice", *_NOW, "asks_for_human")}
    by["voice"] = moved["voice_upset"] + moved["voice_calm"] + memory.all - memory.words
    earlier = memory.words - memory.nothing
    by["earlier_words"] = max(earlier, 0.0)
    by["plain_words"] = moved["plain_words"] + min(earlier, 0.0)
    strongest = sorted((what for what in by if abs(by[what]) >= material), key=lambda what: -abs(by[what]))
    return tuple(_in_words(what, by[what] > 0, memory, turn) for what in strongest)


def _in_words(what: str, upset: bool, memory: Memory, turn: Turn) -> str:
    if what == "voice":
        return _voice(upset, memory, turn)
    if what == "raised_voice":
        return f"raised voice in {turn.raised_windows} of {turn.windows} windows"
    if what == "plain_words":
        return "nothing upset in the words" if turn.terms["plain_words"] else "nothing upset in earlier words"
    if what == "earlier_words":
        return _earlier(memory)
    times = memory.times[what] + 1
    if what == "asks_for_human":
        return "asked for a person" if times == 1 else f"asked for a person for the {_ordinal(times)} time"
    return f"{_ordinal(times)} {_NOW[what]}"


def _voice(upset: bool, memory: Memory, turn: Turn) -> str:
    voices = (*memory.voices, turn.voice_upset)
    like = sum(voice is upset for voice in voices)
    mood = "upset" if upset else "calm"
    if not like:
        little = upset and turn.terms["voice_upset"] > 0
        return "voice sounds a little upset" if little else f"{mood} voice earlier in the call"
    if len(voices) == 1:
        return f"voice sounds {mood}"
    return f"voice sounds {mood} in {like} of the last {len(voices)} turns"


def _earlier(memory: Memory) -> str:
    counts = [
        f"{memory.times[cue]} {one if memory.times[cue] == 1 else many}"
        for cue, (one, many) in _EARLIER.items()
        if memory.times[cue]
    ]
    return f"{', '.join(counts)} earlier in the call"


def _ordinal(count: int) -> str:
    return _ORDINALS[count - 1] if count <= len(_ORDINALS) else f"{count}th"
