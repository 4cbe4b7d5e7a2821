"""The Merkle tree of RFC 9162 section 2.1: roots, inclusion and consistency proofs. Pure.

Interior nodes of complete subtrees are stored, so that an append writes O(log n) hashes and a proof reads O(log n):
``nodes(level, index)`` gives the hash over the ``2**level`` leaves from ``index * 2**level``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from opendata.errors import LedgerError

Nodes = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256().digest()


class ProofError(LedgerError):
    """A proof does not hold: the leaf is not in that tree, or the earlier tree is not a prefix of the later one."""


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def completed_nodes(index: int, leaf: bytes, nodes: Nodes) -> Iterator[tuple[int, int, bytes]]:
    """The (level, index, hash) that leaf number ``index`` with hash ``leaf`` completes, from the leaf upwards."""
    level, current = 0, leaf
    yield level, index, current
    while index & 1:
        current = node_hash(nodes(level, index - 1), current)
        level, index = level + 1, index >> 1
        yield level, index, current


def root(size: int, nodes: Nodes) -> bytes:
    """The root hash of the first ``size`` leaves. The empty tree's is SHA-256 of nothing."""
    return EMPTY_ROOT if size == 0 else _subtree(0, size, nodes)


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """RFC 9162 2.1.3.1, PATH(index, D[0:size]), from the leaf upwards. ``index`` must be in [0, size)."""
    if not 0 <= index < size:
        raise ProofError(f"索引 {index} 不在大小为 {size} 的树中（index outside the tree）")
    return _path(index, 0, size, nodes)


def consistency_proof(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """RFC 9162 2.1.4.1, PROOF(old, D[0:new]). Empty for equal sizes. ``old`` must be in [1, new]."""
    if not 0 < old <= new:
        raise ProofError(f"不能从大小 {old} 证明到 {new}（sizes out of order）")
    return [] if old == new else _subproof(old, 0, new, nodes, whole=True)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> None:
    """RFC 9162 2.1.3.2. ``leaf`` is a leaf hash. Raises ProofError."""
    if not 0 <= index < size:
        raise ProofError("包含证明无效：索引越界（inclusion proof: index outside the tree）")
    fn, sn, current = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            raise ProofError("包含证明无效：过长（inclusion proof too long）")
        if fn & 1 or fn == sn:
            current = node_hash(sibling, current)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            current = node_hash(current, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or current != expected_root:
        raise ProofError("包含证明无效：与根哈希不符（inclusion proof does not match the root）")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """RFC 9162 2.1.4.2: the tree of ``old`` leaves is a prefix of the tree of ``new``. Raises ProofError."""
    if not 0 < old <= new:
        raise ProofError("一致性证明无效：大小次序（consistency proof: sizes out of order）")
    if old == new:
        if proof or old_root != new_root:
            raise ProofError("一致性证明无效：大小相同而根不同（same size, other root）")
        return
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        raise ProofError("一致性证明无效：为空（empty consistency proof）")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise ProofError("一致性证明无效：过长（consistency proof too long）")
        if fn & 1 or fn == sn:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or first != old_root or second != new_root:
        raise ProofError("一致性证明无效：与根哈希不符（consistency proof does not match the roots）")


class Frontier:
    """The roots of the complete subtrees of a growing tree: appends in O(1) amortised, memory O(log n)."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # largest subtree first

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        index, current = self.size, leaf
        while index & 1:
            current = node_hash(self._peaks.pop(), current)
            index >>= 1
        self._peaks.append(current)
        self.size += 1

    def root(self) -> bytes:
        """The root hash so far."""
        if not self._peaks:
            return EMPTY_ROOT
        current = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            current = node_hash(peak, current)
        return current


def _split(size: int) -> int:
    """The largest power of two smaller than ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _subtree(start: int, size: int, nodes: Nodes) -> bytes:
    """MTH over ``size`` leaves from ``start``; ``start`` is a multiple of the enclosing power of two."""
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return nodes(level, start >> level)
    k = _split(size)
    return node_hash(_subtree(start, k, nodes), _subtree(start + k, size - k, nodes))


def _path(index: int, start: int, size: int, nodes: Nodes) -> list[bytes]:
    if size == 1:
        return []
    k = _split(size)
    if index < k:
        return [*_path(index, start, k, nodes), _subtree(start + k, size - k, nodes)]
    return [*_path(index - k, start + k, size - k, nodes), _subtree(start, k, nodes)]


def _subproof(old: int, start: int, size: int, nodes: Nodes, *, whole: bool) -> list[bytes]:
    if old == size:
        return [] if whole else [_subtree(start, size, nodes)]
    k = _split(size)
    if old <= k:
        return [*_subproof(old, start, k, nodes, whole=whole), _subtree(start + k, size - k, nodes)]
    return [*_subproof(old - k, start + k, size - k, nodes, whole=False), _subtree(start, k, nodes)]
