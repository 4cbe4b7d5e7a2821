"""
Conditions over raw columns: which records a rule applies to (``when:``), which records leave (``suppress:``).

One column and one comparison, or several joined by ``all`` or ``any``. A null meets no comparison but ``is_null``.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, UnsupportedColumn

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
        """True for the records that meet it.

        Raises:
            UnsupportedColumn: the value cannot be compared with the column's type.
        """
        if self.parts:
            masks = [part.holds(context) for part in self.parts]
            return np.logical_and.reduce(masks) if self.comparison == "all" else np.logical_or.reduce(masks)
        column = context[self.column]
        try:
            found = self._compared(column)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            raise UnsupportedColumn(
                f"a condition compares it with a {type(self.value).__name__}, the column is {column.type}",
                attribute=self.column,
            ) from None
        return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), dtype=np.bool_)

    def _compared(self, column: pa.Array) -> pa.Array:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if self.comparison == "is_null":
            return pc.equal(pc.is_null(column), bool(self.value))
        if self.comparison == "matches":
            return pc.match_substring_regex(column.cast(pa.string()), f"^(?:{self.value})$")
        if self.comparison in ("in", "not_in"):
            values = pa.array([_plain(value) for value in self.value]).cast(column.type)
            found = pc.and_(pc.is_in(column, values), pc.is_valid(column))
            return found if self.comparison == "in" else pc.and_(pc.invert(found), pc.is_valid(column))
        value = pa.scalar(_plain(self.value))
        if not (pa.types.is_integer(column.type) and pa.types.is_floating(value.type)):
            value = value.cast(column.type)
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
    if not isinstance(words.get("column"), str) or len(used) != 1 or used[0] not in COMPARISONS:
        raise InvalidParameter(
            f"a condition names one column and one of {list(COMPARISONS)}, or joins others by all or any",
            parameter="when",
        )
    comparison, value = used[0], words[used[0]]
    if comparison in ("in", "not_in"):
        if not isinstance(value, list | tuple) or not value:
            raise InvalidParameter(f"{comparison} needs a list of values", parameter="when")
        value = tuple(value)
    elif comparison == "is_null" and not isinstance(value, bool):
        raise InvalidParameter("is_null is true or false", parameter="when")
    elif comparison == "matches":
        _check_pattern(value)
    elif isinstance(value, list | tuple | Mapping) or value is None:
        raise InvalidParameter(f"{comparison} needs one value", parameter="when")
    return Condition(words["column"], comparison, value)


def _check_pattern(value: Any) -> None:
    try:
        pc.match_substring_regex(pa.array([""]), value)
    except (pa.ArrowException, TypeError):
        raise InvalidParameter("matches needs a regular expression (RE2)", parameter="when") from None


def _plain(value: Any) -> Any:
    """Dates in policies are text; compared with date columns they become dates."""
    if isinstance(value, dt.date):
        return value
    return value
