"""Numbers that follow from a seed, a word and an index, and from nothing else.

A person of the practice population is not stored anywhere: each attribute is the draw of its own word at her index. So
tables that are made apart, in any order and of any length, speak about the same persons.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]
Uniforms = npt.NDArray[np.float64]

_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


def numbers(seed: str, word: str, at: Indices) -> Numbers:
    """64 bits for each index, increments and finalizer of SplitMix64 (Steele, Lea and Flood, 2014)."""
    digest = hashlib.sha256(f"practice v2\0{seed}\0{word}".encode()).digest()
    x = at.astype(np.uint64) * _STEP + np.uint64(int.from_bytes(digest[:8], "big"))
    x = (x ^ (x >> np.uint64(30))) * _FIRST
    x = (x ^ (x >> np.uint64(27))) * _SECOND
    return np.asarray(x ^ (x >> np.uint64(31)))


def uniforms(seed: str, word: str, at: Indices) -> Uniforms:
    """A number in [0, 1) for each index."""
    return np.asarray((numbers(seed, word, at) >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def below(seed: str, word: str, at: Indices, size: int) -> Indices:
    """A whole number in [0, size) for each index."""
    return np.asarray((numbers(seed, word, at) % np.uint64(max(1, size))).astype(np.int64))


def weighted(shares: Any, at: Uniforms) -> Indices:
    """Places in a list whose entries have these shares, for numbers in [0, 1)."""
    steps = np.cumsum(np.asarray(shares, dtype=np.float64))
    return np.minimum(np.searchsorted(steps, at * steps[-1], side="right"), len(steps) - 1).astype(np.int64)


def shuffled(seed: str, word: str, size: int) -> Indices:
    """The numbers below ``size`` in an order that follows from the seed."""
    return np.argsort(numbers(seed, word, np.arange(size)), kind="stable")
