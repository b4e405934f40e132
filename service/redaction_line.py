"""One call's line to the process that redacts: used like a redactor; fails closed whatever becomes of the process."""

from __future__ import annotations

import json
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compliance.events import Event, Redactable, redactable
from compliance.redaction import REDACTION_FAILED
from compliance.redaction.spans import Span
from service.aside import (
    AsideError,
    AsideGoneError,
    AsideUnreachableError,
    Asking,
    WireError,
    WorkFailedError,
)
from service.aside.asking import LeftS
from service.aside.wire import Message

PATIENCE_S = 20.0
"""So long after it was last well, the process is waited for: a hung one is found and started again meanwhile."""
CLOSING_S = 5.0
"""So long it is waited for when the call is over."""
IMPATIENT_S = 0.5
"""What an event waits for a process that has not come back in time."""
EVENTS, BYTES = 24, 32_768
"""What was said last, in number and size: told again to a process that was started again."""
VALUES = 256
"""Values that were found in the call, the newest; told again as well."""
_LONGEST_VALUE = 200
_PAUSE_S = 0.1
_DEATHS = 2
"""An event on which the process ended so often is not tried again: it is there for other calls as well."""

Spans = dict[str, tuple[Span, ...]]
"""Field of an event → what of the original text was masked."""


class ImplausibleAnswerError(WireError):
    """What the process answered cannot be what becomes of what it was given."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What the process was told, and would be told again."""

    header: Mapping[str, Any]
    payload: bytes = b""


class RedactionLine:
    """A :class:`compliance.recorder.CallRedactor` whose work is done in the process beside the calls. For one thread.

    A process that was lost is told again what it needs to go on: the values found so far, and what was said last, both
    only in memory and bounded. Lost is then which numbers of older utterances were kept on purpose, such as an order's
    (said again, they are masked rather than shown), and where masks count values, the count, which begins anew.

    Args:
        address: where the process listens.
        came_back: told, on the calling thread, of a process that was lost and is back: the class of the error, and in
            words what it was told again. :meth:`compliance.recorder.Recorder.remark` puts that on record.
        closing_s: how long, once the call is :meth:`closing`, a process that does not answer is waited for.
        key: for masks by ``hash``; by default one for this call that nobody keeps.
        clock: seconds, monotonic.
        pause: waits for so many seconds.

    Attributes:
        failures: events of which a text could not be redacted so far.
        last_failure: the class of the error that the last one failed with.
        suspends_recording: whether what is said next may be a card's security code or a PIN, for all that is known.
    """

    def __init__(
        self,
        address: Path,
        *,
        came_back: Callable[[str, str], None] | None = None,
        closing_s: float = CLOSING_S,
        key: bytes | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.failures = 0
        self.last_failure: str | None = None
        self.suspends_recording = False
        self._asking = Asking(address, "redaction")
        self._came_back = came_back
        self._begin = _Told({"do": "begin"}, key or secrets.token_bytes(32))
        self._clock = clock
        self._pause = pause
        self._said: deque[_Told] = deque()
        self._bytes = 0
        self._values: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lost_at_s: float | None = None
        self._closing_s = closing_s
        self._closing_at_s: float | None = None

    # -- used like a redactor -------------------------------------------------------------------------------
    def redact(self, event: Event) -> tuple[Event, Spans]:
        """``event`` redacted, and by the name of each spoken field what of the original was masked."""
        marked = redactable(event)
        if not marked:
            return event, {}
        try:
            told = _Told({"do": "redact"}, json.dumps(event.model_dump()).encode())
            masked, spans = _checked(event, marked, self._asked(told))
        except Exception as error:
            self._failed(error)
            return event.model_copy(update=dict.fromkeys(marked, REDACTION_FAILED)), {}
        if Redactable.HEARD_AGAIN not in marked.values():
            self._remember(told)
            for name, found in spans.items():
                text: str = getattr(event, name)
                for span in found:
                    self._keep_value(span.entity, text[span.start : span.end])
        return event.model_copy(update=masked), spans

    def know(self, entity: str, value: str) -> None:
        """``value`` is an ``entity`` of this caller: from now on it is masked in any spoken form."""
        self._keep_value(entity, value)
        self._tell(_Told({"do": "know"}, json.dumps([(entity, value)]).encode()))

    def expect(self, entity: str) -> None:
        """The caller is about to say ``entity``, whatever the agent's question was."""
        told = _Told({"do": "expect", "entity": entity})
        self._remember(told)
        self._tell(told)

    def closing(self) -> None:
        """The call is over: what is left is redacted, but nobody waits long for a process that does not answer.

        What such a process leaves unanswered is withheld. May be called from any thread; shortens a wait that is on.
        """
        self._closing_at_s = self._clock()

    def forget(self) -> None:
        """Drops every remembered value, there and here; call it when the call is over."""
        self._asking.hang_up()
        self._said.clear()
        self._values.clear()
        self._bytes = 0

    # -- asking ---------------------------------------------------------------------------------------------
    def _asked(self, told: _Told) -> Message:
        """The answer of a process that knows the call. Waits for one that was lost, and tells it again.

        Raises:
            service.aside.AsideError: there is no answer, or none that can be used.
        """
        began_s = self._clock()

        def left_s() -> float:
            return self._until_s(began_s) - self._clock()

        deaths = 0
        while True:
            try:
                again = self._tell_again(left_s)
                answer = self._ask(told, left_s)
                break
            except WorkFailedError:  # the process is well
                raise
            except AsideError as error:
                self._lost_at_s = began_s if self._lost_at_s is None else self._lost_at_s
                deaths += not isinstance(error, AsideUnreachableError)
                out_of_time = left_s() <= _PAUSE_S
                if not isinstance(error, AsideGoneError) or deaths == _DEATHS or out_of_time:
                    raise
                self._pause(_PAUSE_S)
        if self._lost_at_s is not None:
            self._lost_at_s = None
            if self._came_back is not None:
                action = f"the process that redacts was lost and is back, and was told again {again}"
                self._came_back(AsideGoneError.__name__, action)
        return answer

    def _until_s(self, began_s: float) -> float:
        """When something that was begun to be asked at ``began_s`` is given up."""
        lost_at_s, closing_at_s = self._lost_at_s, self._closing_at_s
        until_s = began_s + PATIENCE_S
        if lost_at_s is not None:
            until_s = max(began_s + IMPATIENT_S, lost_at_s + PATIENCE_S)
        if closing_at_s is None:
            return until_s
        # Each text has its time while the process answers; when it is lost, all that are left share one.
        since_s = max(began_s, closing_at_s) if lost_at_s is None else closing_at_s
        return min(until_s, since_s + self._closing_s)

    def _tell_again(self, left_s: LeftS) -> str:
        """Tell a process that does not know the call what it needs; returns in words what that was."""
        if self._asking.attached:
            return ""
        try:
            self._ask(self._begin, left_s)
        except WorkFailedError:
            self._asking.hang_up()  # it would take this for a call that has begun
            raise
        known = _Told({"do": "know"}, json.dumps(list(self._values)).encode())
        for told in (known, *self._said) if self._values else self._said:
            with suppress(WorkFailedError):  # without it, too, there is something to go on with
                self._ask(told, left_s)
        return f"{len(self._values)} value(s) and {len(self._said)} event(s)"

    def _ask(self, told: _Told, left_s: LeftS) -> Message:
        answer = self._asking.ask(told.header, told.payload, left_s=left_s)
        if "failed" in answer.header:
            raise WorkFailedError(str(answer.header["failed"]))
        self.suspends_recording = answer.header.get("suspended") is not False
        return answer

    def _tell(self, told: _Told) -> None:
        try:
            self._asked(told)
        except AsideError as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, WireError):  # who answers so may have forgotten everything else as well
            self._asking.hang_up()
        self.failures += 1
        self.last_failure = str(error) if isinstance(error, WorkFailedError) else type(error).__name__
        self.suspends_recording = True

    # -- what is told again ---------------------------------------------------------------------------------
    def _remember(self, told: _Told) -> None:
        if len(told.payload) > BYTES // 2:
            return  # it would drive out everything else
        self._said.append(told)
        self._bytes += len(told.payload)
        while len(self._said) > EVENTS or self._bytes > BYTES:
            self._bytes -= len(self._said.popleft().payload)

    def _keep_value(self, entity: str, value: str) -> None:
        if len(value) > _LONGEST_VALUE:
            return
        self._values[entity, value] = None
        self._values.move_to_end((entity, value))
        if len(self._values) > VALUES:
            self._values.popitem(last=False)


