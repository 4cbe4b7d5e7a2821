"""One spelling for cells of outputs and of raw tables, so that a value is found whatever type either side gave it.

Whole floats have no ``.0``, dates are ISO, booleans ``true`` and ``false``. Null has no spelling and matches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.airlock.typed import TypedTable
from sandbox.contracts import Cell

Ints = npt.NDArray[np.int64]
Positions = npt.NDArray[np.int32]
_WHOLE: Final = re.compile(r"-?\d{1,18}")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def spelled(cell: Cell) -> str | None:
    """The spelling of an output's cell."""
    if cell is None:
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    return str(cell)


def spellings(table: TypedTable, index: int) -> tuple[str | None, ...]:
    """The spellings of one column, made once."""
    texts = table.kept.get(("spellings", index))
    if texts is None:
        texts = table.kept["spellings", index] = tuple([spelled(cell) for cell in table.column(index)])
    return texts


def digits_of(key: str) -> int:
    """Significant digits of a number's spelling."""
    return len(key.lstrip("-").replace(".", "").strip("0"))


class Places:
    """Says for every value of a raw column which of some spellings it has: its position in ``keys``, else -1.

    Values are compared in the column's own type; spelling out a million raw numbers would take seconds.
    """

    def __init__(self, keys: Sequence[str], type_: pa.DataType) -> None:
        self._type = type_.value_type if pa.types.is_dictionary(type_) else type_
        chosen, values, target = _typed(keys, self._type)
        self._positions = None if len(chosen) == len(keys) else np.array([*chosen, -1], dtype=np.int32)
        self._values = pa.array(values, target)
        self._target = target

    def of(self, column: pa.Array) -> Positions:
        """Positions, one a value; null gives -1."""
        if not len(self._values):
            return np.full(len(column), -1, dtype=np.int32)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if column.type != self._target:
            column = pc.cast(column, self._target, safe=False)
        found: Positions = pc.fill_null(pc.index_in(column, value_set=self._values), -1).to_numpy(zero_copy_only=False)
        return found if self._positions is None else self._positions[found]


def _typed(keys: Sequence[str], type_: pa.DataType) -> tuple[list[int], list[Any], pa.DataType]:
    """Those of ``keys`` that a column of this type can hold: their positions, values, and the type to compare in."""
    kinds = pa.types
    if kinds.is_boolean(type_):
        chosen = [i for i, key in enumerate(keys) if key in {"true", "false"}]
        return chosen, [keys[i] == "true" for i in chosen], pa.bool_()
    if kinds.is_integer(type_):
        chosen = [i for i, key in enumerate(keys) if _WHOLE.fullmatch(key) and str(int(key)) == key]
        return chosen, [int(keys[i]) for i in chosen], pa.int64()
    if kinds.is_floating(type_) or kinds.is_decimal(type_):
        chosen = [i for i, key in enumerate(keys) if _NUMBER.fullmatch(key) and spelled(float(key)) == key]
        return chosen, [float(keys[i]) for i in chosen], pa.float64()
    if kinds.is_date(type_) or kinds.is_timestamp(type_):
        dates = [(i, _as_date(key)) for i, key in enumerate(keys) if _DATE.fullmatch(key)]
        known = [(i, day) for i, day in dates if day is not None]
        return [i for i, _ in known], [day for _, day in known], pa.date32()
    if kinds.is_string(type_) or kinds.is_large_string(type_) or kinds.is_string_view(type_):
        return list(range(len(keys))), list(keys), pa.string()
    return [], [], pa.string()


def _as_date(key: str) -> date | None:
    try:
        return date.fromisoformat(key)
    except ValueError:
        return None
