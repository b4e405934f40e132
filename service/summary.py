"""What happened in a call, read from its record: one pure fold over the events.

:func:`summarise` accepts records that stop in the middle (a crash, a call still running): what is not on
record is ``None`` or empty, never guessed. Whether the record keeps what Patchbay promises is another
question, answered by :mod:`service.promises`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from compliance.events import (
    AgentSaid,
    CallEnded,
    CallStarted,
    ConsentChanged,
    Decided,
    Disclosed,
    Disclosure,
    DisclosureMissed,
    EngineHeard,
    Event,
    HandedOff,
    HeardAlike,
    Hedged,
    HumanSaid,
    LateEventDropped,
    PartFailed,
    PreviewSettled,
    ProviderFailed,
    Refused,
    ToolCalled,
    TurnAnswered,
    TurnEnded,
    TurnMoved,
    UsageIncurred,
    VoiceUnjudged,
)
from service.costs import unwanted
from service.latency import in_order
from service.percentiles import nearest_rank
from service.records import (
    CallSummary,
    Emotion,
    Failure,
    HandOff,
    LedgerCheck,
    Move,
    Percentiles,
    Said,
    ToolUse,
    TurnSummary,
    Usage,
    Wait,
)
from service.segments import by_turn

__all__ = [
    "CallSummary",
    "Emotion",
    "Failure",
    "HandOff",
    "LedgerCheck",
    "Move",
    "Percentiles",
    "RecordError",
    "Said",
    "ToolUse",
    "TurnSummary",
    "Usage",
    "Wait",
    "percentiles",
    "summarise",
]


class RecordError(ValueError):
    """The events given are not the record of one call."""


def summarise(events: Sequence[Event]) -> CallSummary:
    """Fold the record of one call, in any order that keeps each turn's own events in order.

    Raises:
        RecordError: there are no events, or they belong to more than one call.
    """
    calls = sorted({event.call_id for event in events})
    if not calls:
        raise RecordError("there are no events: nothing is on record for this call")
    if len(calls) > 1:
        raise RecordError(
            f"these are the events of {len(calls)} calls ({', '.join(calls)}): give one call at a time"
        )
    fold = _Fold(words={turn: " ".join(one.text for one in said) for turn, said in by_turn(events).items()})
    for event in events:
        fold.take(event)
    started, ended = fold.started, fold.ended
    turns = tuple(fold.turn(number) for number in sorted(fold.numbers))
    wrong = unwanted(fold.previews)
    return CallSummary(
        call_id=calls[0],
        source=started.source if started else "",
        started_at=started.started_at if started else None,
        simulated=started.simulated if started else (),
        policy=started.policy if started else "",
        policy_hash=started.policy_hash if started else "",
        policy_version=started.policy_version if started else 0,
        prices_hash=started.prices_hash if started else "",
        prices_as_of=started.prices_as_of if started else "",
        tenant=started.tenant if started else "",
        duration_ms=max(map(_until_ms, events)),
        ended=ended.reason if ended else None,
        greeting=tuple(
            said
            for number, list_ in sorted(fold.said.items())
            if number not in fold.numbers
            for said in list_
        ),
        turns=turns,
        cost_usd=sum(usage.cost_usd for usage in fold.usage),
        again_usd=sum(usage.again_usd for usage in fold.usage),
        cut_usd=sum(usage.cost_usd for usage in fold.usage if usage.estimated),
        unwanted_usd=sum(usage.cost_usd for usage in fold.usage if usage.generation in wrong),
        unpriced=sum(bool(usage.unpriced) for usage in fold.usage),
        hedges=fold.hedges,
        refused=tuple(fold.refused),
        without=started.without if started else (),
        cost_by_provider=_costs((usage.provider, usage.cost_usd) for usage in fold.usage),
        cost_by_engine=_costs((usage.engine, usage.cost_usd) for usage in fold.usage),
        usage=_by_model(fold.usage),
        hand_offs=len(fold.hand_offs),
        late_dropped=fold.late_dropped,
        previews_used=sum(preview.used for preview in fold.previews),
        previews_discarded=sum(not preview.used for preview in fold.previews),
        heard=percentiles([turn.heard_ms for turn in turns if turn.heard_ms is not None]),
        part_failures=tuple(fold.part_failures),
        consents=tuple(fold.consents),
        disclosed=tuple(fold.disclosed),
        undisclosed=fold.undisclosed,
        unjudged=fold.unjudged,
        heard_otherwise=tuple(fold.heard_otherwise),
        heard_alike=fold.heard_alike,
        events=len(events),
    )


def percentiles(heard_ms: Sequence[float]) -> Percentiles | None:
    """Nearest-rank percentiles, or ``None`` when nothing was measured."""
    ordered = sorted(heard_ms)
    if not ordered:
        return None

    return Percentiles(len(ordered), nearest_rank(ordered, 0.50), nearest_rank(ordered, 0.95), ordered[-1])


@dataclass(slots=True)
class _Fold:
    """The events of a call, sorted by what they are about."""

    words: dict[int | None, str]
    started: CallStarted | None = None
    ended: CallEnded | None = None
    turn_ended: dict[int, TurnEnded] = field(default_factory=dict)
    decided: dict[int, Decided] = field(default_factory=dict)
    answered: dict[int, TurnAnswered] = field(default_factory=dict)
    said: defaultdict[int, list[Said]] = field(default_factory=lambda: defaultdict(list))
    tools: defaultdict[int, list[ToolUse]] = field(default_factory=lambda: defaultdict(list))
    failures: defaultdict[int, list[Failure]] = field(default_factory=lambda: defaultdict(list))
    moves: defaultdict[int, list[Move]] = field(default_factory=lambda: defaultdict(list))
    hand_offs: list[HandedOff] = field(default_factory=list)
    previews: list[PreviewSettled] = field(default_factory=list)
    usage: list[UsageIncurred] = field(default_factory=list)
    part_failures: list[PartFailed] = field(default_factory=list)
    consents: list[ConsentChanged] = field(default_factory=list)
    disclosed: list[Disclosed] = field(default_factory=list)
    undisclosed: tuple[Disclosure, ...] = ()
    unjudged: VoiceUnjudged | None = None
    heard_otherwise: list[EngineHeard] = field(default_factory=list)
    heard_alike: int = 0
    late_dropped: int = 0
    hedges: int = 0
    refused: list[Refused] = field(default_factory=list)

    @property
    def numbers(self) -> set[int]:
        """The turns of which the caller's side is on record."""
        return self.turn_ended.keys() | self.decided.keys() | self.answered.keys()

    def take(self, event: Event) -> None:
        match event:
            case CallStarted():
                self.started = event
            case CallEnded():
                self.ended = event
            case TurnEnded():
                self.turn_ended.setdefault(event.turn, event)
            case Decided():
                self.decided.setdefault(event.turn, event)
            case TurnAnswered():
                self.answered.setdefault(event.turn, event)
            case AgentSaid():
                self.said[event.turn].append(
                    Said(
                        event.engine,
                        event.generation,
                        event.start_ms,
                        event.end_ms,
                        event.text,
                        event.interrupted,
                    )
                )
            case HumanSaid():
                self.said[event.turn].append(
                    Said(event.engine, 0, event.start_ms, event.end_ms, event.text, False, event.person)
                )
            case ToolCalled():
                self.tools[event.turn].append(
                    ToolUse(
                        event.name, event.arguments, event.result, event.failed, event.took_ms, event.at_ms
                    )
                )
            case ProviderFailed():
                self.failures[event.turn].append(
                    Failure(event.engine, event.provider, event.error, event.action, event.at_ms)
                )
            case Hedged():
                self.hedges += 1
            case Refused():
                self.refused.append(event)
            case TurnMoved():
                self.moves[event.turn].append(Move(event.from_engine, event.to_engine, event.at_ms))
            case HandedOff():
                self.hand_offs.append(event)
            case PreviewSettled():
                self.previews.append(event)
            case UsageIncurred():
                self.usage.append(event)
            case PartFailed():
                self.part_failures.append(event)
            case LateEventDropped():
                self.late_dropped += event.count
            case ConsentChanged():
                self.consents.append(event)
            case Disclosed():
                self.disclosed.append(event)
            case DisclosureMissed():
                self.undisclosed = event.what
            case VoiceUnjudged():
                self.unjudged = event
            case EngineHeard():
                self.heard_otherwise.append(event)
            case HeardAlike():
                self.heard_alike += 1
            case _:
                pass

    def turn(self, number: int) -> TurnSummary:
        ended, decided, answered = (
            self.turn_ended.get(number),
            self.decided.get(number),
            self.answered.get(number),
        )
        said = sorted(self.said[number], key=lambda one: one.start_ms)
        if said:
            engine: str | None = said[-1].engine
        elif answered:
            engine = answered.engine
        else:
            engine = decided.engine if decided else None
        previews = [preview.used for preview in self.previews if preview.turn == number]
        return TurnSummary(
            turn=number,
            start_ms=ended.start_ms if ended else None,
            end_ms=ended.end_ms if ended else None,
            caller_text=self.words.get(number, ""),
            decided_ms=decided.at_ms if decided else None,
            route=decided.engine if decided else None,
            engine=engine,
            rule=decided.rule if decided else "",
            reason=decided.reason if decided else "",
            signals=tuple(sorted(decided.signals.items())) if decided else (),
            tried=decided.tried if decided else (),
            denied=tuple(sorted(decided.denied.items())) if decided else (),
            deciding_us=decided.took_us if decided else 0,
            arms=tuple(sorted(decided.arms.items())) if decided else (),
            shadow=tuple(sorted(decided.shadow.items())) if decided else (),
            endpointing_ms=decided.endpointing_ms if decided else None,
            moves=tuple(self.moves[number]),
            emotion=_emotion(decided) if decided else None,
            heard_ms=answered.heard_ms if answered else None,
            waits=tuple(Wait(name, ms) for name, ms in in_order(answered.waits)) if answered else (),
            tools=tuple(self.tools[number]),
            hand_offs=tuple(_hand_off(event) for event in self.hand_offs if event.turn == number),
            previews_used=previews.count(True),
            previews_discarded=previews.count(False),
            said=tuple(said),
            failures=tuple(self.failures[number]),
            cost_usd=sum(usage.cost_usd for usage in self.usage if usage.turn == number),
        )


