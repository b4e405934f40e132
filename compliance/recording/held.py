"""A call's audio while it is not yet known what may be kept of it: pure bookkeeping, no clock, no thread, no file.

What is let go has been silenced already. The rules, each of which fails towards silence:

* Audio without consent is silent.
* From the question for a CVV or PIN until the answer is over, both channels are silent, and so is an utterance in which
  one was found. A reply whose words are not known, or that is not on record at all, is taken for such a question.
* Where the redactor masked something, both channels are silent from ``MARGIN_MS`` before to ``MARGIN_MS`` after it; the
  whole segment where nobody knows which words are where, and so always in the agent's replies
  and in what a person says, whose audio is on the agent's channel.
* Sound on a channel that no redacted words account for is silent: nobody knows what was said there.

Nothing is let go before what may still silence it is known, which takes until the words around it have been redacted.
What has waited for ``longest_ms`` is let go as silence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from compliance.events import AgentSaid, CallerSaid, HumanSaid, Utterance
from compliance.heard import Segment
from compliance.intake import WITHHELD
from compliance.recording.stretches import Stretches, Switch
from compliance.recording.words import Span, masked_ms, spoken_ms
from compliance.redaction import REDACTION_FAILED
from compliance.redaction.entities import Entity
from compliance.tap import RATE_HZ
from compliance.voiced import Samples, VoiceGate

CALLER: Final = 0
AGENT: Final = 1
MARGIN_MS = 200.0
"""Before and after a masked word. Recognisers' times are off by up to a tenth of a second."""
LONGEST_MS = 120_000.0
"""A call holds at most this much audio in memory: 11.5 MB."""

_PER_MS = RATE_HZ / 1000
_SNAP = round(30 * _PER_MS)
"""A frame that begins within this of the end of the one before follows it without a gap."""
_MARGIN = round(MARGIN_MS * _PER_MS) + _SNAP
_LEAD = round(2000 * _PER_MS)
"""A recogniser may date words this much before the first sound that we heard of them."""
_STRAY = RATE_HZ // 2
"""Less sound than this, of replies that are not on record, asks no question."""
_CUT_MS = 1500.0
"""The text of a reply that was cut follows its sound only so closely."""
_HEARD_LATER_MS = 300.0
"""A person's words are timed where they speak; the caller hears them, and we record them, so much later at most."""
_BLOCK = RATE_HZ
_ROOM = 10 * RATE_HZ
"""Made at a time, or every frame would copy all that is held."""

_UNKNOWN = frozenset({REDACTION_FAILED, WITHHELD})
_NEVER = frozenset({Entity.CVV, Entity.PIN})


@dataclass(frozen=True, slots=True)
class Block:
    """Up to a second that may be kept. ``samples`` is int16 of shape ``(2, n)`` from position ``start`` of the call on.

    How many samples were silenced, each counted once: ``suspended`` for a CVV or PIN, else ``muted`` for what was
    masked, else ``withheld`` on one channel or both because nobody knows what was said.
    """

    start: int
    samples: Samples
    consented: bool
    """Whether there was consent for any of it."""
    suspended: int
    muted: int
    withheld: int