def _checked(event: Event, marked: Mapping[str, Redactable], answer: Message) -> tuple[dict[str, Any], Spans]:
    """The redacted fields of ``event`` and their spans.

    Raises:
        ImplausibleAnswerError: they cannot be what becomes of it.
    """
    try:
        masked = json.loads(answer.payload)
        spans = {
            name: tuple(Span(start, end, entity) for start, end, entity in found)
            for name, found in answer.header["spans"].items()
        }
        plausible = masked.keys() == marked.keys() and all(
            _fits_data(getattr(event, name), masked[name])
            if mark is Redactable.DATA
            else _fits_text(getattr(event, name), masked[name], spans[name])
            for name, mark in marked.items()
        )
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise ImplausibleAnswerError(f"the answer is no redacted event: {type(error).__name__}") from None
    if not plausible:
        raise ImplausibleAnswerError("the answer is not what becomes of the event")
    return masked, spans


def _fits_data(value: Any, redacted: Any) -> bool:
    """Whether the structure is that of the original, as far as one can tell at a glance."""
    if isinstance(value, dict | list | tuple):
        return isinstance(redacted, dict if isinstance(value, dict) else list) and len(redacted) == len(value)
    return not isinstance(redacted, dict | list)


def _fits_text(text: str, redacted: Any, spans: tuple[Span, ...]) -> bool:
    """Whether what lies before and after the spans is as it was, and so is a text without any."""
    places = [0, *(place for span in spans for place in (span.start, span.end)), len(text)]
    in_order = all(type(place) is int for place in places) and places == sorted(places)
    named = all(isinstance(span.entity, str) and span.start < span.end for span in spans)
    if not (in_order and named and isinstance(redacted, str)):
        return False
    if not spans:
        return redacted == text
    return redacted.startswith(text[: places[1]]) and redacted.endswith(text[places[-2] :])
