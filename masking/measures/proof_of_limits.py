"""Each limit on the classes of a finished table, by polars group-bys: the work behind ``masking.measures.proof``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from masking.errors import InvalidParameter
from masking.hierarchies import TOP
from masking.limits import Limits
from masking.measures.classes import UNIT, as_frame
from masking.measures.k_map import k_map
from masking.measures.population import estimate_uniqueness
from masking.measures.presence import presence
from masking.measures.proof_of_closeness import Known, distances_to_the_table

TOLERANCE: Final = 1e-12
MOST_SHOWN: Final = 5
"""Counter-examples that are shown for each limit and attribute, the worst first."""


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A class that breaks a limit, told by its size: never by what its records hold.

    ``attribute``: the sensitive attribute that the limit is about, or None. With several sensitive attributes a class
    is what is alike in the others too. ``suppressed``: it is the class of suppressed records.
    """

    limit: str
    attribute: str | None
    asked: float
    measured: float
    persons: int
    records: int
    suppressed: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """How many classes break a limit, how many persons and records they hold together (counted in each class), and
    the persons of the smallest.
    """

    limit: str
    attribute: str | None
    classes: int
    persons: int
    records: int
    smallest: int


@dataclass(frozen=True, slots=True)
class Given:
    """What belongs to a table besides its records."""

    sensitive: Sequence[str] = ()
    unit: Any = None
    hierarchies: Mapping[str, Any] = field(default_factory=dict)
    orders: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    population: Any = None
    population_unit: Any = None
    rows: int | None = None
    suppressed: str = TOP


@dataclass(frozen=True, slots=True)
class Finding:
    """One limit on all classes. ``failing`` holds those that break it: ``measured``, ``persons``, ``records``,
    ``suppressed``. ``falls``: the limit is an upper one.
    """

    limit: str
    attribute: str | None
    asked: float
    worst: float
    failing: pl.DataFrame
    falls: bool

    @classmethod
    def of(
        cls, limit: str, asked: float, classes: pl.DataFrame, *, upper: bool, attribute: str | None = None
    ) -> Finding:
        """From one row a class with its figure in ``measured``; upper limits and entropies allow for rounding."""
        figure = classes["measured"]
        bad = figure > asked + TOLERANCE if upper else figure < asked - TOLERANCE
        worst = figure.max() if upper else figure.min()
        assert isinstance(worst, int | float)
        return cls(limit, attribute, asked, float(worst), classes.filter(bad), upper)

    def broken(self) -> Broken:
        """How many classes break it."""
        return Broken(
            self.limit,
            self.attribute,
            self.failing.height,
            int(self.failing["persons"].sum()),
            int(self.failing["records"].sum()),
            int(self.failing["persons"].to_numpy().min()),
        )

    def counterexamples(self) -> Iterator[Counterexample]:
        """The worst classes that break it, at most ``MOST_SHOWN``; which of equal ones does not matter."""
        worst = self.failing.sort(
            ["measured", "persons", "records", "suppressed"], descending=[self.falls, False, False, False]
        ).head(MOST_SHOWN)
        for row in worst.iter_rows(named=True):
            yield Counterexample(
                self.limit,
                self.attribute,
                self.asked,
                float(row["measured"]),
                row["persons"],
                row["records"],
                bool(row["suppressed"]),
            )


def findings(
    table: Any, frame: pl.DataFrame, classes: pl.DataFrame, quasi: list[str], limits: Limits, given: Given
) -> Iterator[Finding]:
    """Each limit that is asked for, on all classes."""
    persons = classes.with_columns(measured=pl.col("persons").cast(pl.Float64))
    if limits.k_anonymity is not None:
        yield Finding.of("k_anonymity", limits.k_anonymity, persons, upper=False)
    if limits.max_risk is not None:
        risks = classes.with_columns(measured=1 / pl.col("persons"))
        yield Finding.of("max_risk", limits.max_risk, risks, upper=True)
    keys = _columns("q", len(quasi))
    for place, name in enumerate(given.sensitive):
        others = [column for at, column in enumerate(_columns("s", len(given.sensitive))) if at != place]
        yield from _of_sensitive(frame, [*keys, *others], f"s{place}", name, limits, given)
    yield from _of_the_table(table, frame, classes, quasi, limits, given)