class Held:
    """What is held of one call. All times are call times in milliseconds.

    Args:
        longest_ms: how long audio may wait.
    """

    def __init__(self, *, longest_ms: float = LONGEST_MS) -> None:
        self._longest = round(longest_ms * _PER_MS)
        self._samples: Samples = np.zeros((2, 0), np.int16)
        self._from = 0
        """The position of the first sample held; all before was let go."""
        self._end = 0
        self._caller_end = 0
        self._gate = VoiceGate()
        self._sounds = Stretches(), Stretches()
        self._known = Stretches(), Stretches()
        self._known_until = [0, 0]
        """Sound before this is accounted for by redacted words, or never will be: words come in order."""
        self._playing: deque[int] = deque()
        self._segments: dict[tuple[float, float], Segment] = {}
        self._masked = Stretches()
        self._suspended = Stretches()
        self._suspended_since: int | None = None
        self._asked_unknown = False
        """Whether it is not known what the agent said last: it may have asked for a CVV."""
        self._consent = Switch()

    # -- what is heard ------------------------------------------------------------------------------------
    def caller(self, start_ms: float, samples: Samples) -> None:
        """A frame of the caller's audio, int16 mono at 24 kHz."""
        at = _position(start_ms)
        if abs(at - self._caller_end) <= _SNAP:
            at = self._caller_end
        self._put(CALLER, at, samples)
        self._caller_end = at + len(samples)
        voiced = self._gate.last_voiced(samples, len(samples) / _PER_MS)
        if voiced is not None:
            self._sounds[CALLER].add(at, at + voiced + 1)

    def agent_begins(self, at_ms: float) -> None:
        """Audio of a reply has come; when it is played, and how much of it, :meth:`agent` tells."""
        self._playing.append(_position(at_ms))

    def agent(self, pieces: Sequence[tuple[float, Samples]]) -> None:
        """The oldest reply that had begun has ended: its audio as it was heard, and when each piece was."""
        if self._playing:
            self._playing.popleft()
        end = self._from
        for start_ms, samples in pieces:
            at = _position(start_ms)
            if abs(at - end) <= _SNAP:
                at = end
            self._put(AGENT, at, samples)
            end = at + len(samples)
            self._sounds[AGENT].add(at, end)

    # -- what is known of it ------------------------------------------------------------------------------
    def consent(self, at_ms: float, *, given: bool) -> None:
        """From this moment on the caller agrees to be recorded, or does not."""
        at = _position(at_ms)
        self._consent.turn(at, on=given)
        self._end = max(self._end, at)

    def said(self, segment: Segment) -> None:
        """What the recogniser heard, before :meth:`redacted` is told of the event made of it."""
        self._segments[segment.start_ms, segment.end_ms] = segment

    def redacted(self, event: Utterance, spans: Sequence[Span] | None, *, suspended: bool) -> None:
        """What was masked of an utterance.

        Args:
            event: as it is on record.
            spans: what was masked, in characters of the text as it was said; None when that is not known.
            suspended: whether a CVV or PIN is expected, now that this has been said.
        """
        channel = CALLER if isinstance(event, CallerSaid) else AGENT
        segment = self._segments.pop((event.start_ms, event.end_ms), None) if channel == CALLER else None
        start, stop = _around(_whole(event))
        if channel == AGENT:
            self._suspect(start)
        self._known_until[channel] = max(self._known_until[channel], stop)
        known = spans is not None and event.text not in _UNKNOWN
        if channel == AGENT:
            self._asked_unknown = not known
        suspended = suspended or self._asked_unknown
        spans = spans if spans and known else ()
        if known:
            for stretch_ms in _known(event, segment):
                self._known[channel].add(*_around(stretch_ms))
            for stretch_ms in _masked(event, spans, segment):
                self._masked.add(*_around(stretch_ms))
        if suspended or any(span.entity in _NEVER for span in spans):
            self._suspended_since = start if self._suspended_since is None else self._suspended_since
        if not suspended and self._suspended_since is not None:
            self._suspended.add(self._suspended_since, stop)
            self._suspended_since = None

    # -- what is let go -----------------------------------------------------------------------------------
    def release(self, *, everything: bool = False) -> Iterator[Block]:
        """What need not wait any longer, in order.

        Args:
            everything: nothing more will be heard or known; what is not accounted for is silenced.
        """
        settled = self._end if everything else self._settled()
        overdue = self._end - self._longest
        if self._from >= max(settled, overdue):
            return
        self._suspect(self._end if everything else overdue + 2 * _STRAY)
        while self._from < max(settled, overdue):
            until = settled if self._from < settled else overdue
            yield self._let_go(min(until, self._from + _BLOCK), known=self._from < settled)
        self._samples = self._samples.copy()  # so far a view of all that was held

    def _suspect(self, until: int) -> None:
        """Suspends keeping from a reply on that is not on record: it may have asked for a CVV."""
        since = max(self._known_until[AGENT], self._from)
        unknown = self._sounds[AGENT].mask(since, until)
        if np.count_nonzero(unknown) >= _STRAY:
            self._asked_unknown = True
            if self._suspended_since is None:
                self._suspended_since = since + int(np.argmax(unknown))

    def _settled(self) -> int:
        """All that may silence what comes before this position is known."""
        waits = [self._end, *self._playing]
        for sounds, known_until in zip(self._sounds, self._known_until, strict=True):
            unaccounted = sounds.first_from(max(known_until, self._from))
            if unaccounted is not None:
                waits.append(unaccounted)
        return min(waits) - _LEAD

    def _let_go(self, stop: int, *, known: bool) -> Block:
        start, self._from = self._from, stop
        count = stop - start
        samples = np.zeros((2, count), np.int16)
        held = self._samples[:, :count]
        samples[:, : held.shape[1]] = held
        self._samples = self._samples[:, count:]
        consented = self._consent.mask(start, stop)
        suspended = self._suspended.mask(start, stop)
        if self._suspended_since is not None:
            suspended[max(0, self._suspended_since - start) :] = True
        masked = self._masked.mask(start, stop)
        unknown = [
            sounds.mask(start, stop, around=_MARGIN) & ~words.mask(start, stop)
            if known
            else np.ones(count, np.bool_)
            for sounds, words in zip(self._sounds, self._known, strict=True)
        ]
        silent = ~consented | suspended | masked
        for channel in (CALLER, AGENT):
            samples[channel, silent | unknown[channel]] = 0
        for stretches in (*self._sounds, *self._known, self._masked, self._suspended):
            stretches.forget_before(stop - _MARGIN)
        return Block(
            start,
            samples,
            consented=bool(consented.any()),
            suspended=int((consented & suspended).sum()),
            muted=int((consented & masked & ~suspended).sum()),
            withheld=int(((unknown[CALLER] | unknown[AGENT]) & ~silent).sum()),
        )

    def _put(self, channel: int, at: int, samples: Samples) -> None:
        """Lays samples at a position; those that come too late are lost, and those that leave too wide a gap."""
        samples = samples[max(0, self._from - at) :]
        begin = max(at, self._from) - self._from
        stop = begin + len(samples)
        self._end = max(self._end, self._from + stop)
        if begin > 2 * self._longest:
            return
        if stop > self._samples.shape[1]:
            more = np.zeros((2, stop + _ROOM - self._samples.shape[1]), np.int16)
            self._samples = np.concatenate((self._samples, more), axis=1)
        self._samples[channel, begin:stop] = samples


