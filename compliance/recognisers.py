"""Which recogniser hears the caller: in order of preference, one that fails making way for the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from livekit.agents import APIConnectionError, APIError

from compliance.heard import Recogniser

__all__ = [
    "BarredError",
    "Persistence",
    "RecogniserEndedError",
    "RecogniserStalledError",
    "Recognisers",
    "Well",
]


LEAST_CONNECT_MS = 1000.0
"""A handshake with a vendor that is well takes no longer."""
LEAST_ANSWER_MS = 2000.0
"""Nor does the last result of a recogniser that is asked for a whole utterance."""


class BarredError(APIConnectionError):
    """A part may not be given what the caller says, now: it has not failed, and may be given it later."""


class RecogniserStalledError(APIConnectionError):
    """The caller had spoken, the recogniser was asked for its final result, and nothing came."""

    def __init__(self) -> None:
        super().__init__("the recogniser did not answer")


class RecogniserEndedError(APIConnectionError):
    """The recogniser ended its stream in the middle of the call."""

    def __init__(self) -> None:
        super().__init__("the recogniser ended the stream")


@dataclass(frozen=True)
class Persistence:
    """How hard a transcriber tries; times in milliseconds.

    A recogniser has failed that tells nothing for ``answer_within_ms`` after it was asked to finalise, be it what it
    has told an interim result of, at least ``stall_voiced_ms`` of voiced sound, or ``word_voiced_ms`` of which it has
    told nothing at all. The wait before another attempt doubles from ``first_wait_ms`` to ``longest_wait_ms``, once
    all have failed. After ``failures`` without a final result between them nobody is expected to hear the caller soon.
    """

    connect_within_ms: float = 3000
    answer_within_ms: float = 4000
    stall_voiced_ms: float = 600
    word_voiced_ms: float = 100
    first_wait_ms: float = 100
    longest_wait_ms: float = 5000
    failures: int = 5

    def times(self, share: float) -> Persistence:
        """The same, with that share of the time that a recogniser is given, and no less than one that is well takes."""
        return replace(
            self,
            connect_within_ms=_part(self.connect_within_ms, share, LEAST_CONNECT_MS),
            answer_within_ms=_part(self.answer_within_ms, share, LEAST_ANSWER_MS),
        )


def _part(usual_ms: float, share: float, least_ms: float) -> float:
    return min(usual_ms, max(least_ms, share * usual_ms))


class Well(Protocol):
    """What is known of recognisers from elsewhere: other calls, or earlier in this one.

    Whether one may hear the caller changes in the course of a call. One that may not does not count as asked, nor
    as failed.
    """

    def may_hear(self, recogniser: Recogniser) -> bool: ...
    def may_ask(self, recogniser: Recogniser) -> bool: ...
    def asked(self, recogniser: Recogniser) -> None: ...
    def worked(self, recogniser: Recogniser) -> None: ...
    def failed(self, recogniser: Recogniser, error: Exception) -> None: ...


class _AllWell:
    def may_hear(self, recogniser: Recogniser) -> bool:
        return True

    def may_ask(self, recogniser: Recogniser) -> bool:
        return True

    def asked(self, recogniser: Recogniser) -> None: ...
    def worked(self, recogniser: Recogniser) -> None: ...
    def failed(self, recogniser: Recogniser, error: Exception) -> None: ...


ALL_WELL = _AllWell()
"""Where nobody keeps count."""


class Recognisers:
    """Chooses among the recognisers of one call, by what became of their streams.

    One that told nothing of a sound is not blamed before another has found words in it: it may have been a cough.
    One that may not hear the caller is passed over while that is so, and keeps its place.

    Args:
        ones: in order of preference, at least one.
        well: asked before one is chosen, and told what became of it.
        persistence: how hard to try.
    """

    def __init__(self, ones: Sequence[Recogniser], well: Well, persistence: Persistence) -> None:
        self._queue = list(ones)
        """Those that may be asked again; who failed last comes last."""
        self._well = well
        self._persistence = persistence
        self._failures = 0
        self._suspect: Recogniser | None = None
        self._worked = False
        self.current = self._queue[0]
        """Who was chosen last."""
        self.refusal: Exception | None = None
        """Why the last one that refused for good did so."""

    @property
    def _admitted(self) -> Sequence[Recogniser]:
        return [one for one in self._queue if self._well.may_hear(one)]

    @property
    def best(self) -> Recogniser:
        """The first that is well; none being so, the one that failed longest ago.

        Where none may hear the caller, one is asked all the same: it refuses, and has that put on record.
        """
        admitted = self._admitted or self._queue
        return next((one for one in admitted if self._well.may_ask(one)), admitted[0])

    @property
    def barred(self) -> bool:
        """Whether none of those that are left may hear the caller now."""
        return not self._admitted

    @property
    def exhausted(self) -> bool:
        """Whether all have refused for good."""
        return not self._queue

    @property
    def given_up(self) -> bool:
        """Whether nobody is expected to hear the caller soon."""
        return self.barred or self._failures >= self._persistence.failures

    @property
    def wait_ms(self) -> float:
        """How long to wait before the next attempt; where none may hear the caller, that costs no provider anything."""
        if self.barred:
            return self._persistence.first_wait_ms
        rounds = max(0, self._failures - 1) // len(self._admitted)
        return min(self._persistence.longest_wait_ms, self._persistence.first_wait_ms * 2.0**rounds)

    def choose(self) -> Recogniser:
        """Who is asked now."""
        self.current, self._worked = self.best, False
        if self._well.may_hear(self.current):
            self._well.asked(self.current)
        return self.current

    @property
    def better(self) -> bool:
        """Whether another would be chosen now."""
        return self.best is not self.current

    @property
    def makes_way(self) -> bool:
        """Whether the chosen one is to hear no more: another is better, or it may not."""
        return self.better or not self._well.may_hear(self.current)

    @property
    def suspects(self) -> bool:
        """Whether one has told nothing of something, and it is not known whether there were words in it."""
        return self._suspect is not None

    def heard(self, *, again: bool) -> None:
        """The chosen one found words; ``again``: in what another had told nothing of, and else that one is cleared."""
        self._failures = 0
        if not self._worked:  # once for each stream: whoever keeps count is not told of every sentence
            self._worked = True
            self._well.worked(self.current)
        if again and self._suspect is not None and self._suspect is not self.current:
            self._well.failed(self._suspect, RecogniserStalledError())
            self._suspect = None
        self._clear()

    def heard_nothing(self) -> None:
        """Nor did the chosen one find words in what was replayed to it: nobody has failed."""
        self._failures = max(0, self._failures - 1)
        self._clear()

    def _clear(self) -> None:
        if self._suspect is not None:
            self._queue.remove(self._suspect)
            self._queue.insert(0, self._suspect)
            self._suspect = None

    def failed(self, error: Exception) -> None:
        """The chosen one's stream ended; one that may not hear the caller has not failed by that."""
        if isinstance(error, BarredError):
            return
        self._failures += 1
        if self._suspect is self.current:
            self._suspect = None
        self._queue.remove(self.current)
        if not isinstance(error, APIError) or error.retryable:
            self._queue.append(self.current)
        else:
            self.refusal = error
        if isinstance(error, RecogniserStalledError):
            self._suspect = self.current
        else:
            self._well.failed(self.current, error)
