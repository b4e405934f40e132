"""The tree and its proofs, against the definitions of RFC 6962 and known answers of other implementations."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.ledger.merkle import (
    EMPTY_ROOT,
    LEVEL_HEIGHT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
)

pytestmark = pytest.mark.unit

# The eight leaves and the roots of the trees of 1 to 8 of them, from the reference tests of Certificate Transparency
# (google/certificate-transparency, cpp/merkletree/merkle_tree_test.cc), which implementations of RFC 6962 share.
LEAVES = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {  # (leaf, size): path
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


class Levels:
    """A log's hashes as it keeps them: its leaves, and the roots of the subtrees they completed."""

    def __init__(self, leaves: Sequence[bytes], groups: Sequence[int] = ()) -> None:
        self.rows: dict[int, dict[int, bytes]] = {0: dict(enumerate(leaves))}
        self.frontier = Frontier()
        at = 0
        for length in [*groups, len(leaves)]:
            self.frontier, completed = self.frontier.extended(leaves[at : at + length])
            at = min(at + length, len(leaves))
            for subtree in completed:
                self.rows.setdefault(subtree.level, {})[subtree.index] = subtree.hash

    def fetch(self, level: int, start: int, stop: int) -> list[bytes]:
        return [self.rows[level][index] for index in range(start, stop)]


def mth(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, as it is written there."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(mth(leaves[:k]), mth(leaves[k:]))


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return [*path(m, leaves[:k]), mth(leaves[k:])] if m < k else [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: Sequence[bytes], known: bool) -> list[bytes]:
    """SUBPROOF of section 2.1.2."""
    if m == len(leaves):
        return [] if known else [mth(leaves)]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m <= k:
        return [*subproof(m, leaves[:k], known), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def hashes(count: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


def test_roots_are_those_that_other_implementations_find() -> None:
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
    assert Frontier().root == EMPTY_ROOT
    for size in range(1, 9):
        assert Levels(leaves[:size]).frontier.root.hex() == ROOTS[size - 1]


def test_proofs_are_those_that_other_implementations_find() -> None:
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
    for (index, size), expected in INCLUSION.items():
        assert [h.hex() for h in inclusion_proof(Levels(leaves[:size]).fetch, index, size)] == expected
    for (old, new), expected in CONSISTENCY.items():
        assert [h.hex() for h in consistency_proof(Levels(leaves[:new]).fetch, old, new)] == expected


@given(st.integers(1, 700), st.data())
def test_proofs_are_those_that_the_rfc_defines(size: int, data: st.DataObject) -> None:
    leaves = hashes(size)
    groups = data.draw(st.lists(st.integers(0, 300), max_size=4))
    levels = Levels(leaves, groups)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))

    assert levels.frontier.root == mth(leaves)
    assert list(inclusion_proof(levels.fetch, index, size)) == path(index, leaves)
    assert list(consistency_proof(levels.fetch, old, size)) == subproof(old, leaves, True)
    assert Frontier.from_bytes(size, levels.frontier.to_bytes()) == levels.frontier


def test_a_proof_in_a_long_log_reads_few_hashes() -> None:
    size = (1 << 2 * LEVEL_HEIGHT) + 777
    levels = Levels(hashes(size))
    read = 0

    def counted(level: int, start: int, stop: int) -> list[bytes]:
        nonlocal read
        read += stop - start
        return levels.fetch(level, start, stop)

    assert set(levels.rows) == {0, 1, 2}
    assert list(inclusion_proof(counted, 40_000, size)) == path(40_000, hashes(size))
    assert list(consistency_proof(counted, 1_234, size)) == subproof(1_234, hashes(size), True)
    assert read < 2_000


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="has no leaf"):
        inclusion_proof(Levels(hashes(3)).fetch, index, size)


def test_a_frontier_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a tree of 3 leaves has 2 roots"):
        Frontier.from_bytes(3, bytes(32))
    with pytest.raises(ValueError, match="no beginning"):
        consistency_proof(Levels(hashes(3)).fetch, 4, 3)
