"""Numbers, days and truth values within bounds that are published: hints, parameters of techniques, clamps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sandbox.workspaces.practice.draws import Uniforms
from sandbox.workspaces.practice.rows import Rows
from sandbox.workspaces.practice.types import fit

EPOCH: Final = date(2000, 1, 1)
RECENT: Final = date(2024, 1, 1)
LAST: Final = date(2025, 12, 31)
_BOUNDS: Final = {"AGE": (0, 99), "LATITUDE": (18.2, 53.5), "LONGITUDE": (73.5, 135.0)}
_MONEY: Final = (0, 10_000)
MOST_DAYS: Final = 15
_END: Final = re.compile("discharge|出院|(?:^|_)end(?:$|_)|结束|closed")
_DAY_S: Final = 86_400


def measured(rows: Rows, name: str, type_: pa.DataType, at: Uniforms) -> pa.Array | None:
    """Values at places in [0, 1) of the column's range."""
    if pa.types.is_boolean(type_):
        return pa.array(at < 0.5)
    if pa.types.is_date(type_):
        return fit(days(rows, name, at), type_)
    if pa.types.is_timestamp(type_):
        seconds = (at * 2.0**40).astype(np.int64) % _DAY_S
        midnights = days(rows, name, at).cast(pa.timestamp("s")).cast(pa.int64()).to_numpy()
        return fit(pa.array(midnights + seconds).cast(pa.timestamp("s")), type_)
    low, high = _bounds(rows, name)
    if pa.types.is_integer(type_):
        least, most = _within(type_, int(_number(low, 0)), int(_number(high, 99)))
        if _is_clock(rows, name):
            first, last = (bound // 100 * 60 + min(bound % 100, 59) for bound in (least, most))
            minutes = first + np.floor(at * max(1, last - first + 1)).astype(np.int64)
            return fit(pa.array(minutes // 60 * 100 + minutes % 60), type_)
        width = min(most - least + 1, 2**53)  # beyond that a float tells no two numbers apart
        return fit(pa.array(least + np.floor(at * width).astype(np.int64)), type_)
    if pa.types.is_floating(type_):
        bottom, top = _number(low, 0.0), _number(high, 100.0)
        digits = 5 if rows.kinds[name] in ("LATITUDE", "LONGITUDE") else 2
        return fit(pa.array((bottom + (top - bottom) * at).round(digits)), type_)
    if pa.types.is_decimal(type_):
        most = 10.0 ** min(15, type_.precision - type_.scale) - 1
        bottom, top = max(-most, _number(low, 0.0)), min(most, _number(high, 100.0))
        return fit(pa.array((bottom + (top - bottom) * at).round(max(0, min(2, type_.scale)))), type_)
    return None


def days(rows: Rows, name: str, at: Uniforms) -> pa.Array:
    """Days at places in [0, 1) of the column's range; events of a person are of the last two years."""
    before = _before(rows, name)
    if before is not None and len(at) == rows.count:
        return pa.array(
            days(rows, before, rows.uniforms(before)).to_numpy(zero_copy_only=False)
            + (at * MOST_DAYS).astype("timedelta64[D]")
        )
    low, high = _bounds(rows, name)
    start = RECENT if rows.several else EPOCH
    first, last = np.datetime64(_date(low, start), "D"), np.datetime64(_date(high, LAST), "D")
    width = max(1, int((last - first).astype(np.int64)) + 1)
    return pa.array(first + (at * width).astype("timedelta64[D]"))


def _is_clock(rows: Rows, name: str) -> bool:
    """True if whole numbers spell hours and minutes, by the title."""
    rule = rows.rule(name)
    return rule is not None and any(word in " ".join(rule.title.values()) for word in ("hhmm", "（时分）"))


def _before(rows: Rows, name: str) -> str | None:
    """The column of the day that a stay or an event begins with, for the column of its end."""
    rule, hints = rows.rule(name), rows.hints(name)
    words = " ".join([name, *(rule.title.values() if rule else ())]).casefold()
    if not _END.search(words) or "minimum" in hints or "maximum" in hints:
        return None
    columns = list(rows.types)
    earlier = reversed(columns[: columns.index(name)])
    return next((each for each in earlier if rows.kinds[each] == "DATE" and not _END.search(each.casefold())), None)


def _bounds(rows: Rows, name: str) -> tuple[Any, Any]:
    """Lowest and highest value: from hints, the technique's parameters, the fixed table's clamps, or the kind."""
    rule, hints, aggregate = rows.rule(name), rows.hints(name), rows.policy.aggregate
    parameters = rule.parameters if rule else {}
    default = _BOUNDS.get(rows.kinds[name], (None, None))
    if rule is not None and "元" in "".join(rule.title.values()):
        default = _MONEY
    clamp = aggregate.clamp.get(name) if aggregate else None
    tables = rows.policy.sandbox.tables
    sources = (
        (hints.get("minimum"), hints.get("maximum")),
        (parameters.get("lower"), parameters.get("upper")),
        clamp or (None, None),
        _beyond(parameters.get("edges")),
        *(_beyond(each.edges) for each in (tables.dimensions if tables else ()) if each.column == name),
        default,
    )
    low, high = (next((pair[end] for pair in sources if pair[end] is not None), None) for end in (0, 1))
    return low, high


def _beyond(edges: Any) -> tuple[Any, Any]:
    """A range that has room below the first edge of bands and above the last."""
    if not isinstance(edges, Sequence):
        return None, None
    edges = [edge for edge in edges if edge is not None]
    if not edges or not all(isinstance(edge, int | float) for edge in edges):
        return None, None
    first, last = edges[0], edges[-1]
    before, behind = (edges[1] - first, last - edges[-2]) if len(edges) > 1 else (abs(first), abs(last))
    return (max(0, first - before) if first >= 0 else first - before), last + behind


def _within(type_: pa.DataType, low: int, high: int) -> tuple[int, int]:
    """Bounds that the integer type can hold."""
    bits = type_.bit_width - (not pa.types.is_unsigned_integer(type_))
    least = 0 if pa.types.is_unsigned_integer(type_) else -(2**bits)
    most = min(2**bits - 1, 2**63 - 1)
    low = min(max(low, least), most)
    return low, min(max(high, low), most)


def _number(value: Any, default: float) -> float:
    return default if value is None or isinstance(value, str | date | bool) else float(value)


def _date(value: Any, default: date) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return default
    return default
