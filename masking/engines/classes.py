"""
Equivalence classes of a stream, counted by hash, batch by batch.

Where limits are asked, ``ClassCounter`` holds every combination: a class as 128 bits over the 64-bit hashes of its
values (null is a value), a person and a sensitive value as 64 bits each, so memory grows with the number of distinct
combinations and not with the width of the table. Two persons or two sensitive values that share a hash count as one,
which only makes a class look smaller. Where nothing rests on the figures but the report, ``ClassSample`` holds a
million classes at most.

Rules (PRIVACY 2, 3, 6): k counts persons; a class below a limit leaves whole; each sensitive attribute is tested with
the others as quasi-identifiers; what is left is tested again until nothing more leaves.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from masking.engines.tally import HELD, Hashes, Tally
from masking.limits import Limits
from masking.recoding.find import uniqueness_of
from masking.report import RiskFigures

CLASS = ("c0", "c1")
UNIT = "u"
COUNT = "n"
_COMPACT_ROWS = 1 << 20
_SEEDS = (31, 32, 33, 34)
_MIXERS = (0x9E3779B97F4A7C15, 0xD1342543DE82EF95)
_NEAR = 1e-9  # rounding of sums of shares
_MODELS: Mapping[str, tuple[str, Callable[[float, float], float]]] = {
    "distinct_l_diversity": ("distinct", min),
    "entropy_l_diversity": ("entropy", min),
    "recursive_cl_diversity": ("recursive", max),
    "t_closeness": ("distance", max),
}
_TOLD_APART = 100  # different sensitive values of one class that a sample counts


class BatchHashes:
    """Hashes of a batch's columns (``names``, or all), made at once for all who count."""

    def __init__(self, batch: pa.RecordBatch, names: Sequence[str] | None = None) -> None:
        self._rows = batch.num_rows
        names = batch.schema.names if names is None else names
        frame = pl.DataFrame({name: _series(batch.column(name)) for name in dict.fromkeys(names)})
        hashed = frame.select(pl.all().hash(*_SEEDS)) if frame.width else frame
        self._made = {name: hashed[name].to_numpy() for name in hashed.columns}

    def of(self, name: str) -> Hashes:
        """64 bits a value; equal values hash equally in every batch, and null like null."""
        return self._made[name]

    def over(self, names: Sequence[str], mixer: int = 0) -> Hashes:
        """64 bits a record over several columns; another ``mixer`` (0, 1) gives others, independent of them."""
        mixed = np.zeros(self._rows, dtype=np.uint64)
        for name in names:
            mixed *= np.uint64(_MIXERS[mixer])
            mixed += self.of(name)
        return mixed


class ClassCounter:
    """Counts the combinations of (class, person, sensitive values) of a stream."""

    def __init__(self, quasi_identifiers: Sequence[str], sensitive: Sequence[str] = (), *, units: bool = False) -> None:
        self.quasi_identifiers = tuple(quasi_identifiers)
        self.sensitive = tuple(sensitive)
        self.units = units
        self.sensitive_keys = tuple(f"s{place}" for place in range(len(self.sensitive)))
        self._pending: list[pl.DataFrame] = []
        self._pending_rows = 0
        self._limit = _COMPACT_ROWS

    @property
    def keys(self) -> list[str]:
        """Columns that tell combinations apart."""
        return [*CLASS, *([UNIT] if self.units else []), *self.sensitive_keys]

    def add(self, batch: pa.RecordBatch, unit: pa.Array | None = None) -> None:
        """Count the records of ``batch``; ``unit`` holds their persons."""
        self.merge(self.counted(BatchHashes(batch, [*self.quasi_identifiers, *self.sensitive]), unit))

    def counted(self, hashes: BatchHashes, unit: pa.Array | None = None) -> pl.DataFrame:
        """The combinations of one batch, for ``merge``: changes nothing, so any thread may do it."""
        hashed = self.hashed(hashes)
        if self.units:
            assert unit is not None
            hashed = hashed.with_columns(_hash_of(unit).alias(UNIT))
        return hashed.group_by(self.keys).agg(pl.len().cast(pl.UInt64).alias(COUNT))

    def merge(self, counted: pl.DataFrame) -> None:
        """Count what ``counted`` found in a batch."""
        if not counted.height:
            return
        self._pending.append(counted)
        self._pending_rows += counted.height
        if self._pending_rows > self._limit:
            self._limit = max(_COMPACT_ROWS, 2 * self.combinations().height)

    def hashed(self, hashes: BatchHashes) -> pl.DataFrame:
        """Give each record's class and sensitive values as hashes, in the batch's order."""
        classes = {name: hashes.over(self.quasi_identifiers, mixer) for mixer, name in enumerate(CLASS)}
        sensitive = {key: hashes.of(name) for key, name in zip(self.sensitive_keys, self.sensitive, strict=True)}
        return pl.DataFrame({**classes, **sensitive})

    def figures(self) -> RiskFigures:
        """The figures of all combinations."""
        return figures(self)

    def combinations(self) -> pl.DataFrame:
        """All combinations so far with the number of their records."""
        if not self._pending:
            return pl.DataFrame(schema=dict.fromkeys([*self.keys, COUNT], pl.UInt64))
        if len(self._pending) > 1:
            self._pending = [pl.concat(self._pending).group_by(self.keys).agg(pl.col(COUNT).sum())]
        self._pending_rows = self._pending[0].height
        return self._pending[0]


