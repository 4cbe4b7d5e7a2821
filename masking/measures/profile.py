"""
What the columns of a run look like before and after, in bounded memory: counts, distributions, loss.

Nulls are counted in all records, different values in the first ``DISTINCT_ROWS``. Everything else is measured on a
sample: all records up to ``SAMPLE``, above it those whose number has a hash below a threshold that falls as more come.
So the cost of a record falls with the length of the table, and the figures do not depend on how it is cut into batches;
``merge`` joins the profiles of several workers.

Two samples are held, because two readers may see two things (PRIVACY 5). ``written`` sees the masked table only, its
records numbered as they leave: whatever is computed from it is a function of the masked table, and a public report may
rest on it. ``seen`` sees raw and masked values side by side: loss and the distributions before masking are measured on
it, for the internal report.

Loss is in [0, 1] (``loss_of``); its kinds and their sources:

* ``distance``: number to number, mean change over √2 standard deviations (IL1s: Yancey, Winkler and Creecy, 2002).
* ``extent``: number to band or group, mean width of the group over the width of the domain, widths as found in the data
  (NCP: Xu et al., 2006; LM: Iyengar, 2002).
* ``entropy``: anything else, H(raw | masked) / H(raw): how much of what the column told is gone (De Waal and
  Willenborg, 1999; Gionis and Tassa, 2009).
* ``changed``: free text, the share of texts in which something was replaced.
"""

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from masking.report import Cell, Distribution

SAMPLE: Final = 1 << 16
"""Records whose values are held."""
DISTINCT_ROWS: Final = 1 << 17
"""Records in which different values are counted."""
SHOWN: Final = 20
"""Bars of one plot."""
_DISTINCT: Final = 1 << 14
_SEEDS: Final = (51, 52, 53, 54)
_LABEL: Final = 64
_MONTHS: Final = (1, 3, 12, 60, 120, 600)  # month, quarter, year, 5, 10, 50 years
_POWERS: Final = 290  # of ten, up and down: what is smaller is zero here
_FAR: Final = 2.0**60  # in cells from zero; what is farther falls into the last one
_LEADING: Final = re.compile(r"^[<>=≤≥\[(]*\s*(-?\d+(?:\.\d+)?)")

Loss = Literal["kept", "dropped", "token", "measured", "changed", ""]
Rows = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Watched:
    """
    What is looked at in one attribute.

    ``before`` and ``after``: its distributions may be shown. ``loss``: fixed by the technique (kept 0, dropped and
    token 1), to be measured, or, if empty, unknown.
    """

    name: str
    before: bool = False
    after: bool = False
    loss: Loss = "measured"


@dataclass(frozen=True, slots=True)
class Profile:
    """One column on one side of the run. ``distinct`` counts different values in the first ``DISTINCT_ROWS``."""

    nulls: int
    distinct: int
    distribution: Distribution | None