def _emotion(decided: Decided) -> Emotion | None:
    """What the decision knew of the caller's state; ``None`` when that was nothing."""
    label, confidence, upset = (
        decided.signals.get(f"emotion.{name}") for name in ("label", "confidence", "upset")
    )
    if (
        not isinstance(label, str)
        or not isinstance(confidence, float | int)
        or not isinstance(upset, float | int)
    ):
        return None
    return Emotion(label, confidence, upset, decided.evidence) if confidence > 0 else None


def _hand_off(event: HandedOff) -> HandOff:
    return HandOff(
        event.from_engine,
        event.to_engine,
        event.warm,
        event.turn_as_audio,
        event.items,
        event.took_ms,
        event.at_ms,
    )


def _until_ms(event: Event) -> float:
    """The latest moment that ``event`` speaks of."""
    end_ms: float = getattr(event, "end_ms", 0.0)
    return max(event.at_ms, end_ms)


def _costs(spent: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Sums by name, the dearest first."""
    totals: defaultdict[str, float] = defaultdict(float)
    for name, cost_usd in spent:
        totals[name] += cost_usd
    return tuple(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def _by_model(incurred: Iterable[UsageIncurred]) -> tuple[Usage, ...]:
    """Quantities and cost summed per provider and model, the dearest first."""
    costs: defaultdict[tuple[str, str], float] = defaultdict(float)
    sums: defaultdict[tuple[str, str], defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for usage in incurred:
        key = (usage.provider, usage.model)
        costs[key] += usage.cost_usd
        for unit, quantity in usage.quantities.items():
            sums[key][unit] += quantity
    rows = [
        Usage(provider, model, _ordered(sums[provider, model]), cost)
        for (provider, model), cost in costs.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.cost_usd, row.provider, row.model)))


def _ordered(quantities: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(quantities.items()))
