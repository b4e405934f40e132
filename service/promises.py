"""What Patchbay promises of every call, as far as a record can show it.

Each check is a small function over a :class:`Record` that yields what is broken, in a sentence an operator
can act on. ``patchbay demo`` fails when anything is yielded. A record that stops in the middle is said to
stop there; what could not happen any more is then not complained about a second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, takewhile

from compliance.events import (
    AgentSaid,
    CallEnded,
    CallerSaid,
    CallStarted,
    Decided,
    Event,
    HandedOff,
    Hedged,
    HumanSaid,
    PartFailed,
    ProviderFailed,
    SpeechHeard,
    TransferAnswered,
    TransferAsked,
    TransferEnded,
    TurnAnswered,
    TurnEnded,
    TurnMoved,
    UsageIncurred,
)
from service.answered import Answers
from service.segments import by_turn

SUM_TOLERANCE_MS = 1.0
"""Named waits are rounded; their sum may differ from the heard latency by this much."""
RESUMED_WITHIN_MS = 2_000.0
"""A caller who speaks on, or hangs up, this soon after a turn did not leave time for a reply."""
OVERLAP_TOLERANCE_MS = 100.0
"""Play-out is known to within a few frames; two engines within this of each other did not speak at once."""
SPOKE_MS = 2_000.0
"""A person who was heard for so long said something: less may be a cough, or a chair."""
WORDS_MS = 600.0
"""Speech that is no longer may be a cough."""
NEAR_MS = 1_000.0
"""The voice detector and the recogniser agree to within this on when something was said."""
NO_TIME_MS = 1.0
"""A turn that is no longer was not spoken when it was ended."""
MONEY_TOLERANCE_USD = 1e-6


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that a record breaks: which one, in which turn (``None``: in the call), and a sentence."""

    promise: str
    turn: int | None
    sentence: str


@dataclass(frozen=True, slots=True)
class _Found:
    """What one check found: :func:`promises` adds the promise's name."""

    turn: int | None
    sentence: str


@dataclass(frozen=True)
class Record:
    """A call's events by kind, with the questions that several checks ask."""

    events: Sequence[Event]

    @cached_property
    def ended(self) -> CallEnded | None:
        return next((event for event in self.events if isinstance(event, CallEnded)), None)

    @cached_property
    def turns(self) -> tuple[TurnEnded, ...]:
        return tuple(event for event in self.events if isinstance(event, TurnEnded))

    @cached_property
    def decided(self) -> Mapping[int, Decided]:
        return {event.turn: event for event in self.events if isinstance(event, Decided)}

    @cached_property
    def answered(self) -> Mapping[int, TurnAnswered]:
        return {event.turn: event for event in self.events if isinstance(event, TurnAnswered)}

    @cached_property
    def replies(self) -> tuple[AgentSaid, ...]:
        replies = (event for event in self.events if isinstance(event, AgentSaid))
        return tuple(sorted(replies, key=lambda reply: reply.start_ms))

    @cached_property
    def failed(self) -> frozenset[tuple[int, str]]:
        """The (turn, engine) pairs in which a provider failed, or another was asked too and spoke first."""
        failed = ((one.turn, one.engine) for one in self.events if isinstance(one, ProviderFailed))
        outrun = ((one.turn, one.loser) for one in self.events if isinstance(one, Hedged))
        return frozenset((*failed, *outrun))

    @cached_property
    def transferred(self) -> frozenset[int]:
        """The turns in which a person was fetched; what the line says meanwhile, and after, is of that turn as well."""
        return frozenset(event.turn for event in self.events if isinstance(event, TransferAsked))

    @cached_property
    def moved(self) -> Mapping[int, frozenset[str]]:
        """By turn, the engines that took it over from one that failed."""
        moves = [event for event in self.events if isinstance(event, TurnMoved)]
        return {
            turn: frozenset(event.to_engine for event in moves if event.turn == turn)
            for turn in {event.turn for event in moves}
        }

    def replies_to(self, turn: int) -> tuple[AgentSaid, ...]:
        return tuple(reply for reply in self.replies if reply.turn == turn)

    def answering(self, turn: int) -> tuple[str, ...]:
        """The engines that were heard to answer ``turn``."""
        answer = self.answered.get(turn)
        heard = [reply.engine for reply in self.replies_to(turn)] + ([answer.engine] if answer else [])
        return tuple(dict.fromkeys(heard))

    def came_late(self, turn: TurnEnded) -> bool:
        """Whether ``turn`` is words that came when the turn they were said in was over: it has no time of its own, and
        they are on record right before it, where they were said."""
        if turn.end_ms - turn.start_ms > NO_TIME_MS:
            return False
        before = self.events[: self.events.index(turn)]
        latest = takewhile(lambda event: not isinstance(event, TurnEnded), reversed(before))
        return any(isinstance(event, CallerSaid) and event.text.strip() for event in latest)

    def left_no_time(self, turn: TurnEnded) -> bool:
        """Whether the caller spoke on or hung up, or the record stops, before ``turn`` could be answered."""
        later = [other.start_ms for other in self.turns if other.turn > turn.turn]
        if later:
            return min(later) - turn.end_ms <= RESUMED_WITHIN_MS
        return self.ended is None or self.ended.at_ms - turn.end_ms <= RESUMED_WITHIN_MS

    def cut_in_on(self, replies: Sequence[AgentSaid]) -> bool:
        """Whether the caller began another turn while one of ``replies`` was heard, so that its rest was not."""
        return any(
            reply.interrupted and reply.start_ms <= other.start_ms <= reply.end_ms + OVERLAP_TOLERANCE_MS
            for reply in replies
            for other in self.turns
        )


