"""What a policy registered, resolved: every dimension with its categories, every measure on its grid.

Rule: nothing in here comes from the raw table. It is stored with the cube, so that whoever answers needs no policy.
A measure is counted in whole units of its grid, so that sums are exact whatever the order of the records.
Source: PRIVACY 20. Plain values.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final, Self

from masking.policy.fixed_bins import bins
from masking.policy.fixed_tables import MOST_TOGETHER, OTHER, OTHER_TITLE, FixedMeasure
from masking.policy.model import MaskingPolicy

DIGITS: Final = 4
"""The distance between a measure's bounds has between 10**4 and 10**5 units."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """Categories in order; ``edges`` and ``groups`` as in ``masking.policy.fixed_bins.Bins``.

    ``other``: the last category is for what no other one takes; otherwise such a person is counted nowhere.
    """

    name: str
    column: str
    title: Mapping[str, str]
    codes: tuple[str, ...]
    titles: tuple[Mapping[str, str], ...]
    characters: tuple[int, int] | None = None
    edges: tuple[Any, ...] = ()
    groups: Mapping[str, str] | None = None
    other: bool = True

    @property
    def count(self) -> int:
        """Categories, ``other`` included."""
        return len(self.codes)

    @property
    def outside(self) -> int:
        """The place of what no category takes; -1: nowhere."""
        return len(self.codes) - 1 if self.other else -1


@dataclass(frozen=True, slots=True)
class Measure:
    """Bounds, and the same in units of the grid. A person's value is taken from ``middle`` and is at most ``half``."""

    column: str
    title: Mapping[str, str]
    lower: float
    upper: float
    grid: float
    decimals: int
    low: int
    high: int

    @classmethod
    def of(cls, measure: FixedMeasure, title: Mapping[str, str]) -> Self:
        """On the coarsest decimal grid that still has 10**4 units between the bounds."""
        power = math.floor(math.log10(measure.upper - measure.lower)) - DIGITS
        grid = 10.0**power
        return cls(
            column=measure.column,
            title=title,
            lower=measure.lower,
            upper=measure.upper,
            grid=grid,
            decimals=max(0, -power),
            low=round(measure.lower / grid),
            high=round(measure.upper / grid),
        )

    @property
    def middle(self) -> int:
        """Half way between the bounds, in units."""
        return (self.low + self.high) // 2

    @property
    def half(self) -> int:
        """How far a clamped value can be from the middle, in units."""
        return max(self.high - self.middle, self.middle - self.low)


@dataclass(frozen=True, slots=True)
class Registration:
    """All of it. ``unit``: the column that identifies a person; None: each record is one."""

    dimensions: tuple[Dimension, ...]
    measures: tuple[Measure, ...]
    unit: str | None
    contribution: int
    threshold: int
    renew_days: int

    @classmethod
    def of(cls, policy: MaskingPolicy, files: Path | None = None) -> Self | None:
        """What the policy registers; None when it registers no fixed tables.

        Raises:
            PolicyError: a dimension has no fixed categories.
        """
        tables = policy.sandbox.tables
        if tables is None:
            return None
        dimensions = []
        for each in tables.dimensions:
            rule = policy.attributes[each.column]
            found = bins(each, rule, files)
            dimensions.append(
                Dimension(
                    name=each.name,
                    column=each.column,
                    title=each.title or rule.title or {"zh": each.name, "en": each.name},
                    codes=(*found.codes, OTHER) if each.other else found.codes,
                    titles=(*found.titles, OTHER_TITLE) if each.other else found.titles,
                    characters=each.characters,
                    edges=found.edges,
                    groups=found.groups or None,
                    other=each.other,
                )
            )
        return cls(
            dimensions=tuple(dimensions),
            measures=tuple(
                Measure.of(each, each.title or policy.attributes[each.column].title or _named(each.column))
                for each in tables.measures
            ),
            unit=policy.unit,
            contribution=tables.contribution,
            threshold=tables.threshold,
            renew_days=tables.renew_days,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Categories of each dimension."""
        return tuple(each.count for each in self.dimensions)

    @property
    def cells(self) -> int:
        """Base cells: all dimensions crossed."""
        return math.prod(self.shape)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(each.name for each in self.dimensions)

    @property
    def digest(self) -> str:
        """SHA-256 of the whole registration."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def askable(self) -> Iterator[tuple[int, ...]]:
        """The dimensions of each table that can be asked for, by their places: every choice of at most three."""
        for size in range(min(MOST_TOGETHER, len(self.dimensions)) + 1):
            yield from combinations(range(len(self.dimensions)), size)

    def to_json(self) -> dict[str, Any]:
        """For the database."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """What ``to_json`` gave."""
        return cls(
            **{
                **plain,
                "dimensions": tuple(
                    Dimension(
                        **{
                            **each,
                            "codes": tuple(each["codes"]),
                            "titles": tuple(each["titles"]),
                            "characters": tuple(each["characters"]) if each["characters"] else None,
                            "edges": tuple(each["edges"]),
                        }
                    )
                    for each in plain["dimensions"]
                ),
                "measures": tuple(Measure(**each) for each in plain["measures"]),
            }
        )


def _named(name: str) -> dict[str, str]:
    return {"zh": name, "en": name}
