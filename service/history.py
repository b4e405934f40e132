"""Recorded calls as the router's what-if reads them, and the policies that routed them.

The ledger holds everything that a decision was made from; here its events become :class:`router.whatif.calls.PastCall`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from compliance.errors import LedgerError
from compliance.events import (
    DEFAULT_ENGINE,
    CallStarted,
    Decided,
    Event,
    TurnAnswered,
    TurnMoved,
    UsageIncurred,
)
from compliance.ledger import Ledger
from policies import DocumentError
from router import Decision, Policy, Scalar, SignalError, Signals
from router.signals import spec_of
from router.whatif.calls import PastCall, PastTurn

LATEST = "last"
"""Names the newest call."""

_KINDS = ("call_started", "decided", "turn_moved", "turn_answered", "usage_incurred")
_LISTED = 5


def past_call(events: Sequence[Event]) -> PastCall | None:
    """The call that ``events`` record, with the turns of which the decision is on record; ``None`` without any.

    Raises:
        compliance.errors.LedgerError: a signal has a value that the catalogue does not allow.
    """
    started = next((event for event in events if isinstance(event, CallStarted)), None)
    decided: dict[int, Decided] = {}
    moved: defaultdict[int, list[str]] = defaultdict(list)
    heard_ms: dict[int, float] = {}
    cost_usd: dict[int, float] = {}
    for event in events:
        match event:
            case Decided():
                decided.setdefault(event.turn, event)
            case TurnMoved():
                moved[event.turn].append(event.to_engine)
            case TurnAnswered():
                heard_ms.setdefault(event.turn, event.heard_ms)
            case UsageIncurred():
                cost_usd[event.turn] = cost_usd.get(event.turn, 0.0) + event.cost_usd
            case _:
                pass
    if not decided:
        return None
    turns = (
        PastTurn(
            signals=_catalogued(event),
            engine=event.engine,
            moved=tuple(moved[number]),
            routed=routed(event),
            heard_ms=heard_ms.get(number),
            cost_usd=cost_usd.get(number),
            rule=event.rule,
            denied=tuple(event.denied),
        )
        for number, event in sorted(decided.items())
    )
    first = decided[min(decided)]
    return PastCall(first.call_id, tuple(turns), started.tenant if started else "", first.policy_hash)


def routed(event: Decided) -> bool:
    """Whether the policy decided the turn: it did not when routing itself had failed."""
    return event.rule != DEFAULT_ENGINE or bool(event.signals)


def decision_of(event: Decided, policy_name: str, *, before: str | None) -> Decision:
    """The decision that ``event`` records. ``before`` is the engine that answered the turn before, if any."""
    return Decision(
        turn=event.turn,
        engine=event.engine,
        rule=event.rule,
        reason=event.reason,
        denied=event.denied,
        tried=event.tried,
        policy=policy_name,
        policy_version=event.policy_version,
        policy_hash=event.policy_hash,
        signals={name: _typed(name, value) for name, value in event.signals.items()},
        switched=before not in (None, event.engine),
        endpointing_ms=event.endpointing_ms,
        arms=event.arms,
        shadow=event.shadow,
    )


def _catalogued(event: Decided) -> Mapping[str, Scalar]:
    """The signals that the catalogue knows, each of its type: JSON does not tell 1.0 from 1."""
    if not routed(event):
        return {}
    try:
        return Signals({name: value for name, value in event.signals.items() if spec_of(name)}).values
    except SignalError as error:
        raise LedgerError(f"a recorded signal cannot be read: {error.problems[0]}") from error


def _typed(name: str, value: Scalar) -> Scalar:
    """The value as the catalogue has it, if it can; derived signals are numbers with a point."""
    spec = spec_of(name)
    if spec is None:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    try:
        return spec.check(value)
    except ValueError:
        return value


# -- many calls -----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Recorded:
    """Calls of a ledger that have a decision."""

    calls: tuple[PastCall, ...]
    unreadable: Mapping[str, int]
    """How many more there are that cannot be read, by what is wrong with them."""


def recorded(
    ledger: Ledger,
    names: Iterable[str],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    tenant: str | None = None,
) -> Recorded:
    """The calls among ``names`` that began from ``since`` to before ``until``, of one tenant or of all."""
    found: list[PastCall] = []
    unreadable = Counter[str]()
    for name in names:
        try:
            events = ledger.events(name, kinds=_KINDS)
            started = next((event for event in events if isinstance(event, CallStarted)), None)
            if _is_asked_for(started, since, until, tenant) and (call := past_call(events)) is not None:
                found.append(call)
        except LedgerError as error:
            unreadable[str(error)] += 1
    return Recorded(tuple(found), unreadable)


def _is_asked_for(
    started: CallStarted | None, since: datetime | None, until: datetime | None, tenant: str | None
) -> bool:
    if tenant is not None and (started.tenant if started else "") != tenant:
        return False
    if since is None and until is None:
        return True
    if started is None:
        return False  # when it began is not on record
    try:
        began = moment(started.started_at)
    except ValueError:
        raise LedgerError(
            f"call {started.call_id} began at '{started.started_at}', which is no time"
        ) from None
    return (since is None or began >= since) and (until is None or began < until)


def moment(text: str, *, last: bool = False) -> datetime:
    """``2026-11-01`` or ``2026-11-01T09:00``, in UTC unless it says otherwise. ``last``: a day means its end.

    Raises:
        ValueError: it is neither.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return datetime.combine(day + timedelta(days=last), time.min, UTC)


