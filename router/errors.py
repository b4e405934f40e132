"""What the router raises. A policy file that is wrong raises :class:`policies.DocumentError`."""

from __future__ import annotations

from collections.abc import Iterable


class RouterError(ValueError):
    """The router was given something that it cannot decide on."""


class SignalError(RouterError):
    """Signals cannot be used. ``problems`` lists every reason, sorted by signal."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("; ".join(self.problems))


class MemoryRecordError(RouterError):
    """A stored memory cannot be read back."""


class ParamError(RouterError):
    """Params cannot have these values. ``problems`` lists every reason, in the order given."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))
