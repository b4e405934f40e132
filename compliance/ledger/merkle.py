"""The Merkle tree of RFC 6962, section 2.1: leaf and node hashes, growing it, and its two proofs. Pure.

Hashes are 32 bytes. A log keeps the hashes of its leaves and, of the perfect subtrees of 256, 65,536, ... leaves, the
roots: *level* ``n`` counts subtrees of 256ⁿ leaves, level 0 the leaves themselves. So a proof reads a few thousand
hashes at most, however long the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""
LEVEL_HEIGHT = 8
"""A subtree of one level is as high above those of the level below: 2⁸ of them."""

Fetch = Callable[[int, int, int], Sequence[bytes]]
"""``fetch(level, start, stop)``: the roots of the perfect subtrees ``start <= i < stop`` of a level, in order."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf, from its bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node, from its children's."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Subtree:
    """The root of the perfect subtree number ``index`` of a level."""

    level: int
    index: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that growing a tree needs: the roots of the perfect subtrees it is made of, the largest first."""

    size: int = 0
    roots: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        return _joined(self.roots) if self.roots else EMPTY_ROOT

    def extended(self, leaf_hashes: Iterable[bytes]) -> tuple[Frontier, tuple[Subtree, ...]]:
        """The tree with more leaves, and the subtrees of level 1 and above that they completed."""
        size, roots, completed = self.size, list(self.roots), []
        for root in leaf_hashes:
            height, index = 0, size
            while index & 1:
                root = node_hash(roots.pop(), root)
                height, index = height + 1, index >> 1
                if height % LEVEL_HEIGHT == 0:
                    completed.append(Subtree(height // LEVEL_HEIGHT, index, root))
            roots.append(root)
            size += 1
        return Frontier(size, tuple(roots)), tuple(completed)

    def to_bytes(self) -> bytes:
        """The roots, one after the other."""
        return b"".join(self.roots)

    @classmethod
    def from_bytes(cls, size: int, stored: bytes) -> Frontier:
        """Reads :meth:`to_bytes` back.

        Raises:
            ValueError: a tree of this size has another number of roots.
        """
        roots = tuple(stored[at : at + HASH_BYTES] for at in range(0, len(stored), HASH_BYTES))
        if len(stored) != HASH_BYTES * size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} roots, not {len(stored)} bytes")
        return cls(size, roots)


def inclusion_proof(fetch: Fetch, index: int, size: int) -> tuple[bytes, ...]:
    """PATH(index, D[size]) of RFC 6962, section 2.1.1: leaf ``index`` is in the tree of ``size`` leaves.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(_range_root(fetch, middle, stop))
            stop = middle
        else:
            path.append(_range_root(fetch, start, middle))
            start = middle
    return tuple(reversed(path))


def consistency_proof(fetch: Fetch, old: int, new: int) -> tuple[bytes, ...]:
    """PROOF(old, D[new]) of RFC 6962, section 2.1.2: the tree of ``old`` leaves is a beginning of that of ``new``.

    Empty when ``old`` is 0 or ``new``.

    Raises:
        ValueError: ``old`` is not between 0 and ``new``.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves has no beginning of {old}")
    if old in (0, new):
        return ()
    path: list[bytes] = []
    start, stop, known = 0, new, True  # known: the verifier has the root of what is left of the old tree
    while old != stop:
        middle = start + _split(stop - start)
        if old <= middle:
            path.append(_range_root(fetch, middle, stop))
            stop = middle
        else:
            path.append(_range_root(fetch, start, middle))
            start, known = middle, False
    if not known:
        path.append(_range_root(fetch, start, stop))
    return tuple(reversed(path))


def _split(leaves: int) -> int:
    """The largest power of two smaller than ``leaves``."""
    return 1 << (leaves - 1).bit_length() - 1


def _range_root(fetch: Fetch, start: int, stop: int) -> bytes:
    """MTH(D[start:stop]), where ``start`` is a multiple of a power of two that is not less than the length."""
    roots = []
    while start < stop:
        height = (stop - start).bit_length() - 1
        level, shift = height // LEVEL_HEIGHT, height // LEVEL_HEIGHT * LEVEL_HEIGHT
        row = list(fetch(level, start >> shift, (start + (1 << height)) >> shift))
        while len(row) > 1:
            row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
        roots.append(row[0])
        start += 1 << height
    return _joined(roots)


def _joined(roots: Sequence[bytes]) -> bytes:
    root = roots[-1]
    for left in reversed(roots[:-1]):
        root = node_hash(left, root)
    return root