class ColumnProfiles:
    """
    Profiles of all attributes of a run; fed batch by batch, merged across workers.

    ``masked``: the columns of the masked table. ``unit``: the raw column that tells persons apart; None: every record
    is a person. ``least``: persons in the smallest cell that is shown.
    """

    def __init__(
        self, watched: Sequence[Watched], masked: Sequence[str], *, least: int, unit: str | None = None
    ) -> None:
        self.watched = {each.name: each for each in watched}
        self.masked = tuple(masked)
        self.least = least
        self.unit = unit
        self._raw = _Counts()
        self._left = _Counts()
        self._pairs = _Sample()
        self._after = _Sample()

    @property
    def visible_unit(self) -> str | None:
        """The column that tells persons apart in the masked table, if one does."""
        return self.unit if self.unit in self.masked else None

    def add(self, raw: pa.RecordBatch, masked: pa.RecordBatch, released: Rows | None = None) -> None:
        """
        Look at the next batch: ``raw`` and ``masked`` hold the same records in the same order.

        ``released``: places of the records that leave, in order; None: all of them.
        """
        whole = released is None or len(released) == raw.num_rows
        self.see(raw, masked, None if whole else released)
        self.write(masked if whole else masked.take(pa.array(released)))

    def see(
        self, raw: pa.RecordBatch, masked: pa.RecordBatch, released: Rows | None = None, start: int | None = None
    ) -> None:
        """Look at raw and masked values; ``start`` numbers the first record, for workers that saw no others."""
        first = self._raw.rows if start is None else start
        places = self._pairs.chosen(first, raw.num_rows)
        if len(places):
            left = np.ones(raw.num_rows, dtype=np.bool_)
            if released is not None:
                left[:] = False
                left[released] = True
            columns = {"\0left": pl.Series(left[places])}
            if self.unit is not None:
                columns["\0person"] = hash_of(taken(raw.column(self.unit), places))
            for each in self.watched.values():
                measured = each.loss in ("measured", "changed")
                if each.before or measured:
                    values = taken(raw.column(each.name), places)
                    columns[f"r {each.name}"] = values if each.before or is_number(values.dtype) else hash_of(values)
                if measured:
                    values = taken(masked.column(each.name), places)
                    columns[f"m {each.name}"] = values if is_number(values.dtype) else hash_of(values)
            self._pairs.take(first, places, columns)
        self._raw.add(raw, self.watched, first)

    def write(self, left: pa.RecordBatch, start: int | None = None) -> None:
        """Look at records that leave, numbered as they do."""
        first = self._left.rows if start is None else start
        places = self._after.chosen(first, left.num_rows)
        if len(places):
            shown = [name for name in self.masked if name in self.watched and self.watched[name].after]
            columns = {f"m {name}": taken(left.column(name), places) for name in shown}
            if self.visible_unit is not None:
                columns["\0person"] = hash_of(taken(left.column(self.visible_unit), places))
            self._after.take(first, places, columns)
        self._left.add(left, self.masked, first)

    def merge(self, other: "ColumnProfiles") -> None:
        """Count what another worker saw or wrote."""
        self._raw.merge(other._raw)
        self._left.merge(other._left)
        self._pairs.merge(other._pairs)
        self._after.merge(other._after)

    def before(self, name: str) -> Profile:
        """The raw column."""
        shown = self._pairs.distribution(f"r {name}", self.least, self.unit) if self.watched[name].before else None
        return Profile(self._raw.nulls.get(name, 0), self._raw.distinct(name), shown)

    def after(self, name: str, *, rounding: int = 1) -> Profile | None:
        """The masked column, None if there is none. Nothing here comes from a raw value."""
        if name not in self.masked:
            return None
        shown = None
        if self.watched[name].after:
            shown = self._after.distribution(f"m {name}", self.least, self.visible_unit, rounding)
        return Profile(self._left.nulls.get(name, 0), self._left.distinct(name), shown)

    def loss(self, name: str) -> tuple[float | None, str]:
        """Loss in [0, 1] and its kind; None where it is not measured."""
        asked = self.watched[name].loss
        if asked in ("kept", "dropped", "token"):
            return (0.0 if asked == "kept" else 1.0), asked
        frame = self._pairs.frame()
        if not asked or frame.is_empty():
            return None, ""
        frame = frame.filter(pl.col("\0left"))
        return loss_of(frame[f"r {name}"], frame[f"m {name}"], free_text=asked == "changed")


def loss_of(raw: pl.Series, masked: pl.Series, *, free_text: bool = False) -> tuple[float | None, str]:
    """
    Loss of a column in [0, 1] and its kind; values that became null are lost, values that were null are not counted.

    >>> loss_of(pl.Series([1, 2, 3, 4]), pl.Series(["1-2", "1-2", "3-4", "3-4"]))
    (0.3333, 'extent')
    >>> loss_of(pl.Series(["a", "b", "c", "d"]), pl.Series(["ab", "ab", "cd", "cd"]))
    (0.5, 'entropy')

    """
    pairs = pl.DataFrame({"x": raw, "y": masked}).drop_nulls("x")
    numbers = is_number(raw.dtype)
    if numbers:
        pairs = pairs.with_columns(_measurable(pairs["x"])).filter(pl.col("x").is_finite())
    kind = "distance" if numbers and is_number(masked.dtype) else "extent" if numbers else "entropy"
    if free_text:
        kind = "changed"
    if pairs.is_empty():
        return None, ""
    gone = pairs["y"].null_count() / pairs.height
    both = pairs.drop_nulls()
    part = _PARTS[kind](both) if both.height else 0.0
    return round(min(1.0, max(0.0, gone + (1 - gone) * min(1.0, part))), 4) + 0.0, kind


def _distance(pairs: pl.DataFrame) -> float:
    x, y = pairs["x"], _measurable(pairs["y"])
    moved, spread = _number((x - y).abs().mean()), _number(x.std(ddof=0))
    return moved / (math.sqrt(2) * spread) if spread else float(moved > 0)


def _extent(pairs: pl.DataFrame) -> float:
    domain = _number(pairs["x"].max()) - _number(pairs["x"].min())
    groups = pairs.group_by("y").agg((pl.col("x").max() - pl.col("x").min()).alias("width"), pl.len().alias("n"))
    return _number((groups["width"] * groups["n"]).sum()) / (pairs.height * domain) if domain else 0.0