def within(counter: ClassCounter, limits: Limits) -> pl.DataFrame:
    """Return the combinations that may stay: every class that is left meets every limit."""
    left = counter.combinations()
    while True:
        before = left.height
        if limits.k is not None:
            left = left.filter(_persons(counter).over(CLASS) >= limits.k)
        for key in counter.sensitive_keys if limits.needs_sensitive else ():
            left = _diverse(counter, left, key, limits)
        if left.height == before:
            return left


def class_sizes(counter: ClassCounter, combinations: pl.DataFrame) -> npt.NDArray[np.int64]:
    """Persons of each class."""
    return combinations.group_by(CLASS).agg(_persons(counter).alias("p"))["p"].to_numpy().astype(np.int64)


def found(counter: ClassCounter, combinations: pl.DataFrame, limits: Limits) -> dict[str, float]:
    """What the worst class (of ``average_risk`` and ``population_uniqueness``: the table) has of each limit asked.

    Empty for a table without records; the ordered and the hierarchical distance are not among it.
    """
    if not combinations.height:
        return {}
    sizes = class_sizes(counter, combinations)
    told = {
        "k_anonymity": float(sizes.min()),
        "max_risk": 1 / float(sizes.min()),
        "average_risk": figures(counter, combinations).prosecutor_average,
    }
    if limits.population_uniqueness is not None:
        told["population_uniqueness"] = uniqueness_of(sizes, limits.population_uniqueness)
    for key in counter.sensitive_keys if limits.needs_sensitive else ():
        worst = _diversity(counter, combinations, key, limits).select(
            pl.col("distinct").min(), pl.col("entropy").min(), pl.col("recursive").max(), pl.col("distance").max()
        )
        for name, (column, choose) in _MODELS.items():
            value = worst[column][0]
            told[name] = choose(told.get(name, value), value)
    if limits.t_closeness is not None and limits.t_closeness.distance != "equal":
        told.pop("t_closeness", None)
    return {name: told[name] for name in limits.asked if told.get(name) is not None}


def _diverse(counter: ClassCounter, left: pl.DataFrame, key: str, limits: Limits) -> pl.DataFrame:
    """What is left of classes whose values of one sensitive attribute meet every limit on them."""
    good = []
    if limits.distinct_l_diversity is not None:
        good.append(pl.col("distinct") >= limits.distinct_l_diversity)
    if limits.entropy_l_diversity is not None:
        good.append(pl.col("entropy") >= limits.entropy_l_diversity - _NEAR)
    if limits.recursive_cl_diversity is not None:
        good.append(pl.col("recursive") < limits.recursive_cl_diversity[0])
    if limits.t_closeness is not None and limits.t_closeness.distance == "equal":
        good.append(pl.col("distance") <= limits.t_closeness.t + _NEAR)
    if not good:
        return left
    kept = _diversity(counter, left, key, limits).filter(pl.all_horizontal(good))
    return left.join(kept, on=kept.columns[:-4], how="semi")


def _diversity(counter: ClassCounter, left: pl.DataFrame, key: str, limits: Limits) -> pl.DataFrame:
    """Each class, known by the other sensitive attributes as well (PRIVACY 6), with what its values are like.

    ``distinct`` values, exp of their ``entropy``, ``recursive``: the c that (c, l)-diversity needs to be above, and the
    equal ``distance`` to the table that is left.
    """
    known = [*CLASS, *(other for other in counter.sensitive_keys if other != key)]
    counts = left.group_by([*known, key]).agg(_persons(counter).cast(pl.Float64).alias("p"))
    whole = left.group_by(key).agg(_persons(counter).cast(pl.Float64).alias("q"))
    counts = counts.join(whole.with_columns(pl.col("q") / pl.col("q").sum()), on=key)
    share = pl.col("p") / pl.col("p").sum()
    falling = pl.col("p").sort(descending=True)
    least = limits.recursive_cl_diversity[1] if limits.recursive_cl_diversity is not None else 1
    return counts.group_by(known).agg(
        pl.len().alias("distinct"),
        (-(share * share.log()).sum()).exp().alias("entropy"),
        (falling.first() / falling.slice(least - 1).sum()).alias("recursive"),
        (share - pl.col("q")).clip(0).sum().alias("distance"),
    )


