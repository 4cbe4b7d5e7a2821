"""The check of a finished table: each limit again, by plain group-bys, before anything leaves.

Shares no code with the searches nor with the other measures of diversity and closeness: a mistake there is found here.
The suppressed records (``*`` in every quasi-identifier) are a class like any other (PRIVACY 3). Closeness is measured
against the whole released table. Each sensitive attribute is tested with the others among the quasi-identifiers
(PRIVACY 6). Shares and distances may exceed a limit by rounding, at most ``TOLERANCE``; counts may not. Null is a value
of its own. Sources: those of ``masking.limits``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import polars as pl

from masking.errors import InvalidParameter, LimitsNotMet
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
class Proof:
    """What was asked of a table and what it has. ``measured`` holds, for each limit, the worst figure of a class."""

    records: int
    persons: int
    classes: int
    suppressed: int
    asked: Mapping[str, Any]
    measured: Mapping[str, float]
    broken: tuple[Broken, ...] = ()
    counterexamples: tuple[Counterexample, ...] = ()

    @property
    def holds(self) -> bool:
        """True if every limit is met."""
        return not self.broken

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "holds": self.holds}


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


def prove(table: Any, quasi_identifiers: Sequence[str], limits: Mapping[str, Any] | Limits, **given: Any) -> Proof:
    """Check a finished table and return the proof; what does not hold is an error. Arguments as ``examine``.

    Raises:
        LimitsNotMet: a limit is broken; says which, in how many classes, and how large the worst is.
        InvalidParameter, UnknownAttribute: as ``examine``.
    """
    proof = examine(table, quasi_identifiers, limits, **given)
    if proof.holds:
        return proof
    names = [f"{each.limit} ({each.attribute})" if each.attribute else each.limit for each in proof.broken]
    classes, smallest = sum(each.classes for each in proof.broken), min(each.smallest for each in proof.broken)
    raise LimitsNotMet(
        f"the finished table does not meet {names}: {classes} class(es) fail, the smallest has {smallest} person(s)",
        limits={each.limit: each.asked for each in proof.counterexamples},
        measured={each.limit: proof.measured[each.limit] for each in proof.broken},
    )


def examine(
    table: Any,
    quasi_identifiers: Sequence[str],
    limits: Mapping[str, Any] | Limits,
    *,
    sensitive: str | Sequence[str] = (),
    unit: Any = None,
    hierarchies: Mapping[str, Any] | None = None,
    orders: Mapping[str, Sequence[Any]] | None = None,
    population: Any = None,
    population_unit: Any = None,
    rows: int | None = None,
    suppressed: str = TOP,
) -> Proof:
    """Check a finished table against ``limits`` (a mapping as in policies, or ``Limits``); an empty table meets all.

    ``unit``: person column or array beside the records. ``hierarchies``, ``orders``: of sensitive attributes, for the
    distances that need them. ``population``: a table of everyone with the same quasi-identifiers, generalized alike,
    for ``k_map`` and ``delta_presence``. ``rows``: records that came in; if given, the share of those that are
    suppressed or left out is held to ``suppression``.

    Raises:
        InvalidParameter: an unknown limit, or one that lacks its sensitive attribute, population, order or hierarchy.
        UnknownAttribute: the table lacks a column.
    """
    wanted = Limits.of(limits)
    names = [sensitive] if isinstance(sensitive, str) else list(dict.fromkeys(sensitive))
    if wanted.needs_sensitive and not names:
        raise InvalidParameter(f"{wanted.needs_sensitive[0]} needs a sensitive attribute", parameter="sensitive")
    if wanted.needs_population and population is None:
        raise InvalidParameter(f"{wanted.needs_population[0]} needs the population", parameter="population")
    quasi = list(dict.fromkeys(quasi_identifiers))
    trees = {**(wanted.t_closeness.hierarchies if wanted.t_closeness else {}), **(hierarchies or {})}
    given = Given(names, unit, trees, orders or {}, population, population_unit, rows, suppressed)
    frame = _frame(table, quasi, given)
    classes = _classes(frame, _columns("q", len(quasi)))
    findings = list(_findings(table, frame, classes, quasi, wanted, given)) if frame.height else []
    measured: dict[str, float] = {}
    for each in findings:
        worse = max if each.falls else min
        measured[each.limit] = worse(measured.get(each.limit, each.worst), each.worst)
    return Proof(
        records=frame.height,
        persons=int(frame.select(_persons(frame)).item()),
        classes=classes.height,
        suppressed=int(frame["suppressed"].sum()),
        asked=wanted.to_dict(),
        measured=measured,
        broken=tuple(each.broken() for each in findings if each.failing.height),
        counterexamples=tuple(shown for each in findings for shown in each.counterexamples()),
    )


@dataclass(frozen=True, slots=True)
class _Finding:
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
    ) -> _Finding:
        """From one row a class with its figure in ``measured``; upper limits and entropies allow for rounding."""
        figure = classes["measured"]
        bad = figure > asked + TOLERANCE if upper else figure < asked - TOLERANCE
        worst = figure.max() if upper else figure.min()
        assert isinstance(worst, int | float)
        return cls(limit, attribute, asked, float(worst), classes.filter(bad), upper)

    def broken(self) -> Broken:
        return Broken(
            self.limit,
            self.attribute,
            self.failing.height,
            int(self.failing["persons"].sum()),
            int(self.failing["records"].sum()),
            int(self.failing["persons"].min()),  # type: ignore[arg-type]
        )

    def counterexamples(self) -> Iterator[Counterexample]:
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


def _findings(
    table: Any, frame: pl.DataFrame, classes: pl.DataFrame, quasi: list[str], limits: Limits, given: Given
) -> Iterator[_Finding]:
    persons = classes.with_columns(measured=pl.col("persons").cast(pl.Float64))
    if limits.k_anonymity is not None:
        yield _Finding.of("k_anonymity", limits.k_anonymity, persons, upper=False)
    if limits.max_risk is not None:
        risks = classes.with_columns(measured=1 / pl.col("persons"))
        yield _Finding.of("max_risk", limits.max_risk, risks, upper=True)
    keys = _columns("q", len(quasi))
    for place, name in enumerate(given.sensitive):
        others = [column for at, column in enumerate(_columns("s", len(given.sensitive))) if at != place]
        yield from _of_sensitive(frame, [*keys, *others], f"s{place}", name, limits, given)
    yield from _of_the_table(table, frame, classes, quasi, limits, given)


def _of_sensitive(
    frame: pl.DataFrame, keys: list[str], column: str, name: str, limits: Limits, given: Given
) -> Iterator[_Finding]:
    """Diversity and closeness of one sensitive attribute in the classes that ``keys`` make."""
    if not limits.needs_sensitive:
        return
    numbered = _numbered(frame, keys, column)
    cells = numbered.group_by("class", "value").agg(n=_persons(frame))
    counted = cells.group_by("class").agg(counts=pl.col("n").sort())
    sizes = numbered.group_by("class").agg(
        records=pl.len(), persons=_persons(frame), suppressed=pl.col("suppressed").first()
    )
    counted = counted.join(sizes, on="class")
    counts = pl.col("counts").list
    if limits.distinct_l_diversity is not None:
        found = counted.with_columns(measured=counts.len().cast(pl.Float64))
        yield _Finding.of("distinct_l_diversity", limits.distinct_l_diversity, found, upper=False, attribute=name)
    if limits.entropy_l_diversity is not None:
        found = counted.with_columns(measured=counts.eval(pl.element().entropy(math.e)).list.first().exp())
        yield _Finding.of("entropy_l_diversity", limits.entropy_l_diversity, found, upper=False, attribute=name)
    if limits.recursive_cl_diversity is not None:
        c, l = limits.recursive_cl_diversity
        # Counts rise: the most frequent is last, what comes from the l-th on are all but the last l - 1.
        tail = counts.reverse().list.slice(l - 1).list.sum()
        found = counted.with_columns(measured=pl.when(tail > 0).then(counts.last() / tail).otherwise(math.inf))
        failing = found.filter(~(pl.col("measured").is_finite() & (counts.last() < c * tail)))
        worst = found["measured"].max()
        assert isinstance(worst, float)
        yield _Finding("recursive_cl_diversity", name, c, worst, failing, falls=True)
    if limits.t_closeness is not None:
        known = Known(limits.t_closeness.distance, given.hierarchies.get(name), given.orders.get(name))
        whole = numbered.group_by("value").agg(n=_persons(frame))
        distances = distances_to_the_table(cells, whole, name, known)
        joined = counted.drop("counts").join(distances, on="class")
        yield _Finding.of("t_closeness", limits.t_closeness.t, joined, upper=True, attribute=name)


def _of_the_table(
    table: Any, frame: pl.DataFrame, classes: pl.DataFrame, quasi: list[str], limits: Limits, given: Given
) -> Iterator[_Finding]:
    """Limits that the table meets or breaks as a whole, as if it were one class."""
    whole = pl.DataFrame(
        {"persons": [frame.select(_persons(frame)).item()], "records": [frame.height], "suppressed": [False]},
    )

    def finding(limit: str, asked: float, measured: float, *, upper: bool) -> _Finding:
        return _Finding.of(limit, asked, whole.with_columns(measured=pl.lit(float(measured))), upper=upper)

    sizes = classes["persons"].cast(pl.Float64)
    if limits.average_risk is not None:
        yield finding("average_risk", limits.average_risk, classes.height / float(sizes.sum()), upper=True)
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


def _frame(table: Any, quasi: list[str], given: Given) -> pl.DataFrame:
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


def _classes(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    if not frame.height:
        return pl.DataFrame(schema={"persons": pl.UInt32, "records": pl.UInt32, "suppressed": pl.Boolean})
    groups = frame.group_by(keys) if keys else frame.group_by(pl.lit(0).alias("all"))
    return groups.agg(persons=_persons(frame), records=pl.len(), suppressed=pl.col("suppressed").first()).select(
        "persons", "records", "suppressed"
    )


def _numbered(frame: pl.DataFrame, keys: list[str], column: str) -> pl.DataFrame:
    """The records with their class's number as ``class`` and the sensitive attribute as ``value``."""
    rest = [name for name in ("p", "suppressed") if name in frame.columns]
    if not keys:
        return frame.select(pl.lit(0).alias("class"), pl.col(column).alias("value"), *rest)
    classes = frame.select(keys).unique().with_row_index("class")
    return frame.join(classes, on=keys, nulls_equal=True).select("class", pl.col(column).alias("value"), *rest)


def _persons(frame: pl.DataFrame) -> pl.Expr:
    return pl.col("p").n_unique() if "p" in frame.columns else pl.len()


def _columns(letter: str, count: int) -> list[str]:
    return [f"{letter}{number}" for number in range(count)]
