"""The errors of this package: one family, each message says what was wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable


class PolicyLifeError(Exception):
    """A policy cannot be signed, fetched, accepted or kept."""


class KeyFileError(PolicyLifeError):
    """A key that signs or verifies policies cannot be used."""


class SealingError(PolicyLifeError):
    """A bundle cannot be made of what was given."""


class BundleError(PolicyLifeError):
    """These bytes are not a bundle that a trusted key has signed."""


class FetchError(PolicyLifeError):
    """An address did not give a policy. The one that is served stays."""


class ShelfError(PolicyLifeError):
    """The policy that was accepted cannot be kept for the next start."""


class NoPolicyError(PolicyLifeError):
    """There is nothing to answer calls under: what is offered is refused, and nothing was accepted before."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("\n".join(self.reasons))
