"""Whether callers were answered: what an engine says in reply answers, and so does a person who takes the call.

That there is no answer yet, that there is none, and that something should be said again are no answers, and a turn that
the recogniser never ended has none. That a person is fetched, or that none came, is no answer either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import inf

from compliance.events import (
    AgentSaid,
    CallbackAsked,
    Event,
    TransferAnswered,
    TransferAsked,
    TransferEnded,
    TurnAnswered,
    TurnEnded,
)
from engines.wording import Wording
from service.heard import Span

_WORDING = Wording()
_APOLOGIES = (_WORDING.cannot_help.strip(), _WORDING.recorded_words)
NO_ANSWERS = (*_WORDING.about_delays, *_APOLOGIES)
"""What is said in the place of an answer."""


def is_answer(words: str) -> bool:
    """Whether ``words`` say more than that there is no answer, and do not end by that."""
    return not words.rstrip().endswith(_APOLOGIES) and bool(_beside_no_answers(words))


def _beside_no_answers(words: str) -> str:
    for each in NO_ANSWERS:
        words = words.replace(each, " ")
    return words.strip()


class Answers:
    """What the record of one call says of answers.

    Args:
        events: the record.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events

    def of_turn(self, turn: int) -> bool:
        """Whether ``turn``, as the record counts them, was answered or handed to a person."""
        return self._by_engine(turn) or turn in self._handed

    def of_speech(self, said: Sequence[Span]) -> tuple[bool, ...]:
        """Of each thing that the caller said, whether it was answered before the next, or handed to a person.

        Args:
            said: when the caller spoke, in order, on the call's clock.
        """
        until_ms = (*(span.start_ms for span in said[1:]), inf)
        return tuple(map(self._answered, said, until_ms))

    def _answered(self, said: Span, by_ms: float) -> bool:
        ended = [
            one for one in self._events if isinstance(one, TurnEnded) and said.start_ms < one.at_ms <= by_ms
        ]
        numbers = {one.turn for one in ended}
        replied = any(
            one.turn in numbers and said.end_ms < one.at_ms <= by_ms and self._by_engine(one.turn)
            for one in self._sounds
        )
        return replied or bool(numbers & self._handed) or self._with_person(said, by_ms)

    def _by_engine(self, turn: int) -> bool:
        words = [
            one.text
            for one in self._events
            if isinstance(one, AgentSaid)
            and one.turn == turn
            and one.text.strip()
            and one.start_ms < self._wanted_ms.get(turn, inf)
        ]
        if any(one.turn == turn for one in self._sounds):
            # A reply that is cut before its first word has sound only.
            return not words or any(map(is_answer, words))
        # It may be no more than the beginning of such words.
        said = filter(None, map(_beside_no_answers, words))
        return any(not any(each.startswith(rest) for each in NO_ANSWERS) for rest in said)

    @cached_property
    def _wanted_ms(self) -> Mapping[int, float]:
        """When a person was first wanted, by turn: from then on, what is said in the turn is about that."""
        asked = [one for one in self._events if isinstance(one, TransferAsked)]
        return {one.turn: one.at_ms for one in reversed(asked)}

    @cached_property
    def _sounds(self) -> tuple[TurnAnswered, ...]:
        """The first sounds of replies."""
        heard = (one for one in self._events if isinstance(one, TurnAnswered))
        return tuple(one for one in heard if one.at_ms < self._wanted_ms.get(one.turn, inf))

    @cached_property
    def _handed(self) -> frozenset[int]:
        """The turns that a person took, or will call back about; to want one is not to get one."""
        return frozenset(
            one.turn for one in self._events if isinstance(one, TransferAnswered | CallbackAsked)
        )

    def _with_person(self, said: Span, by_ms: float) -> bool:
        came = [one.at_ms for one in self._events if isinstance(one, TransferAnswered) and one.at_ms <= by_ms]
        left = [
            one.at_ms for one in self._events if isinstance(one, TransferEnded) and one.at_ms < said.start_ms
        ]
        return len(came) > len(left)