def figures(counter: ClassCounter, combinations: pl.DataFrame | None = None) -> RiskFigures:
    """Measure the classes in persons, as ``masking.measures.risk_figures`` does for a whole table."""
    table = counter.combinations() if combinations is None else combinations
    if not table.height:
        return RiskFigures(0, 0, 0, 0, 0.0, 0.0, dict.fromkeys(counter.sensitive, 0))
    classes = table.group_by(CLASS).agg(
        _persons(counter).alias("size"), *(pl.col(key).n_unique() for key in counter.sensitive_keys)
    )
    if counter.units:
        sizes = table.select(*CLASS, UNIT).join(classes.select(*CLASS, "size"), on=CLASS)
        persons = sizes.group_by(UNIT).agg(pl.col("size").min()).select("size", pl.lit(1, pl.UInt64).alias("persons"))
    else:
        persons = classes.select("size", pl.col("size").alias("persons"))
    total = int(persons["persons"].sum())
    smallest = int(persons["size"].min())  # type: ignore[arg-type]
    average = persons.select((pl.col("persons") / pl.col("size")).sum()).item() / total
    return RiskFigures(
        persons=total,
        classes=classes.height,
        k=smallest,
        unique_persons=int(persons.filter(pl.col("size") == 1)["persons"].sum()),
        prosecutor_max=1 / smallest,
        prosecutor_average=float(average),
        distinct_l={
            name: int(classes[key].min())  # type: ignore[arg-type]
            for name, key in zip(counter.sensitive, counter.sensitive_keys, strict=True)
        },
    )


class ClassSample:
    """
    The same figures for a report, in bounded memory; every record is a person.

    Exact up to half a million classes. Above, classes and unique persons are estimates (``masking.engines.tally``), and
    what a sample cannot tell is given as the worst it can be: k 1, l 1. Different sensitive values of one class are
    counted up to 100.
    """

    def __init__(self, quasi_identifiers: Sequence[str], sensitive: Sequence[str] = ()) -> None:
        self.quasi_identifiers = tuple(quasi_identifiers)
        self.sensitive = tuple(sensitive)
        self._classes = Tally()
        self._values = {name: _Values() for name in self.sensitive}

    def counted(self, hashes: BatchHashes, unit: pa.Array | None = None) -> tuple[Hashes, dict[str, pl.DataFrame]]:
        """The classes of one batch, for ``merge``."""
        del unit  # every record is one
        classes = hashes.over(self.quasi_identifiers)
        values = {name: pl.DataFrame({"c": classes, "s": hashes.of(name)}).unique() for name in self.sensitive}
        return classes, values

    def merge(self, counted: tuple[Hashes, dict[str, pl.DataFrame]]) -> None:
        """Count what was found in a batch."""
        self._classes.add(counted[0])
        for name, values in counted[1].items():
            self._values[name].add(values)

    def figures(self) -> RiskFigures:
        """The figures so far."""
        classes, rows = self._classes, self._classes.rows
        if not rows:
            return RiskFigures(0, 0, 0, 0, 0.0, 0.0, dict.fromkeys(self.sensitive, 0))
        number = min(classes.keys, rows)
        smallest = 1 if classes.level else int(classes.counts.min())
        return RiskFigures(
            persons=rows,
            classes=number,
            k=smallest,
            unique_persons=min(classes.alone, rows),
            prosecutor_max=1 / smallest,
            prosecutor_average=number / rows,
            distinct_l={name: min(values.least(), smallest) for name, values in self._values.items()},
        )


class _Values:
    """Different sensitive values by class: all while the pairs are few, the worst answer beyond."""

    def __init__(self) -> None:
        self._pairs = pl.DataFrame(schema={"c": pl.UInt64, "s": pl.UInt64})
        self._new: list[pl.DataFrame] = []
        self._waiting = 0
        self._overflowed = False

    def add(self, pairs: pl.DataFrame) -> None:
        if self._overflowed:
            return
        self._new.append(pairs)
        self._waiting += pairs.height
        if self._waiting > HELD:
            self._settle()

    def least(self) -> int:
        self._settle()
        if self._overflowed:
            return 1
        return min(self._pairs.group_by("c").len()["len"].to_list(), default=0)

    def _settle(self) -> None:
        pairs = pl.concat([self._pairs, *self._new]).unique()
        self._pairs = pairs.filter(pl.col("s").rank("ordinal").over("c") <= _TOLD_APART)
        self._new, self._waiting = [], 0
        if self._pairs.height > HELD:
            self._overflowed, self._pairs = True, self._pairs.clear()


def _hash_of(column: pa.Array) -> pl.Series:
    """64 bits a value; null is a value."""
    return _series(column).hash(*_SEEDS)


def _persons(counter: ClassCounter) -> pl.Expr:
    return (pl.col(UNIT).n_unique() if counter.units else pl.col(COUNT).sum()).cast(pl.UInt64)


def _series(column: pa.Array) -> pl.Series:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    series = pl.from_arrow(column)
    assert isinstance(series, pl.Series)
    # Nested values are compared by their text.
    return series.map_elements(str, return_dtype=pl.String) if series.dtype.is_nested() else series