def _of_sensitive(
    frame: pl.DataFrame, keys: list[str], column: str, name: str, limits: Limits, given: Given
) -> Iterator[Finding]:
    """Diversity and closeness of one sensitive attribute in the classes that ``keys`` make."""
    if not limits.needs_sensitive:
        return
    numbered = _numbered(frame, keys, column)
    cells = numbered.group_by("class", "value").agg(n=persons_of(frame))
    counted = cells.group_by("class").agg(counts=pl.col("n").sort())
    sizes = numbered.group_by("class").agg(
        records=pl.len(), persons=persons_of(frame), suppressed=pl.col("suppressed").first()
    )
    counted = counted.join(sizes, on="class")
    counts = pl.col("counts").list
    if limits.distinct_l_diversity is not None:
        found = counted.with_columns(measured=counts.len().cast(pl.Float64))
        yield Finding.of("distinct_l_diversity", limits.distinct_l_diversity, found, upper=False, attribute=name)
    if limits.entropy_l_diversity is not None:
        found = counted.with_columns(measured=counts.eval(pl.element().entropy(math.e)).list.first().exp())
        yield Finding.of("entropy_l_diversity", limits.entropy_l_diversity, found, upper=False, attribute=name)
    if limits.recursive_cl_diversity is not None:
        c, l = limits.recursive_cl_diversity
        # Counts rise: the most frequent is last, what comes from the l-th on are all but the last l - 1.
        tail = counts.reverse().list.slice(l - 1).list.sum()
        found = counted.with_columns(measured=pl.when(tail > 0).then(counts.last() / tail).otherwise(math.inf))
        failing = found.filter(~(pl.col("measured").is_finite() & (counts.last() < c * tail)))
        worst = found["measured"].max()
        assert isinstance(worst, float)
        yield Finding("recursive_cl_diversity", name, c, worst, failing, falls=True)
    if limits.t_closeness is not None:
        known = Known(limits.t_closeness.distance, given.hierarchies.get(name), given.orders.get(name))
        whole = numbered.group_by("value").agg(n=persons_of(frame))
        distances = distances_to_the_table(cells, whole, name, known)
        joined = counted.drop("counts").join(distances, on="class")
        yield Finding.of("t_closeness", limits.t_closeness.t, joined, upper=True, attribute=name)


def _of_the_table(
    table: Any, frame: pl.DataFrame, classes: pl.DataFrame, quasi: list[str], limits: Limits, given: Given
) -> Iterator[Finding]:
    """Limits that the table meets or breaks as a whole, as if it were one class."""
    whole = pl.DataFrame(
        {"persons": [frame.select(persons_of(frame)).item()], "records": [frame.height], "suppressed": [False]},
    )

    def finding(limit: str, asked: float, measured: float, *, upper: bool) -> Finding:
        return Finding.of(limit, asked, whole.with_columns(measured=pl.lit(float(measured))), upper=upper)

    sizes = classes["persons"].cast(pl.Float64)
    if limits.average_risk is not None:
        yield finding("average_risk", limits.average_risk, _average_risk(frame, classes, len(quasi)), upper=True)
    wanted = limits.population_uniqueness
    if wanted is not None:
        everyone = max(float(wanted.population), float(sizes.sum()))
        estimate = estimate_uniqueness(sizes.to_numpy(), population=everyone, estimator=wanted.estimator)
        yield finding("population_uniqueness", wanted.share, estimate.share, upper=True)
    if limits.k_map is not None:
        found = k_map(table, given.population, quasi, given.unit, given.population_unit)
        yield finding("k_map", limits.k_map, found, upper=False)
    if limits.delta_presence is not None:
        low, high = limits.delta_presence
        chances = presence(table, given.population, quasi, given.unit, given.population_unit)
        yield finding("delta_presence", high, chances.greatest, upper=True)
        if chances.least < low - TOLERANCE:
            yield finding("delta_presence", low, chances.least, upper=False)
    if given.rows is not None:
        if given.rows < frame.height:
            raise InvalidParameter("rows, the records that came in, cannot be fewer than the table's", parameter="rows")
        gone = given.rows - frame.height + int(frame["suppressed"].sum())
        yield finding("suppression", limits.suppression, gone / max(given.rows, 1), upper=True)


