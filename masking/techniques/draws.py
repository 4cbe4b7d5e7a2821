"""
Randomness that is drawn once for each record: the same in every batch, run, copy and edition (PRIVACY 13).

A record is told apart by its ``record`` columns. Its draws are the AES-CMAC of their values under the technique's own
key: uniform for whoever lacks the key, repeatable for whoever holds it. Noise that were drawn anew for each edition
would be averaged away by whoever collects the editions. Two attributes have different keys, so that the noise of one
says nothing about the noise of the other.

Records that the columns do not tell apart have the same draws.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from masking.errors import UnsupportedColumn
from masking.techniques.fixed_width import as_text, by_length
from masking.techniques.pseudonymization import ColumnCMAC

Draws = npt.NDArray[np.uint64]
_SEPARATOR = "\x1f"
_ESCAPE = "\x1e"
_NULL = _ESCAPE + "0"
_PUBLIC = bytes(16)


def identities(record: Sequence[pa.Array]) -> pa.Array:
    """
    Return one text a record, equal exactly when all its columns are equal; null is a value of its own.

    A value is spelled alike whatever type holds it (5, 5.0 and "5"), and whatever other values stand in its batch.

    Raises:
        UnsupportedColumn: a column is nested or binary, or there is none.

    """
    if not record:
        raise UnsupportedColumn("no column tells the records apart")
    frame = pl.DataFrame([pl.Series(str(place), _text(column)) for place, column in enumerate(record)])
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

    Raises:
        UnsupportedColumn: a column is nested or binary, or there is none.

    """
    text = identities(record)
    drawn = np.empty((len(text), 2), dtype=np.uint64)
    cmac = ColumnCMAC(secret)
    for _, rows, matrix in by_length(text):
        drawn[rows] = cmac.macs(matrix).view(np.uint64)
    return drawn


def addresses(record: Sequence[pa.Array]) -> npt.NDArray[np.uint64]:
    """One number a record, the same everywhere and for everybody: to find a record again, never to draw from."""
    return draws(_PUBLIC, record)[:, 0]


def uniforms(drawn: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """Numbers in the open interval (0, 1), of 52 bits: a 53rd would round the largest up to 1."""
    return ((drawn >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def _text(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        return as_text(column)
    except (pa.ArrowException, TypeError):
        pass  # raised below, without the library's message, which may quote a cell
    raise UnsupportedColumn(f"a column of type {column.type} cannot tell records apart")