def _entropy(pairs: pl.DataFrame) -> float:
    told = _bits(pairs, ["x"])
    return (_bits(pairs, ["x", "y"]) - _bits(pairs, ["y"])) / told if told else 0.0


def _changed(pairs: pl.DataFrame) -> float:
    return _number((pairs["x"] != pairs["y"]).mean())


_PARTS: Final = {"distance": _distance, "extent": _extent, "entropy": _entropy, "changed": _changed}


def _bits(pairs: pl.DataFrame, columns: list[str]) -> float:
    shares = pairs.group_by(columns).len()["len"].to_numpy() / pairs.height
    return float(-(shares * np.log2(shares)).sum())


def _measurable(values: pl.Series) -> pl.Series:
    """Numbers as they are, moments in microseconds."""
    if is_moment(values.dtype):
        values = values.cast(pl.Datetime("us")).to_physical()
    return values.cast(pl.Float64)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


# What is held of a stream.


class Distinct:
    """
    How many different values there are: exact up to 16,384, then within about one per cent.

    Source: adaptive sampling (Wegman; Flajolet, 1990): the hashes below a threshold are held, and the threshold halves
    when they are too many.
    """

    def __init__(self) -> None:
        self._level = 0
        self._held = pl.Series("h", [], dtype=pl.UInt64)

    def add(self, hashes: pl.Series) -> None:
        """Count the values with these hashes."""
        self._held = pl.concat([self._held, _below(hashes.alias("h"), self._level).unique()]).unique()
        while len(self._held) > _DISTINCT:
            self._level += 1
            self._held = _below(self._held, self._level)

    def merge(self, other: "Distinct") -> None:
        """Count what ``other`` counted as well."""
        self._level = max(self._level, other._level)
        self._held = _below(self._held, self._level)
        self.add(other._held)

    @property
    def number(self) -> int:
        """The estimate."""
        return len(self._held) << self._level


@dataclass
class _Counts:
    """Nulls and different values of the columns of one side."""

    rows: int = 0
    nulls: dict[str, int] = field(default_factory=dict)
    values: dict[str, Distinct] = field(default_factory=dict)

    def add(self, batch: pa.RecordBatch, names: Sequence[str] | Mapping[str, Watched], first: int) -> None:
        counted = min(batch.num_rows, DISTINCT_ROWS - first)
        for name in names:
            column = batch.column(name)
            self.nulls[name] = self.nulls.get(name, 0) + column.null_count
            if counted > 0:
                self.values.setdefault(name, Distinct()).add(
                    series(column.slice(0, counted)).drop_nulls().hash(*_SEEDS)
                )
        self.rows += batch.num_rows

    def distinct(self, name: str) -> int:
        return self.values[name].number if name in self.values else 0

    def merge(self, other: "_Counts") -> None:
        self.rows += other.rows
        for name, nulls in other.nulls.items():
            self.nulls[name] = self.nulls.get(name, 0) + nulls
        for name, distinct in other.values.items():
            self.values.setdefault(name, Distinct()).merge(distinct)


class _Sample:
    """All records up to ``SAMPLE``, then those whose number has a hash below a falling threshold."""

    def __init__(self) -> None:
        self._level = 0
        self._held: list[pl.DataFrame] = []
        self._rows = 0

    def chosen(self, start: int, rows: int) -> Rows:
        """Places, in a batch that starts with record number ``start``, of the records to take."""
        return np.flatnonzero(_mixed(start, rows) < self._threshold)

    @property
    def _threshold(self) -> np.uint64:
        return np.uint64(2 ** (64 - self._level) - 1)

    def take(self, start: int, places: Rows, columns: Mapping[str, pl.Series]) -> None:
        numbers = pl.Series("\0row", _mixed(start, int(places[-1]) + 1)[places])
        self._held.append(pl.DataFrame([numbers, *(values.alias(name) for name, values in columns.items())]))
        self._rows += len(places)
        if self._rows > SAMPLE + SAMPLE // 4:
            self.frame()

    def frame(self) -> pl.DataFrame:
        """The held records."""
        if len(self._held) > 1 or self._rows > SAMPLE:
            whole = pl.concat(self._held)
            hashes = whole["\0row"].to_numpy()
            while np.count_nonzero(hashes < self._threshold) > SAMPLE:
                self._level += 1
            # By way of Arrow: a filtered frame of texts still holds the texts of all that it was cut from.
            left = whole.filter(pl.Series(hashes < self._threshold))
            whole = pl.DataFrame([pl.Series(column.name, column.alias("").to_arrow()) for column in left])
            self._held, self._rows = [whole], whole.height
        return self._held[0] if self._held else pl.DataFrame()

    def merge(self, other: "_Sample") -> None:
        self._level = max(self._level, other._level)
        self._held += other._held
        self.frame()

    def distribution(self, column: str, least: int, unit: str | None, rounding: int = 1) -> Distribution | None:
        """The cells of at least ``least`` persons; None if there is nothing, or too much, to tell."""
        frame = self.frame()
        if frame.is_empty():
            return None
        persons = frame["\0person"] if unit is not None else None
        return distribution(frame[column], persons, least=least, rounding=rounding, sampled=self._level > 0)


