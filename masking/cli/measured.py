"""Everything that ``masking measure`` finds, as plain values: the sections of its JSON.

Figures only: no section holds a cell value. Ask for little and little is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

if TYPE_CHECKING:
    import pyarrow as pa

    from masking.limits import Estimator
    from masking.measures.risk import Risk
    from masking.policy.model import MaskingPolicy

VERSION: Final = 1
ESTIMATORS: Final[tuple[Estimator, ...]] = ("pitman", "zayatz", "snb", "dankar")
RECURSIVE: Final = (2, 3)
"""The l for which the least c is told."""
_THRESHOLD: Final = 0.2


@dataclass(frozen=True, slots=True)
class Given:
    """The table, its policy, and the columns that are in both. ``unit``: None where every record counts as a person."""

    table: pa.Table = field(repr=False)
    policy: MaskingPolicy
    files: Path
    quasi: tuple[str, ...]
    sensitive: tuple[str, ...]
    unit: str | None

    @classmethod
    def of(cls, table: pa.Table, policy: MaskingPolicy, files: Path) -> Given:
        """Raises ``UnknownAttribute`` if the table has none of the quasi-identifiers."""
        from masking.errors import UnknownAttribute

        names = table.column_names
        quasi = tuple(name for name in policy.person_columns if name in names)
        if policy.person_columns and not quasi:
            raise UnknownAttribute.from_missing(policy.person_columns, names)
        sensitive = tuple(name for name in policy.sensitive if name in names)
        return cls(table, policy, files, quasi, sensitive, policy.unit if policy.unit in names else None)


def overview(given: Given, measured: Risk) -> dict[str, Any]:
    """The figures that stand first: sizes, k, risk, uniqueness."""
    from masking.measures import risk_figures, uniqueness_all_columns

    figures = risk_figures(given.table, given.quasi, given.sensitive, given.unit)
    return {
        "version": VERSION,
        "rows": given.table.num_rows,
        "quasi_identifiers": list(given.quasi),
        **asdict(figures),
        "uniqueness": measured.uniqueness,
        "uniqueness_all_columns": uniqueness_all_columns(given.table),
        "at_risk": measured.at_risk,
    }


def limits(given: Given, population: pa.Table | None, rows: int | None) -> dict[str, Any]:
    """Each limit that the policy asks: what was found, whether it holds; ``not_measured``: what was missing for it."""
    from masking.measures import examine
    from masking.techniques.generalization.hierarchies import file_beside

    asked = given.policy.limits
    absent = {
        **(dict.fromkeys(asked.needs_population, "population") if population is None else {}),
        **(dict.fromkeys(asked.needs_sensitive, "sensitive") if not given.sensitive else {}),
    }
    nothing: dict[str, Any] = dict.fromkeys(absent)
    wanted = replace(asked, **nothing)
    closeness = wanted.t_closeness
    trees = {} if closeness is None else closeness.hierarchies
    proof = examine(
        given.table,
        given.quasi,
        wanted,
        sensitive=given.sensitive if wanted.needs_sensitive else (),
        unit=given.unit,
        hierarchies={
            name: file_beside(tree, given.files) if isinstance(tree, str) else tree for name, tree in trees.items()
        },
        population=population,
        rows=rows,
    )
    told = wanted.to_dict()
    if "suppression" in proof.measured:
        told["suppression"] = wanted.suppression
    else:
        told.pop("suppression", None)
    broken = {each.limit: each for each in proof.broken}
    return {
        "holds": proof.holds and not absent,
        "suppressed_records": proof.suppressed,
        "limits": [
            {
                "limit": name,
                "asked": value,
                "found": proof.measured.get(name),
                "holds": name not in broken,
                "failing_classes": broken[name].classes if name in broken else 0,
                "failing_persons": broken[name].persons if name in broken else 0,
            }
            for name, value in told.items()
        ],
        "not_measured": absent,
        "counterexamples": [asdict(each) for each in proof.counterexamples],
    }


def models(given: Given) -> dict[str, Any]:
    """The privacy models at a glance, whether asked for or not; each sensitive attribute beside the others."""
    from masking.measures import alpha, beta_likeness, delta_disclosure, l_diversity, least_c, t_closeness

    found = {}
    for name in given.sensitive:
        others = [*given.quasi, *(other for other in given.sensitive if other != name)]
        about = (given.table, others, name)
        found[name] = {
            "distinct_l": int(l_diversity(*about, unit=given.unit)),
            "entropy_l": l_diversity(*about, kind="entropy", unit=given.unit),
            "least_c": {str(l): _finite(least_c(*about, l=l, unit=given.unit)) for l in RECURSIVE},
            "t_equal": t_closeness(*about, unit=given.unit),
            "t_ordered": t_closeness(*about, distance="ordered", unit=given.unit) if _ordered(given, name) else None,
            "alpha": alpha(*about, unit=given.unit),
            "beta": beta_likeness(*about, unit=given.unit),
            "delta": delta_disclosure(*about, unit=given.unit),
        }
    return found


def risks(given: Given, population: int | None, everyone: pa.Table | None) -> Risk:
    """The risk from each attacker; the journalist needs a population, or at least its size."""
    from masking.errors import InvalidParameter
    from masking.measures import risk

    if everyone is not None:
        whole = given.unit if given.unit in everyone.column_names else None
        return risk(given.table, given.quasi, given.unit, _THRESHOLD, population=everyone, population_unit=whole)
    measured = risk(given.table, given.quasi, given.unit, _THRESHOLD)
    if population is None or not measured.persons:
        return measured
    if population < measured.persons:
        raise InvalidParameter("the population must hold at least the persons of the sample", parameter="population")
    fraction = measured.persons / population
    return risk(given.table, given.quasi, given.unit, _THRESHOLD, sampling_fraction=fraction)


def persons_of(given: Given, everyone: pa.Table) -> int:
    """Persons of a population table."""
    import pyarrow.compute as pc

    if given.unit not in everyone.column_names:
        return int(everyone.num_rows)
    return int(pc.count_distinct(everyone.column(given.unit), mode="all").as_py())


def uniqueness(given: Given, population: int) -> list[dict[str, Any]]:
    """How many persons are alone in the population, by each estimator and by the rule that chooses between them."""
    from masking.measures import population_uniqueness

    return [
        asdict(
            population_uniqueness(
                given.table,
                given.quasi,
                population=population,
                estimator=name,
                unit=given.unit,
            )
        )
        for name in ESTIMATORS
    ]


def special(given: Given, size: int) -> dict[str, Any]:
    """How few attributes single a person out (SUDA2)."""
    from masking.measures import special_uniques

    found = special_uniques(given.table, given.quasi, size, given.unit)
    rows = given.table.num_rows
    return {
        "size": size,
        "by_size": {str(number): count for number, count in found.by_size.items()},
        "special_records": found.special,
        "special_share": found.special / rows if rows else 0.0,
        "score_max": float(found.scores.max(initial=0.0)),
        "attributes": dict(found.attributes),
    }


def grade(given: Given, measured: Risk) -> dict[str, Any] | None:
    """The effect of de-identification of a masked table; None for a table that is not what the policy releases."""
    from masking.measures import effect
    from masking.measures.effect import SOURCES, THRESHOLDS, Sharing

    if set(given.table.column_names) != set(given.policy.kept) or given.policy.is_aggregate:
        return None
    k = round(1 / measured.prosecutor_max) if measured.persons else None
    return {
        sharing: {
            "grade": int(effect(given.policy, k, sharing=sharing)),
            "threshold": THRESHOLDS[sharing],
            "source": SOURCES[sharing],
        }
        for sharing in get_args(Sharing)
    }


def figures(measured: Mapping[str, Any]) -> dict[str, Any]:
    """The risk as JSON holds it."""
    names = ("prosecutor_max", "prosecutor_average", "prosecutor_min", "marketer", "at_risk", "threshold")
    return {**{name: measured[name] for name in names}, "journalist": measured["journalist"]}


def _ordered(given: Given, name: str) -> bool:
    import pyarrow as pa

    kind = given.table.schema.field(name).type
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_temporal(kind)
    )


def _finite(number: float) -> float | None:
    """JSON has no infinity: a class has too few values for any c."""
    return None if number == float("inf") else number