def promises(events: Sequence[Event]) -> tuple[Broken, ...]:
    """Everything promised that ``events``, the record of one call, does not keep; empty when all is kept."""
    record = Record(events)
    return tuple(
        Broken(promise, found.turn, found.sentence)
        for promise, check in CHECKS.items()
        for found in check(record)
    )


def complete(record: Record) -> Iterator[_Found]:
    """A record belongs to one call, begins with its start and ends with its end."""
    if not record.events:
        yield _Found(None, "The record is empty: the call left no events.")
        return
    calls = sorted({event.call_id for event in record.events})
    if len(calls) > 1:
        yield _Found(None, f"The record mixes the events of {len(calls)} calls: {', '.join(calls)}.")
    starts = sum(isinstance(event, CallStarted) for event in record.events)
    if not isinstance(record.events[0], CallStarted):
        yield _Found(None, "The record does not begin with the start of the call: its beginning is missing.")
    if starts > 1:
        yield _Found(None, f"The record has the start of the call {starts} times.")
    ends = sum(isinstance(event, CallEnded) for event in record.events)
    if ends > 1:
        yield _Found(None, f"The record has the end of the call {ends} times.")
    if record.ended is None:
        last = record.events[-1]
        after = f" in turn {record.turns[-1].turn}" if record.turns else " before the first turn"
        yield _Found(
            None,
            f"The record stops at {last.at_ms / 1000:.1f} s{after}, after `{last.kind}`: the call's end is missing.",
        )
    elif record.ended.turns != len(record.turns):
        yield _Found(
            None,
            f"The call counted {record.ended.turns} turns, its record has {len(record.turns)}.",
        )


def each_turn_once(record: Record) -> Iterator[_Found]:
    """No turn is lost or doubled."""
    counts = Counter(turn.turn for turn in record.turns)
    for turn, count in sorted(counts.items()):
        if count > 1:
            yield _Found(turn, f"Turn {turn} ended {count} times.")
    if counts:
        for turn in sorted(set(range(min(min(counts), 1), max(counts) + 1)) - counts.keys()):
            yield _Found(turn, f"Turn {turn} is missing: its end is not on record.")
    orphans = (record.decided.keys() | record.answered.keys()) - counts.keys()
    for turn in sorted(orphans):
        if not counts or turn > max(counts):
            yield _Found(turn, f"Turn {turn} was decided or answered, but its end is not on record.")


def one_decision(record: Record) -> Iterator[_Found]:
    """Every turn has exactly one decision."""
    counts = Counter(event.turn for event in record.events if isinstance(event, Decided))
    for turn in _distinct(record.turns):
        if counts[turn.turn] > 1:
            yield _Found(turn.turn, f"Turn {turn.turn} was decided {counts[turn.turn]} times.")
        elif not counts[turn.turn] and not (record.ended is None and record.left_no_time(turn)):
            yield _Found(turn.turn, f"Turn {turn.turn} ended, but no engine was decided for it.")


