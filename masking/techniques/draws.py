"""
Randomness that is drawn once for each record: the same in every batch, run, copy and edition (PRIVACY 13).

A record is told apart by its ``record`` columns. Its draws are the AES-CMAC of their values under the technique's own
key: uniform for whoever lacks the key, repeatable for whoever holds it. Noise that were drawn anew for each edition
would be averaged away by whoever collects the editions.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from masking.techniques.fixed_width import as_text, by_length
from masking.techniques.pseudonymization import ColumnCMAC

Draws = npt.NDArray[np.uint64]
_SEPARATOR = "\x1f"
_ESCAPE = "\x1e"
_NULL = "\x1e0"


def identities(record: Sequence[pa.Array]) -> pa.Array:
    """Return one text a record, equal exactly when all its columns are equal; null is a value of its own."""
    if len(record) == 1 and record[0].null_count == 0:
        return as_text(record[0])
    columns = [pl.Series(as_text(column), dtype=pl.String) for column in record]
    frame = pl.DataFrame([series.alias(str(place)) for place, series in enumerate(columns)])
    parts = [
        pl.col(name)
        .str.replace_all(_ESCAPE, _ESCAPE + "1", literal=True)
        .str.replace_all(_SEPARATOR, _ESCAPE + "2", literal=True)
        .fill_null(_NULL)
        for name in frame.columns
    ]
    return frame.select(pl.concat_str(parts, separator=_SEPARATOR).alias("id"))["id"].to_arrow().cast(pa.large_string())


def draws(secret: bytes, record: Sequence[pa.Array]) -> Draws:
    """
    Return two independent uniform 64-bit numbers a record: an array of shape (records, 2).

    ``secret``: the technique's 16 bytes. ``record``: the values of the record columns.
    """
    text = identities(record)
    drawn = np.empty((len(text), 2), dtype=np.uint64)
    cmac = ColumnCMAC(secret)
    for _, rows, matrix in by_length(text):
        drawn[rows] = cmac.macs(matrix).view(np.uint64)
    return drawn


def uniforms(drawn: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """Numbers in the open interval (0, 1) of 53 bits: never 0 or 1, so that a logarithm is finite."""
    return ((drawn >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
