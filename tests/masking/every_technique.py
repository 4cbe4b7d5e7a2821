"""Every registered technique with each of its drawn examples, and columns of rows that it accepts."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from masking.errors import DataError
from masking.keys import MappingKeys
from masking.techniques import Example, Technique, get, names
from masking.techniques.base import WholeColumn

KEYS = MappingKeys({"one": bytes(range(32)), "other": bytes(range(1, 33))})
_ACCEPTED: dict[tuple[type[Technique], str, str], bool] = {}
Row = tuple[Any, ...]  # the value, then the values of the columns that the example gives beside it


@dataclass(frozen=True)
class Subject:
    """A technique under the parameters of one of its examples."""

    technique: type[Technique]
    example: Example

    @property
    def keyed(self) -> bool:
        return self.technique.needs_key

    @property
    def whole(self) -> bool:
        return issubclass(self.technique, WholeColumn)

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the columns beside the value, without the record columns."""
        return tuple(name for name in self.example.context if name != "record")

    @property
    def type(self) -> pa.DataType:
        wanted = self.example.type
        return pa.array(list(self.example.given), None if wanted is None else pa.type_for_alias(wanted)).type

    @property
    def rows(self) -> list[Row]:
        return [(value, *rest) for value, *rest in zip(self.example.given, *self._beside, strict=True)]

    @property
    def _beside(self) -> list[tuple[Any, ...]]:
        return [self.example.context[name] for name in self.others]

    def build(self, key: Any = "one", attribute: str = "value") -> Technique:
        return self.technique.build(
            self.example.parameters,
            attribute=attribute,
            key=key if self.keyed else None,
            keys=KEYS,
            record=("record",) if self.technique.per_record() else (),
        )

    def table(self, rows: list[Row]) -> pa.Table:
        """A table of ``value``, the other columns, and ``record``, which tells all of them apart."""
        columns = {"value": pa.array([row[0] for row in rows], self.type)}
        for place, name in enumerate(self.others, 1):
            kind = pa.array(list(self.example.context[name])).type
            columns[name] = pa.array([row[place] for row in rows], kind)
        return pa.table(columns | {"record": pa.array(range(1000, 1000 + len(rows)), pa.int64())})

    def fitted(self, table: pa.Table, key: Any = "one", attribute: str = "value") -> Technique:
        made = self.build(key, attribute)
        return made.fit(table.column("value"), context(table)) if isinstance(made, WholeColumn) else made

    def accepts(self, row: Row) -> bool:
        """A row that it refuses says nothing about the others; techniques on whole columns take all of their type."""
        if self.whole:
            return not self.others
        asked = (self.technique, label(self), repr(row))
        if asked not in _ACCEPTED:
            try:
                self.build().apply(*apart(self.table([row])))
            except DataError:
                _ACCEPTED[asked] = False
            else:
                _ACCEPTED[asked] = True
        return _ACCEPTED[asked]

    def any_rows(self) -> st.SearchStrategy[list[Row]]:
        """The example's rows twice (whole columns need some records), then others, nulls and invented ones too."""
        shown = self.rows or [(None, *[None] * len(self.others))]
        known = st.sampled_from(shown)
        values = _values(self.type)
        invented = st.tuples(values, known).map(lambda pair: (pair[0], *pair[1][1:])).filter(self.accepts)
        nulls = known.map(lambda row: (None, *row[1:]))
        drawn = st.lists(st.one_of(known, nulls, invented), max_size=12)
        return drawn.map(lambda rows: (self.rows * 2 if self.whole else []) + rows)

    def many_rows(self) -> list[Row]:
        """Some dozens of rows, always the same: the example's, and invented values that it accepts."""
        rests = [row[1:] for row in self.rows] or [(None,) * len(self.others)]
        invented = [(value, *rests[place % len(rests)]) for place, value in enumerate(_pool(self.type))]
        rows = self.rows * 3 + [row for row in invented if self.accepts(row)]
        return (rows * (1 + 40 // max(1, len(rows))))[:90]


def subjects() -> list[Subject]:
    return [Subject(get(name), example) for name in names() for example in get(name).spec]


def label(subject: Subject) -> str:
    return f"{subject.technique.name}-{subject.example.note}"


def apart(table: pa.Table) -> tuple[pa.ChunkedArray, dict[str, pa.ChunkedArray]]:
    return table.column("value"), context(table)


def context(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {name: table.column(name) for name in table.column_names}


def _values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_integer(kind):
        return st.integers(0, 100) | st.integers(-(10**6), 10**6)
    if pa.types.is_floating(kind):
        return st.floats(-1e6, 1e6)
    if pa.types.is_decimal(kind):
        return st.integers(0, 9).map(Decimal)
    if pa.types.is_boolean(kind):
        return st.booleans()
    if pa.types.is_date(kind):
        return st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1))
    if pa.types.is_timestamp(kind):
        zone = None if kind.tz is None else dt.UTC
        return st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=zone))  # noqa: DTZ001
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return st.text(max_size=12) | st.text("0123456789", min_size=1, max_size=19) | st.dates().map(str)
    return st.none()


def _pool(kind: pa.DataType) -> list[Any]:
    numbers = [n * n for n in range(40)]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return (
            [str(13_800_000_000 + n) for n in numbers[:15]]
            + [f"2020-01-{n:02}" for n in range(1, 16)]
            + list("甲乙丙丁")
        )
    if pa.types.is_date(kind):
        return [dt.date(2020, 1, 1) + dt.timedelta(n) for n in numbers]
    if pa.types.is_timestamp(kind):
        return [dt.datetime(2020, 1, 1, tzinfo=dt.UTC if kind.tz else None) + dt.timedelta(n) for n in numbers]
    if pa.types.is_decimal(kind):
        return [Decimal(n % 10) for n in numbers]
    return numbers if pa.types.is_integer(kind) or pa.types.is_floating(kind) else []
