"""What a language model sees of a caller's values: placeholders. The values stay in the call's :class:`Vault`."""

from engines.vault.finding import Finder, VeilLostError
from engines.vault.refill import Refill
from engines.vault.vault import Vault, VaultClosedError
from engines.vault.veil import NO_VEIL, Veil

__all__ = ["NO_VEIL", "Finder", "Refill", "Vault", "VaultClosedError", "Veil", "VeilLostError"]