def _mixed(start: int, rows: int) -> npt.NDArray[np.uint64]:
    """Record numbers, well mixed (splitmix64)."""
    mixed = np.arange(start, start + rows, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def _below(hashes: pl.Series, level: int) -> pl.Series:
    return hashes.filter(hashes < 2 ** (64 - level)) if level else hashes


# From values to what is shown.


def distribution(
    values: pl.Series, persons: pl.Series | None, *, least: int, rounding: int = 1, sampled: bool = False
) -> Distribution | None:
    """
    The cells of a column that at least ``least`` persons share, the others pooled.

    Numbers and dates fall into bins of a round width (1, 2, 5 and their tens; months, quarters, years), which are
    widened until each holds enough persons; the outermost have no end, so that no extreme is told. None: nothing but
    nulls, or no value is frequent enough to be named.
    """
    frame = pl.DataFrame({"v": values} if persons is None else {"v": values, "p": persons}).drop_nulls("v")
    shape = _Shape(least, rounding, sampled=sampled, by_person=persons is not None)
    if is_moment(values.dtype):
        months = pl.col("v").dt.year().cast(pl.Int64) * 12 + pl.col("v").dt.month().cast(pl.Int64) - 1
        return shape.histogram(frame.with_columns(months), 0, scale="month")
    if not is_number(values.dtype):
        return shape.categories(frame)
    frame = frame.with_columns(pl.col("v").cast(pl.Float64)).filter(pl.col("v").is_finite())
    if frame["v"].n_unique() <= SHOWN and bool((frame["v"] == frame["v"].round()).all()):
        return shape.categories(frame)
    size = min(_spread(frame["v"]) or _number(frame["v"].abs().max()), sys.float_info.max)
    power = min(max(math.floor(math.log10(size)) - 2, -_POWERS), _POWERS)
    numbers = frame["v"].to_numpy()
    cells = np.floor(_times(numbers, -power))
    cells = cells + (numbers >= _times(cells + 1, power)) - (numbers < _times(cells, power))  # as the edges say
    return shape.histogram(frame.with_columns(pl.Series("v", cells.clip(-_FAR, _FAR))), power, scale="number")


def _times(cells: Any, power: int) -> Any:
    """``cells`` times ten to ``power``, rounded once."""
    with np.errstate(over="ignore"):
        return cells * 10.0**power if power >= 0 else cells / 10.0**-power


@dataclass(slots=True)
class _Group:
    """Records that are shown as one bar, and their persons where they are told apart."""

    value: float | str
    count: int
    persons: set[int]

    def joined(self, other: "_Group") -> "_Group":
        return _Group(self.value, self.count + other.count, self.persons | other.persons)


@dataclass(frozen=True, slots=True)
class _Shape:
    least: int
    rounding: int
    sampled: bool
    by_person: bool

    def categories(self, frame: pl.DataFrame) -> Distribution | None:
        counted = self._counted(frame)
        behind = pl.col("p").list.len() if self.by_person else pl.col("n")
        often = counted.filter(behind >= self.least).sort(
            [-pl.col("n").cast(pl.Int64), pl.col("v").cast(pl.String)], maintain_order=True
        )
        shown = self._groups(often.head(SHOWN))
        others = counted.join(often.head(SHOWN), on="v", how="anti")
        persons = set(others["p"].explode().drop_nulls()) if self.by_person else set()
        rest = _Group("", int(others["n"].sum()), persons)
        while shown and rest.count and not self._enough(rest):
            rest = rest.joined(shown.pop())  # what is left of the total would tell a small remainder
        if not shown:
            return None
        if all(_leading(group.value) is not None for group in shown):
            shown.sort(key=lambda group: _place(group.value))
        cells = tuple(Cell(label=_label(group.value), count=self._round(group.count)) for group in shown)
        return self._made("categories", cells, self._round(rest.count))

    def histogram(self, frame: pl.DataFrame, power: int, scale: Literal["number", "month"]) -> Distribution | None:
        """``frame`` holds whole multiples of ten to ``power``."""
        if frame.is_empty():
            return None
        width = _width(frame["v"], _MONTHS if scale == "month" else None)
        bins: list[tuple[float | None, float | None, _Group]] = []
        lower: float | None = None
        open_: _Group | None = None
        whole = frame.with_columns(pl.col("v").cast(pl.Int64, strict=False) // width).drop_nulls("v")
        for group in sorted(self._groups(self._counted(whole)), key=lambda group: group.value):
            open_ = group if open_ is None else open_.joined(group)
            if self._enough(open_):
                upper = float(_times((int(group.value) + 1) * width, power))
                bins.append((lower, upper, open_))
                lower, open_ = upper, None
        if not bins:
            return None
        start, _, last = bins.pop()
        bins.append((start, None, last if open_ is None else last.joined(open_)))
        cells = tuple(Cell(lower=low, upper=high, count=self._round(group.count)) for low, high, group in bins)
        return self._made("histogram", cells, 0, step=float(_times(width, power)), scale=scale)

    def _counted(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.group_by("v").agg(pl.len().alias("n"), *([pl.col("p").unique()] if self.by_person else []))

    def _groups(self, counted: pl.DataFrame) -> list[_Group]:
        return [_Group(row[0], row[1], set(row[2]) if self.by_person else set()) for row in counted.iter_rows()]

    def _enough(self, group: _Group) -> bool:
        return (len(group.persons) if self.by_person else group.count) >= self.least

    def _round(self, count: int) -> int:
        return self.rounding * round(count / self.rounding)

    def _made(
        self,
        kind: Literal["categories", "histogram"],
        cells: tuple[Cell, ...],
        pooled: int,
        step: float | None = None,
        scale: Literal["number", "month"] = "number",
    ) -> Distribution:
        return Distribution(
            kind, cells, pooled, step, scale, least=self.least, rounding=self.rounding, sampled=self.sampled
        )


def _width(cells: pl.Series, widths: Sequence[int] | None) -> int:
    """The finest round width with at most ``SHOWN`` bars over the middle 98 per cent."""
    span = _spread(cells) + 1
    candidates = widths or [step * 10**power for power in range(19) for step in (1, 2, 5)]
    return next((width for width in candidates if span / width <= SHOWN), candidates[-1])


def _spread(values: pl.Series) -> float:
    return _number(values.quantile(0.99, "nearest")) - _number(values.quantile(0.01, "nearest"))


def _leading(value: float | str) -> float | None:
    """The number that a value is, or that a band begins with."""
    if isinstance(value, str):
        found = _LEADING.match(value)
        return float(found.group(1)) if found else None
    return value


def _place(value: float | str) -> tuple[float, bool, str]:
    """Bands in their order: below, from, above."""
    return _leading(value) or 0.0, not str(value).startswith(("<", "≤")), str(value)


def _label(value: float | str) -> str:
    return value[:_LABEL] if isinstance(value, str) else f"{value:.12g}"


# Arrow and polars.


def taken(column: pa.Array, places: Rows) -> pl.Series:
    """The values at these places, as ``series`` gives them; numbers as float64."""
    values = series(column.take(pa.array(places)) if len(places) < len(column) else column)
    return values.cast(pl.Float64) if values.dtype.is_numeric() else values


def series(column: pa.Array) -> pl.Series:
    """A polars series of a column: plain text for what is neither number, date nor text."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    made = pl.from_arrow(column)
    assert isinstance(made, pl.Series)
    if made.dtype == pl.Binary:
        return made.bin.encode("hex")
    if made.dtype.is_nested():  # told apart by their text
        return pl.Series(made.name, [None if each is None else str(each) for each in made], pl.String)
    return made.cast(pl.String) if made.dtype in (pl.Boolean, pl.Time, pl.Duration) else made


def is_moment(type: pl.DataType) -> bool:
    """True for dates and times of a date."""
    return type == pl.Date or isinstance(type, pl.Datetime)


def is_number(type: pl.DataType) -> bool:
    """True for numbers and moments, between which there is a distance; hashes (UInt64) are neither here."""
    return (type.is_numeric() and type != pl.UInt64) or is_moment(type)


def hash_of(values: pl.Series) -> pl.Series:
    """64 bits a value; null stays null."""
    hashed = values.hash(*_SEEDS).alias(values.name)
    return hashed.set(values.is_null(), None) if values.null_count() else hashed