def neutral_frame(table: Any, quasi: list[str], given: Given) -> pl.DataFrame:
    """The records with neutral names: q0 …, s0 …, whether the record is ``suppressed``, and its person ``p`` if not
    every record is one.
    """
    frame = as_frame(table, list(dict.fromkeys([*quasi, *given.sensitive])), given.unit)
    text = [frame.schema[name] in (pl.String, pl.Categorical, pl.Enum) for name in quasi]
    # A column of numbers cannot hold the sign of suppression.
    stars = (
        pl.all_horizontal(pl.col(name).cast(pl.String).eq_missing(pl.lit(given.suppressed)) for name in quasi)
        if quasi and all(text)
        else pl.repeat(value=False, n=pl.len(), dtype=pl.Boolean)
    )
    return frame.select(
        *(pl.col(name).alias(f"q{at}") for at, name in enumerate(quasi)),
        *(pl.col(name).alias(f"s{at}") for at, name in enumerate(given.sensitive)),
        stars.alias("suppressed"),
        *([pl.col(UNIT).alias("p")] if UNIT in frame.columns else []),
    )


def _average_risk(frame: pl.DataFrame, classes: pl.DataFrame, quasi_identifiers: int) -> float:
    """The mean risk of a person: 1 over the size of the smallest class that they stand in."""
    if "p" not in frame.columns:
        return classes.height / frame.height
    keys = _columns("q", quasi_identifiers)
    size = pl.col("p").n_unique().over(keys) if keys else pl.col("p").n_unique()
    smallest = frame.select("p", size.alias("size")).group_by("p").agg(pl.col("size").min())["size"]
    return float((1 / smallest).to_numpy().mean())


def class_sizes(frame: pl.DataFrame, quasi_identifiers: int) -> pl.DataFrame:
    """One row a class of the neutral frame: ``persons``, ``records``, ``suppressed``."""
    keys = _columns("q", quasi_identifiers)
    if not frame.height:
        return pl.DataFrame(schema={"persons": pl.UInt32, "records": pl.UInt32, "suppressed": pl.Boolean})
    groups = frame.group_by(keys) if keys else frame.group_by(pl.lit(0).alias("all"))
    return groups.agg(persons=persons_of(frame), records=pl.len(), suppressed=pl.col("suppressed").first()).select(
        "persons", "records", "suppressed"
    )


def _numbered(frame: pl.DataFrame, keys: list[str], column: str) -> pl.DataFrame:
    """The records with their class's number as ``class`` and the sensitive attribute as ``value``."""
    rest = [name for name in ("p", "suppressed") if name in frame.columns]
    if not keys:
        return frame.select(pl.lit(0).alias("class"), pl.col(column).alias("value"), *rest)
    classes = frame.select(keys).unique().with_row_index("class")
    return frame.join(classes, on=keys, nulls_equal=True).select("class", pl.col(column).alias("value"), *rest)


def persons_of(frame: pl.DataFrame) -> pl.Expr:
    """Counts the persons of a group of records of the neutral frame."""
    return pl.col("p").n_unique() if "p" in frame.columns else pl.len()


def _columns(letter: str, count: int) -> list[str]:
    return [f"{letter}{number}" for number in range(count)]