def _whole(event: Utterance) -> tuple[float, float]:
    """When an utterance was said, and heard."""
    later_ms = _HEARD_LATER_MS if isinstance(event, HumanSaid) else 0.0
    return event.start_ms, event.end_ms + later_ms


def _masked(event: Utterance, spans: Sequence[Span], segment: Segment | None) -> list[tuple[float, float]]:
    """When what was masked of an utterance was said."""
    whole = [_whole(event)]
    if segment is None:
        return whole if spans else []
    if not spans and segment.text != event.text:
        return whole  # the record has other words, and nobody says where
    return masked_ms(segment, spans)


def _known(event: Utterance, segment: Segment | None) -> list[tuple[float, float]]:
    """When the words of an utterance were said that are on record."""
    if segment is not None:
        return spoken_ms(segment)  # a word that the recogniser missed may stand between two that it heard
    if isinstance(event, AgentSaid) and event.interrupted:
        return [(event.start_ms, max(event.start_ms, event.end_ms - _CUT_MS))]
    return [(event.start_ms, event.end_ms)]


def _around(stretch_ms: tuple[float, float]) -> tuple[int, int]:
    return _position(stretch_ms[0]) - _MARGIN, _position(stretch_ms[1]) + _MARGIN


def _position(at_ms: float) -> int:
    return round(max(0.0, at_ms) * _PER_MS)