def the_engine_decided_answers(record: Record) -> Iterator[_Found]:
    """Every turn is answered by the engine that was decided, unless a failure or a transfer explains another."""
    for number, decision in sorted(record.decided.items()):
        failed = (number, decision.engine) in record.failed
        for engine in record.answering(number):
            # Records from before moves were kept have the failure alone.
            explained = failed and engine in record.moved.get(number, {engine})
            if engine != decision.engine and not explained and number not in record.transferred:
                yield _Found(
                    number,
                    f"Turn {number} was decided for `{decision.engine}` but answered by `{engine}`,"
                    " and no provider's failure explains it.",
                )


def guards_hold(record: Record) -> Iterator[_Found]:
    """No turn is answered by an engine that a guard denied it, whatever failed."""
    for number, decision in sorted(record.decided.items()):
        for engine in record.answering(number):
            if engine in decision.denied:
                yield _Found(
                    number,
                    f"Turn {number} was answered by `{engine}`, which `{decision.denied[engine]}` had denied.",
                )


def every_turn_is_answered(record: Record) -> Iterator[_Found]:
    """Every turn gets an answer or a person, unless the caller leaves no time for it.

    That it takes longer, or that nobody can help, answers nothing.
    """
    answers = Answers(record.events)
    for turn in _distinct(record.turns):
        replies = record.replies_to(turn.turn)
        if replies and not any(reply.text.strip() or reply.interrupted for reply in replies):
            yield _Found(turn.turn, f"The reply to turn {turn.turn} has no words.")
        elif not (answers.of_turn(turn.turn) or record.left_no_time(turn) or record.cut_in_on(replies)):
            told = " The caller was only told that there is no answer." if replies else ""
            yield _Found(turn.turn, f"Nobody answered turn {turn.turn}.{told}")


def nothing_is_said_in_vain(record: Record) -> Iterator[_Found]:
    """What a caller says while the recogniser fails is taken up in the end: where it is well, noise has no words."""
    if not any(isinstance(event, PartFailed) and event.part == "transcriber" for event in record.events):
        return
    heard: list[TurnEnded | CallerSaid] = [event for event in record.events if isinstance(event, CallerSaid)]
    heard += record.turns
    came = [event.at_ms for event in record.events if isinstance(event, TransferAnswered)]
    left = [event.at_ms for event in record.events if isinstance(event, TransferEnded)]
    until_ms = record.events[-1].at_ms - RESUMED_WITHIN_MS
    for said in (event for event in record.events if isinstance(event, SpeechHeard)):
        lost = said.end_ms - said.start_ms >= WORDS_MS and not any(
            one.start_ms - NEAR_MS <= said.end_ms and said.start_ms <= one.end_ms + NEAR_MS for one in heard
        )
        with_person = sum(at <= said.end_ms for at in came) > sum(at < said.start_ms for at in left)
        if said.speaker == "caller" and lost and not with_person and said.end_ms <= until_ms:
            yield _Found(
                None,
                f"Nobody heard what the caller said at {said.start_ms / 1000:.1f}–{said.end_ms / 1000:.1f} s:"
                " the recogniser had failed.",
            )


def heard_latency_adds_up(record: Record) -> Iterator[_Found]:
    """What the caller waited for is measured once per answered turn, and its named parts sum to it.

    What is heard of an engine that failed the turn may be no more than that it takes longer.
    """
    counts = Counter(event.turn for event in record.events if isinstance(event, TurnAnswered))
    for turn, count in sorted(counts.items()):
        if count > 1:
            yield _Found(turn, f"Turn {turn} has {count} heard latencies.")
    for turn, answer in sorted(record.answered.items()):
        total_ms = sum(answer.waits.values())
        if abs(total_ms - answer.heard_ms) > SUM_TOLERANCE_MS:
            yield _Found(
                turn,
                f"The waits of turn {turn} sum to {total_ms:.1f} ms, the caller waited {answer.heard_ms:.1f} ms.",
            )
    for ended in _distinct(record.turns):
        heard = [
            reply
            for reply in record.replies_to(ended.turn)
            if reply.text.strip()
            and not reply.interrupted
            and (ended.turn, reply.engine) not in record.failed
        ]
        complete = record.ended is not None or not record.left_no_time(ended)
        if heard and ended.turn not in record.answered and complete:
            yield _Found(
                ended.turn,
                f"Turn {ended.turn} was answered, but how long the caller waited was not measured.",
            )