def find_call(ledger: Ledger, name: str) -> str:
    """The id of the call that ``name`` means: an id, the beginning of only one, or :data:`LATEST`.

    Raises:
        compliance.errors.LedgerError: no call is meant, or several are; names some.
    """
    calls = ledger.calls()
    if name in calls:
        return name
    if not calls:
        raise LedgerError("the ledger holds no calls yet")
    if name == LATEST:
        return calls[-1]
    begins = [call for call in calls if call.startswith(name)]
    if len(begins) == 1:
        return begins[0]
    if begins:
        some = ", ".join(begins[:_LISTED])
        raise LedgerError(f"{len(begins)} calls begin with '{name}', such as {some}: give more of the id")
    newest = ", ".join(calls[: -_LISTED - 1 : -1])
    raise LedgerError(
        f"the ledger holds no call '{name}': the newest of {len(calls)} are {newest}; '{LATEST}' is the newest"
    )


# -- policies -------------------------------------------------------------------------------------------------
class Archive:
    """The policies that routed the calls of a ledger, each read once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._read: dict[str, Policy | LedgerError] = {}

    def policy(self, policy_hash: str) -> Policy:
        """The policy with this hash.

        Raises:
            compliance.errors.LedgerError: it is not archived, cannot be read, or is not what was archived.
        """
        if policy_hash not in self._read:
            try:
                self._read[policy_hash] = self._find(policy_hash)
            except LedgerError as error:
                self._read[policy_hash] = error
        found = self._read[policy_hash]
        if isinstance(found, LedgerError):
            raise found
        return found

    def routed(self, call: PastCall) -> Policy | None:
        """The policy that routed ``call``, or ``None`` when it is not at hand."""
        try:
            return self.policy(call.policy_hash)
        except LedgerError:
            return None

    def _find(self, policy_hash: str) -> Policy:
        text, short = self._ledger.policy(policy_hash), policy_hash[:8]
        if text is None:
            raise NotArchivedError(f"policy {short} is not in the ledger's archive")
        try:
            policy = Policy.parse(text, file=f"policy {short}")
        except DocumentError as error:
            raise LedgerError(
                f"policy {short} is archived, but this version cannot read it: {error.problems[0]}"
            ) from error
        if policy.hash != policy_hash:
            raise LedgerError(
                f"the text that is archived as policy {short} is another ({policy.hash[:8]}): it was changed"
            )
        return policy


class NotArchivedError(LedgerError):
    """The policy was in force before policies were archived."""
