"""
Equivalence classes of a stream: counted by hash in flat memory, batch by batch.

A class is held as 128 bits of hash over the values of its quasi-identifiers (null is a value), a person and a sensitive
value as 64 bits each, so memory grows with the number of distinct combinations and not with the width of the table. Two
persons or two sensitive values that share a hash count as one, which only makes a class look smaller.

Rules (PRIVACY 2, 3, 6): k counts persons; a class below a limit leaves whole; each sensitive attribute is tested with
the others as quasi-identifiers; what is left is tested again until nothing more leaves.
"""

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from masking.policy.model import Limits
from masking.report import RiskFigures

CLASS = ("c0", "c1")
UNIT = "u"
COUNT = "n"
_COMPACT_ROWS = 1 << 20
_SEEDS = ((11, 12, 13, 14), (21, 22, 23, 24), (31, 32, 33, 34))


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
        if not batch.num_rows:
            return
        hashed = self.hashed(batch)
        if self.units:
            assert unit is not None
            hashed = hashed.with_columns(_hash([unit], batch.num_rows, _SEEDS[2]).alias(UNIT))
        counted = hashed.group_by(self.keys).agg(pl.len().cast(pl.UInt64).alias(COUNT))
        self._pending.append(counted)
        self._pending_rows += counted.height
        if self._pending_rows > self._limit:
            self._limit = max(_COMPACT_ROWS, 2 * self.combinations().height)

    def hashed(self, batch: pa.RecordBatch) -> pl.DataFrame:
        """Give each record's class and sensitive values as hashes, in the batch's order."""
        classes = [batch.column(name) for name in self.quasi_identifiers]
        columns = [_hash(classes, batch.num_rows, _SEEDS[place]).alias(name) for place, name in enumerate(CLASS)]
        for key, name in zip(self.sensitive_keys, self.sensitive, strict=True):
            columns.append(_hash([batch.column(name)], batch.num_rows, _SEEDS[2]).alias(key))
        return pl.DataFrame(columns)

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
        if limits.k_anonymity is not None:
            left = left.filter(_persons(counter).over(CLASS) >= limits.k_anonymity)
        if limits.distinct_l_diversity is not None:
            for key in counter.sensitive_keys:
                others = [other for other in counter.sensitive_keys if other != key]
                left = left.filter(pl.col(key).n_unique().over([*CLASS, *others]) >= limits.distinct_l_diversity)
        if left.height == before:
            return left


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


def share_alone(counter: ClassCounter) -> float:
    """Share of records that no other record equals, in [0, 1]; 0 for an empty stream."""
    counts = counter.combinations()[COUNT]
    total = int(counts.sum())
    return int((counts == 1).sum()) / total if total else 0.0


def _persons(counter: ClassCounter) -> pl.Expr:
    return (pl.col(UNIT).n_unique() if counter.units else pl.col(COUNT).sum()).cast(pl.UInt64)


def _hash(columns: Sequence[pa.Array], rows: int, seeds: tuple[int, int, int, int]) -> pl.Series:
    """One hash a record over the columns; equal values hash equally in every batch."""
    if not columns:
        return pl.Series([0], dtype=pl.UInt64).new_from_index(0, rows)
    frame = pl.DataFrame([_series(column).alias(str(place)) for place, column in enumerate(columns)])
    return frame.hash_rows(*seeds)


def _series(column: pa.Array) -> pl.Series:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    series = pl.from_arrow(column)
    assert isinstance(series, pl.Series)
    # Nested values are compared by their text.
    return series.map_elements(str, return_dtype=pl.String) if series.dtype.is_nested() else series
