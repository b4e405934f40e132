"""The append-only record of calls, which an outsider can verify: transparency logs of encrypted events.

Each tenant has a log of its own: a Merkle tree (RFC 6962) whose leaves are encrypted events, each with a header that
is not (:mod:`compliance.ledger.leaf`). Every commit signs the new state of the tree as a C2SP checkpoint, which tools
such as Go's ``sumdb`` verify (:mod:`compliance.ledger.checkpoint`). Checkpoints that are published elsewhere
(:mod:`compliance.ledger.anchors`) bind the operator as well.

Each call has a key of its own, wrapped by the log's (:mod:`compliance.ledger.keys`). Destroying it erases the call and
leaves the tree as it is.
"""

from compliance.ledger.doubts import Receipt
from compliance.ledger.head import Entry
from compliance.ledger.ledger import DEFAULT_ORIGIN, Ledger
from compliance.ledger.recorded import Recorded, canonical_body
from compliance.ledger.verifier import Verification

__all__ = [
    "DEFAULT_ORIGIN",
    "Entry",
    "Ledger",
    "Receipt",
    "Recorded",
    "Verification",
    "canonical_body",
]
