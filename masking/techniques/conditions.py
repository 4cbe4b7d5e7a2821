"""
Conditions over raw columns: which records a rule applies to (``when:``), which records leave (``suppress:``).

One column and one comparison, or several joined by ``all`` or ``any``. A null meets no comparison but ``is_null``; what
is not a number (NaN) meets neither ``at_least`` nor ``below``. Text has no order here ("100" stands before "90"):
columns of numbers and dates have to be read as such.
"""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, UnsupportedColumn
from masking.techniques.fixed_width import as_text

COMPARISONS: Final = ("equals", "in", "not_in", "at_least", "below", "is_null", "matches")
_ORDERED: Final = ("at_least", "below")
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Condition:
    """``column`` compared with ``value``; or, without a column, ``parts`` joined by ``all`` or ``any``."""

    column: str = ""
    comparison: str = "equals"
    value: Any = None
    parts: tuple["Condition", ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column it reads, each once."""
        inner = [name for part in self.parts for name in part.columns]
        return tuple(dict.fromkeys([self.column, *inner] if self.column else inner))

    def holds(self, context: Mapping[str, pa.Array]) -> Mask:
        """
        True for the records that meet it.

        Raises:
            UnsupportedColumn: the value cannot be compared with the column's type.

        """
        if self.parts:
            masks = [part.holds(context) for part in self.parts]
            return np.logical_and.reduce(masks) if self.comparison == "all" else np.logical_or.reduce(masks)
        column = context[self.column]
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        try:
            found = self._compared(column)
            return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
        except (pa.ArrowException, TypeError, ValueError, ArithmeticError):
            pass  # raised below, without the library's message, which may quote a cell
        raise UnsupportedColumn(
            f"`{self.comparison}` with a value of type {_type_of(self.value)} cannot be used on a column of type "
            f"{column.type}",
            attribute=self.column,
        )

    def _compared(self, column: pa.Array) -> pa.Array:
        if self.comparison == "is_null":
            return pc.equal(pc.is_null(column), bool(self.value))
        if pa.types.is_null(column.type):
            return pa.nulls(len(column), pa.bool_())
        if self.comparison == "matches":
            return pc.match_substring_regex(as_text(column), _whole(self.value))
        if pa.types.is_timestamp(column.type) and column.type.tz:
            column = pc.local_timestamp(column)  # a date in a policy is a date where the column is
        if self.comparison in ("in", "not_in"):
            found = pc.is_in(column, _fit(pa.array(self.value), column.type))
            return pc.and_(found if self.comparison == "in" else pc.invert(found), pc.is_valid(column))
        if self.comparison in _ORDERED and not _has_order(column.type):
            raise TypeError("no order")
        value = pa.scalar(self.value)
        if not (pa.types.is_integer(column.type) and pa.types.is_floating(value.type)):
            value = _fit(value, column.type)
        compare = {"equals": pc.equal, "at_least": pc.greater_equal, "below": pc.less}[self.comparison]
        return compare(column, value)

    def to_words(self) -> dict[str, Any]:
        """The mapping that ``condition`` reads."""
        if self.parts:
            return {self.comparison: [part.to_words() for part in self.parts]}
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return {"column": self.column, self.comparison: value}


def condition(words: Any) -> Condition:
    """Return the condition that a policy writes, e.g. ``{column: age, at_least: 90}`` or ``{any: [{…}, {…}]}``.

    Raises:
        InvalidParameter: it is not one.
    """
    if not isinstance(words, Mapping):
        raise InvalidParameter("a condition is a mapping such as {column: age, at_least: 90}", parameter="when")
    for joint in ("all", "any"):
        if joint in words:
            parts = words[joint]
            if len(words) != 1 or not isinstance(parts, list | tuple) or not parts:
                raise InvalidParameter(f"{joint} joins a list of conditions and stands alone", parameter="when")
            return Condition(comparison=joint, parts=tuple(condition(part) for part in parts))
    used = [name for name in words if name != "column"]
    if not isinstance(words.get("column"), str) or not words["column"] or len(used) != 1 or used[0] not in COMPARISONS:
        raise InvalidParameter(
            f"a condition names one column and one of {list(COMPARISONS)}, or joins others by all or any",
            parameter="when",
        )
    comparison, value = used[0], words[used[0]]
    if comparison in ("in", "not_in"):
        value = _checked_list(comparison, value)
    elif comparison == "is_null":
        if not isinstance(value, bool):
            raise InvalidParameter("is_null is true or false", parameter="when")
    elif comparison == "matches":
        _check_pattern(value)
    elif not _is_plain(value) or (comparison in _ORDERED and isinstance(value, bool)):
        what = "a number or a date" if comparison in _ORDERED else "one text, number, date, true or false"
        raise InvalidParameter(f"{comparison} needs {what}", parameter="when")
    return Condition(words["column"], comparison, value)


def _checked_list(comparison: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, list | tuple) and values and all(_is_plain(value) for value in values):
        try:
            pa.array(values)
        except (pa.ArrowException, TypeError, OverflowError):
            pass  # raised below
        else:
            return tuple(values)
    raise InvalidParameter(f"{comparison} needs a list of values of one type", parameter="when")


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int | dt.date)


def _check_pattern(value: Any) -> None:
    for pattern in (value, _whole(value)):  # by itself: it must not close the group that is put around it
        try:
            pc.match_substring_regex(pa.array([""]), pattern)
        except (pa.ArrowException, TypeError):
            raise InvalidParameter("matches needs a regular expression (RE2)", parameter="when") from None


def _whole(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"


def _has_order(kind: pa.DataType) -> bool:
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return number or pa.types.is_date(kind) or pa.types.is_timestamp(kind)


def _fit(value: Any, kind: pa.DataType) -> Any:
    """Cast a scalar or array to the column's type where that keeps its meaning."""
    if pa.types.is_boolean(value.type) != pa.types.is_boolean(kind):
        raise TypeError("true and false are no numbers and no text")
    if pa.types.is_floating(value.type) and not _has_order(kind):
        raise TypeError("a fraction has more than one spelling")
    if pa.types.is_decimal(kind) and isinstance(value, pa.Scalar):
        return pa.scalar(Decimal(str(value.as_py())))  # compared exactly, whatever digits the column has
    return value.cast(kind)


def _type_of(value: Any) -> str:
    return f"list of {type(value[0]).__name__}" if isinstance(value, tuple) and value else type(value).__name__
