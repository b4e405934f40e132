"""What no corpus says and we therefore assume: how callers move between calm and upset, and what they do in each.

There is no free corpus of support calls with both voice and words labelled by turn. These numbers are our own
judgement, all in this one place, and the model card reports what happens when they are wrong by a factor of two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a cue is noticed in a turn, by the caller's state: what recogniser and detector miss is off already."""

    calm: float
    upset: float


@dataclass(frozen=True, slots=True)
class World:
    """The constructed calls.

    Attributes:
        starts_upset: share of callers who are upset when they are answered.
        becomes_upset: chance, turn by turn, that a calm caller becomes upset.
        calms_down: chance, turn by turn, that an upset caller calms down.
        audible: share of upset turns in which the voice is angry; in the others upset callers sound like calm ones.
        sharp_voices: share of callers who sound angry in half of their calm turns. The voice model took 4 to 7 % of
            what unseen corpora call calm for upset, more than of the one it learnt from.
        cues: of the words.
        short_turns: share of turns of three words or fewer, with too little voice to judge.
        words: mean number of words of the other turns.
        calm_voices: which of the corpus's emotions a caller who is not audibly upset sounds like, and how often.
        loudness_sd_db: how much the level of one speaker wanders from turn to turn (EmoDB: 1.0 to 2.6 dB).
        shouting_db: how much louder an audibly upset turn is: from normal to raised is 6 dB (ANSI S3.5-1997).
        shouting_sd_db: how much that differs from turn to turn.
        gain_control: share of calls whose line takes half of every change of level back.
        voice_off: share of calls in which the voice may not be judged.
    """

    starts_upset: float = 0.15
    becomes_upset: float = 0.08
    calms_down: float = 0.15
    audible: float = 0.5
    sharp_voices: float = 0.06
    cues: Mapping[str, Rate] = field(
        default_factory=lambda: MappingProxyType(
            {
                "complains": Rate(0.05, 0.30),
                "repeats": Rate(0.03, 0.18),
                "corrects": Rate(0.04, 0.12),
                "asks_for_human": Rate(0.03, 0.18),
            }
        )
    )
    short_turns: float = 0.2
    words: float = 9.0
    calm_voices: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType(
            {"neutral": 0.55, "boredom": 0.25, "happiness": 0.1, "sadness": 0.1}
        )
    )
    loudness_sd_db: float = 2.0
    shouting_db: float = 6.0
    shouting_sd_db: float = 3.0
    gain_control: float = 0.5
    voice_off: float = 0.25
