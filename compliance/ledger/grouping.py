"""Work of several threads that is done together: while one is at it, the others queue, and the next does all of theirs.

Waiting for the disk is most of an append, and it takes no longer for fifty of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

from compliance.errors import LedgerError

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(slots=True)
class _Ticket(Generic[Item, Outcome]):
    item: Item
    done: bool = False
    outcome: Outcome | None = None
    error: Exception | None = None


class Grouped(Generic[Item, Outcome]):
    """Does ``work`` for the items of many callers.

    Args:
        work: gives an outcome for each item, or raises for all of them.
        most: how many items it gets at once.
        apart: errors that one item may cause; each of a group that met one is then done by itself.
    """

    def __init__(
        self, work: Callable[[list[Item]], list[Outcome]], *, most: int, apart: tuple[type[Exception], ...]
    ) -> None:
        self._work = work
        self._most = most
        self._apart = apart
        self._queue: deque[_Ticket[Item, Outcome]] = deque()
        self._turn = Lock()

    def do(self, item: Item) -> Outcome:
        """Returns the outcome of an item, or raises what the work raised."""
        ticket: _Ticket[Item, Outcome] = _Ticket(item)
        self._queue.append(ticket)
        while not ticket.done:
            with self._turn:
                if not ticket.done:
                    self._work_on([self._queue.popleft() for _ in range(min(self._most, len(self._queue)))])
        if ticket.error is not None:
            raise ticket.error
        return ticket.outcome  # type: ignore[return-value] # done without an error

    def _work_on(self, tickets: list[_Ticket[Item, Outcome]]) -> None:
        try:
            outcomes = self._work([ticket.item for ticket in tickets])
        except self._apart as error:
            if len(tickets) > 1:
                for ticket in tickets:
                    self._work_on([ticket])
            else:
                tickets[0].error = error
        except Exception as error:
            for ticket in tickets:
                ticket.error = error if len(tickets) == 1 else _again(error)
        except BaseException as interrupt:
            for ticket in tickets:
                ticket.error = LedgerError(
                    f"an append was interrupted ({type(interrupt).__name__}). Try it again."
                )
            raise
        else:
            for ticket, outcome in zip(tickets, outcomes, strict=True):
                ticket.outcome = outcome
        finally:
            for ticket in tickets:
                ticket.done = True


def _again(error: Exception) -> Exception:
    """The same error for another thread, for each adds its own traceback."""
    copy = type(error)(*error.args)
    copy.__cause__ = error
    return copy
