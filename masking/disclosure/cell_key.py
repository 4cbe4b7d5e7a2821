"""Cell keys: the same persons get the same noise, in whatever table and however often they are counted.

Rule: every person has a record key, 64 bits drawn by AES-CMAC under a secret; a cell's key is the sum of its persons'
keys modulo 2**64; the key picks the noise from the perturbation table. Who asks twice learns nothing new, and averaging
does not remove the noise. Empty cells have no persons: where they get noise, their key comes from their categories
(totals left out), so that they too are the same in every table. Margins get noise of their own, so tables are not
additive: adding cells up is not meant to give the margin.
Limit: two cells that differ by one person have two noises; their difference is noisy, not hidden. Zeros that stay zero
say that nobody is there.
Source: Fraser and Wooton, 2005; Thompson, Broadfoot and Elazar, 2013; PRIVACY 20 (zeros get noise too).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from masking.disclosure.contributions import Contributions, Floats
from masking.disclosure.margins import Dimension
from masking.keys import Keys, KeyUse, derived
from masking.techniques.draws import draws, uniforms

TECHNIQUE = "disclosure.cell_key"
EMPTY = "disclosure.cell_key.empty"

Keyed = npt.NDArray[np.uint64]


def record_keys(keys: Keys | None, use: KeyUse | str) -> Callable[[Sequence[pa.Array]], Keyed]:
    """A function that gives each record, told apart by some columns, its key: one uint64.

    Raises:
        KeyMissing: the key was not given.
    """
    secret = derived(keys, use, technique=TECHNIQUE, for_records=True)

    def drawn(record: Sequence[pa.Array]) -> Keyed:
        return draws(secret, record)[:, 0].copy()

    return drawn


def cell_uniforms(cells: Contributions, keys: Keys | None, use: KeyUse | str) -> Floats:
    """A number in (0, 1) for each cell, flat: from its persons' keys, or its categories where it is empty."""
    assert cells.keys is not None, "the contributions were made with record keys"
    found = cells.keys.copy()
    empty = np.flatnonzero(cells.persons == 0)
    if len(empty):
        secret = derived(keys, use, technique=EMPTY, for_records=True)
        found[empty] = draws(secret, [_categories(cells, empty)])[:, 0]
    return uniforms(found)


def _categories(cells: Contributions, which: npt.NDArray[np.int64]) -> pa.Array:
    """A text for each cell that is equal exactly when the same categories are chosen; totals are no choice."""
    nodes = np.unravel_index(which, cells.margins.shape)
    pairs = sorted(zip(cells.margins.dimensions, nodes, strict=True), key=lambda pair: pair[0].name)
    columns = [pl.Series(str(place), _pieces(each)).gather(node) for place, (each, node) in enumerate(pairs)]
    return pl.DataFrame(columns).select(pl.concat_str(pl.all())).to_series().to_arrow()


def _pieces(dimension: Dimension) -> list[str]:
    """For each node its name and label, each after its length: no two choices look alike. The total is empty."""
    name = f"{len(dimension.name)}:{dimension.name}"
    texts = [f"{name}-" if label is None else f"{name}{len(label)}:{label}" for label in dimension.labels[:-1]]
    return [*texts, ""]