def one_voice_at_a_time(record: Record) -> Iterator[_Found]:
    """Nothing is said twice, and no engine is heard over another: no late word of a left engine is spoken."""
    for (generation, start_ms), count in sorted(
        Counter((reply.generation, reply.start_ms) for reply in record.replies).items()
    ):
        if count > 1:
            yield _Found(
                None, f"What reply {generation} said at {start_ms / 1000:.1f} s is on record {count} times."
            )
    for before, after in pairwise(record.replies):
        overlap_ms = before.end_ms - after.start_ms
        if before.engine != after.engine and overlap_ms > OVERLAP_TOLERANCE_MS:
            yield _Found(
                after.turn,
                f"`{before.engine}` still spoke for {overlap_ms:.0f} ms when `{after.engine}` began turn {after.turn}.",
            )


def hand_offs_are_recorded(record: Record) -> Iterator[_Found]:
    """A turn answered by another engine than the turn before has its hand-off on record."""
    to = {(event.turn, event.to_engine) for event in record.events if isinstance(event, HandedOff)}
    # The greeting is no turn: whoever answers the first one takes over from nobody.
    spoken: dict[int, str] = {reply.turn: reply.engine for reply in record.replies if reply.turn > 0}
    numbers = sorted(spoken)
    for before, turn in pairwise(numbers):
        # A fall-over may last for one reply only: the call then returns to its engine without a hand-off.
        explained = (turn, spoken[turn]) in to or any(number in (before, turn) for number, _ in record.failed)
        if spoken[before] != spoken[turn] and not explained:
            yield _Found(
                turn,
                f"`{spoken[before]}` answered turn {before} and `{spoken[turn]}` turn {turn},"
                " but no hand-off is on record.",
            )


def the_transcript_has_it_all(record: Record) -> Iterator[_Found]:
    """The parallel transcript has what the caller said in every turn, and what people said who had the call."""
    said = by_turn(record.events)
    for turn in _distinct(record.turns):
        if not any(segment.text.strip() for segment in said.get(turn.turn, ())) and not record.came_late(
            turn
        ):
            yield _Found(
                turn.turn,
                f"The parallel transcript has nothing of turn {turn.turn}"
                f" ({turn.start_ms / 1000:.1f}–{turn.end_ms / 1000:.1f} s).",
            )
    deaf = any(isinstance(event, PartFailed) and event.part == "transcriber" for event in record.events)
    heard = {(event.turn, event.engine) for event in record.events if isinstance(event, HumanSaid)}
    for stay in (event for event in record.events if isinstance(event, TransferEnded)):
        silent = (stay.turn, stay.engine) not in heard and not deaf and record.ended is not None
        if silent and stay.spoke_ms >= SPOKE_MS:
            yield _Found(
                stay.turn,
                f"The parallel transcript has nothing of {stay.person or 'a person'},"
                f" who had the call as `{stay.engine}` and spoke for {stay.spoke_ms / 1000:.1f} s.",
            )


def the_bill_adds_up(record: Record) -> Iterator[_Found]:
    """The cost of the call is the sum of what was incurred."""
    if record.ended is None:
        return
    total_usd = sum(event.cost_usd for event in record.events if isinstance(event, UsageIncurred))
    if abs(total_usd - record.ended.cost_usd) > MONEY_TOLERANCE_USD:
        yield _Found(
            None,
            f"The call ended at ${record.ended.cost_usd:.6f}, its usage sums to ${total_usd:.6f}.",
        )


CHECKS: Mapping[str, Callable[[Record], Iterator[_Found]]] = {
    "The record is complete": complete,
    "Each turn is there once": each_turn_once,
    "Each turn is decided once": one_decision,
    "The engine decided is the one that answers": the_engine_decided_answers,
    "Guards hold": guards_hold,
    "Every turn is answered": every_turn_is_answered,
    "Nothing is said in vain": nothing_is_said_in_vain,
    "Heard latency is measured and adds up": heard_latency_adds_up,
    "One voice at a time, nothing twice": one_voice_at_a_time,
    "Hand-offs are on record": hand_offs_are_recorded,
    "The transcript has every turn": the_transcript_has_it_all,
    "The bill adds up": the_bill_adds_up,
}
"""Every promise checked, in the order reported: its name, as people read it, and its check."""


def _distinct(turns: Sequence[TurnEnded]) -> tuple[TurnEnded, ...]:
    """The turns without doubles, which :func:`each_turn_once` reports."""
    return tuple({turn.turn: turn for turn in turns}.values())
